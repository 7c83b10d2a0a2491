"""Augmentations by filters: sharpness and blur.

Written as sums of shifted slices, because convolutions inside compiled loops are slow on CPU.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from regjax.augment.batched import applied, check_images, check_numbers, draws, over, takes_batches, variant
from regjax.augment.color import blended, factors_around_one
from regjax.augment.levels import check_colors, to_levels
from regjax.core.typing import Array, ArrayLike, PRNGKey


@takes_batches
def sharpness(
    key: PRNGKey,
    x: Array,
    max_change: ArrayLike,
    probability: ArrayLike = 1.0,
) -> Array:
    """Softens or sharpens each image: `sharpened` by a factor uniform in [1 - max_change, 1 + max_change].

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      max_change: scalar >= 0; may be traced. 0 is the identity.
      probability: scalar in [0, 1], that an image is changed; may be traced.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> int(sharpness(jax.random.key(0), jnp.full((1, 4, 4, 1), 90, jnp.uint8), 0.9).max())
      90
    """
    x = check_colors("sharpness", x)
    check_numbers("sharpness", "max_change", max_change, probability)
    return applied(_sharpness, key, x, max_change, probability)


def _sharpness(key: PRNGKey, x: Array, change: Array) -> Array:
    return sharpened(x, factors_around_one(key, x, change))


def sharpened(x: Array, factors: Array) -> Array:
    """Distance from a smoothed image times a factor, `PIL.ImageEnhance.Sharpness`: `y = clip(s + f (x - s))`.

    s is the mean over 3 by 3 pixels, with weight 5 for the middle one; pixels at the border do not change.

    Args:
      x: images `[B, H, W, C]`, uint8 or floating point.
      factors: `float32[B]`: 0 is smoothed, 1 the image itself, 2 sharp.

    Returns:
      Images like `x`.

    Example:
      >>> x = jnp.zeros((1, 3, 3, 1), jnp.uint8).at[0, 1, 1, 0].set(130)
      >>> sharpened(x, jnp.array([0.0]))[0, 1]
      Array([[ 0],
             [50],
             [ 0]], dtype=uint8)
    """
    levels = to_levels(x)
    if min(x.shape[1:3]) < 3:
        return x
    columns = levels[:, :-2] + levels[:, 1:-1] + levels[:, 2:]
    around = columns[:, :, :-2] + columns[:, :, 1:-1] + columns[:, :, 2:]
    smooth = (around + 4.0 * levels[:, 1:-1, 1:-1]) / 13.0
    if x.dtype == jnp.uint8:
        smooth = jnp.floor(smooth + 0.5)
    return blended(x, levels.at[:, 1:-1, 1:-1].set(smooth), factors)


@takes_batches
def blur(key: PRNGKey, x: Array, max_sigma: ArrayLike, probability: ArrayLike = 1.0, kernel_size: int = 7) -> Array:
    """Blurs each image: `blurred` with a standard deviation uniform in [0, max_sigma].

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      max_sigma: scalar >= 0, in pixels; may be traced. 0 is the identity.
      probability: scalar in [0, 1], that an image is changed; may be traced.
      kernel_size: odd width of the window in pixels; it should be about 6 times `max_sigma`.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, an even `kernel_size`, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> blur(jax.random.key(0), jnp.ones((1, 4, 4, 1)), 1.0).shape
      (1, 4, 4, 1)
    """
    x = check_images("blur", x)
    _check_kernel("blur", kernel_size)
    check_numbers("blur", "max_sigma", max_sigma, probability)
    return applied(variant(_blur, kernel_size=kernel_size), key, x, max_sigma, probability)


def _blur(key: PRNGKey, x: Array, sigma: Array, *, kernel_size: int) -> Array:
    return blurred(x, sigma * draws(key, x.shape[:1]), kernel_size)


def blurred(x: Array, sigmas: Array, kernel_size: int = 7) -> Array:
    """Gaussian blur by rows, then columns; the border pixels are repeated outside the image.

    The same as `scipy.ndimage.gaussian_filter(image, sigma, radius=kernel_size // 2, mode="nearest")`.

    Args:
      x: images `[B, H, W, C]`, uint8 (then rounded) or floating point.
      sigmas: `float32[B]`, standard deviations in pixels; 0 is the identity up to the sign of zeros.
      kernel_size: odd width of the window in pixels.

    Returns:
      Images like `x`, computed in float32.

    Raises:
      ValueError: `kernel_size` is even or not positive.

    Example:
      >>> x = jnp.array([0.0, 1.0, 0.0]).reshape(1, 1, 3, 1)
      >>> [round(float(value), 3) for value in blurred(x, jnp.array([1.0]), 3).ravel()]
      [0.274, 0.452, 0.274]
    """
    _check_kernel("blurred", kernel_size)
    radius = kernel_size // 2
    distance = np.arange(-radius, radius + 1, dtype=np.float32)
    sigmas = jnp.maximum(jnp.asarray(sigmas, jnp.float32), np.float32(1e-3))
    weights = jnp.exp(-0.5 * jnp.square(distance / sigmas[:, None]))
    weights = weights / weights.sum(1, keepdims=True)
    out = x.astype(jnp.float32)
    for axis in (1, 2):
        pad = [(radius, radius) if i == axis else (0, 0) for i in range(4)]
        padded, size = jnp.pad(out, pad, mode="edge"), x.shape[axis]
        slices = ((k, padded[:, k : k + size] if axis == 1 else padded[:, :, k : k + size]) for k in range(kernel_size))
        out = sum((over(weights[:, k], x) * part for k, part in slices), start=jnp.zeros((), jnp.float32))
    return (jnp.round(out) if x.dtype == jnp.uint8 else out).astype(x.dtype)


def _check_kernel(name: str, kernel_size: int) -> None:
    if not isinstance(kernel_size, int) or kernel_size < 1 or kernel_size % 2 == 0:
        raise ValueError(f"{name}: kernel_size must be an odd whole number of pixels, got {kernel_size!r}")
