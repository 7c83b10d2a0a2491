"""Strengths, which are one number for a leaf or one for each entry, and numbers as text."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from regjax.core.checks import is_traced
from regjax.core.typing import Array, Numeric


def weighted_sum(strength: Numeric, values: Array) -> Array:
    """`sum strength * values`; the strength is a number or has one number for each entry."""
    return jnp.asarray(strength * jnp.sum(values) if np.ndim(strength) == 0 else jnp.sum(strength * values))


def scalar_strength(kind: str, strength: Numeric, name: str) -> Numeric:
    """The strength of a term that acts on the leaf as a whole, so that its entries cannot have different strengths.

    Raises:
      ValueError: an array of strengths.
    """
    if np.ndim(strength):
        raise ValueError(f"{kind}: needs one strength for the whole of {name}, got shape {np.shape(strength)}")
    return strength


def as_text(value: object) -> str:
    """A number as text, for plans."""
    if is_traced(value):
        return "traced"
    if isinstance(value, str):
        return value
    array = np.asarray(value)
    return f"{float(array):g}" if array.ndim == 0 else f"{'x'.join(map(str, array.shape))} numbers"
