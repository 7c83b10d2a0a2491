"""Augmentations that map each level to another: posterize, solarize, equalize, autocontrast."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from regjax.augment.batched import applied, check_numbers, draws, over, takes_batches
from regjax.augment.color import blended
from regjax.augment.levels import check_colors, from_levels, to_levels
from regjax.core.typing import Array, ArrayLike, PRNGKey

# Standardized bytes come back as 127.9999, so values that are this close to a level count as having reached it.
NEARLY = np.float32(1e-3)


@takes_batches
def posterize(
    key: PRNGKey,
    x: Array,
    max_bits: ArrayLike,
    probability: ArrayLike = 1.0,
) -> Array:
    """Removes the lowest bits of each level: `posterized` to 8 - r bits.

      r = floor(u (max_bits + 1)),  u uniform in [0, 1)

    For a whole `max_bits = m` that is uniform over {0, ..., m}; between whole numbers the largest becomes more
    frequent gradually.

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      max_bits: scalar in [0, 8], bits that are taken away; may be traced. 0 is the identity.
      probability: scalar in [0, 1], that an image is changed; may be traced.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> x = jnp.full((1, 2, 2, 1), 240, jnp.uint8)
      >>> int(posterize(jax.random.key(0), x, 4).min())
      240
    """
    x = check_colors("posterize", x)
    check_numbers("posterize", "max_bits", max_bits, probability, 8.0)
    return applied(_posterize, key, x, max_bits, probability, high=8.0)


def _posterize(key: PRNGKey, x: Array, bits: Array) -> Array:
    removed = jnp.minimum(jnp.floor(draws(key, x.shape[:1]) * (bits + 1.0)), jnp.ceil(bits))
    return posterized(x, 8.0 - removed)


def posterized(x: Array, bits: Array) -> Array:
    """The highest bits of each level, `PIL.ImageOps.posterize`: `y = s floor(x / s)`, `s = 2^(8 - bits)`.

    Args:
      x: images `[B, H, W, C]`, uint8 or floating point.
      bits: `[B]`, whole numbers in [0, 8] that are kept: 8 keeps all, 0 leaves black.

    Returns:
      Images like `x`.

    Example:
      >>> posterized(jnp.array([15, 16, 255], jnp.uint8).reshape(1, 1, 3, 1), jnp.array([4])).ravel()
      Array([  0,  16, 240], dtype=uint8)
    """
    step = over(jnp.exp2(8.0 - jnp.asarray(bits, jnp.float32)), x)
    return from_levels(jnp.floor((to_levels(x) + NEARLY) / step) * step, x)


@takes_batches
def solarize(
    key: PRNGKey,
    x: Array,
    max_share: ArrayLike,
    probability: ArrayLike = 1.0,
) -> Array:
    """Inverts the brightest levels of each image: `solarized` from a threshold on.

      threshold = 256 (1 - u max_share),  u uniform in [0, 1)

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      max_share: scalar in [0, 1], the largest share of the range that is inverted; may be traced. 0 is the identity.
      probability: scalar in [0, 1], that an image is changed; may be traced.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> int(solarize(jax.random.key(0), jnp.zeros((1, 2, 2, 1), jnp.uint8), 0.5).max())
      0
    """
    x = check_colors("solarize", x)
    check_numbers("solarize", "max_share", max_share, probability, 1.0)
    return applied(_solarize, key, x, max_share, probability, high=1.0)


def _solarize(key: PRNGKey, x: Array, share: Array) -> Array:
    return solarized(x, 256.0 * (1.0 - share * draws(key, x.shape[:1])))


def solarized(x: Array, thresholds: Array) -> Array:
    """Levels from a threshold on inverted, `PIL.ImageOps.solarize`: `y = x if x < t else 255 - x`.

    Args:
      x: images `[B, H, W, C]`, uint8 or floating point.
      thresholds: `float32[B]` in levels, whatever the dtype of `x`: 0 inverts all, 256 nothing.

    Returns:
      Images like `x`.

    Example:
      >>> solarized(jnp.array([10, 128, 255], jnp.uint8).reshape(1, 1, 3, 1), jnp.array([128.0])).ravel()
      Array([ 10, 127,   0], dtype=uint8)
    """
    levels, threshold = to_levels(x), over(jnp.asarray(thresholds, jnp.float32), x)
    return from_levels(jnp.where(levels < threshold - NEARLY, levels, 255.0 - levels), x)


@takes_batches
def equalize(key: PRNGKey, x: Array, share: ArrayLike, probability: ArrayLike = 1.0) -> Array:
    """Makes all levels about equally frequent: `equalized`.

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      share: scalar in [0, 1], of the equalized image in the result; may be traced. 0 is the identity.
      probability: scalar in [0, 1], that an image is changed; may be traced.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> int(equalize(jax.random.key(0), jnp.full((1, 2, 2, 1), 9, jnp.uint8), 1.0).max())
      9
    """
    x = check_colors("equalize", x)
    check_numbers("equalize", "share", share, probability, 1.0)
    return applied(_equalize, key, x, share, probability, high=1.0)


def _equalize(key: PRNGKey, x: Array, share: Array) -> Array:
    del key
    return equalized(x, share)


def equalized(x: Array, shares: ArrayLike = 1.0) -> Array:
    """Each level replaced by its place in the distribution of its channel, `PIL.ImageOps.equalize`.

      y = floor((s // 2 + #{pixels below x}) / s),   s = (#pixels - #{pixels of the largest level}) // 255

    clipped at 255; a channel with s = 0 stays. Floating-point levels are rounded to whole ones.

    Args:
      x: images `[B, H, W, C]`, uint8 or floating point.
      shares: scalar or `float32[B]`, of the equalized image in the result.

    Returns:
      Images like `x`.

    Example:
      >>> x = jnp.repeat(jnp.array([10, 20], jnp.uint8), 510).reshape(1, 1, 1020, 1)
      >>> jnp.unique(equalized(x))
      Array([  0, 255], dtype=uint8)
    """
    batch, channels = x.shape[0], x.shape[3]
    levels = jnp.round(jnp.clip(to_levels(x), 0.0, 255.0))
    # NaN has no level; it counts as black, so that it stays in the histogram of its own channel.
    index = jnp.where(levels >= 0.0, levels, 0.0).astype(jnp.int32)
    table = jnp.arange(batch * channels, dtype=jnp.int32).reshape(batch, 1, 1, channels) * 256
    bins = (index + table).reshape(-1)
    counts = jnp.zeros(batch * channels * 256, jnp.float32).at[bins].add(1.0, mode="promise_in_bounds")
    # Counts are exact in float32, and so is the floor of a quotient of two of them.
    counts = counts.reshape(batch, channels, 256)
    below = _sums_before(counts)
    # The number of pixels that are not at the largest level: the largest count of pixels below an occurring level.
    others = jnp.where(counts > 0.0, below, 0.0).max(-1, keepdims=True)
    step = jnp.floor(others / 255.0)
    new = jnp.minimum(jnp.floor((jnp.floor(step / 2.0) + below) / jnp.maximum(step, 1.0)), 255.0)
    new = jnp.where(step > 0.0, new, jnp.arange(256, dtype=jnp.float32))
    equal = new.reshape(-1).at[bins].get(mode="promise_in_bounds").reshape(x.shape)
    return blended(x, equal, _kept(shares, x))


@takes_batches
def autocontrast(key: PRNGKey, x: Array, share: ArrayLike, probability: ArrayLike = 1.0) -> Array:
    """Stretches the levels of each channel over the whole range: `autocontrasted`.

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      share: scalar in [0, 1], of the stretched image in the result; may be traced. 0 is the identity.
      probability: scalar in [0, 1], that an image is changed; may be traced.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> autocontrast(jax.random.key(0), jnp.array([9, 19], jnp.uint8).reshape(1, 1, 2, 1), 1.0).ravel()
      Array([  0, 255], dtype=uint8)
    """
    x = check_colors("autocontrast", x)
    check_numbers("autocontrast", "share", share, probability, 1.0)
    return applied(_autocontrast, key, x, share, probability, high=1.0)


def _autocontrast(key: PRNGKey, x: Array, share: Array) -> Array:
    del key
    return autocontrasted(x, share)


def autocontrasted(x: Array, shares: ArrayLike = 1.0) -> Array:
    """Each channel stretched to the whole range, `PIL.ImageOps.autocontrast`: `y = floor(255 (x - a) / (b - a))`.

    with a and b the smallest and largest level of the channel; a channel of one level stays. PIL computes the
    quotient in floating point and then truncates, so that where it is a whole number PIL may be one lower.

    Args:
      x: images `[B, H, W, C]`, uint8 or floating point (then without the floor).
      shares: scalar or `float32[B]`, of the stretched image in the result.

    Returns:
      Images like `x`.

    Example:
      >>> autocontrasted(jnp.array([0, 5, 10], jnp.uint8).reshape(1, 1, 3, 1)).ravel()
      Array([  0, 127, 255], dtype=uint8)
    """
    levels = jnp.clip(to_levels(x), 0.0, 255.0)
    darkest, brightest = levels.min((1, 2), keepdims=True), levels.max((1, 2), keepdims=True)
    spread = brightest - darkest
    raised = 255.0 * (levels - darkest)
    safe = jnp.where(spread > 0.0, spread, 1.0)
    # The quotient of such small whole numbers is exact enough in float32 for its floor.
    stretched = jnp.floor(raised / safe) if x.dtype == jnp.uint8 else raised / safe
    return blended(x, jnp.where(spread > 0.0, stretched, levels), _kept(shares, x))


def _kept(shares: ArrayLike, x: Array) -> Array:
    """The remaining share of the original image, one number for each image."""
    return jnp.broadcast_to(1.0 - jnp.asarray(shares, jnp.float32), x.shape[:1])


def _sums_before(counts: Array) -> Array:
    """Exclusive cumulative sum along the last axis of 256, computed in 16 blocks of 16.

    On CPU, XLA's cumulative sum takes longer than the histogram. Counts and sums are exact in float32.
    """
    before = np.triu(np.ones((16, 16), np.float32), 1)
    blocks = counts.reshape(*counts.shape[:-1], 16, 16)
    sums = blocks @ before + (blocks.sum(-1) @ before)[..., None]
    return sums.reshape(counts.shape)
