"""Cheap random bits: Threefry-2x32 written elementwise, so that XLA fuses it into its consumers.

On CPU, `jax.random.bits` lowers to a rolled loop and computes a block of two words for every word that it returns.
Here the twenty rounds are unrolled over an elementwise counter (an iota) and both words of a block are used: the same
generator, several times cheaper inside a compiled training loop.

The upper counter word is a constant of this module, so no draw coincides with what `jax.random.split` or
`jax.random.fold_in` derive from the same key. As with `jax.random`, use a key for one draw only.
"""

from __future__ import annotations

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.random import define_prng_impl, threefry_prng_impl

from regjax.core.typing import Array, PRNGKey

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)
_COUNTER_HIGH = np.uint32(0x72676A78)  # "rgjx": keeps these draws apart from jax.random's own counters


@functools.partial(jax.jit, inline=True)
def threefry_block(key: tuple[Array, Array], counter: tuple[Array, Array]) -> tuple[Array, Array]:
    """Threefry-2x32 with 20 rounds: one block of two words for each counter.

    Args:
      key: two words `uint32[]` (anything that broadcasts against the counters).
      counter: two words `uint32[...]`.

    Returns:
      Two words `uint32[...]`, bit-equal to `jax.extend.random.threefry_2x32`.

    Example:
      >>> zero = jnp.uint32(0)
      >>> [hex(int(word)) for word in threefry_block((zero, zero), (zero, zero))]
      ['0x6b200159', '0x99ba4efe']

    Reference: Parallel Random Numbers: As Easy as 1, 2, 3 (Salmon et al., 2011).
    """
    shape = jnp.broadcast_shapes(*(jnp.shape(word) for word in (*key, *counter)))
    (k0, k1), (x0, x1) = ([jnp.broadcast_to(word, shape) for word in pair] for pair in (key, counter))
    schedule = (k0, k1, k0 ^ k1 ^ _PARITY)
    x0, x1 = x0 + schedule[0], x1 + schedule[1]
    # Primitives instead of operators: a hundred operations are traced in half the time.
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            left, right = np.uint32(rotation), np.uint32(32 - rotation)
            x0 = lax.add(x0, x1)
            x1 = lax.bitwise_or(lax.shift_left(x1, left), lax.shift_right_logical(x1, right))
            x1 = lax.bitwise_xor(x1, x0)
        x0 = lax.add(x0, schedule[(group + 1) % 3])
        x1 = lax.add(lax.add(x1, schedule[(group + 2) % 3]), np.uint32(group + 1))
    return x0, x1


def key_words(key: PRNGKey) -> tuple[Array, Array]:
    """The two words of a threefry key; a longer key (as rbg) is folded down to two.

    Args:
      key: a typed key (`jax.random.key`) or raw key data `uint32[2]` / `uint32[4]`.

    Returns:
      Two scalars `uint32[]`.

    Raises:
      ValueError: `key` is neither, or is a batch of keys (map over it with `jax.vmap`).

    Example:
      >>> [int(word) for word in key_words(jax.random.key(7))]
      [0, 7]
    """
    key = _checked(key)
    first, second = key[0], key[1]
    for i in range(2, key.shape[0] - 1, 2):
        # All words pass through the block function, so keys that differ in any word stay different.
        first, second = threefry_block((first, second), (key[i], key[i + 1]))
    return first, second


def random_words(key: PRNGKey, shape: tuple[int, ...]) -> Array:
    """Uniform 32-bit words.

    Args:
      key: one key; batches of keys through `jax.vmap`.
      shape: shape of the result, below 2**32 words.

    Returns:
      `uint32[shape]`.

    Example:
      >>> random_words(jax.random.key(0), (2, 3)).shape
      (2, 3)
    """
    return _words(_checked(key), tuple(shape))


def random_u16(key: PRNGKey, shape: tuple[int, ...]) -> Array:
    """Uniform 16-bit numbers, four for each block: enough for a decision with probability k/65536.

    Args:
      key: one key; batches of keys through `jax.vmap`.
      shape: shape of the result.

    Returns:
      `uint16[shape]`.

    Example:
      >>> random_u16(jax.random.key(0), (4,)).dtype
      dtype('uint16')
    """
    return _u16(_checked(key), tuple(shape))


def random_uniform(key: PRNGKey, shape: tuple[int, ...]) -> Array:
    """Uniform numbers in (0, 1), symmetric about 1/2: `(word // 2**9 + 1/2) / 2**23`.

    Neither end is ever reached, so the inverse of any distribution function is finite.

    Args:
      key: one key.
      shape: shape of the result.

    Returns:
      `float32[shape]`.

    Example:
      >>> u = random_uniform(jax.random.key(0), (1000,))
      >>> bool((u > 0).all() and (u < 1).all())
      True
    """
    # 23 bits: with 24 the half step of the largest value would round up to 1.
    return ((random_words(key, shape) >> np.uint32(9)).astype(jnp.float32) + 0.5) * np.float32(2.0**-23)


def random_normal(key: PRNGKey, shape: tuple[int, ...]) -> Array:
    """Standard normal numbers: `sqrt(2) * erf_inv(2 u - 1)`, within +-5.3.

    Args:
      key: one key.
      shape: shape of the result.

    Returns:
      `float32[shape]`.

    Example:
      >>> random_normal(jax.random.key(0), (3,)).dtype
      dtype('float32')
    """
    return np.float32(np.sqrt(2.0)) * lax.erf_inv(2.0 * random_uniform(key, shape) - 1.0)


def fast_key(key: PRNGKey) -> PRNGKey:
    """The same key, for which draws of `jax.random` give the same numbers but compile faster.

    On CPU, XLA takes a tenth of a second to compile each rolled loop of `jax.random`, and half a second if the last
    axis is short and not a multiple of the vector length.

    Args:
      key: a typed key; one that is not threefry is returned as it is.

    Returns:
      A key for `jax.random`; keys derived from it are fast too.

    Example:
      >>> key = jax.random.key(0)
      >>> bool((jax.random.normal(fast_key(key), (3,)) == jax.random.normal(key, (3,))).all())
      True
    """
    typed = jnp.issubdtype(key.dtype, jax.dtypes.prng_key)
    if not typed or str(jax.random.key_impl(key)) != threefry_prng_impl.name:
        return key
    return jax.random.wrap_key_data(jax.random.key_data(key), impl=_LIGHT)


def _light_bits(key: Array, width: int, shape: tuple[int, ...]) -> Array:
    """The bits that `jax.random` draws from a threefry key."""
    count = math.prod(shape)
    by_position = jax.config.jax_threefry_partitionable  # type: ignore[attr-defined]
    if width != 32 or count >= 2**32 or not by_position:
        return threefry_prng_impl.random_bits(key, width, shape)
    low = lax.iota(jnp.uint32, count)
    first, second = threefry_block((key[0], key[1]), (jnp.zeros_like(low), low))
    return (first ^ second).reshape(shape)


_LIGHT = define_prng_impl(
    key_shape=threefry_prng_impl.key_shape,
    seed=threefry_prng_impl.seed,
    split=threefry_prng_impl.split,
    random_bits=_light_bits,
    fold_in=threefry_prng_impl.fold_in,
    name="regjax_light",
    tag="light",
)


@functools.partial(jax.jit, static_argnames="shape", inline=True)
def _words(key: Array, shape: tuple[int, ...]) -> Array:
    row, first, second = _blocks(key, shape, per_block=2)
    return _shaped(jnp.where(row == 0, first, second), shape)


@functools.partial(jax.jit, static_argnames="shape", inline=True)
def _u16(key: Array, shape: tuple[int, ...]) -> Array:
    row, first, second = _blocks(key, shape, per_block=4)
    word = jnp.where(row < 2, first, second)
    return _shaped((word >> ((row & np.uint32(1)) * np.uint32(16))).astype(jnp.uint16), shape)


def _checked(key: PRNGKey) -> Array:
    """The words of one key, `uint32[n]` with n >= 2."""
    if hasattr(key, "dtype") and jnp.issubdtype(key.dtype, jax.dtypes.prng_key):
        key = jax.random.key_data(key)
    if getattr(key, "dtype", None) != jnp.uint32 or key.ndim != 1 or key.shape[0] < 2:
        description = f"{key.dtype}{list(key.shape)}" if hasattr(key, "shape") else repr(key)
        raise ValueError(f"key must be one key (jax.random.key(seed)) or its data uint32[2], got {description}")
    return key


def _blocks(key: Array, shape: tuple[int, ...], per_block: int) -> tuple[Array, Array, Array]:
    """The row index and both words of the block of each column, as `uint32[per_block, ceil(n / per_block)]`.

    Each entry recomputes its block and keeps a part of it: on CPU this vectorizes, and is 5 times faster than
    computing each block once and concatenating the parts.
    """
    size = (per_block, -(-math.prod(shape) // per_block))
    row = lax.broadcasted_iota(jnp.uint32, size, 0)
    column = lax.broadcasted_iota(jnp.uint32, size, 1)
    return (row, *threefry_block(key_words(key), (jnp.full_like(column, _COUNTER_HIGH), column)))


def _shaped(values: Array, shape: tuple[int, ...]) -> Array:
    count = math.prod(shape)
    return values.reshape(-1)[:count].reshape(shape)
