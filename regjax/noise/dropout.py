"""Dropout of entries, of channels, of residual branches and of self-normalizing units."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from regjax.core.checks import check_choice, check_range
from regjax.core.dtypes import wide_dtype
from regjax.core.typing import Array, ArrayLike, PRNGKey
from regjax.noise.base import apply_mask, checked_input, decision_shape, keep_mask, quantized, required_key

SCALINGS = ("inverted", "classic")

# Where the SELU saturates: -alpha * scale.
_SELU_FLOOR = -1.7580993408473766


def dropout(
    key: PRNGKey | None,
    x: Array,
    rate: ArrayLike,
    *,
    scaling: str = "inverted",
    broadcast_dims: Sequence[int] = (),
    deterministic: bool = False,
) -> Array:
    """Sets each entry to zero with probability `rate`.

    In training, with independent `m_i` and the keep probability `q = P(m_i = 1)`:

      inverted:  y_i = m_i x_i / q      E[y_i] = x_i      inference: y = x
      classic:   y_i = m_i x_i          E[y_i] = q x_i    inference: y = q x

    Decisions have 16 bits, so `q = (65536 - round(65536 rate)) / 65536` exactly, and entries
    are scaled by this `q`: the expectations are exact for every rate, not only for multiples of 2**-16. Rate 0 is
    the identity, bit for bit. At rate 1 the output and the gradient are 0, not NaN.

    Args:
      key: one key; may be None when `deterministic`.
      x: floating-point array `[...]`.
      rate: scalar in [0, 1], the fraction of entries dropped; may be traced.
      scaling: `"inverted"` or `"classic"`.
      broadcast_dims: axes that share one decision: `(1, 2)` drops whole channels of `[B, H, W, C]`.
      deterministic: inference; draws nothing.

    Returns:
      Array with the shape and dtype of `x`.

    Raises:
      ValueError: a concrete `rate` is outside [0, 1] or NaN, `key` is missing, or `x` is not floating point.

    Example:
      >>> import jax
      >>> y = dropout(jax.random.key(0), jnp.ones(1000), 0.25)
      >>> sorted({round(float(v), 4) for v in y})
      [0.0, 1.3333]

    Reference: Dropout: A Simple Way to Prevent Neural Networks from Overfitting (Srivastava et al., 2014).
    """
    check_choice("dropout: scaling", scaling, SCALINGS)
    x = checked_input("dropout", x, rate)
    if deterministic:
        return x if scaling == "inverted" else x * quantized(rate)[1].astype(x.dtype)
    shape = decision_shape("dropout", x.shape, broadcast_dims)
    mask, keep_prob = keep_mask(required_key("dropout", key), shape, rate)
    return apply_mask(x, mask, keep_prob if scaling == "inverted" else jnp.ones_like(keep_prob))


def spatial_dropout(key: PRNGKey | None, x: Array, rate: ArrayLike, *, deterministic: bool = False) -> Array:
    """Drops whole channels, with one decision for each example and channel.

      y[b, ..., c] = m_bc x[b, ..., c] / q,  q = P(m_bc = 1)

    Neighbouring activations of a convolution are strongly correlated, so dropping single ones removes little
    information; dropping the whole channel does.

    Args:
      key: one key; may be None when `deterministic`.
      x: floating-point array `[B, ..., C]` with at least one axis of positions, as `[B, H, W, C]` or `[B, T, C]`.
      rate: scalar in [0, 1], the fraction of channels dropped; may be traced. 0 is the identity.
      deterministic: inference: returns `x`.

    Returns:
      Array like `x`; the expectation is `x`.

    Raises:
      ValueError: a concrete `rate` outside [0, 1], no key, or `x` of another rank or dtype.

    Example:
      >>> import jax
      >>> y = spatial_dropout(jax.random.key(0), jnp.ones((1, 4, 4, 8)), 0.5)
      >>> bool((y == y[:, :1, :1]).all())
      True

    Reference: Efficient Object Localization Using Convolutional Networks (Tompson et al., 2015).
    """
    x = checked_input("spatial_dropout", x, rate, rank=3)
    return dropout(key, x, rate, broadcast_dims=range(1, x.ndim - 1), deterministic=deterministic)


def drop_path(key: PRNGKey | None, x: Array, rate: ArrayLike, *, deterministic: bool = False) -> Array:
    """Drops a residual branch, with one decision for each example (stochastic depth).

      x + drop_path(f(x)):  y_b = m_b f(x_b) / q,  q = P(m_b = 1)

    Args:
      key: one key; may be None when `deterministic`.
      x: output of the branch, floating point `[B, ...]`.
      rate: scalar in [0, 1], the fraction of examples whose branch is dropped; may be traced. 0 is the identity.
        `depth_rates` gives the rates of all blocks.
      deterministic: inference: returns `x`.

    Returns:
      Array like `x`; the expectation is `x`.

    Raises:
      ValueError: a concrete `rate` outside [0, 1], no key, or `x` without a batch axis.

    Example:
      >>> import jax
      >>> y = drop_path(jax.random.key(0), jnp.ones((6, 3)), 0.5)
      >>> sorted({float(v) for v in y.sum(axis=1)})
      [0.0, 6.0]

    Reference: Deep Networks with Stochastic Depth (Huang et al., 2016).
    """
    x = checked_input("drop_path", x, rate, rank=1)
    return dropout(key, x, rate, broadcast_dims=range(1, x.ndim), deterministic=deterministic)


def depth_rates(rate: ArrayLike, depth: int) -> list[Array]:
    """Rates of `drop_path` that grow with depth: block l of L drops `rate * l / L`, l = 1 .. L.

    The first block, whose features all others use, is dropped least often. timm starts at 0 instead:
    `rate * (l - 1) / (L - 1)`.

    Args:
      rate: rate of the last block, in [0, 1]; may be traced.
      depth: number of blocks L >= 1.

    Returns:
      L scalars.

    Raises:
      ValueError: a concrete number out of range.

    Example:
      >>> [float(r) for r in depth_rates(0.5, 4)]
      [0.125, 0.25, 0.375, 0.5]

    Reference: Deep Networks with Stochastic Depth (Huang et al., 2016).
    """
    check_range("depth_rates: rate", rate, 0.0, 1.0)
    check_range("depth_rates: depth", depth, 1)
    return [jnp.asarray(rate, jnp.float32) * np.float32(block / depth) for block in range(1, depth + 1)]


def alpha_dropout(key: PRNGKey | None, x: Array, rate: ArrayLike, *, deterministic: bool = False) -> Array:
    """Dropout for self-normalizing networks, which preserves mean 0 and variance 1.

    Dropped entries are set to the value at which the SELU saturates, c = -1.7581, and all are rescaled:

      y_i = a (m_i x_i + (1 - m_i) c) + b,  a = (q (1 + r c^2))^(-1/2),  b = -a r c,  r = 1 - q

    At rate 1, where no variance is left to rescale, the output is 0.

    Args:
      key: one key; may be None when `deterministic`.
      x: floating-point array `[...]`, the output of a SELU.
      rate: scalar in [0, 1], the fraction dropped; may be traced. 0 is the identity.
      deterministic: inference: returns `x`.

    Returns:
      Array like `x`. If the entries of `x` have mean 0 and variance 1, so do those of the result.

    Raises:
      ValueError: a concrete `rate` outside [0, 1], no key, or `x` is not floating point.

    Example:
      >>> import jax
      >>> x = jax.random.normal(jax.random.key(1), (10000,))
      >>> y = alpha_dropout(jax.random.key(0), x, 0.3)
      >>> abs(float(y.mean())) < 0.05, abs(float(y.std()) - 1) < 0.05
      (True, True)

    Reference: Self-Normalizing Neural Networks (Klambauer et al., 2017); the constants are those of Keras.
    """
    x = checked_input("alpha_dropout", x, rate)
    if deterministic:
        return x
    mask, keep_prob = keep_mask(required_key("alpha_dropout", key), x.shape, rate)
    keep_prob = keep_prob.astype(wide_dtype(x))
    drop_prob = 1.0 - keep_prob
    variance = jnp.where(keep_prob > 0.0, keep_prob * (1.0 + drop_prob * _SELU_FLOOR**2), 1.0)
    scale = jnp.where(keep_prob > 0.0, variance**-0.5, 0.0)
    rescaled = jnp.where(mask, x, jnp.asarray(_SELU_FLOOR, x.dtype)) * scale.astype(x.dtype)
    rescaled += (-scale * drop_prob * _SELU_FLOOR).astype(x.dtype)
    # The identity is selected, not computed, because -0.0 + 0.0 is 0.0.
    return jnp.where(drop_prob > 0.0, rescaled, x)
