"""Augmentations that move pixels: shift, flip, rotate."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from regjax.augment.entry import check_images, draws, takes_batches
from regjax.checks import check_range
from regjax.fusion import apart
from regjax.typing import Array, ArrayLike, PRNGKey


@takes_batches
def shift(key: PRNGKey, x: Array, max_pixels: ArrayLike, fill: ArrayLike = 0.0) -> Array:
    """Moves each image by whole pixels, down and right by independent numbers.

      d = round(v (max_pixels + 1/2)),  v uniform in [-1, 1)

    For a whole `max_pixels = m` that is uniform over {-m, ..., m}; between whole numbers the largest shift
    becomes more frequent gradually. Zero-padding by m followed by a random crop is the same operation.

    Args:
      key: one key.
      x: images `[B, H, W, C]`.
      max_pixels: scalar >= 0, in pixels; may be traced. 0 is the identity.
      fill: what enters at the borders.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete `max_pixels` is negative or NaN, or `x` is not a batch of images.

    Example:
      >>> x = jnp.arange(4.0).reshape(1, 2, 2, 1)
      >>> bool((shift(jax.random.key(0), x, 0) == x).all())
      True
    """
    x = check_images("shift", x)
    check_range("shift: max_pixels", max_pixels, 0.0, high_open=True)
    return apart(_shift, key, x, max_pixels, fill)


def _shift(key: PRNGKey, x: Array, limit: Array, fill: ArrayLike) -> Array:
    offsets = jnp.round(_signed(key, (2, x.shape[0])) * (limit + 0.5))
    # At the very end of the interval, rounding could reach one pixel too far.
    offsets = jnp.clip(offsets, -jnp.ceil(limit), jnp.ceil(limit)).astype(jnp.int32)
    return shifted(x, offsets[0], offsets[1], fill)


def shifted(x: Array, down: Array, right: Array, fill: ArrayLike = 0.0) -> Array:
    """Image b moved by given numbers of pixels: `y[b, i, j] = x[b, i - down_b, j - right_b]`.

    Args:
      x: images `[B, H, W, C]`.
      down: `int32[B]`, pixels.
      right: `int32[B]`, pixels.
      fill: what enters at the borders.

    Returns:
      Images like `x`.

    Example:
      >>> x = jnp.arange(4.0).reshape(1, 2, 2, 1)
      >>> shifted(x, jnp.array([1]), jnp.array([0]))[0, :, :, 0]
      Array([[0., 0.],
             [0., 1.]], dtype=float32)
    """
    rows = jnp.arange(x.shape[1]) - jnp.asarray(down)[:, None]
    columns = jnp.arange(x.shape[2]) - jnp.asarray(right)[:, None]
    return _taken(x, rows[:, :, None], columns[:, None, :], fill)


@takes_batches
def flip(key: PRNGKey, x: Array, probability: ArrayLike = 0.5) -> Array:
    """Mirrors each image left to right with a given probability.

    Args:
      key: one key.
      x: images `[B, H, W, C]`.
      probability: scalar in [0, 1]; may be traced. 0 is the identity.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete `probability` is outside [0, 1], or `x` is not a batch of images.

    Example:
      >>> flip(jax.random.key(0), jnp.array([1.0, 2.0]).reshape(1, 1, 2, 1), 1.0).ravel()
      Array([2., 1.], dtype=float32)
    """
    x = check_images("flip", x)
    check_range("flip: probability", probability, 0.0, 1.0)
    return apart(_flip, key, x, probability)


def _flip(key: PRNGKey, x: Array, probability: Array) -> Array:
    chosen = draws(key, (x.shape[0], 1, 1, 1)) < probability
    return jnp.where(chosen, x[:, :, ::-1], x)


@takes_batches
def rotate(key: PRNGKey, x: Array, max_degrees: ArrayLike, fill: ArrayLike = 0.0) -> Array:
    """Rotates each image about its center by an angle uniform in [-max_degrees, max_degrees].

    Args:
      key: one key.
      x: images `[B, H, W, C]`.
      max_degrees: scalar >= 0, in degrees; may be traced. 0 is the identity.
      fill: value outside the image.

    Returns:
      Images like `x`; see `rotated` for the interpolation.

    Raises:
      ValueError: a concrete `max_degrees` is negative or NaN, or `x` is not a batch of images.

    Example:
      >>> rotate(jax.random.key(0), jnp.ones((1, 5, 5, 1)), 15.0)[0, 2, 2, 0]
      Array(1., dtype=float32)
    """
    x = check_images("rotate", x)
    check_range("rotate: max_degrees", max_degrees, 0.0, high_open=True)
    return apart(_rotate, key, x, max_degrees, fill)


def _rotate(key: PRNGKey, x: Array, max_degrees: Array, fill: ArrayLike) -> Array:
    return rotated(x, _signed(key, (x.shape[0],)) * max_degrees, fill)


def rotated(x: Array, degrees: Array, fill: ArrayLike = 0.0) -> Array:
    """Image b rotated counter-clockwise about its center by `degrees[b]`, with bilinear interpolation.

    The image is continued by `fill` on all sides before it is interpolated: the same as
    `scipy.ndimage.rotate(image, angle, reshape=False, order=1, mode="grid-constant", cval=fill)`.

    Args:
      x: images `[B, H, W, C]`.
      degrees: `float32[B]`. 0 is the identity, bit for bit.
      fill: value outside the image.

    Returns:
      Images like `x`, interpolated in float32.

    Example:
      >>> x = jnp.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
      >>> jnp.round(rotated(x, jnp.array([90.0]))[0, :, :, 0])
      Array([[2., 4.],
             [1., 3.]], dtype=float32)
    """
    degrees = jnp.asarray(degrees, jnp.float32)[:, None, None]
    angle = degrees * np.float32(np.pi / 180.0)
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    middle, center = (x.shape[1] - 1) / 2, (x.shape[2] - 1) / 2
    i = (jnp.arange(x.shape[1], dtype=jnp.float32) - middle)[None, :, None]
    j = (jnp.arange(x.shape[2], dtype=jnp.float32) - center)[None, None, :]
    row, column = cosine * i + sine * j + middle, cosine * j - sine * i + center
    top, left = jnp.floor(row), jnp.floor(column)
    total = jnp.zeros(x.shape, jnp.float32)
    for below in (0, 1):
        for beside in (0, 1):
            weight = jnp.abs(1 - below - (row - top)) * jnp.abs(1 - beside - (column - left))
            pixel = _taken(x, (top + below).astype(jnp.int32), (left + beside).astype(jnp.int32), fill)
            total = total + weight[..., None] * pixel.astype(jnp.float32)
    return jnp.where(degrees[..., None] == 0.0, x, total.astype(x.dtype))


def _signed(key: PRNGKey, shape: tuple[int, ...]) -> Array:
    """Uniform numbers in [-1, 1)."""
    return 2.0 * draws(key, shape) - 1.0


def _taken(x: Array, rows: Array, columns: Array, fill: ArrayLike) -> Array:
    """`x[b, rows[b, i, j], columns[b, i, j]]`, and `fill` where that is outside the image."""
    batch, height, width, channels = x.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    index = jnp.clip(rows, 0, height - 1) * width + jnp.clip(columns, 0, width - 1)
    # The indices are clipped already; saying so spares the gather a second check.
    pixels = jax.vmap(lambda image, at: image.at[at].get(mode="promise_in_bounds"))(
        x.reshape(batch, height * width, channels), index
    )
    return jnp.where(inside[..., None], pixels, jnp.asarray(fill, x.dtype))
