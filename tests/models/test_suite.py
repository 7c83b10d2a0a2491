"""What every model of the registry promises about shapes, noise rates and keys."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from regjax.models import MODELS, make_model

pytestmark = pytest.mark.slow

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


def test_masks_of_one_noise_do_not_depend_on_another():
    both = trained("mlp")({"dropout": 0.5, "input_dropout": 0.0})
    np.testing.assert_allclose(trained("mlp")({"dropout": 0.5}), both, rtol=1e-5, atol=1e-6)


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
