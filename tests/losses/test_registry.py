import pytest

from regjax.losses import get_loss


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: get_loss("mes"), "did you mean 'mse'"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
