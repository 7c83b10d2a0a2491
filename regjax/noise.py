"""Noise as pure functions `(key, x, rate, ...) -> x`: the rate is data, never a Python branch.

One compiled program serves every rate, `jax.vmap` maps over rates and keys, and a rate may follow a schedule.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from regjax import bits
from regjax.checks import check_choice, check_range
from regjax.fusion import apart
from regjax.typing import Array, ArrayLike, PRNGKey

SCALINGS = ("inverted", "classic")

_LEVELS = 65536  # a decision has 16 bits


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

    In training, with `m_i` independent and `q = P(m_i = 1)` the keep probability:

      inverted:  y_i = m_i x_i / q      E[y_i] = x_i      inference: y = x
      classic:   y_i = m_i x_i          E[y_i] = q x_i    inference: y = q x

    Decisions have 16 bits, so `q = (65536 - round(65536 rate)) / 65536` exactly, and it is this `q` that
    scales: the expectations are exact for every rate, not only for multiples of 2**-16. Rate 0 is the
    identity, bit for bit. At rate 1 the output and the gradient are 0, not NaN.

    Args:
      key: one key; may be None when `deterministic`.
      x: floating-point array `[...]`.
      rate: scalar, the fraction that is dropped, in [0, 1]; may be traced.
      scaling: `"inverted"` or `"classic"`.
      broadcast_dims: axes along which one decision is shared: `(1, 2)` drops whole channels of
        `[B, H, W, C]`.
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
    check_range("dropout: rate", rate, 0.0, 1.0)
    x = _floating("dropout", x)
    dropped, keep = _quantized(rate)
    if deterministic:
        return x if scaling == "inverted" else x * keep.astype(x.dtype)
    shape = _decision_shape("dropout", x.shape, broadcast_dims)
    everything = jnp.ones(shape, bool)
    kept = apart(_decide, _required("dropout", key), everything, dropped.astype(jnp.float32))
    if scaling == "inverted":
        # Where nothing is kept the division is by 1: the branch that `where` discards must stay finite too.
        x = x * (1.0 / jnp.where(keep > 0.0, keep, 1.0)).astype(x.dtype)
    return jnp.where(kept, x, jnp.zeros((), x.dtype))


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
    check_range("gaussian_noise: stddev", stddev, 0.0, high_open=True)
    x = _floating("gaussian_noise", x)
    if deterministic:
        return x
    stddev = jnp.asarray(stddev, jnp.float32)
    noise = stddev * bits.random_normal(_required("gaussian_noise", key), x.shape)
    # x + 0 * n turns -0.0 into 0.0: the identity at 0 is chosen, not computed.
    return jnp.where(stddev > 0.0, x + noise.astype(x.dtype), x)


def _decide(key: PRNGKey, kept: Array, dropped: Array) -> Array:
    """The entries of a mask `kept` that are still kept when `dropped` of 65536 values drop."""
    return kept & (bits.random_u16(key, kept.shape).astype(jnp.uint32) >= dropped.astype(jnp.uint32))


def _quantized(rate: ArrayLike) -> tuple[Array, Array]:
    """How many of the 65536 values of a decision drop, and the exact probability to keep."""
    rate = jnp.asarray(rate, jnp.float32)
    dropped = jnp.clip(jnp.round(rate * _LEVELS), 0.0, float(_LEVELS))
    return dropped.astype(jnp.uint32), (_LEVELS - dropped) * np.float32(1.0 / _LEVELS)


def _decision_shape(name: str, shape: tuple[int, ...], broadcast_dims: Sequence[int]) -> tuple[int, ...]:
    """`shape` with 1 along every axis that shares its decision."""
    rank = len(shape)
    for axis in broadcast_dims:
        if not -rank <= axis < rank:
            raise ValueError(
                f"{name}: broadcast_dims must be axes of x in [{-rank}, {rank}), got {axis} for shape {shape}"
            )
    shared = {axis % rank for axis in broadcast_dims}
    return tuple(1 if axis in shared else size for axis, size in enumerate(shape))


def _floating(name: str, x: Array) -> Array:
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"{name}: x must be floating point, got {x.dtype}{list(x.shape)}")
    return x


def _required(name: str, key: PRNGKey | None) -> PRNGKey:
    if key is None:
        raise ValueError(f"{name}: training draws random numbers, so pass a key (or deterministic=True)")
    return key
