"""Augmentations of colour: brightness, contrast, saturation, hue."""

from __future__ import annotations

import jax.numpy as jnp

from regjax.augment.batched import applied, check_numbers, over, signed, takes_batches
from regjax.augment.levels import check_colors, from_levels, gray_levels, to_levels
from regjax.core.typing import Array, ArrayLike, PRNGKey


@takes_batches
def brightness(
    key: PRNGKey,
    x: Array,
    max_change: ArrayLike,
    probability: ArrayLike = 1.0,
) -> Array:
    """Makes each image darker or brighter: `brightened` by a factor uniform in [1 - max_change, 1 + max_change].

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      max_change: scalar >= 0; may be traced. 0 is the identity; above 1 some images turn black.
      probability: scalar in [0, 1], that an image is changed; may be traced.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> brightness(jax.random.key(0), jnp.zeros((1, 2, 2, 3), jnp.uint8), 0.5).sum()
      Array(0, dtype=uint32)
    """
    x = check_colors("brightness", x)
    check_numbers("brightness", "max_change", max_change, probability)
    return applied(_brightness, key, x, max_change, probability)


def _brightness(key: PRNGKey, x: Array, change: Array) -> Array:
    return brightened(x, factors_around_one(key, x, change))


def brightened(x: Array, factors: Array) -> Array:
    """Levels times a factor for each image, `PIL.ImageEnhance.Brightness`: `y = clip(f x)`.

    Args:
      x: images `[B, H, W, C]`, uint8 or floating point.
      factors: `float32[B]`: 0 is black, 1 the image itself.

    Returns:
      Images like `x`.

    Example:
      >>> brightened(jnp.array([10, 200], jnp.uint8).reshape(1, 1, 2, 1), jnp.array([1.5])).ravel()
      Array([ 15, 255], dtype=uint8)
    """
    return blended(x, jnp.zeros((), jnp.float32), factors)


@takes_batches
def contrast(
    key: PRNGKey,
    x: Array,
    max_change: ArrayLike,
    probability: ArrayLike = 1.0,
) -> Array:
    """Lowers or raises the contrast of each image: `contrasted` by a factor in [1 - max_change, 1 + max_change].

    Args:
      key: one key.
      x: images `[B, H, W, C]`, gray or RGB, uint8 or floating point.
      max_change: scalar >= 0; may be traced. 0 is the identity.
      probability: scalar in [0, 1], that an image is changed; may be traced.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of gray or RGB images.

    Example:
      >>> import jax
      >>> int(contrast(jax.random.key(0), jnp.full((1, 2, 2, 3), 90, jnp.uint8), 0.5).max())
      90
    """
    x = check_colors("contrast", x, gray_or_rgb=True)
    check_numbers("contrast", "max_change", max_change, probability)
    return applied(_contrast, key, x, max_change, probability)


def _contrast(key: PRNGKey, x: Array, change: Array) -> Array:
    return contrasted(x, factors_around_one(key, x, change))


def contrasted(x: Array, factors: Array) -> Array:
    """Distance from the mean gray times a factor, `PIL.ImageEnhance.Contrast`: `y = clip(m + f (x - m))`.

    Args:
      x: images `[B, H, W, C]`, gray or RGB, uint8 or floating point.
      factors: `float32[B]`: 0 is the mean gray everywhere, 1 the image itself.

    Returns:
      Images like `x`.

    Example:
      >>> contrasted(jnp.array([10, 30], jnp.uint8).reshape(1, 1, 2, 1), jnp.array([2.0])).ravel()
      Array([ 0, 40], dtype=uint8)
    """
    whole = x.dtype == jnp.uint8
    mean = gray_levels(to_levels(x), whole=whole).mean((1, 2, 3), keepdims=True)
    return blended(x, jnp.floor(mean + 0.5) if whole else mean, factors)


@takes_batches
def saturation(
    key: PRNGKey,
    x: Array,
    max_change: ArrayLike,
    probability: ArrayLike = 1.0,
) -> Array:
    """Makes colours paler or stronger: `saturated` by a factor uniform in [1 - max_change, 1 + max_change].

    Args:
      key: one key.
      x: images `[B, H, W, C]`, gray (which stay) or RGB, uint8 or floating point.
      max_change: scalar >= 0; may be traced. 0 is the identity.
      probability: scalar in [0, 1], that an image is changed; may be traced.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of gray or RGB images.

    Example:
      >>> import jax
      >>> int(saturation(jax.random.key(0), jnp.full((1, 2, 2, 3), 90, jnp.uint8), 0.5).max())
      90
    """
    x = check_colors("saturation", x, gray_or_rgb=True)
    check_numbers("saturation", "max_change", max_change, probability)
    return applied(_saturation, key, x, max_change, probability)


def _saturation(key: PRNGKey, x: Array, change: Array) -> Array:
    return saturated(x, factors_around_one(key, x, change))


def saturated(x: Array, factors: Array) -> Array:
    """Distance of each pixel from its own gray times a factor, `PIL.ImageEnhance.Color`.

    Args:
      x: images `[B, H, W, C]`, gray or RGB, uint8 or floating point.
      factors: `float32[B]`: 0 is gray, 1 the image itself.

    Returns:
      Images like `x`.

    Example:
      >>> saturated(jnp.array([255, 0, 0], jnp.uint8).reshape(1, 1, 1, 3), jnp.array([0.0])).ravel()
      Array([76, 76, 76], dtype=uint8)
    """
    gray = gray_levels(to_levels(x), whole=x.dtype == jnp.uint8)
    return blended(x, gray, factors)


@takes_batches
def hue(
    key: PRNGKey,
    x: Array,
    max_turn: ArrayLike,
    probability: ArrayLike = 1.0,
) -> Array:
    """Rotates the hue of each image: `hue_turned` by an angle uniform in [-max_turn, max_turn].

    Args:
      key: one key.
      x: images `[B, H, W, C]`, gray (which stay) or RGB, uint8 or floating point.
      max_turn: scalar in [0, 0.5], in turns of the circle; may be traced. 0 is the identity.
      probability: scalar in [0, 1], that an image is changed; may be traced.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of gray or RGB images.

    Example:
      >>> import jax
      >>> int(hue(jax.random.key(0), jnp.full((1, 2, 2, 3), 90, jnp.uint8), 0.5).max())
      90
    """
    x = check_colors("hue", x, gray_or_rgb=True)
    check_numbers("hue", "max_turn", max_turn, probability, 0.5)
    return applied(_hue, key, x, max_turn, probability, high=0.5)


def _hue(key: PRNGKey, x: Array, turn: Array) -> Array:
    return hue_turned(x, turn * signed(key, x.shape[:1]))


def hue_turned(x: Array, turns: Array) -> Array:
    """The hue of the HSV model, rotated by a part of the circle; value and saturation stay the same.

      y_c = v - (v - m) clip(min(k_c, 4 - k_c), 0, 1),   k_c = (n_c + 6 (h + t)) mod 6,   n = (5, 3, 1)

    with v and m the largest and smallest channel of a pixel and h its hue.

    Args:
      x: images `[B, H, W, C]`, gray or RGB, uint8 (then rounded) or floating point.
      turns: `float32[B]` in turns: 1/3 makes red green.

    Returns:
      Images like `x`.

    Example:
      >>> hue_turned(jnp.array([255, 0, 0], jnp.uint8).reshape(1, 1, 1, 3), jnp.array([1 / 3])).ravel()
      Array([  0, 255,   0], dtype=uint8)
    """
    if x.shape[-1] == 1:
        return x
    levels = to_levels(x)
    red, green, blue = levels[..., 0], levels[..., 1], levels[..., 2]
    value = levels.max(-1)
    spread = value - levels.min(-1)
    safe = jnp.where(spread > 0.0, spread, 1.0)
    sector = jnp.where(
        value == red,
        (green - blue) / safe,
        jnp.where(value == green, 2.0 + (blue - red) / safe, 4.0 + (red - green) / safe),
    ) + 6.0 * jnp.asarray(turns, jnp.float32).reshape(-1, 1, 1)
    channels = []
    for offset in (5.0, 3.0, 1.0):
        phase = jnp.mod(offset + sector, 6.0)
        channels.append(value - spread * jnp.clip(jnp.minimum(phase, 4.0 - phase), 0.0, 1.0))
    turned = jnp.stack(channels, -1)
    return from_levels(jnp.round(turned) if x.dtype == jnp.uint8 else turned, x)


def blended(x: Array, degenerate: Array, factors: Array) -> Array:
    """Interpolates or extrapolates from a degenerate image: `y = clip(d + f (x - d))`, as `PIL.Image.blend`.

    Args:
      x: images `[B, H, W, C]`, uint8 (then truncated) or floating point.
      degenerate: levels that broadcast against `x`.
      factors: `float32[B]`: 0 is `degenerate`, 1 the image, above 1 an exaggeration.

    Returns:
      Images like `x`.

    Example:
      >>> blended(jnp.array([[[[100]]]], jnp.uint8), jnp.float32(50.0), jnp.array([0.5])).ravel()
      Array([75], dtype=uint8)
    """
    factors = over(jnp.asarray(factors, jnp.float32), x)
    return from_levels(degenerate + factors * (to_levels(x) - degenerate), x)


def factors_around_one(key: PRNGKey, x: Array, change: Array) -> Array:
    """Factors uniform in [1 - change, 1 + change], clipped at 0."""
    return jnp.maximum(1.0 + change * signed(key, x.shape[:1]), 0.0)
