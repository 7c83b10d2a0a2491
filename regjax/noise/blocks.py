"""DropBlock: dropout of square regions of a feature map."""

from __future__ import annotations

import jax.numpy as jnp
from jax import lax

from regjax.core import random_bits as bits
from regjax.core.barrier import opaque_call
from regjax.core.typing import Array, ArrayLike, PRNGKey
from regjax.noise.base import apply_mask, checked_input, required_key

_WORDS = 2.0**32


def drop_block(
    key: PRNGKey | None,
    x: Array,
    rate: ArrayLike,
    *,
    block_size: int = 7,
    per_channel: bool = True,
    deterministic: bool = False,
) -> Array:
    """Drops squares of a feature map; a block begins at each position with probability g.

      1 - rate = (1 - g)^(k^2),  g = 1 - (1 - rate)^(1 / k^2),  k = block_size
      y_i = m_i x_i / q,  q = P(m_i = 1)

    A position is dropped if any block covers it. Blocks may begin outside the map, so that k^2 possible blocks cover
    every position: the fraction dropped is `rate` everywhere, and the expectation is exactly `x`. (In the paper blocks
    lie inside the map and g is corrected for that, so borders are dropped less often and the fraction is right only
    for small rates; the result is then rescaled by the fraction kept in the batch.) `block_size=1` is dropout.

    Args:
      key: one key; may be None when `deterministic`.
      x: floating-point feature map `[B, H, W, C]`.
      rate: scalar in [0, 1], the fraction of positions dropped; may be traced. 0 is the identity.
      block_size: side k of the squares in positions, odd or even; >= 1 and at most the larger side of the map.
      per_channel: whether each channel draws its own blocks, as in the paper, or all share them, which is cheaper.
      deterministic: inference: returns `x`.

    Returns:
      Array like `x`.

    Raises:
      ValueError: a concrete `rate` outside [0, 1], a `block_size` that does not fit, no key, or `x` is not a feature
        map.

    Example:
      >>> import jax
      >>> y = drop_block(jax.random.key(0), jnp.ones((64, 16, 16, 1)), 0.25, block_size=3)
      >>> abs(float((y == 0).mean()) - 0.25) < 0.02
      True

    Reference: DropBlock: A Regularization Method for Convolutional Networks (Ghiasi et al., 2018).
    """
    x = checked_input("drop_block", x, rate)
    if x.ndim != 4:
        raise ValueError(f"drop_block: x must be a feature map [B, H, W, C], got shape {x.shape}")
    height, width = x.shape[1:3]
    if block_size != int(block_size) or not 1 <= block_size <= max(height, width):
        raise ValueError(
            f"drop_block: block_size must be a whole number in [1, {max(height, width)}], got {block_size}"
        )
    if deterministic:
        return x
    rate = jnp.where(jnp.asarray(rate, jnp.float32) > 0.0, rate, 0.0).astype(jnp.float32)
    # log1p keeps small rates exact: 1 - (1 - rate)^(1/k^2) would cancel.
    seed_rate = -jnp.expm1(jnp.log1p(-jnp.minimum(rate, 1.0 - 2.0**-24)) / block_size**2)
    threshold = jnp.where(rate >= 1.0, _WORDS, jnp.round(seed_rate * _WORDS))
    channels = x.shape[3] if per_channel else 1
    seeds = jnp.ones((x.shape[0], height + block_size - 1, width + block_size - 1, channels), bool)
    is_clear = opaque_call(_clear, required_key("drop_block", key), seeds, threshold)
    mask = _all_in_window(_all_in_window(is_clear, block_size, 1), block_size, 2)
    keep_prob = jnp.exp(jnp.log1p(-jnp.minimum(threshold / _WORDS, 1.0 - 2.0**-24)) * block_size**2)
    return apply_mask(x, mask, jnp.where(rate >= 1.0, 0.0, keep_prob))


def _clear(key: PRNGKey, clear: Array, threshold: Array) -> Array:
    """Where no block begins. Decisions have 32 bits, because with large blocks g is small."""
    # 2**32 does not fit a word: at rate 1 even the largest word begins a block.
    begins = bits.random_words(key, clear.shape) < jnp.minimum(threshold, _WORDS - 256).astype(jnp.uint32)
    return clear & ~(begins | (threshold >= _WORDS))


def _all_in_window(mask: Array, size: int, axis: int) -> Array:
    """Whether all entries in a window of `size` along an axis are True; shortens the axis by `size - 1`."""
    length = mask.shape[axis] - size + 1
    result = lax.slice_in_dim(mask, 0, length, axis=axis)
    for offset in range(1, size):
        result &= lax.slice_in_dim(mask, offset, offset + length, axis=axis)
    return result
