"""Resampling of images by shifts, affine maps and displacement fields, bilinear or nearest-neighbour.

These functions draw no random numbers; `geometry` and `warps` do.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.checks import check_choice
from regjax.core.typing import Array, ArrayLike

INTERPOLATIONS = ("bilinear", "nearest")
PADDINGS = ("constant", "edge", "reflect")


def shifted(x: Array, down: Array, right: Array, fill: ArrayLike = 0.0, padding: str = "constant") -> Array:
    """Image b moved by given numbers of pixels: `y[b, i, j] = x[b, i - down_b, j - right_b]`.

    Args:
      x: images `[B, H, W, C]`.
      down: `int32[B]`, pixels.
      right: `int32[B]`, pixels.
      fill: what enters at the borders, one number or `[C]`.
      padding: `"constant"` lets `fill` enter, `"edge"` repeats the border, `"reflect"` mirrors the image there
        without repeating the border (the modes of `numpy.pad`).

    Returns:
      Images like `x`.

    Example:
      >>> x = jnp.arange(4.0).reshape(1, 2, 2, 1)
      >>> shifted(x, jnp.array([1]), jnp.array([0]))[0, :, :, 0]
      Array([[0., 0.],
             [0., 1.]], dtype=float32)
    """
    check_choice("shifted: padding", padding, PADDINGS)
    rows = jnp.arange(x.shape[1]) - jnp.asarray(down)[:, None]
    columns = jnp.arange(x.shape[2]) - jnp.asarray(right)[:, None]
    if padding == "reflect":
        rows, columns = _mirrored(rows, x.shape[1]), _mirrored(columns, x.shape[2])
    if padding == "edge":
        rows, columns = jnp.clip(rows, 0, x.shape[1] - 1), jnp.clip(columns, 0, x.shape[2] - 1)
    return _taken(x, rows[:, :, None], columns[:, None, :], fill)


def affined(x: Array, matrices: Array, fill: ArrayLike = 0.0, interpolation: str = "bilinear") -> Array:
    """Pixel (i, j) of the result is the pixel `A (i, j) + t` of the image, coordinates counted from its center.

    The image is continued by `fill` on all sides before it is interpolated: the same as
    `scipy.ndimage.affine_transform(image, A, offset, order=1, mode="grid-constant", cval=fill)`.

    Args:
      x: images `[B, H, W, C]`, uint8 (then rounded) or floating point.
      matrices: `float32[B, 2, 3]`, rows `(A | t)`, from places in the result to places in the image: the inverse
        of what happens to the picture. The identity is the identity, bit for bit.
      fill: value outside the image, one number or `[C]`.
      interpolation: `"bilinear"`, or `"nearest"` (a place between two pixels belongs to the lower right).

    Returns:
      Images like `x`, interpolated in float32.

    Raises:
      ValueError: another interpolation.

    Example:
      >>> x = jnp.arange(3.0).reshape(1, 1, 3, 1)
      >>> affined(x, jnp.array([[[1.0, 0, 0], [0, 1, 0.5]]])).ravel()
      Array([0.5, 1.5, 1. ], dtype=float32)
    """
    check_choice("affined: interpolation", interpolation, INTERPOLATIONS)
    matrices = jnp.asarray(matrices, jnp.float32)
    middle, center = (x.shape[1] - 1) / 2, (x.shape[2] - 1) / 2
    i = (jnp.arange(x.shape[1], dtype=jnp.float32) - middle)[:, None]
    j = (jnp.arange(x.shape[2], dtype=jnp.float32) - center)[None, :]
    m = matrices[..., None, None]
    row = m[:, 0, 0] * i + m[:, 0, 1] * j + m[:, 0, 2] + middle
    column = m[:, 1, 0] * i + m[:, 1, 1] * j + m[:, 1, 2] + center
    same = (matrices == jnp.eye(2, 3)).all((1, 2))
    return jnp.where(same[:, None, None, None], x, _sampled(x, row, column, fill, interpolation))


def displaced(x: Array, down: Array, right: Array, fill: ArrayLike = 0.0, interpolation: str = "bilinear") -> Array:
    """Each pixel taken from elsewhere: `y[b, i, j] = x[b, i + down[b, i, j], j + right[b, i, j]]`.

    The same as `scipy.ndimage.map_coordinates(..., order=1, mode="grid-constant", cval=fill)`.

    Args:
      x: images `[B, H, W, C]`, uint8 (then rounded) or floating point.
      down: `float32[B, H, W]`, pixels.
      right: `float32[B, H, W]`, pixels.
      fill: value outside the image, one number or `[C]`.
      interpolation: `"bilinear"` or `"nearest"`.

    Returns:
      Images like `x`, interpolated in float32.

    Raises:
      ValueError: another interpolation.

    Example:
      >>> x = jnp.arange(3.0).reshape(1, 1, 3, 1)
      >>> displaced(x, jnp.zeros((1, 1, 3)), jnp.array([[[0.5, 0.0, -2.0]]])).ravel()
      Array([0.5, 1. , 0. ], dtype=float32)
    """
    check_choice("displaced: interpolation", interpolation, INTERPOLATIONS)
    rows = jnp.arange(x.shape[1], dtype=jnp.float32)[:, None] + down
    return _sampled(x, rows, jnp.arange(x.shape[2], dtype=jnp.float32) + right, fill, interpolation)


def rotated(x: Array, degrees: Array, fill: ArrayLike = 0.0, interpolation: str = "bilinear") -> Array:
    """Image b rotated counter-clockwise about its center by `degrees[b]`.

    The same as `scipy.ndimage.rotate(image, angle, reshape=False, order=1, mode="grid-constant", cval=fill)`.

    Args:
      x: images `[B, H, W, C]`, uint8 or floating point.
      degrees: `float32[B]`. 0 is the identity, bit for bit.
      fill: value outside the image, one number or `[C]`.
      interpolation: as in `affined`; `"nearest"` is `PIL.Image.rotate`.

    Returns:
      Images like `x`, interpolated in float32.

    Example:
      >>> x = jnp.array([[1.0, 2.0], [3.0, 4.0]]).reshape(1, 2, 2, 1)
      >>> jnp.round(rotated(x, jnp.array([90.0]))[0, :, :, 0])
      Array([[2., 4.],
             [1., 3.]], dtype=float32)
    """
    angle = jnp.asarray(degrees, jnp.float32) * np.float32(np.pi / 180.0)
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return affined(x, matrix(cosine, sine, -sine, cosine), fill, interpolation)


def sheared(x: Array, down: Array, right: Array, fill: ArrayLike = 0.0, interpolation: str = "bilinear") -> Array:
    """Image b slanted about its center: row i is taken from `i + down_b j`, column j from `j + right_b i`.

    Args:
      x: images `[B, H, W, C]`, uint8 or floating point.
      down: `float32[B]`, slope of rows. 0 for both is the identity, bit for bit.
      right: `float32[B]`, slope of columns.
      fill: value outside the image, one number or `[C]`.
      interpolation: as in `affined`.

    Returns:
      Images like `x`, interpolated in float32.

    Example:
      >>> x = jnp.eye(3).reshape(1, 3, 3, 1)
      >>> sheared(x, jnp.array([0.0]), jnp.array([1.0]))[0, :, :, 0]
      Array([[0., 1., 0.],
             [0., 1., 0.],
             [0., 1., 0.]], dtype=float32)
    """
    down, right = jnp.asarray(down, jnp.float32), jnp.asarray(right, jnp.float32)
    one = jnp.ones_like(down)
    return affined(x, matrix(one, down, right, one), fill, interpolation)


def scaled(x: Array, factors: Array, fill: ArrayLike = 0.0, interpolation: str = "bilinear") -> Array:
    """Image b enlarged about its center by a factor; what is beyond the frame is lost, what is missing is `fill`.

    Args:
      x: images `[B, H, W, C]`, uint8 or floating point.
      factors: `float32[B]`, > 0: 2 shows the middle half of each side. 1 is the identity, bit for bit.
      fill: value outside the image, one number or `[C]`.
      interpolation: as in `affined`.

    Returns:
      Images like `x`, interpolated in float32.

    Example:
      >>> scaled(jnp.ones((1, 4, 1, 1)), jnp.array([0.5]), interpolation="nearest").ravel()
      Array([0., 1., 1., 0.], dtype=float32)
    """
    step = 1.0 / jnp.asarray(factors, jnp.float32)
    return affined(x, matrix(step, 0.0, 0.0, step), fill, interpolation)


def matrix(a: Array, b: ArrayLike, c: ArrayLike, d: Array, down: ArrayLike = 0.0, right: ArrayLike = 0.0) -> Array:
    """Rows `((a, b, down), (c, d, right))` for `affined`, `float32[B, 2, 3]`."""
    entries = [jnp.broadcast_to(jnp.asarray(v, jnp.float32), a.shape) for v in (a, b, down, c, d, right)]
    return jnp.stack(entries, -1).reshape(*a.shape, 2, 3)


def _sampled(x: Array, row: Array, column: Array, fill: ArrayLike, interpolation: str) -> Array:
    """`x[b, row[b, i, j], column[b, i, j]]` at places between pixels."""
    # Everything beyond two pixels outside is `fill`, so coordinates are clipped, which prevents integer overflow.
    row, column = jnp.clip(row, -2.0, x.shape[1] + 1.0), jnp.clip(column, -2.0, x.shape[2] + 1.0)
    if interpolation == "nearest":
        return _taken(x, jnp.floor(row + 0.5).astype(jnp.int32), jnp.floor(column + 0.5).astype(jnp.int32), fill)
    top, left = jnp.floor(row), jnp.floor(column)
    total = jnp.zeros(x.shape, jnp.float32)
    for below in (0, 1):
        for beside in (0, 1):
            weight = jnp.abs(1 - below - (row - top)) * jnp.abs(1 - beside - (column - left))
            pixel = _taken(x, (top + below).astype(jnp.int32), (left + beside).astype(jnp.int32), fill)
            total = total + weight[..., None] * pixel.astype(jnp.float32)
    return (jnp.round(total) if x.dtype == jnp.uint8 else total).astype(x.dtype)


def _mirrored(index: Array, size: int) -> Array:
    """Indices reflected at both ends as often as needed, without repeating the ends."""
    period = max(2 * (size - 1), 1)
    folded = jnp.mod(index, period)
    return jnp.minimum(folded, period - folded) if size > 1 else jnp.zeros_like(index)


def _taken(x: Array, rows: Array, columns: Array, fill: ArrayLike) -> Array:
    """`x[b, rows[b, i, j], columns[b, i, j]]`, and `fill` where that is outside the image."""
    batch, height, width, channels = x.shape
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    index = jnp.clip(rows, 0, height - 1) * width + jnp.clip(columns, 0, width - 1)
    # The indices are in bounds, so the gather need not check them again.
    pixels = jax.vmap(lambda image, at: image.at[at].get(mode="promise_in_bounds"))(
        x.reshape(batch, height * width, channels), index
    )
    return jnp.where(inside[..., None], pixels, jnp.asarray(fill).astype(x.dtype))
