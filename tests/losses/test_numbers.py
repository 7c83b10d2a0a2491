import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error

from regjax.losses import absolute_error, squared_error


def test_squared_error_has_no_half_and_averages_outputs():
    np.testing.assert_allclose(squared_error(jnp.array([[1.0, 2.0]]), jnp.array([[3.0, 2.0]])), [2.0])


def test_absolute_error_equals_sklearn():
    outputs, targets = np.random.default_rng(0).normal(size=(2, 30, 3)).astype(np.float32)
    np.testing.assert_allclose(np.mean(absolute_error(outputs, targets)), mean_absolute_error(targets, outputs), 1e-6)


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
