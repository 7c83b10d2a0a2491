"""Numbers that penalties hold: of one type, one for a leaf or one for each entry, and as text."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from regjax.checks import is_traced
from regjax.typing import Array


def canonical(value: Any) -> Any:
    """One type for every number: a Python float, a NumPy scalar and a JAX scalar would be three jit-cache entries."""
    return value if isinstance(value, jax.Array) else np.asarray(value, np.float32)


def weighted_sum(strength: Any, values: Array) -> Array:
    """`sum strength * values` in float32; the strength is a number or one an entry."""
    if np.ndim(strength) == 0:
        return jnp.asarray(strength * jnp.sum(values, dtype=jnp.float32))
    return jnp.sum(strength * values, dtype=jnp.float32)


def scalar_strength(kind: str, strength: Any, name: str) -> Any:
    """The strength, refused unless it is one number: a term on the leaf as a whole cannot weigh its entries.

    Raises:
      ValueError: an array of strengths.
    """
    if np.ndim(strength):
        raise ValueError(f"{kind}: needs one strength for the whole of {name}, got shape {np.shape(strength)}")
    return strength


def as_text(value: Any) -> str:
    """A number as a plan shows it."""
    if is_traced(value):
        return "traced"
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    return f"{float(array):g}" if array.ndim == 0 else f"{'x'.join(map(str, array.shape))} numbers"
