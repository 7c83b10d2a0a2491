"""The order of examples as a function: position in the endless stream of passes -> example.

A sort-based permutation needs a static number of examples and the whole pass at once. Here the number of
examples is data (so one program serves every training-set size), any position can be asked for on its own (so a
resumed run needs no iterator state), and a batch may span two passes.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from regjax.core.checks import check_range
from regjax.core.random_bits import fast_key
from regjax.core.typing import Array, ArrayLike, PRNGKey

ROUNDS = 24  # a position has never moved with probability 2^-24


def shuffled_indices(key: PRNGKey, start: ArrayLike, count: int, n: ArrayLike) -> Array:
    """Examples at positions `start, ..., start + count - 1` of an endless stream of shuffled passes.

    Pass `p` covers positions `p n` to `(p + 1) n - 1` and visits each of `0, ..., n - 1` once, in an order of its own.
    Each pass is a swap-or-not shuffle: 24 rounds, in each of which the pair `{x, K - x mod n}` trades places
    on a coin flip that both partners compute alike.

    Args:
      key: key of the stream.
      start: first position, int >= 0, may be traced. Positions are uint32: 4e9 examples in all.
      count: how many, static.
      n: number of examples >= 1, may be traced.

    Returns:
      `int32[count]` in `[0, n)`.

    Raises:
      ValueError: a concrete `n` < 1.

    Example:
      >>> sorted(shuffled_indices(jax.random.key(0), 0, 5, 5).tolist())
      [0, 1, 2, 3, 4]

    Reference:
      Hoang, Morris and Rogaway, An enciphering scheme based on a card shuffle, 2012.
    """
    check_range("shuffled_indices: n", n, 1)
    n = jnp.asarray(n, jnp.uint32)
    position = jnp.asarray(start, jnp.uint32) + jnp.arange(count, dtype=jnp.uint32)
    sweep, x = position // n, position % n
    salts = jax.random.bits(fast_key(key), (ROUNDS, 2), jnp.uint32)
    pass_hash = _mix(sweep * jnp.uint32(0x9E3779B9) + jnp.uint32(1))

    def shuffle_round(x: Array, salt: Array) -> tuple[Array, None]:
        pair_hash = _mix(pass_hash ^ salt[0])
        # x < n and centre < n <= 2^31, so that the sum cannot overflow.
        partner = _scale(pair_hash, n) + n - x
        partner = jnp.where(partner >= n, partner - n, partner)
        coin = _mix(jnp.maximum(x, partner) * jnp.uint32(0x85EBCA77) ^ pair_hash + salt[1])
        return jnp.where(coin >> 31 == 1, partner, x), None

    return jax.lax.scan(shuffle_round, x, salts)[0].astype(jnp.int32)


def _mix(h: Array) -> Array:
    """A bijection of uint32 in which every input bit flips each output bit half of the time (murmur3's finalizer)."""
    h = (h ^ (h >> 16)) * jnp.uint32(0x85EBCA6B)
    h = (h ^ (h >> 13)) * jnp.uint32(0xC2B2AE35)
    return h ^ (h >> 16)


def _scale(h: Array, n: Array) -> Array:
    """`floor(h n / 2^32)`: a uniform integer in `[0, n)`, by 16-bit halves as there is no 64-bit product."""
    low, high = h & 0xFFFF, h >> 16
    n_low, n_high = n & 0xFFFF, n >> 16
    middle = ((low * n_low) >> 16) + ((high * n_low) & 0xFFFF) + low * n_high
    carry = ((high * n_low) >> 16) + (middle >> 16)
    return high * n_high + carry
