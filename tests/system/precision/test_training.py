"""Losses, optimizers, steps, averages, noises and whole runs in every type."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj
from regjax.augment import AUGMENTATIONS
from regjax.augment.mix import MIXES
from regjax.averaging import AVERAGES
from regjax.losses import LOSSES, smooth_labels
from regjax.noise import NOISES, WEIGHT_NOISES, concrete_penalty, perturb_weights
from regjax.optim.optimizers import OPTIMIZERS
from regjax.penalties.outputs import OUTPUT_PENALTIES
from tests.augment.test_suite import MAGNITUDES, call, examples
from tests.system.precision.settings import PrecisionSetting, each_setting, soft

pytestmark = pytest.mark.slow

KEY = jax.random.key(0)
LOGITS = np.array([[0.3, -1.7, 2.2], [0.1, 0.7, -0.4]])
SOFT = np.array([[0.2, 0.5, 0.3], [0.9, 0.05, 0.05]])
PARAMS = {"kernel": np.array([[0.4, -1.7], [0.01, 0.33]]), "bias": np.array([0.1, -0.2])}
GRADS = {"kernel": np.array([[0.2, -0.7], [0.3, 1.1]]), "bias": np.array([0.4, 0.6])}


def types(tree):
    """The types of all leaves that hold numbers."""
    return [leaf.dtype for leaf in jax.tree.leaves(tree)]


def log_softmax(z):
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


@each_setting
def test_losses(setting):
    with PrecisionSetting(setting) as at:
        outputs, targets = at.array(LOGITS), at.array(SOFT)
        z, y = np.asarray(outputs, np.float64), np.asarray(targets, np.float64)
        size, log_q = np.abs(z - y), log_softmax(z)
        expected = {
            "cross_entropy": -(y * log_q).sum(-1),
            "binary_cross_entropy": (np.log1p(np.exp(z)) - y * z).mean(-1),
            "focal": -(y * (1 - np.exp(log_q)) ** 2 * log_q).sum(-1),
            "mse": (size**2).mean(-1),
            "mae": size.mean(-1),
            "huber": np.where(size <= 1, size**2, 2 * size - 1).mean(-1),
            "quantile": size.mean(-1) / 2,
            "poisson": 2 * (np.exp(z) - y - y * z + y * np.log(y)).mean(-1),
        }
        assert set(expected) == set(LOSSES)
        for name, value in expected.items():
            for loss in (LOSSES[name], jax.jit(LOSSES[name])):
                assert loss(outputs, targets).dtype == at.wide
                np.testing.assert_allclose(loss(outputs, targets), value, rtol=at.rtol)
        np.testing.assert_allclose(
            LOSSES["cross_entropy"](outputs, jnp.array([2, 0])), -log_softmax(z)[[0, 1], [2, 0]], rtol=at.rtol
        )


@each_setting
def test_smoothed_labels(setting):
    with PrecisionSetting(setting) as at:
        targets = at.array(SOFT)
        smooth = smooth_labels(targets, 0.1, 3)
        assert smooth.dtype == at.wide
        np.testing.assert_allclose(smooth, 0.9 * np.asarray(targets, np.float64) + 0.1 / 3, rtol=at.rtol)


def by_hand(name, z, h):
    """The value of an output penalty of strength 1 on outputs z and one activation h."""
    logs = log_softmax(z)
    return {
        "activity_l1": np.abs(h).sum(-1).mean(),
        "activity_l2": (h**2).sum(-1).mean(),
        "confidence": (np.exp(logs) * logs).sum(-1).mean(),
    }[name]


@pytest.mark.parametrize("name", OUTPUT_PENALTIES)
@each_setting
def test_output_penalties(name, setting):
    with PrecisionSetting(setting) as at:
        model = rj.models.make_model("mlp", num_outputs=3, widths=(4,))
        x = at.array(np.random.default_rng(0).normal(size=(5, 2)))
        variables = jax.tree.map(lambda w: w.astype(at.dtype), model.init(KEY, x))
        term = OUTPUT_PENALTIES[name](*((0.1, 1.0) if name == "fgsm" else (0.3,)))
        loss_fn = rj.build_loss(model.apply, "cross_entropy", output_penalties=(term,))
        batch = rj.Batch(x, jnp.arange(5, dtype=jnp.int32) % 3)
        (loss, aux), grads = jax.value_and_grad(loss_fn, has_aux=True)(variables["params"], batch, KEY)
        assert (loss.dtype, aux.parts[name].dtype, set(types(grads))) == (at.wide, at.wide, {np.dtype(at.dtype)})
        assert all(np.isfinite(np.asarray(g, np.float64)).all() for g in jax.tree.leaves(grads))
        if name in ("activity_l1", "activity_l2", "confidence") and at.dtype == jnp.float64:
            outputs, seen = model.apply(variables, x, train=True, mutable=["activations"])
            h = np.asarray(jax.tree.leaves(seen)[0])
            np.testing.assert_allclose(aux.parts[name], 0.3 * by_hand(name, np.asarray(outputs), h), rtol=at.rtol)


MODES = ("coupled", "decoupled", "independent", "proximal")
PENALTY = {"coupled": rj.l2, "decoupled": rj.l2, "independent": rj.l2, "proximal": rj.l1}


@pytest.mark.parametrize("name", OPTIMIZERS)
@each_setting
def test_optimizers_keep_the_types_of_parameters_and_states(name, setting):
    with PrecisionSetting(setting) as at:
        params, grads = jax.tree.map(at.array, PARAMS), jax.tree.map(at.array, GRADS)
        for mode in MODES:
            if mode == "proximal" and name in ("lion", "muon", "adafactor"):
                continue
            tx = rj.make_optimizer(name, 0.1, penalty=PENALTY[mode](0.01), mode=mode, constraint=rj.max_norm(3.0))
            start = tx.init(params)
            updates, state = jax.eval_shape(tx.update, grads, start, params)
            assert (types(updates), types(state)) == (types(params), types(start)), mode
            if at.dtype == jnp.float16:  # the narrowest range
                new = optax.apply_updates(params, tx.update(grads, start, params)[0])
                assert all(np.isfinite(np.asarray(w, np.float64)).all() for w in jax.tree.leaves(new)), mode


STEPS = {  # the optimizer's step after two gradients g, in NumPy
    "sgd": lambda g: 0.1,
    "momentum": lambda g: 0.1 * 1.9,
    "nesterov": lambda g: 0.1 * (1 + 0.9 + 0.81),
    "adam": lambda g: 0.1 / (np.abs(g) + 1e-8),
    "rmsprop": lambda g: 0.1 / np.sqrt(0.19 * g**2 + 1e-8),
    "adagrad": lambda g: 0.1 / np.sqrt(2 * g**2 + 0.1 + 1e-8),
    "amsgrad": lambda g: 0.1 / (np.abs(g) + 1e-8),
    "adamax": lambda g: 0.1 / (np.abs(g) + 1e-8),
}


@pytest.mark.parametrize("name", STEPS)
def test_the_proximal_step_is_exact_in_float64(name):
    """The threshold follows the optimizer's own step, to 1e-12 and not to that of float32."""
    with PrecisionSetting("float64") as at:
        params, grads = jax.tree.map(at.array, PARAMS), jax.tree.map(at.array, GRADS)
        tx = rj.make_optimizer(name, 0.1, penalty=rj.l1(0.03), mode="proximal")
        plain = rj.make_optimizer(name, 0.1)
        _, state = tx.update(grads, tx.init(params), params)
        updates, _ = jax.jit(tx.update)(grads, state, params)
        _, before = plain.update(grads, plain.init(params), params)
        alone, _ = plain.update(grads, before, params)
        step = STEPS[name](GRADS["kernel"])
        expected = soft(PARAMS["kernel"] + np.asarray(alone["kernel"]), step * 0.03)
        np.testing.assert_allclose(PARAMS["kernel"] + updates["kernel"], expected, rtol=1e-12)


@each_setting
def test_decay_noise_and_sharpness(setting):
    with PrecisionSetting(setting) as at:
        params, grads = jax.tree.map(at.array, PARAMS), jax.tree.map(at.array, GRADS)
        made = {
            "add_penalty": (rj.add_penalty(rj.l2(0.1)), {}, 1.0),
            "add_decay": (rj.add_decay(rj.l2(0.1), 0.3), {}, -0.3),
            "project": (rj.project(rj.box(-0.3, 0.3)), {}, None),
            "gradient_noise": (rj.gradient_noise(0.01), {"key": KEY}, None),
            "sam": (rj.sam(optax.adam(0.1), 0.05), {"grad_fn": lambda p, i: p}, None),
        }
        for name, (tx, extra, factor) in made.items():
            start = tx.init(params)
            updates, state = tx.update(grads, start, params, **extra)
            assert (types(updates), types(state)) == (types(params), types(start)), name
            if factor is not None:
                w, g = (np.asarray(tree["kernel"], np.float64) for tree in (params, grads))
                at.near(updates["kernel"], g + factor * 0.2 * w)


@pytest.mark.parametrize("name", AVERAGES)
@each_setting
def test_averages(name, setting):
    made = {
        "ema": (lambda: rj.ema(0.7, warmup=False), lambda a, b, c: 0.7 * (0.7 * a + 0.3 * b) + 0.3 * c),
        "swa": (lambda: rj.swa(1), lambda a, b, c: (b + c) / 2),
        "lookahead": (lambda: rj.lookahead(2, 0.3), lambda a, b, c: a + 0.3 * (c - a)),
        "snapshots": (lambda: rj.snapshots(2, 1), None),
    }
    with PrecisionSetting(setting) as at:
        rule, reference = made[name][0](), made[name][1]
        points = [jax.tree.map(lambda w, k=k: at.array(w + 0.1 * k), PARAMS) for k in range(3)]
        state = start = rule.init(points[0])
        for point in points[1:]:
            state, new = jax.jit(rule.update)(state, point)
            assert (types(state), types(new)) == (types(start), types(point))
        if reference is not None:
            assert state.average["kernel"].dtype == at.wide
            a, b, c = (np.asarray(point["kernel"], np.float64) for point in points)
            np.testing.assert_allclose(state.average["kernel"], reference(a, b, c), rtol=at.rtol, atol=1e-7 * at.rtol)
            assert types(state.evaluated(points[0])) == types(points[0])
        warm = rj.ema(0.999)
        assert types(warm.update(warm.init(points[0]), points[1])[0]) == types(warm.init(points[0]))


@pytest.mark.parametrize("name", [*NOISES, *WEIGHT_NOISES])
@each_setting
def test_noises_keep_the_type_and_the_expectation(name, setting):
    with PrecisionSetting(setting) as at:
        x = at.array(np.linspace(0.5, 1.5, 4 * 8 * 8 * 3).reshape(4, 8, 8, 3))
        if name in WEIGHT_NOISES:
            out = perturb_weights(name, KEY, {"kernel": x}, 0.3)["kernel"]
        else:
            out = jax.jit(lambda x, rate: NOISES[name](KEY, x, rate))(x, 0.3)
        assert out.dtype == at.dtype
        assert np.isfinite(np.asarray(out, np.float64)).all()
        if name in ("dropout", "drop_connect"):  # what is kept is scaled exactly by the quantized probability
            ratio = np.asarray(out, np.float64) / np.asarray(x, np.float64)
            at.near(ratio[ratio > 0], 65536 / (65536 - round(65536 * 0.3)))


@each_setting
def test_the_regularizer_of_a_learned_rate(setting):
    with PrecisionSetting(setting) as at:
        kernel = at.array(PARAMS["kernel"])
        found = concrete_penalty(at.array(0.25), kernel, 0.3)
        w = np.asarray(kernel, np.float64)
        entropy = -(0.25 * np.log(0.25) + 0.75 * np.log(0.75))
        assert found.dtype == at.wide
        np.testing.assert_allclose(found, 0.3 * (1e-4 / 2 * (w**2).sum() / 0.75 - 2 * entropy), rtol=10 * at.rtol)


CHEAP = [name for name in AUGMENTATIONS if name not in ("rand_augment", "trivial_augment", "aug_mix")]


@pytest.mark.parametrize("name", CHEAP)
@pytest.mark.parametrize("setting", ["float64", "float16"])
def test_augmentations_keep_the_type(name, setting):
    with PrecisionSetting(setting) as at:
        x = examples(name, at.dtype, count=4)
        out = jax.eval_shape(lambda key, x: call(name, key, x, MAGNITUDES[name]), KEY, x)
        mixes = AUGMENTATIONS[name].takes in ("batch", "batches")
        assert (out.x if mixes else out).dtype == at.dtype
        if setting == "float16":
            out = call(name, KEY, x, MAGNITUDES[name])
            assert np.isfinite(np.asarray(out, np.float64)).all()


def test_stopping_sees_differences_of_float64():
    """Losses that are the same in float32 are gains in float64, inside a compiled program."""
    with jax.enable_x64(True):
        stopper = rj.EarlyStopping(patience=1)

        def scan(values):
            return jax.lax.scan(lambda s, v: (stopper.update(s, v), s.improved), stopper.init(), values)

        state, _ = jax.jit(scan)(jnp.asarray([1.0, 1.0 - 1e-12, 1.0 - 2e-12]))
        assert not bool(state.should_stop)
        assert int(state.best_step) == 2


@pytest.mark.parametrize("field", ["learning_rate", "label_smoothing", "mixup", "sam"])
def test_hyperparameters_keep_their_digits(field):
    with jax.enable_x64(True):
        numbers = rj.make_hparams(n_train=8, **{"learning_rate": 0.1, field: 0.1})
        assert float(getattr(numbers, field)) == 0.1
    assert rj.make_hparams(n_train=8, learning_rate=0.1).learning_rate.dtype == np.float32


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_whole_run_under_x64(dtype):
    with jax.enable_x64(True):
        rng = np.random.default_rng(0)
        x, y = jnp.asarray(rng.normal(size=(32, 4)), dtype), jnp.asarray(rng.integers(0, 2, 32), jnp.int32)
        model = rj.models.make_model("mlp", num_outputs=2, widths=(4,))
        spec = rj.Spec(model, num_classes=2, batch_size=16, steps_per_epoch=2, epochs=2)
        numbers = rj.make_hparams(
            n_train=32, learning_rate=0.01, penalties={"loss": rj.l2(0.01), "proximal": rj.l1(0.001)},
            rates={"dropout": 0.1}, label_smoothing=0.1, mixup=0.2, average=rj.ema(0.9), constraint=rj.max_norm(3.0),
            output_penalties=[rj.confidence(0.1)],
        )  # fmt: skip
        data = rj.TrainData(x, y, jnp.arange(32), x, y)
        weights = rj.init_weights(spec, KEY, x[:1])
        weights = weights._replace(params=jax.tree.map(lambda w: w.astype(dtype), weights.params))
        run = rj.make_run(spec)
        result = run.result(numbers, KEY, data, weights=weights)
        assert set(types(result.weights.params)) == {np.dtype(dtype)}
        assert np.isfinite(np.asarray(result.history.table)).all()


@pytest.mark.parametrize("name", MIXES)
@each_setting
def test_mixing_equal_examples_changes_nothing(name, setting):
    """The shares of the two partners add up to 1 in the type of what is mixed."""
    with PrecisionSetting(setting) as at:
        x = at.array(np.full((8, 4, 4, 1) if name == "cutmix" else (8, 3), 1.3))
        batch = rj.Batch(x, at.array(np.full((8, 2), 1000.3)))
        mixed = jax.jit(MIXES[name])(KEY, batch, 0.4)
        assert (mixed.x.dtype, mixed.y.dtype) == (at.dtype, at.dtype)
        at.near(mixed.x, np.asarray(x, np.float64))
        np.testing.assert_allclose(np.asarray(mixed.y, np.float64), np.asarray(batch.y, np.float64), rtol=2 * at.eps)


@pytest.mark.parametrize("name", ["rand_augment", "trivial_augment"])
def test_a_policy_chooses_the_same_operations_under_x64(name):
    pictures = []
    for x64 in (False, True):
        with jax.enable_x64(x64):
            x = examples(name, jnp.float32, count=2)
            pictures.append(np.asarray(jax.jit(lambda key, x: call(name, key, x, MAGNITUDES[name]))(KEY, x)))
    np.testing.assert_allclose(*pictures, atol=1e-5)


def test_the_same_labels_are_corrupted_under_x64():
    labels = []
    for x64 in (False, True):
        with jax.enable_x64(x64):
            labels.append(np.asarray(rj.corrupt_labels(KEY, jnp.arange(64, dtype=jnp.int32) % 7, 0.5, 7)))
    np.testing.assert_array_equal(*labels)
    assert labels[1].dtype == np.int32
