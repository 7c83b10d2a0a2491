import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import huber
from sklearn.metrics import mean_absolute_error, mean_pinball_loss, mean_poisson_deviance

from regjax.losses import absolute_error, huber_loss, pinball_loss, poisson_deviance, squared_error


def test_squared_error_has_no_half_and_averages_outputs():
    np.testing.assert_allclose(squared_error(jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 2.0]])), [2.0])


def test_absolute_error_equals_sklearn():
    outputs, targets = np.random.default_rng(0).normal(size=(2, 30, 3)).astype(np.float32)
    np.testing.assert_allclose(np.mean(absolute_error(outputs, targets)), mean_absolute_error(targets, outputs), 1e-6)


def test_huber_is_twice_that_of_scipy():
    """It is the square for a large delta, and 2 delta times the absolute error for a small one."""
    outputs, targets = np.random.default_rng(1).normal(size=(2, 30)).astype(np.float32)
    for delta in (0.1, 0.8, 3.0):
        np.testing.assert_allclose(huber_loss(outputs, targets, delta), 2 * huber(delta, targets - outputs), rtol=1e-5)
    np.testing.assert_array_equal(huber_loss(outputs, targets, 1e3), squared_error(outputs, targets))
    small = huber_loss(outputs, targets, 1e-4) / 2e-4
    np.testing.assert_allclose(small, absolute_error(outputs, targets), atol=1e-4)


@pytest.mark.parametrize("quantile", [0.05, 0.5, 0.9])
def test_pinball_equals_sklearn(quantile):
    outputs, targets = np.random.default_rng(2).normal(size=(2, 30)).astype(np.float32)
    expected = mean_pinball_loss(targets, outputs, alpha=quantile)
    assert float(pinball_loss(outputs, targets, quantile).mean()) == pytest.approx(expected, rel=1e-6)
    np.testing.assert_array_equal(pinball_loss(outputs, targets, 0.5), absolute_error(outputs, targets) / 2)


@pytest.mark.parametrize("rate", [0.1, 3.0, 1e5])
def test_the_poisson_deviance_equals_sklearn(rate):
    """Of large counts, too, of which the four terms of the formula cancel in float32."""
    rng = np.random.default_rng(3)
    targets = rng.poisson(rate, 200).astype(np.float32)
    outputs = (np.log(rate) + rng.normal(size=200) / 10).astype(np.float32)
    expected = mean_poisson_deviance(targets, np.exp(outputs.astype(np.float64)))
    assert float(poisson_deviance(outputs, targets).mean()) == pytest.approx(expected, rel=1e-4)


def test_a_count_below_0_is_refused_and_a_traced_one_has_no_loss():
    outputs, targets = jnp.zeros(3), jnp.array([1.0, -2.0, 0.0])
    with pytest.raises(ValueError, match=r"targets must be >= 0, got -2"):
        poisson_deviance(outputs, targets)
    np.testing.assert_array_equal(np.isnan(jax.jit(poisson_deviance)(outputs, targets)), [False, True, False])


@pytest.mark.parametrize("which", ["outputs", "targets", "both"])
def test_the_squared_error_of_complex_numbers_is_refused(which):
    """The square of a difference of i is -1."""
    a, b = (np.ones(2, np.complex64 if which in (side, "both") else np.float32) for side in ("outputs", "targets"))
    with pytest.raises(ValueError, match="complex64"):
        squared_error(a, b)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: squared_error(jnp.zeros((3, 1)), jnp.zeros(3)), r"\(3, 1\) and targets \(3,\)"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
