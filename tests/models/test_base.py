import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.models import make_model
from regjax.models.base import NoisyModel, check_input, check_sizes, flatten, hidden_init, output_init
from regjax.models.linear import Linear
from regjax.models.mlp import MLP

KEY = jax.random.key(0)


@pytest.mark.parametrize("shape", [(64, 10), (5, 7), (3, 3, 4, 6)])
def test_initial_weights_are_those_of_flax(shape):
    for ours, theirs in (
        (hidden_init, nn.initializers.he_normal()),
        (output_init, nn.initializers.lecun_normal()),
    ):
        both = [jax.jit(lambda key, init=init: init(key, shape, jnp.float32))(KEY) for init in (ours, theirs)]
        np.testing.assert_array_equal(*both)


def test_defaults_and_initial_scales():
    assert make_model("mlp", num_outputs=10).widths == (256,)
    cnn = make_model("cnn", num_outputs=10)
    assert (cnn.widths, cnn.dense) == ((32, 64), 128)
    params = make_model("mlp", num_outputs=500, widths=(500,)).init(KEY, jnp.ones((1, 500)))["params"]
    # He: variance 2/fan_in under ReLU; LeCun: 1/fan_in. 250000 draws: sd of the estimate 0.15%, 5 of them.
    assert np.var(params["hidden_0"]["kernel"]) * 500 == pytest.approx(2, rel=0.015)
    assert np.var(params["output"]["kernel"]) * 500 == pytest.approx(1, rel=0.015)


class Residual(NoisyModel):
    """The middle one of three branches, all of ones."""

    @nn.compact
    def __call__(self, x, train=False, rates=None):
        return self.residual(x, jnp.ones_like(x), rates or {}, 1, 3)


def test_the_rate_of_a_branch_grows_with_its_depth():
    x = jnp.zeros((40_000, 1))
    y = np.asarray(Residual(num_outputs=1).apply({}, x, rates={"drop_path": 0.6}, rngs={"dropout": KEY}))
    # The middle of three has two thirds of the rate. 4.9 standard deviations of a binomial: false alarm 1e-6.
    assert abs((y == 0).mean() - 0.4) < 4.9 * np.sqrt(0.4 * 0.6 / 40_000)
    np.testing.assert_allclose(y[y != 0], 1 / 0.6, rtol=1e-3)
    np.testing.assert_array_equal(Residual(num_outputs=1).apply({}, x), 1.0)


def test_rates_of_none_do_not_act_and_unknown_ones_are_named():
    model = Linear(num_outputs=2)
    assert model.active_rates(None) == model.active_rates({"input_dropout": None}) == {}
    assert model.active_rates({"input_dropout": 0.0}) == {"input_dropout": 0.0}
    with pytest.raises(ValueError, match="Linear: rates has no 'dropout'; accepted: input_dropout"):
        model.active_rates({"dropout": None})


@pytest.mark.parametrize(
    ("task", "outputs", "shape"),
    [("regression", 1, (4,)), ("regression", 2, (4, 2)), ("classification", 1, (4, 1))],
)
def test_one_target_of_regression_has_no_axis(task, outputs, shape):
    assert Linear(num_outputs=outputs, task=task).squeezed(jnp.ones((4, outputs))).shape == shape


def test_input_that_is_refused():
    assert flatten("f", jnp.ones((2, 3, 4))).shape == (2, 12)
    for x, rank, message in (
        (jnp.ones(3), None, r"f: x must be \[B, \.\.\.\], got shape \(3,\)"),
        (jnp.ones((2, 3)), 4, r"f: x must be \[B, H, W, C\], got shape \(2, 3\)"),
        (jnp.ones((2, 3), jnp.uint8), None, "f: x must be floating point .* got uint8"),
    ):
        with pytest.raises(ValueError, match=message):
            check_input("f", x, rank)


@pytest.mark.parametrize("widths", [(4, 0), (4, True), (4.0,), "44"])
def test_sizes_are_positive_integers(widths):
    with pytest.raises(InputError, match=r"MLP: widths must be whole and >= 1, got "):
        MLP(num_outputs=2, widths=widths)
    check_sizes(MLP(num_outputs=2, widths=(1, 2)), "widths")
