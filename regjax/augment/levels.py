"""Conversion between pixel values and levels.

Colour operations are defined on levels from 0 (black) to 255 (white). The values of a uint8 image are levels, and
results are truncated as in PIL; a floating-point image goes from 0 (black) to 1 (white).
"""

from __future__ import annotations

import jax.numpy as jnp

from regjax.augment.batched import check_images
from regjax.core.checks import is_traced
from regjax.core.typing import Array


def check_colors(name: str, x: Array, *, gray_or_rgb: bool = False) -> Array:
    """Check that `x` is a batch of images whose black and white are known, and return it as an array.

    Raises:
      ValueError: names the function, what it got and what it accepts; traced floating-point values are not
        checked.
    """
    x = check_images(name, x)
    if gray_or_rgb and x.shape[-1] not in (1, 3):
        raise ValueError(f"{name}: x must have 1 (gray) or 3 (red, green, blue) channels, got {x.shape[-1]}")
    if x.dtype != jnp.uint8 and x.size and not is_traced(x):
        darkest, brightest = float(x.min()), float(x.max())
        if darkest < 0.0 or brightest > 1.0:
            raise ValueError(
                f"{name}: floating-point images must be in [0, 1], from black to white, got "
                f"[{darkest:g}, {brightest:g}]; augment images before they are standardized"
            )
    return x


def to_levels(x: Array) -> Array:
    """Pixels as levels: 0 is black, 255 is white.

    Args:
      x: images `[B, H, W, C]`, uint8, or floating point in [0, 1].

    Returns:
      `float32[B, H, W, C]`.

    Example:
      >>> to_levels(jnp.array([0.0, 1.0]).reshape(1, 1, 2, 1)).ravel()
      Array([  0., 255.], dtype=float32)
    """
    levels = jnp.asarray(x, jnp.float32)
    return levels if x.dtype == jnp.uint8 else levels * 255.0


def from_levels(levels: Array, x: Array) -> Array:
    """Levels as pixels like those of `x`: clipped to black and white, and truncated for uint8.

    Args:
      levels: `float32[B, H, W, C]`.
      x: images whose dtype is wanted.

    Returns:
      Images like `x`.

    Example:
      >>> x = jnp.zeros((1, 1, 3, 1), jnp.uint8)
      >>> from_levels(jnp.array([-3.0, 7.9, 300.0]).reshape(x.shape), x).ravel()
      Array([  0,   7, 255], dtype=uint8)
    """
    levels = jnp.clip(levels, 0.0, 255.0)
    return (levels if x.dtype == jnp.uint8 else levels / 255.0).astype(x.dtype)


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
