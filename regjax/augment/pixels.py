"""Augmentations by noise and occlusion."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from regjax import noise
from regjax.augment.batched import (
    applied,
    check_examples,
    check_fill,
    check_images,
    check_numbers,
    draws,
    signed,
    takes_batches,
)
from regjax.core.checks import check_range
from regjax.core.typing import Array, ArrayLike, PRNGKey


@takes_batches
def gaussian_noise(key: PRNGKey, x: Array, stddev: ArrayLike, probability: ArrayLike = 1.0) -> Array:
    """Adds independent normal noise to every entry: `y = x + stddev * n`, `n ~ N(0, 1)`.

    Args:
      key: one key.
      x: examples `[B, ...]`: images or rows of a table. uint8 is rounded and clipped to 0 and 255.
      stddev: scalar >= 0 in the units of `x` (standard deviations, if `x` is standardized; levels, if it is uint8);
        may be traced. 0 is the identity.
      probability: scalar in [0, 1], that an example is changed; may be traced.

    Returns:
      Examples like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of examples.

    Example:
      >>> import jax
      >>> gaussian_noise(jax.random.key(0), jnp.zeros((2, 3)), 0.1).shape
      (2, 3)

    Reference: Training with Noise is Equivalent to Tikhonov Regularization (Bishop, 1995).
    """
    x = check_examples("gaussian_noise", x)
    check_numbers("gaussian_noise", "stddev", stddev, probability)
    # Rows of a table may have any unit, so only values that overflow are out of range.
    return applied(_noise, key, x, stddev, probability, high=1e30)


def _noise(key: PRNGKey, x: Array, stddev: Array) -> Array:
    if x.dtype != jnp.uint8:
        return noise.gaussian_noise(key, x, stddev)
    noisy = noise.gaussian_noise(key, x.astype(jnp.float32), stddev)
    return jnp.clip(jnp.round(noisy), 0.0, 255.0).astype(jnp.uint8)


@takes_batches
def cutout(key: PRNGKey, x: Array, size: ArrayLike, fill: ArrayLike = 0.0, probability: ArrayLike = 1.0) -> Array:
    """Covers a square of `size` by `size` pixels of each image, clipped at the borders.

      y[b, i, j] = fill where -size/2 <= i + 1/2 - r_b < size/2 and likewise for j and c_b, else x[b, i, j]

    with the center (r_b, c_b) uniform over the image: near a border less is covered, as in the paper.

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      size: scalar >= 0, side of the square in pixels, at most the longer side of the image (a larger traced one
        covers more of it); may be traced, and need not be whole (then the side has that length on average).
        0 is the identity.
      fill: value of the covered pixels, one number or `[C]`; 0 is the mean of standardized images.
      probability: scalar in [0, 1], that an image is changed; may be traced.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> y = cutout(jax.random.key(0), jnp.ones((1, 8, 8, 1)), 4)
      >>> 4 <= int((y == 0).sum()) <= 16
      True

    Reference: Improved Regularization of Convolutional Neural Networks with Cutout (DeVries & Taylor, 2017).
    """
    x = check_images("cutout", x)
    check_fill("cutout", fill, x)
    check_numbers("cutout", "size", size, probability, float(max(x.shape[1:3])))
    return applied(_cutout, key, x, size, probability, fill)


def _cutout(key: PRNGKey, x: Array, size: Array, fill: ArrayLike) -> Array:
    centers = draws(key, (2, x.shape[0])) * jnp.asarray(x.shape[1:3], jnp.float32)[:, None]
    return covered(x, centers, jnp.broadcast_to(size, centers.shape), fill)


@takes_batches
def random_erasing(
    key: PRNGKey,
    x: Array,
    max_share: ArrayLike,
    fill: ArrayLike = 0.0,
    probability: ArrayLike = 1.0,
    max_aspect: ArrayLike = 3.3,
) -> Array:
    """Covers a rectangle of random size, shape and position, which lies inside the image.

      area = u max_share H W,   height / width = max_aspect^v,   u uniform in [0, 1), v in [-1, 1)

    A side that would be longer than the image is as long as the image.

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      max_share: scalar in [0, 1], the largest share of the image that is covered; may be traced. 0 is the identity.
        The paper covers 2% to 40%.
      fill: value of the covered pixels, one number or `[C]`; 0 is the mean of standardized images.
      probability: scalar in [0, 1], that an image is changed; may be traced.
      max_aspect: >= 1, how many times longer one side of the rectangle may be; may be traced.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> y = random_erasing(jax.random.key(0), jnp.ones((1, 8, 8, 1)), 0.5)
      >>> int((y == 0).sum()) <= 40
      True

    Reference: Random Erasing Data Augmentation (Zhong et al., 2020).
    """
    x = check_images("random_erasing", x)
    check_fill("random_erasing", fill, x)
    check_numbers("random_erasing", "max_share", max_share, probability, 1.0)
    check_range("random_erasing: max_aspect", max_aspect, 1.0, high_open=True)
    return applied(_random_erasing, key, x, max_share, probability, fill, max_aspect, high=1.0)


def _random_erasing(key: PRNGKey, x: Array, share: Array, fill: ArrayLike, max_aspect: ArrayLike) -> Array:
    batch, (height, width) = x.shape[0], x.shape[1:3]
    u, v, *uniforms = signed(key, (4, batch))
    area = 0.5 * (1.0 + u) * share * height * width
    aspect = jnp.maximum(jnp.asarray(max_aspect, jnp.float32), 1.0) ** v
    sides = jnp.stack([jnp.sqrt(area * aspect), jnp.sqrt(area / aspect)])
    limits = jnp.asarray((height, width), jnp.float32)[:, None]
    sides = jnp.minimum(jnp.round(sides), limits)
    # The first pixel is uniform over all positions at which the rectangle lies inside the image.
    first = jnp.floor(0.5 * (1.0 + jnp.stack(uniforms)) * (limits - sides + 1.0))
    return covered(x, first + sides / 2.0, sides, fill)


def covered(x: Array, centers: Array, sizes: Array, fill: ArrayLike = 0.0) -> Array:
    """Replaces a rectangle of each image by `fill`, clipped at the borders.

    Args:
      x: images `[B, H, W, C]`.
      centers: `float32[2, B]`, row and column in pixels; 0 is the upper or left edge of the image.
      sizes: `float32[2, B]`, height and width in pixels; 0 covers nothing.
      fill: value of the covered pixels, one number or `[C]`.

    Returns:
      Images like `x`.

    Example:
      >>> covered(jnp.ones((1, 1, 4, 1)), jnp.array([[0.5], [2.0]]), jnp.array([[1.0], [2.0]])).ravel()
      Array([1., 0., 0., 1.], dtype=float32)
    """
    return jnp.where(boxes(x, centers, sizes), jnp.asarray(fill).astype(x.dtype), x)


def boxes(x: Array, centers: Array, sizes: Array) -> Array:
    """A mask of the pixels in the rectangle of each image, `bool[B, H, W, 1]`; arguments as in `covered`."""
    inside = []
    for center, size, length in zip(centers, sizes, x.shape[1:3], strict=True):
        distance = np.arange(length, dtype=np.float32) + np.float32(0.5) - center[:, None]
        # Half-open intervals, so that a whole `size` covers exactly that many pixels, and 0 covers none.
        inside.append((distance >= -size[:, None] / 2) & (distance < size[:, None] / 2))
    return inside[0][:, :, None, None] & inside[1][:, None, :, None]
