import jax.numpy as jnp
import numpy as np
import pytest

from regjax.losses import get_loss, poisson_deviance, predicted_numbers


def test_the_predictions_of_a_loss_on_a_log_scale_are_exponentials():
    outputs = jnp.array([0.0, 1.0])
    np.testing.assert_allclose(predicted_numbers("poisson", outputs), np.exp([0.0, 1.0]), rtol=1e-6)
    for loss in (None, "mse", poisson_deviance):  # a function does not say what its outputs are
        assert predicted_numbers(loss, outputs) is outputs


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: get_loss("mes"), "did you mean 'mse'"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
