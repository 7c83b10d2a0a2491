"""Augmentations that change values in place: noise and occlusion."""

from __future__ import annotations

import jax.numpy as jnp

from regjax import noise
from regjax.augment.entry import check_examples, check_images, draws, takes_batches
from regjax.checks import check_range
from regjax.fusion import apart
from regjax.typing import Array, ArrayLike, PRNGKey


@takes_batches
def gaussian_noise(key: PRNGKey, x: Array, stddev: ArrayLike) -> Array:
    """Adds independent normal noise to every entry: `y = x + stddev * n`, `n ~ N(0, 1)`.

    Args:
      key: one key.
      x: examples `[B, ...]`: images or rows of a table.
      stddev: scalar >= 0 in the units of `x` (standard deviations, if `x` is standardized); may be traced.
        0 is the identity.

    Returns:
      Examples like `x`.

    Raises:
      ValueError: a concrete `stddev` is negative or NaN, or `x` is not a batch of floating-point examples.

    Example:
      >>> import jax
      >>> gaussian_noise(jax.random.key(0), jnp.zeros((2, 3)), 0.1).shape
      (2, 3)

    Reference: Training with Noise is Equivalent to Tikhonov Regularization (Bishop, 1995).
    """
    x = check_examples("gaussian_noise", x)
    check_range("gaussian_noise: stddev", stddev, 0.0, high_open=True)
    return apart(noise.gaussian_noise, key, x, stddev)


@takes_batches
def cutout(key: PRNGKey, x: Array, size: ArrayLike, fill: ArrayLike = 0.0) -> Array:
    """Covers a square of `size` by `size` pixels of each image, clipped at the borders.

      y[b, i, j] = fill where -size/2 <= i + 1/2 - r_b < size/2 and likewise for j and c_b, else x[b, i, j]

    with the center (r_b, c_b) uniform over the image: near a border less is covered, as in the paper.

    Args:
      key: one key.
      x: images `[B, H, W, C]`.
      size: scalar >= 0, side of the square in pixels; may be traced, and need not be whole (then the side
        has that length on average). 0 is the identity.
      fill: value of the covered pixels; 0 is the mean of standardized images.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete `size` is negative or NaN, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> y = cutout(jax.random.key(0), jnp.ones((1, 8, 8, 1)), 4)
      >>> 4 <= int((y == 0).sum()) <= 16
      True

    Reference: Improved Regularization of Convolutional Neural Networks with Cutout (DeVries & Taylor, 2017).
    """
    x = check_images("cutout", x)
    check_range("cutout: size", size, 0.0, high_open=True)
    return apart(_cutout, key, x, size, fill)


def _cutout(key: PRNGKey, x: Array, size: Array, fill: ArrayLike) -> Array:
    half = size / 2
    places = draws(key, (2, x.shape[0], 1))
    covered = []
    for place, length in zip(places, x.shape[1:3], strict=True):
        distance = jnp.arange(length, dtype=jnp.float32) + 0.5 - place * length
        # Half open, so that a whole `size` covers exactly that many pixels, and 0 covers none.
        covered.append((distance >= -half) & (distance < half))
    box = covered[0][:, :, None, None] & covered[1][:, None, :, None]
    return jnp.where(box, jnp.asarray(fill, x.dtype), x)
