"""Gaussian noise that is added to activations, or that multiplies them."""

from __future__ import annotations

import jax.numpy as jnp

from regjax.core import random_bits as bits
from regjax.core.barrier import opaque_call
from regjax.core.typing import Array, ArrayLike, PRNGKey
from regjax.noise.base import checked_input, required_key

# A larger traced standard deviation is clipped to this, so that the result is finite.
_LARGEST_DEVIATION = 1e6
# The largest rate below 1 that a 16-bit decision can have; the standard deviation is then 256.
_LARGEST_RATE = 1.0 - 2.0**-16


def gaussian_noise(key: PRNGKey | None, x: Array, stddev: ArrayLike, *, deterministic: bool = False) -> Array:
    """Adds independent normal noise: `y = x + stddev * n`, `n ~ N(0, 1)`; the expectation is x.

    Args:
      key: one key; may be None when `deterministic`.
      x: floating-point array `[...]`.
      stddev: scalar >= 0 in the units of `x`; may be traced. 0 is the identity, bit for bit.
      deterministic: inference: returns `x`, draws nothing.

    Returns:
      Array with the shape and dtype of `x`.

    Raises:
      ValueError: a concrete `stddev` is negative or NaN, `key` is missing, or `x` is not floating point.

    Example:
      >>> import jax
      >>> gaussian_noise(jax.random.key(0), jnp.zeros(2), 0.0)
      Array([0., 0.], dtype=float32)

    Reference: Training with Noise is Equivalent to Tikhonov Regularization (Bishop, 1995).
    """
    x = checked_input("gaussian_noise", x, stddev, what="stddev")
    if deterministic:
        return x
    stddev = jnp.minimum(jnp.asarray(stddev, jnp.float32), _LARGEST_DEVIATION)
    noise = stddev * bits.random_normal(required_key("gaussian_noise", key), x.shape)
    # The identity is selected, not computed, because x + 0 * n turns -0.0 into 0.0.
    return jnp.where(stddev > 0.0, x + noise.astype(x.dtype), x)


def gaussian_dropout(key: PRNGKey | None, x: Array, rate: ArrayLike, *, deterministic: bool = False) -> Array:
    """Multiplies by normal noise that has the mean and variance of dropout's random factor.

      y_i = x_i (1 + s n_i),  n_i ~ N(0, 1),  s = sqrt(r / (1 - r));  E[y_i] = x_i,  Var[y_i] = x_i^2 r / (1 - r)

    Args:
      key: one key; may be None when `deterministic`.
      x: floating-point array `[...]`.
      rate: scalar r in [0, 1]; may be traced. 0 is the identity; it is clipped to `1 - 2**-16`, where s is 256.
      deterministic: inference: returns `x`.

    Returns:
      Array like `x`.

    Raises:
      ValueError: a concrete `rate` outside [0, 1], no key, or `x` is not floating point.

    Example:
      >>> import jax
      >>> y = gaussian_dropout(jax.random.key(0), jnp.ones(10000), 0.2)
      >>> abs(float(y.mean()) - 1) < 0.05, abs(float(y.std()) - 0.5) < 0.05
      (True, True)

    Reference: Dropout: A Simple Way to Prevent Neural Networks from Overfitting (Srivastava et al., 2014), section 10;
      the parameter is that of Keras.
    """
    x = checked_input("gaussian_dropout", x, rate)
    if deterministic:
        return x
    rate = jnp.asarray(rate, jnp.float32)
    inside = jnp.clip(rate, 0.0, _LARGEST_RATE)
    # The root has no finite derivative at 0, so there another argument is used and the result discarded.
    inside = jnp.where(rate > 0.0, inside, 0.5)
    stddev = jnp.where(rate > 0.0, jnp.sqrt(inside / (1.0 - inside)), 0.0)
    factor = opaque_call(_factor, required_key("gaussian_dropout", key), jnp.ones(x.shape, jnp.float32), stddev)
    return jnp.where(stddev > 0.0, x * factor.astype(x.dtype), x)


def _factor(key: PRNGKey, ones: Array, stddev: Array) -> Array:
    return ones + stddev * bits.random_normal(key, ones.shape)
