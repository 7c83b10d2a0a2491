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
    outputs, targets = _pair("squared_error", outputs, targets)
    return _mean_over_outputs(jnp.square(outputs - targets))


def absolute_error(outputs: Array, targets: Array) -> Array:
    """Absolute error of each example: `mean_d |y_d - f_d|`; what minimizes it is the median.

    An outlier pulls as much as any other example, however far away it is. The derivative at an error of 0 is 0.

    Args:
      outputs: `[B]` or `[B, D]`.
      targets: same shape.

    Returns:
      `float32[B]`, or float64 where the arguments are; the data loss (`mae`) is its mean.

    Raises:
      ValueError: the shapes differ (they are never broadcast), or the numbers are complex.

    Example:
      >>> absolute_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]))
      Array([0., 2.], dtype=float32)

    Reference:
      Koenker and Bassett, Regression quantiles, 1978. https://www.jstor.org/stable/1913643
    """
    outputs, targets = _pair("absolute_error", outputs, targets)
    return _mean_over_outputs(jnp.abs(outputs - targets))


def _pair(name: str, outputs: Array, targets: Array) -> tuple[Array, Array]:
    """Return outputs and targets in float32 at least, after checking that they fit each other."""
    check_array(f"{name}: outputs", outputs)
    if outputs.shape != targets.shape:
        raise ValueError(f"{name}: outputs {outputs.shape} and targets {targets.shape} must have one shape")
    for which, values in (("outputs", outputs), ("targets", targets)):
        if jnp.issubdtype(values.dtype, jnp.complexfloating):
            raise ValueError(f"{name}: {which} must be real, got {values.dtype}")
    return widened(outputs), widened(targets)


def _mean_over_outputs(losses: Array) -> Array:
    return losses.reshape(losses.shape[0], -1).mean(axis=1)
