"""The mean over examples or tokens, with their weights."""

from __future__ import annotations

import jax.numpy as jnp

from regjax.core.checks import check_range
from regjax.core.dtypes import widened
from regjax.core.typing import Array


def weighted_mean(values: Array, weight: Array | None) -> Array:
    """`sum w v / sum w` over all values; the plain mean without weights, and 0 (not NaN) if all weights are 0.

    Args:
      values: `[B]` of examples, or `[B, T]` of tokens.
      weight: >= 0; `[B]`, for all tokens of an example alike, or `[B, T]`. A value of weight 0 is left out.

    Raises:
      ValueError: the shapes do not match, or a concrete weight is negative or not finite.

    Example:
      >>> float(weighted_mean(jnp.array([[1.0, 5.0], [3.0, 9.0]]), jnp.array([[1.0, 0.0], [1.0, 0.0]])))
      2.0
    """
    values = widened(values)
    if weight is None:
        return jnp.mean(values)
    if weight.shape != values.shape[: weight.ndim]:
        raise ValueError(f"weight of shape {weight.shape} does not fit values of shape {values.shape}")
    check_range("weight", weight, 0.0, high_open=True)
    weight = widened(weight)
    weight = jnp.broadcast_to(weight.reshape(*weight.shape, *[1] * (values.ndim - weight.ndim)), values.shape)
    total = jnp.sum(weight)
    return jnp.sum(values * weight) / jnp.where(total > 0, total, 1.0)
