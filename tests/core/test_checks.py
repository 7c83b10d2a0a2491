import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.core.checks import check_choice, check_range, is_traced
from regjax.core.errors import InputError


def test_concrete_values_are_checked_whatever_their_type():
    for value in (-1, -1.0, np.float32(-1), jnp.float32(-1), jnp.bfloat16(-1), np.array([0.5, -1.0])):
        with pytest.raises(ValueError, match=r"f: x must be in \[0, 1\), got -1"):
            check_range("f: x", value, 0.0, 1.0, high_open=True)


def test_ends_of_the_interval():
    check_range("x", 0.0, 0.0, 1.0)
    check_range("x", True, 0, 1)
    for value, options in ((0.0, {"low_open": True}), (1.0, {"high_open": True}), (float("nan"), {})):
        with pytest.raises(ValueError, match="x must be in"):
            check_range("x", value, 0.0, 1.0, **options)
    with pytest.raises(ValueError, match="x must be > 0, got 0"):
        check_range("x", 0, 0, low_open=True)
    with pytest.raises(ValueError, match="x must be >= 0 and finite, got inf"):
        check_range("x", float("inf"), 0.0, np.inf, high_open=True)
    with pytest.raises(ValueError, match="x must be <= 2, got 3"):
        check_range("x", 3, high=2)
    with pytest.raises(ValueError, match="x must be a number, got nan"):
        check_range("x", float("nan"))


@pytest.mark.parametrize("value", ["1", None, [1, "a"], object()])
def test_what_is_not_a_number(value):
    with pytest.raises(ValueError, match="x must be a number, got"):
        check_range("x", value, 0.0)


def test_traced_values_pass():
    seen = []

    @jax.jit
    def f(x):
        seen.append(is_traced(x))
        check_range("x", x, 0.0)
        return x

    assert f(-1.0) == -1.0
    assert seen == [True]
    assert not is_traced(jnp.ones(2))


def test_choice_suggests_the_nearest():
    check_choice("model", "mlp", ["mlp", "cnn"])
    with pytest.raises(InputError, match=r"model 'mpl' is not known \(did you mean 'mlp'\?\); accepted: cnn, mlp"):
        check_choice("model", "mpl", ["mlp", "cnn"])
    with pytest.raises(InputError, match="model 'qqq' is not known; accepted"):
        check_choice("model", "qqq", ["mlp"])
