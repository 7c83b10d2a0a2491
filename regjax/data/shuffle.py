"""Shuffles examples with a function from a position in an endless stream of passes to an example.

A permutation by sorting needs a static number of examples and computes a whole pass at once. Here the number of
examples may be traced, so one program serves every size of the training set. Any position can be computed on its own,
so a resumed run needs no iterator state, and a batch may span two passes.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from regjax.core.checks import check_range
from regjax.core.random_bits import fast_key
from regjax.core.typing import Array, ArrayLike, PRNGKey

ROUNDS = 24  # an element stays in place in all rounds with probability 2^-24


def shuffled_indices(key: PRNGKey, start: ArrayLike, count: int, n: ArrayLike) -> Array:
    """Return the examples at positions `start, ..., start + count - 1` of an endless stream of shuffled passes.

    Pass `p` covers positions `p n` to `(p + 1) n - 1` and visits each of `0, ..., n - 1` once, in a new order. Each
    pass is a swap-or-not shuffle with 24 rounds. In each round, a coin flip that depends on the pair `{x, K - x mod n}`
    decides whether the two change places.

    Args:
      key: key of the stream.
      start: first position, int >= 0, may be traced. Positions are uint32, so there are at most 4e9.
      count: number of positions, static.
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
