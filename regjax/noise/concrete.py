"""Concrete dropout: dropout whose rate is learned with the weights."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from regjax.core import random_bits as bits
from regjax.core.barrier import opaque_call
from regjax.core.checks import check_range
from regjax.core.dtypes import wide_dtype
from regjax.core.typing import Array, ArrayLike, PRNGKey
from regjax.noise.base import checked_input, required_key


def concrete_dropout(
    key: PRNGKey | None,
    x: Array,
    rate: ArrayLike,
    *,
    temperature: ArrayLike = 0.1,
    deterministic: bool = False,
) -> Array:
    """Dropout with a smooth mask, so that the rate has a gradient.

      z_i = sigmoid((logit(r) + logit(u_i)) / t),  u_i ~ U(0, 1);   y_i = x_i (1 - z_i) / (1 - r)

    In the limit t -> 0 this is dropout. At t = 0.1 most z_i are within 0.01 of 0 or 1, and the expectation of y is x up
    to an error from the smoothness of the mask (a few percent of r).

    Args:
      key: one key; may be None when `deterministic`.
      x: floating-point array `[...]`.
      rate: scalar r in [0, 1]; a parameter of the model, usually the sigmoid of one. 0 is the identity; at 1 the output
        is 0. The gradient with respect to r is finite everywhere, and 0 at both ends.
      temperature: t > 0.
      deterministic: inference: returns `x`.

    Returns:
      Array like `x`.

    Raises:
      ValueError: a concrete number out of range, no key, or `x` is not floating point.

    Example:
      >>> learn = jax.grad(lambda r: concrete_dropout(jax.random.key(0), jnp.ones(100), r).var())
      >>> bool(learn(0.2) > 0)  # more dropout, more variance
      True

    Reference: Concrete Dropout (Gal, Hron & Kendall, 2017).
    """
    x = checked_input("concrete_dropout", x, rate)
    check_range("concrete_dropout: temperature", temperature, 0.0, low_open=True)
    if deterministic:
        return x
    rate = jnp.asarray(rate, jnp.float32)
    is_inside = (rate > 0.0) & (rate < 1.0)
    inside = jnp.where(is_inside, rate, 0.5)
    zeros = jnp.zeros(x.shape, jnp.float32)
    noise = opaque_call(_logistic, required_key("concrete_dropout", key), zeros, jnp.float32(1.0))
    soft_mask = jax.nn.sigmoid(-(jnp.log(inside) - jnp.log1p(-inside) + noise) / temperature) / (1.0 - inside)
    smooth = jnp.where(is_inside, x * soft_mask.astype(x.dtype), x)
    return jnp.where(rate >= 1.0, jnp.zeros((), x.dtype), smooth)


def concrete_penalty(rate: ArrayLike, kernel: Array, strength: ArrayLike, *, length_scale: ArrayLike = 1e-2) -> Array:
    """The regularizer of a learned rate: an entropy that pulls it away from 0, and a weight penalty.

      s ( l^2 / 2 * ||W||^2 / (1 - r)  +  d (r log r + (1 - r) log(1 - r)) )

    The second term is minus the entropy of the d masks, which is lowest at r = 1/2.

    Args:
      rate: r in [0, 1], the rate of dropout on the input of the layer.
      kernel: W `[..., d, units]`, which multiplies the masked input.
      strength: s >= 0; 2 / N for N training examples in the paper (times the noise variance in regression).
      length_scale: l > 0, of the prior on the weights.

    Returns:
      `float32[]`; finite also at rates 0 and 1.

    Raises:
      ValueError: a concrete number out of range.

    Example:
      >>> round(float(concrete_penalty(0.5, jnp.zeros((10, 3)), 1.0)), 4)  # -10 log 2
      -6.9315

    Reference: Concrete Dropout (Gal, Hron & Kendall, 2017), equation 4 and the authors' code.
    """
    check_range("concrete_penalty: rate", rate, 0.0, 1.0)
    check_range("concrete_penalty: strength", strength, 0.0, high_open=True)
    check_range("concrete_penalty: length_scale", length_scale, 0.0, low_open=True)
    wide = wide_dtype(kernel)
    rate = jnp.clip(jnp.asarray(rate, wide), 1e-6, 1.0 - 1e-6)
    squares = jnp.sum(jnp.square(kernel.astype(wide)))
    entropy = -(rate * jnp.log(rate) + (1.0 - rate) * jnp.log1p(-rate))
    features = kernel.size // kernel.shape[-1]
    weights = jnp.square(length_scale) / 2 * squares / (1.0 - rate)
    return (jnp.asarray(strength) * (weights - features * entropy)).astype(wide)


def _logistic(key: PRNGKey, zeros: Array, magnitude: Array) -> Array:
    """Standard logistic noise `logit(u)`; finite, because `u` never reaches 0 or 1."""
    u = bits.random_uniform(key, zeros.shape)
    return zeros + magnitude * (jnp.log(u) - jnp.log1p(-u))
