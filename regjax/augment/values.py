"""Conversion between pixel values and levels, from the values of black and white.

Colour operations are defined on levels from 0 (black) to 255 (white). The values of a uint8 image are levels, and
results are truncated as in PIL. For floating-point images the caller gives the values of black and white: standardized
images are neither in [0, 1] nor have they the same range in all channels.
"""

from __future__ import annotations

import jax.numpy as jnp

from regjax.augment.entry import check_channels, check_images
from regjax.core.checks import check_range, is_traced
from regjax.core.typing import Array, ArrayLike


def check_colors(name: str, x: Array, low: ArrayLike, high: ArrayLike, *, gray_or_rgb: bool = False) -> Array:
    """Check that `x` is a batch of images and `low < high` a range for its channels, and return it as an array.

    Raises:
      ValueError: names the function, the argument, what it got and what it accepts.
    """
    x = check_images(name, x)
    if gray_or_rgb and x.shape[-1] not in (1, 3):
        raise ValueError(f"{name}: x must have 1 (gray) or 3 (red, green, blue) channels, got {x.shape[-1]}")
    for argument, value in (("low", low), ("high", high)):
        check_range(f"{name}: {argument}", value)
        check_channels(name, argument, value, x)
    if not is_traced(low) and not is_traced(high):
        check_range(f"{name}: high - low", jnp.asarray(high) - jnp.asarray(low), 0.0, low_open=True, high_open=True)
    return x


def to_levels(x: Array, low: ArrayLike, high: ArrayLike) -> Array:
    """Pixels as levels: 0 is black, 255 is white.

    Args:
      x: images `[B, H, W, C]`, uint8 or floating point.
      low: value of black in floating-point images, one number or `[C]`.
      high: value of white, alike.

    Returns:
      `float32[B, H, W, C]`.

    Example:
      >>> to_levels(jnp.array([-1.0, 1.0]).reshape(1, 1, 2, 1), -1.0, 1.0).ravel()
      Array([  0., 255.], dtype=float32)
    """
    levels = jnp.asarray(x, jnp.float32)
    if x.dtype == jnp.uint8:
        return levels
    low, span = _span(low, high)
    return (levels - low) * (255.0 / span)


def from_levels(levels: Array, x: Array, low: ArrayLike, high: ArrayLike) -> Array:
    """Levels as pixels like those of `x`: clipped to black and white, and truncated for uint8.

    Args:
      levels: `float32[B, H, W, C]`.
      x: images whose dtype is wanted.
      low: value of black in floating-point images, one number or `[C]`.
      high: value of white, alike.

    Returns:
      Images like `x`.

    Example:
      >>> x = jnp.zeros((1, 1, 3, 1), jnp.uint8)
      >>> from_levels(jnp.array([-3.0, 7.9, 300.0]).reshape(x.shape), x, 0.0, 1.0).ravel()
      Array([  0,   7, 255], dtype=uint8)
    """
    levels = jnp.clip(levels, 0.0, 255.0)
    if x.dtype == jnp.uint8:
        return levels.astype(jnp.uint8)
    low, span = _span(low, high)
    return (low + levels * (span / 255.0)).astype(x.dtype)


def gray_levels(levels: Array, *, whole: bool) -> Array:
    """Luma of ITU-R 601, as in PIL's mode L: 0.299 R + 0.587 G + 0.114 B.

    Args:
      levels: `float32[B, H, W, C]`; a single channel is gray already.
      whole: whether levels are whole numbers, so that the gray is rounded as in PIL.

    Returns:
      `float32[B, H, W, 1]`.
    """
    if levels.shape[-1] == 1:
        return levels
    red, green, blue = (levels[..., i : i + 1] for i in range(3))
    if not whole:
        return 0.299 * red + 0.587 * green + 0.114 * blue
    red, green, blue = (part.astype(jnp.int32) for part in (red, green, blue))
    return ((19595 * red + 38470 * green + 7471 * blue + 32768) >> 16).astype(jnp.float32)


def _span(low: ArrayLike, high: ArrayLike) -> tuple[Array, Array]:
    """The value of black, and white minus black; an empty traced range counts as 1."""
    low, high = jnp.asarray(low, jnp.float32), jnp.asarray(high, jnp.float32)
    return low, jnp.where(high > low, high - low, 1.0)
