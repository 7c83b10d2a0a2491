"""Losses of numbers for each example."""

from __future__ import annotations

import jax.numpy as jnp

from regjax.core.checks import check_array, check_range
from regjax.core.dtypes import widened
from regjax.core.typing import Array, ArrayLike

_NO_COUNT = 1e-20  # what is below counts as 0, whose deviance has no logarithm


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


def huber_loss(outputs: Array, targets: Array, delta: ArrayLike = 1.0) -> Array:
    """Huber loss of each example, a mean over outputs: the square of small errors, linear in large ones.

      e^2                  if |e| <= delta
      2 delta |e| - delta^2   otherwise,  with e = y - f

    Like `squared_error`, and scikit-learn's `HuberRegressor`, it has no factor of one half: it is the squared error
    for a large delta, and twice that of torch. An outlier pulls no more than an error of delta.

    Args:
      outputs: `[B]` or `[B, D]`.
      targets: same shape.
      delta: > 0, in the units of the targets, which runs standardize: 1 is a standard deviation of the training
        targets. It may be traced.

    Returns:
      `float32[B]`, or float64 where the arguments are.

    Raises:
      ValueError: the shapes differ, the numbers are complex, or a concrete delta is not positive.

    Example:
      >>> huber_loss(jnp.array([0.0, 0.0]), jnp.array([0.5, 3.0]))
      Array([0.25, 5.  ], dtype=float32)

    Reference:
      Huber, Robust estimation of a location parameter, 1964. https://doi.org/10.1214/aoms/1177703732
    """
    check_range("huber_loss: delta", delta, 0.0, low_open=True)
    outputs, targets = _pair("huber_loss", outputs, targets)
    size = jnp.abs(outputs - targets)
    near = jnp.minimum(size, delta)
    return _mean_over_outputs(near * (2.0 * size - near))


def pinball_loss(outputs: Array, targets: Array, quantile: ArrayLike = 0.5) -> Array:
    """Pinball loss of each example, a mean over outputs; what minimizes it is the quantile.

      q max(y - f, 0) + (1 - q) max(f - y, 0)

    For q = 0.5 it is half of `absolute_error`.

    Args:
      outputs: `[B]` or `[B, D]`.
      targets: same shape.
      quantile: q in (0, 1): the share of targets that are to be below the outputs; may be traced.

    Returns:
      `float32[B]`, or float64 where the arguments are.

    Raises:
      ValueError: the shapes differ, the numbers are complex, or a concrete quantile is not in (0, 1).

    Example:
      >>> pinball_loss(jnp.array([1.0, 3.0]), jnp.array([2.0, 2.0]), 0.75)
      Array([0.75, 0.25], dtype=float32)

    Reference:
      Koenker and Bassett, Regression quantiles, 1978. https://www.jstor.org/stable/1913643
    """
    check_range("pinball_loss: quantile", quantile, 0.0, 1.0, low_open=True, high_open=True)
    outputs, targets = _pair("pinball_loss", outputs, targets)
    error = targets - outputs
    return _mean_over_outputs(jnp.maximum(quantile * error, (quantile - 1.0) * error))


def poisson_deviance(outputs: Array, targets: Array) -> Array:
    """Poisson deviance of each example, a mean over outputs, whose outputs are logarithms of rates.

      2 (exp(f) - y - y f + y log y),  where 0 log 0 = 0

    It is 0 where exp(f) = y, and twice what the negative log-likelihood is above its least value: the right rates of
    Poisson counts have a mean deviance near 1. Its gradient is twice that of torch's `PoissonNLLLoss`, which leaves out
    the terms without f.

    Args:
      outputs: f, `[B]` or `[B, D]`.
      targets: y >= 0, the same shape: counts, or what behaves like them.

    Returns:
      `float32[B]`, or float64 where the arguments are. A traced target below 0 gives NaN.

    Raises:
      ValueError: the shapes differ, the numbers are complex, or a concrete target is below 0.

    Example:
      >>> poisson_deviance(jnp.log(jnp.array([2.0, 1.0])), jnp.array([2.0, 0.0]))
      Array([0., 2.], dtype=float32)

    Reference:
      Nelder and Wedderburn, Generalized linear models, 1972. https://www.jstor.org/stable/2344614
    """
    check_range("poisson_deviance: targets", targets, 0.0, high_open=True)
    outputs, targets = _pair("poisson_deviance", outputs, targets)
    # By the difference of the logarithms: of large counts, the sum of the four terms would lose all digits.
    counts = targets > _NO_COUNT
    away = outputs - jnp.log(jnp.where(counts, targets, 1.0))
    deviance = 2.0 * jnp.where(counts, targets * (jnp.expm1(away) - away), jnp.exp(outputs))
    return _mean_over_outputs(jnp.where(targets >= 0, deviance, jnp.nan))


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
