"""Losses of numbers for each example."""

from __future__ import annotations

import jax.numpy as jnp

from regjax.core.checks import check_array
from regjax.core.dtypes import widened
from regjax.core.typing import Array


def squared_error(outputs: Array, targets: Array) -> Array:
    """Squared error of each example: `mean_d (y_d - f_d)^2`, without a factor of one half.

    Args:
      outputs: `[B]` or `[B, D]`.
      targets: same shape.

    Returns:
      `float32[B]`, or float64 where the arguments are; the data loss (`mse`) is its mean.

    Raises:
      ValueError: the shapes differ (they are never broadcast), or the numbers are complex.

    Example:
      >>> squared_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]))
      Array([0., 4.], dtype=float32)
    """
    check_array("squared_error: outputs", outputs)
    if outputs.shape != targets.shape:
        raise ValueError(f"squared_error: outputs {outputs.shape} and targets {targets.shape} must have one shape")
    for name, values in (("outputs", outputs), ("targets", targets)):
        if jnp.issubdtype(values.dtype, jnp.complexfloating):
            raise ValueError(f"squared_error: {name} must be real, got {values.dtype}")
    error = jnp.square(widened(outputs) - widened(targets))
    return error.reshape(error.shape[0], -1).mean(axis=1)
