"""What every model of the registry promises about shapes, noise rates and keys."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from regjax.core.errors import InputError
from regjax.models import MODELS, make_model
from regjax.models.base import hidden_init, output_init

KEY = jax.random.key(0)
RNGS = {"dropout": jax.random.key(1)}
X = jax.random.normal(jax.random.key(2), (4, 8, 8, 1))
CASES = {
    "linear": {},
    "mlp": {"widths": (16, 8)},
    "mlp: everything": {"widths": (8, 8), "skip": True, "batch_norm": True, "concrete": True, "activation": "selu"},
    "cnn": {"widths": (4, 6), "dense": 8, "block_size": 2},
    "resnet": {"widths": (4, 6), "blocks": 1, "block_size": 2},
    "resnet: group": {"widths": (4, 6), "blocks": 1, "norm": "group"},
    "vit": {"width": 8, "depth": 2, "heads": 2},
}
each = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name.startswith("resnet") else []) for name in CASES]
)


def describe(name, num_outputs=3, **fields):
    return make_model(name.split(":")[0], num_outputs=num_outputs, **CASES[name], **fields)


@functools.cache
def trained(name):
    """The model in training, as one program for each set of named rates."""
    model, variables = small(name)
    return jax.jit(lambda rates: model.apply(variables, X, rates=rates, rngs=RNGS))


@functools.cache
def clean(name):
    model, variables = small(name)
    return jax.jit(model.apply)(variables, X)


@functools.cache
def small(name):
    model = describe(name)
    return model, jax.jit(model.init)(KEY, X)


@each
def test_output_shapes(name):
    assert {case.split(":")[0] for case in CASES} == MODELS.keys()
    for num_outputs, task, shape in (
        (3, "classification", (4, 3)),
        (1, "classification", (4, 1)),
        (1, "regression", (4,)),
        (2, "regression", (4, 2)),
    ):
        model = describe(name, num_outputs, task=task)
        variables = jax.eval_shape(model.init, KEY, X)
        assert jax.eval_shape(model.apply, variables, X).shape == shape


@each
def test_inference_needs_no_key_and_repeats(name):
    model, variables = small(name)
    rates = dict.fromkeys(model.accepted_rates, 0.5)
    for options in ({"train": False}, {"rates": dict.fromkeys(rates)}):
        run = jax.jit(lambda v, x: model.apply(v, x, **options))  # noqa: B023
        np.testing.assert_array_equal(run(variables, X), clean(name))
        np.testing.assert_array_equal(run(variables, X), clean(name))
    if name in ("linear", "mlp"):  # op by op, the others take long
        np.testing.assert_allclose(model.apply(variables, X), clean(name), rtol=1e-5, atol=1e-6)


@each
def test_every_rate_acts_and_zero_is_the_identity(name):
    for rate in small(name)[0].accepted_rates:
        assert not np.array_equal(trained(name)({rate: 0.5}), clean(name))
        if rate == "concrete_dropout":  # this is the strength of a regularizer; the rate is a parameter
            continue
        # The layers are the identity bit for bit; two programs may add in another order.
        np.testing.assert_allclose(trained(name)({rate: 0.0}), clean(name), rtol=1e-5, atol=1e-6)


@each
def test_rates_are_data(name):
    model, variables = small(name)
    traces = []

    @jax.jit
    def run(values):
        traces.append(1)
        rates = [dict.fromkeys(model.accepted_rates, value) for value in values]
        return [model.apply(variables, X, rates=r, rngs=RNGS) for r in rates]

    run([jnp.float32(0.0)])
    run([jnp.float32(0.9)])
    assert len(traces) == 1


@each
def test_no_noise_means_no_random_bits(name):
    model, variables = small(name)

    def text(rates, rngs):
        run = jax.jit(lambda v, x: model.apply(v, x, rates=rates, rngs=rngs))
        return run.lower(variables, X).as_text()

    assert "xor" not in text({}, RNGS)  # every block of Threefry has one
    assert "xor" not in text({"input_dropout": None}, RNGS)
    assert "xor" in text({"input_dropout": 0.0}, RNGS)


@each
def test_errors(name):
    model, variables = small(name)
    with pytest.raises(ValueError, match=r"input_dropout: training .* needs a key: pass rngs=\{'dropout': key\}"):
        model.apply(variables, X, rates={"input_dropout": 0.1})
    accepted = ", ".join(model.accepted_rates)
    with pytest.raises(ValueError, match=rf"rates has no 'drop'; accepted: {accepted}"):
        model.apply(variables, X, rates={"drop": 0.1})
    with pytest.raises(ValueError, match="x must be floating point"):
        model.apply(variables, X.astype(jnp.int32))
    with pytest.raises(ValueError, match=r"x must be \[B, .*, got shape \(64,\)"):
        model.apply(variables, jnp.ones(64))


@each
def test_models_are_hashable_by_value(name):
    assert hash(describe(name)) == hash(describe(name))
    assert describe(name) == describe(name)
    assert describe(name) != describe(name, 5)


@each
def test_gradients_are_finite_even_at_rate_one(name):
    model, variables = small(name)

    @jax.jit
    def gradient(rate):
        rates = dict.fromkeys(model.accepted_rates, rate)
        return jax.grad(lambda v: jnp.sum(model.apply(v, X, rates=rates, rngs=RNGS) ** 2))(variables)

    for rate in (0.0, 0.5, 1.0):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient(rate)))


@pytest.mark.slow
@each
def test_a_model_fits_four_points(name):
    model, variables = small(name)
    optimizer = optax.adam(0.03)

    def loss(v):
        logits = model.apply(v, X)
        return optax.softmax_cross_entropy_with_integer_labels(logits, jnp.array([0, 1, 2, 0])).mean()

    def step(carry, _):
        v, state = carry
        updates, state = optimizer.update(jax.grad(loss)(v), state)
        return (optax.apply_updates(v, updates), state), None

    fitted = jax.jit(lambda v: jax.lax.scan(step, (v, optimizer.init(v)), None, length=100)[0][0])(variables)
    assert loss(fitted) < 0.05 < loss(variables)


def test_defaults_and_initial_scales():
    assert make_model("mlp", num_outputs=10).widths == (256,)
    cnn = make_model("cnn", num_outputs=10)
    assert (cnn.widths, cnn.dense) == ((32, 64), 128)
    params = make_model("mlp", num_outputs=500, widths=(500,)).init(KEY, jnp.ones((1, 500)))["params"]
    # He: variance 2/fan_in under ReLU; LeCun: 1/fan_in. 250000 draws: sd of the estimate 0.15%, 5 of them.
    assert np.var(params["hidden_0"]["kernel"]) * 500 == pytest.approx(2, rel=0.015)
    assert np.var(params["output"]["kernel"]) * 500 == pytest.approx(1, rel=0.015)


def test_masks_of_one_noise_do_not_depend_on_another():
    both = trained("mlp")({"dropout": 0.5, "input_dropout": 0.0})
    np.testing.assert_allclose(trained("mlp")({"dropout": 0.5}), both, rtol=1e-5, atol=1e-6)


def test_mlp_by_hand():
    model = make_model("mlp", num_outputs=1, widths=(2,), task="regression")
    params = {
        "hidden_0": {"kernel": jnp.array([[1.0, -1.0], [2.0, 0.0]]), "bias": jnp.array([0.5, 0.0])},
        "output": {"kernel": jnp.array([[3.0], [1.0]]), "bias": jnp.array([-1.0])},
    }
    # h = relu([1 + 2 + .5, -1]) = [3.5, 0]; 3 * 3.5 - 1 = 9.5
    np.testing.assert_allclose(model.apply({"params": params}, jnp.ones((1, 2))), [9.5])


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("mpl", {}, r"model 'mpl' is not known \(did you mean 'mlp'\?\)"),
        ("linear", {"widths": (3,)}, "model 'linear' has no 'widths'; accepted: none"),
        ("mlp", {"depth": 3}, "model 'mlp' has no 'depth'; accepted: widths, activation, skip, batch_norm, concrete"),
        ("mlp", {"widths": (0,)}, r"MLP: widths must be whole and >= 1, got \(0,\)"),
        ("mlp", {"widths": (2.5,)}, r"MLP: widths must be whole and >= 1, got \(2.5,\)"),
        ("mlp", {"widths": (4, 8), "skip": True}, r"MLP: skip needs neighbouring layers of one width, got .*\(4, 8\)"),
        ("mlp", {"activation": "rleu"}, r"MLP: activation 'rleu' is not known \(did you mean 'relu'\?\)"),
        ("resnet", {"norm": "layer"}, "ResNet: norm 'layer' is not known"),
        ("resnet", {"blocks": 0}, "ResNet: blocks must be whole and >= 1, got 0"),
        ("vit", {"heads": 3}, "ViT: heads must divide width 64, got 3"),
        ("mlp", {"task": "ranking"}, "task 'ranking' is not known"),
        ("mlp", {"num_outputs": 0}, "num_outputs must be >= 1, got 0"),
    ],
)
def test_make_model_errors(name, fields, message):
    with pytest.raises(InputError, match=message):
        make_model(name, **{"num_outputs": 2, **fields})


def test_cnn_wants_large_enough_images():
    model = make_model("cnn", num_outputs=2)
    with pytest.raises(ValueError, match=r"2 poolings need 4x4 images, got \(1, 3, 8, 1\)"):
        model.init(KEY, jnp.ones((1, 3, 8, 1)))
    with pytest.raises(ValueError, match=r"CNN: x must be \[B, H, W, C\], got shape \(2, 64\)"):
        model.init(KEY, jnp.ones((2, 64)))


def test_vit_wants_whole_patches():
    model = make_model("vit", num_outputs=2, patch=3)
    with pytest.raises(ValueError, match="ViT: patch 3 must divide height and width, got images 8x8"):
        model.init(KEY, X)


def test_patches_are_squares_of_the_image():
    x = jnp.arange(32.0).reshape(1, 4, 4, 2)
    tokens = make_model("vit", num_outputs=2, patch=2).bind({})._patches(x)
    assert tokens.shape == (1, 4, 8)
    np.testing.assert_array_equal(tokens[0, 1], x[0, :2, 2:].ravel())
    np.testing.assert_array_equal(tokens[0, 2], x[0, 2:, :2].ravel())


def test_what_no_penalty_should_shrink_is_named_so():
    from regjax.core.tree import leaf_mask, leaf_names

    for case in ("mlp: everything", "resnet", "vit"):
        params = small(case)[1]["params"]
        chosen = [name for name, use in zip(leaf_names(params), leaf_mask(params), strict=True) if use]
        assert all(name.endswith("kernel") for name in chosen)


@pytest.mark.parametrize("name", ["mlp: everything", "resnet"])
def test_batch_statistics_move_in_training_only(name):
    model, variables = small(name)
    _, after = jax.jit(lambda v: model.apply(v, X, train=True, mutable=["batch_stats"]))(variables)
    before = variables["batch_stats"]
    assert jax.tree.structure(after["batch_stats"]) == jax.tree.structure(before)
    for a, b in zip(jax.tree.leaves(after["batch_stats"]), jax.tree.leaves(before), strict=True):
        assert not np.array_equal(a, b)


def test_skip_connections_add_the_input():
    model = make_model("mlp", num_outputs=1, widths=(2, 2), skip=True, task="regression")
    identity, zero = jnp.eye(2), jnp.zeros(2)
    params = {
        "hidden_0": {"kernel": identity, "bias": zero},
        "hidden_1": {"kernel": 2 * identity, "bias": zero},
        "output": {"kernel": jnp.ones((2, 1)), "bias": jnp.zeros(1)},
    }
    # x, x + relu(x), then + relu(2 (x + relu(x))): each entry 1 -> 2 -> 6, two of them
    np.testing.assert_allclose(model.apply({"params": params}, jnp.ones((1, 2))), [12.0])
    dropped = model.apply({"params": params}, jnp.ones((1, 2)), rates={"drop_path": 1.0}, rngs=RNGS)
    assert float(dropped[0]) in (2.0, 2.0 + 2.0 * 2)  # the first branch is dropped half of the time, the last always


def test_concrete_rates_are_learned():
    """On pure noise the best rate is large; the gradient of the loss with its regularizer raises it."""
    import regjax as rj

    model = make_model("mlp", num_outputs=2, widths=(16,), concrete=True)
    x = jax.random.normal(KEY, (64, 4))
    params = model.init(KEY, x)["params"]
    loss_fn = rj.build_loss(model.apply, "cross_entropy", rates={"concrete_dropout": 0.1})
    y = jax.random.bernoulli(jax.random.key(5), 0.5, (64,)).astype(jnp.int32)
    (loss, aux), grads = jax.value_and_grad(loss_fn, has_aux=True)(params, rj.Batch(x, y), jax.random.key(1))
    assert set(aux.parts) == {"data_loss", "concrete_dropout"}
    assert float(aux.parts["concrete_dropout"]) < 0
    np.testing.assert_allclose(loss, sum(aux.parts.values()), rtol=1e-6)
    assert float(grads["output"]["rate_logit"]) < 0


def test_models_from_text():
    from regjax.models import parse_model

    assert parse_model("mlp", num_outputs=3, widths=(4,)) == make_model("mlp", num_outputs=3, widths=(4,))
    made = parse_model("mlp(widths=(8, 8), skip=True)", num_outputs=3)
    assert made == make_model("mlp", num_outputs=3, widths=(8, 8), skip=True)
    for text, message in (
        ("mlp(skp=True)", r"mlp takes no argument 'skp' \(did you mean 'skip'\?\)"),
        ("mlp(8)", r"write NAME\(FIELD=VALUE, ...\)"),
        ("mpl(skip=True)", "did you mean 'mlp'"),
        ("mlp(widths=__import__('os'))", "is not accepted"),
        ("mlp(skip=True", "cannot be read"),
    ):
        with pytest.raises(InputError, match=message):
            parse_model(text, num_outputs=3)


@pytest.mark.parametrize("shape", [(64, 10), (5, 7), (3, 3, 4, 6)])
def test_initial_weights_are_those_of_flax(shape):
    for ours, theirs in (
        (hidden_init, nn.initializers.he_normal()),
        (output_init, nn.initializers.lecun_normal()),
    ):
        both = [jax.jit(lambda key, init=init: init(key, shape, jnp.float32))(KEY) for init in (ours, theirs)]
        np.testing.assert_array_equal(*both)
