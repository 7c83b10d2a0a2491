"""How models of any make are called: told that they train by the flag they take, with their key, for one output."""

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.comparison.plan import noises_of
from regjax.models.interface import FLAGS, as_model
from tests.models.shared import KEYS, X, Y, loss_of

pytestmark = pytest.mark.slow


class Body(nn.Module):
    """Dropout and batch statistics, told by `off`."""

    @nn.compact
    def __call__(self, x, off):
        x = nn.BatchNorm(use_running_average=off, momentum=0.5)(nn.Dense(8)(x))
        return nn.Dense(2)(nn.Dropout(0.5)(x, deterministic=off))


class Train(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        return Body()(x, not train)


class Training(nn.Module):
    @nn.compact
    def __call__(self, x, training=False):
        return Body()(x, not training)


class IsTraining(nn.Module):
    @nn.compact
    def __call__(self, x, is_training=False):
        return Body()(x, not is_training)


class Deterministic(nn.Module):
    @nn.compact
    def __call__(self, x, deterministic=True):
        return Body()(x, deterministic)


class Inference(nn.Module):
    @nn.compact
    def __call__(self, x, inference=True):
        return Body()(x, inference)


class Required(nn.Module):
    @nn.compact
    def __call__(self, x, *, deterministic):
        return Body()(x, deterministic)


class TrainField(nn.Module):
    train: bool = False

    @nn.compact
    def __call__(self, x):
        return Body()(x, not self.train)


class DeterministicField(nn.Module):
    deterministic: bool | None = None

    @nn.compact
    def __call__(self, x):
        return Body()(x, self.deterministic)


class Merged(nn.Module):
    """The way of Flax's own layers: a field or an argument, not both."""

    deterministic: bool | None = None

    @nn.compact
    def __call__(self, x, deterministic=None):
        return Body()(x, nn.merge_param("deterministic", self.deterministic, deterministic))


TOLD = {
    "train": Train(),
    "training": Training(),
    "is_training": IsTraining(),
    "deterministic": Deterministic(),
    "inference": Inference(),
    "required": Required(),
    "train field": TrainField(),
    "train field, on": TrainField(train=True),
    "deterministic field": DeterministicField(),
    "merged": Merged(),
    "merged, set": Merged(deterministic=True),
}


@pytest.mark.parametrize("name", TOLD)
def test_a_module_is_told_that_it_trains(name):
    loss, state = loss_of(TOLD[name])
    drawn = {float(loss(key, True)[0]) for key in KEYS}
    assert len(drawn) == 3, "dropout does not act"
    moved = loss(KEYS[0], True)[1].model_state
    assert not np.allclose(moved["batch_stats"]["Body_0"]["BatchNorm_0"]["mean"], 0), "batch statistics stand still"
    still = {float(loss(key, False)[0]) for key in KEYS}
    assert len(still) == 1
    jax.tree.map(np.testing.assert_array_equal, loss(None, False)[1].model_state, state)


def test_all_conventions_train_alike():
    plain = [name for name in TOLD if "field" not in name]
    losses = {name: float(loss_of(TOLD[name])[0](KEYS[1], True)[0]) for name in plain}
    assert len(set(losses.values())) == 1, losses
    assert set(FLAGS) <= set(TOLD)


class Silent(nn.Module):
    rate: float = 0.5

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.Dropout(self.rate, deterministic=True)(x))


class SilentNorm(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.BatchNorm(use_running_average=True)(x))


class SilentAttention(nn.Module):
    @nn.compact
    def __call__(self, x):
        attention = nn.MultiHeadDotProductAttention(2, dropout_rate=0.1, deterministic=True)
        return nn.Dense(2)(attention(x[:, None])[:, 0])


class SilentOwn(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(rj.layers.Dropout()(x, 0.5, deterministic=True))


class SilentOptions(nn.Module):
    """Takes any option, and reads one that nobody gives."""

    @nn.compact
    def __call__(self, x, **options):
        return nn.Dense(2)(nn.Dropout(0.5, deterministic=options.get("deterministic", True))(x))


class SilentSpectral(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.SpectralNorm(nn.Dense(2))(x, update_stats=False)


class DropPath(nn.Module):
    """A layer of the user's own, known by its name and its flag."""

    rate: float = 0.5

    @nn.compact
    def __call__(self, x, train=False):
        keep = jax.random.bernoulli(self.make_rng("dropout"), 1 - self.rate, x.shape) if train else 1.0
        return x * keep / (1 - self.rate) if train else x


class SilentPath(nn.Module):
    rate: float = 0.5

    @nn.compact
    def __call__(self, x, is_train=False):
        return DropPath(self.rate)(nn.Dense(2)(x), is_train)


SILENT = {
    "options": (SilentOptions(), "Dropout_0"),
    "spectral": (SilentSpectral(), "SpectralNorm_0"),
    "of the user": (SilentPath(), "DropPath_0"),
    "dropout": (Silent(), "Dropout_0"),
    "norm": (SilentNorm(), "BatchNorm_0"),
    "attention": (SilentAttention(), "MultiHeadDotProductAttention_0"),
    "own dropout": (SilentOwn(), "Dropout_0"),
    "sequential": (nn.Sequential([nn.Dense(4), nn.Dropout(0.5, deterministic=True), nn.Dense(2)]), "layers_1"),
}


@pytest.mark.parametrize("name", SILENT)
def test_a_module_that_cannot_be_told_is_refused_before_it_trains(name):
    model, layer = SILENT[name]
    loss, _ = loss_of(model)
    loss(None, False)  # as it is, it predicts
    with pytest.raises(ValueError, match=rf"{layer}.*deterministic"):
        loss(KEYS[0], True)
    plain = as_model(model).apply  # a function around it does not hide it
    params, state = as_model(model).init(KEYS[0], X)
    with pytest.raises(ValueError, match=layer):
        rj.build_loss(lambda v, x: plain(v, x), "cross_entropy")(params, rj.Batch(X, Y), KEYS[0], model_state=state)
    data = rj.TrainData(*map(jnp.asarray, (X, Y, np.arange(16), X, Y)))
    for call in (
        lambda: rj.fit(rj.Spec(model, num_classes=2, batch_size=8), rj.make_hparams(n_train=16), KEYS[0], data),
        lambda: rj.compare(model, (X.repeat(3, 0), Y.repeat(3)), {"early_stopping": []}, seeds=1, epochs=1),
    ):
        with pytest.raises(rj.InputError, match=rf"^[\w/]*{layer} "):
            call()


def test_a_module_without_noise_needs_no_flag():
    for model in (Silent(rate=0.0), SilentPath(rate=0.0), nn.Sequential([nn.Dense(4), nn.relu, nn.Dense(2)])):
        loss_of(model)[0](KEYS[0], True)


class Loud(nn.Module):
    """Trains unless it is told otherwise, by a name that nobody knows."""

    @nn.compact
    def __call__(self, x, is_train=True):
        return nn.Dense(2)(nn.Dropout(0.5)(x, deterministic=not is_train))


def test_noise_that_cannot_be_switched_off_is_refused_in_evaluation():
    params = Loud().init(dict(zip(("params", "dropout"), KEYS, strict=False)), X)["params"]
    with pytest.raises(rj.InputError, match=r"Dropout_0.*deterministic"):
        rj.evaluate(Loud().apply, params, None, X, Y)


class Forgetful(nn.Module):
    @nn.compact
    def __call__(self, x, train=False):
        return Silent()(x)


class Frozen(nn.Module):
    """A part that is not to train, and one that does."""

    @nn.compact
    def __call__(self, x, train=False):
        return nn.BatchNorm(use_running_average=not train)(Silent()(x))


def test_a_flag_that_reaches_no_noise_is_said():
    with pytest.warns(UserWarning, match="Silent_0/Dropout_0"):
        loss_of(Forgetful())[0](KEYS[0], True)
    loss_of(Forgetful())[0](KEYS[0], False)
    loss_of(Frozen())[0](KEYS[0], True)


def test_the_functions_of_a_module_are_that_module():
    for model in (nn.Dense(2), Deterministic()):
        pair = loss_of((model.init, model.apply))[0]
        for train in (True, False):
            assert pair(KEYS[1], train)[0] == loss_of(model)[0](KEYS[1], train)[0]


class Two(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x), x


TAKES_ONE = {
    "evaluate": lambda m, v: rj.evaluate(m.apply, v["params"], None, X, Y),
    "predict": lambda m, v: rj.predict(m.apply, v["params"], None, X),
    "build_loss": lambda m, v: rj.build_loss(m.apply, "cross_entropy")(v["params"], rj.Batch(X, Y), KEYS[0]),
    "build_loss, mse": lambda m, v: rj.build_loss(m.apply, "mse")(v["params"], rj.Batch(X, X), KEYS[0]),
    "mc_predict": lambda m, v: rj.mc_predict(m.apply, v["params"], X, KEYS[0], 2),
    "compare": lambda m, v: rj.compare(m, (X.repeat(3, 0), Y.repeat(3)), {"early_stopping": []}, seeds=1),
    "fit": lambda m, v: rj.fit(
        rj.Spec(m, batch_size=8), rj.make_hparams(n_train=16), KEYS[0], rj.TrainData(X, Y, np.arange(16), X, Y)
    ),
}


@pytest.mark.parametrize("name", TAKES_ONE)
def test_several_outputs_are_refused_where_one_is_needed(name):
    with pytest.raises(ValueError, match="tuple"):
        TAKES_ONE[name](Two(), Two().init(KEYS[0], X))


def test_a_loss_of_ones_own_gets_several_outputs():
    params = Two().init(KEYS[0], X)["params"]
    loss_fn = rj.build_loss(Two().apply, lambda outputs, y: jnp.square(outputs[0][:, 0] - y))
    assert np.isfinite(loss_fn(params, rj.Batch(X, Y), KEYS[0])[0])


class Table(nn.Module):
    values: np.ndarray

    def __call__(self, x):
        return x


def test_a_sequential_of_lists_is_compared_and_what_has_no_hash_is_named():
    model = nn.Sequential([nn.Dense(4), nn.Sequential([nn.relu, nn.Dense(2)])])
    assert noises_of(model) == ()
    result = rj.compare(model, (X.repeat(4, 0), Y.repeat(4)), {"early_stopping": []}, seeds=1, epochs=1)
    assert "\n" not in result.settings["model"]
    with pytest.raises(rj.InputError, match=r"Table.*values") as caught:
        rj.Spec(Table(np.zeros((99, 99))))
    assert "\n" not in str(caught.value)


def test_what_is_no_model_is_named_in_one_line():
    for thing in (eqx.nn.MLP(4, 2, 32, 3, key=KEYS[0]), {f"layer_{i}": np.zeros((9, 9)) for i in range(50)}):
        with pytest.raises(ValueError, match=type(thing).__name__) as caught:
            as_model(thing)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 300


class Concrete(nn.Module):
    @nn.compact
    def __call__(self, x, deterministic=False):
        return nn.Dense(2)(rj.layers.ConcreteDense(8)(x, 0.1, deterministic=deterministic))


def test_a_term_of_the_loss_that_a_function_hides_is_no_loss_silently():
    module = Concrete()
    params = module.init(KEYS[0], X, deterministic=True)["params"]
    batch = rj.Batch(X, Y)

    def around(variables, x, deterministic=False, rngs=None):
        return module.apply(variables, x, deterministic=deterministic, rngs=rngs)

    value, aux = rj.build_loss(module.apply, "cross_entropy")(params, batch, KEYS[1])
    assert abs(float(value) - float(aux.parts["data_loss"])) > 0.01
    with pytest.raises(ValueError, match=r"ConcreteDense_0.*'penalties'"):
        rj.build_loss(around, "cross_entropy")(params, batch, KEYS[1])
    rj.build_loss(around, "cross_entropy")(params, batch, KEYS[1], train=False)
