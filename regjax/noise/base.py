"""Shared by all noises: keep decisions of 16 bits, and checks of input, key and axes."""

from __future__ import annotations

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np

from regjax.core import random_bits as bits
from regjax.core.barrier import opaque_call
from regjax.core.checks import check_range
from regjax.core.dtypes import wide_dtype
from regjax.core.typing import Array, ArrayLike, PRNGKey

_LEVELS = 65536  # a decision has 16 bits


def keep_mask(key: PRNGKey, shape: tuple[int, ...], rate: ArrayLike) -> tuple[Array, Array]:
    """Independent keep decisions, and their exact probability.

    Args:
      key: one key.
      shape: of the mask.
      rate: drop probability, in [0, 1]; may be traced.

    Returns:
      `bool[shape]`, and the keep probability `q = (65536 - round(65536 rate)) / 65536`, `float32[]`.
    """
    dropped, keep_prob = quantized(rate)
    return opaque_call(_decide, key, jnp.ones(shape, bool), dropped.astype(jnp.float32)), keep_prob


def quantized(rate: ArrayLike) -> tuple[Array, Array]:
    """How many of the 65536 values of a decision mean dropping, and the exact keep probability."""
    rate = jnp.asarray(rate, jnp.float32)
    dropped = jnp.clip(jnp.round(rate * _LEVELS), 0.0, float(_LEVELS))
    return dropped.astype(jnp.uint32), (_LEVELS - dropped) * np.float32(1.0 / _LEVELS)


def apply_mask(x: Array, mask: Array, keep_prob: Array) -> Array:
    """`x / keep_prob` where the mask is True, else 0; `keep_prob` is 0 only if the mask is all False."""
    # Dividing by 1 if nothing is kept: the branch that `where` discards must stay finite too.
    safe = jnp.where(keep_prob > 0.0, keep_prob, 1.0).astype(wide_dtype(x))
    return jnp.where(mask, x * (1.0 / safe).astype(x.dtype), jnp.zeros((), x.dtype))


def decision_shape(name: str, shape: tuple[int, ...], shared_axes: Sequence[int]) -> tuple[int, ...]:
    """`shape` with 1 along every axis that shares one decision.

    Raises:
      ValueError: `x` has no such axis.
    """
    rank = len(shape)
    for axis in shared_axes:
        if not -rank <= axis < rank:
            raise ValueError(
                f"{name}: broadcast_dims must be axes of x in [{-rank}, {rank}), got {axis} for shape {shape}"
            )
    shared = {axis % rank for axis in shared_axes}
    return tuple(1 if axis in shared else size for axis, size in enumerate(shape))


def checked_input(name: str, x: Array, strength: ArrayLike, *, what: str = "rate", rank: int | None = None) -> Array:
    """Check the input and the strength of a noise, and return `x` as an array.

    Args:
      name: name of the noise, for messages.
      x: input.
      strength: rate or standard deviation.
      what: `"rate"`, in [0, 1], or `"stddev"`, >= 0.
      rank: smallest number of axes; None for any.

    Raises:
      ValueError: names the function, what it got and what it accepts.
    """
    if what == "rate":
        check_range(f"{name}: rate", strength, 0.0, 1.0)
    else:
        check_range(f"{name}: {what}", strength, 0.0, high_open=True)
    if jnp.ndim(strength):
        raise ValueError(
            f"{name}: {what} must be one number, got shape {jnp.shape(strength)}; jax.vmap maps over several"
        )
    x = jnp.asarray(x)
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"{name}: x must be floating point, got {x.dtype}{list(x.shape)}")
    if rank is not None and x.ndim < rank:
        raise ValueError(f"{name}: x must have at least {rank} axes, got shape {x.shape}")
    return x


def required_key(name: str, key: PRNGKey | None) -> PRNGKey:
    """The key, or an error if training has none.

    Raises:
      ValueError: `key` is None.
    """
    if key is None:
        raise ValueError(f"{name}: training draws random numbers, so pass a key (or deterministic=True)")
    return key


def _decide(key: PRNGKey, mask: Array, dropped: Array) -> Array:
    """The mask, with each True entry dropped with probability `dropped / 65536`."""
    return mask & (bits.random_u16(key, mask.shape).astype(jnp.uint32) >= dropped.astype(jnp.uint32))
