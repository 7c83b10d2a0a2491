import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.penalties.numbers import as_text, scalar_strength, weighted_sum


def test_one_strength_or_one_for_each_entry():
    values = jnp.array([1.0, 2.0, 4.0])
    assert weighted_sum(0.5, values) == 3.5
    assert weighted_sum(np.array([1.0, 0.0, 0.25]), values) == 2.0


def test_a_term_on_a_whole_leaf_has_one_strength():
    assert scalar_strength("nuclear", 0.5, "kernel") == 0.5
    with pytest.raises(ValueError, match=r"nuclear: .* the whole of a/kernel, got shape \(2, 1\)"):
        scalar_strength("nuclear", np.ones((2, 1)), "a/kernel")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (np.float32(1e-5), "1e-05"), (jnp.float32(2), "2"), (np.ones((2, 3)), "2x3 numbers"), ("x", "x")],
)
def test_numbers_as_text(value, text):
    assert as_text(value) == text


def test_a_traced_number_is_named_so():
    seen = []
    jax.jit(lambda x: seen.append(as_text(x)) or x)(1.0)
    assert seen == ["traced"]
