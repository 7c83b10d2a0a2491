"""Convolution with 3 x 3 kernels by fewer products: the minimal filtering F(2 x 2, 3 x 3) of Winograd.

A tile of 2 x 2 outputs is `A^T [(G g G^T) * (B^T d B)] A` with the kernel `g` and the 4 x 4 inputs `d` that it sees: 16
products where 36 are needed otherwise. Over channels, tiles and images these are 16 matrix products. The transforms
`A`, `B` and `G` only add and halve. Results differ from those of a direct sum by rounding, by a few times as much as
two orders of summation differ.

Reference: Lavin and Gray, Fast algorithms for convolutional neural networks, CVPR 2016, section 4.1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jax import lax

from regjax.core.typing import Array, DType

FEWEST_CHANNELS = 32
"""With 16 channels in and out, the transforms take as long as the products that they save (measured)."""

Grid = list[list[Array]]


def is_faster(kernel_shape: Sequence[int], strides: Sequence[int], dtype: DType) -> bool:
    """Return whether this convolution is one that the transforms make faster on a CPU, without a loss of precision.

    Example:
      >>> is_faster((3, 3, 32, 64), (1, 1), jnp.float32), is_faster((3, 3, 1, 32), (1, 1), jnp.float32)
      (True, False)
    """
    fits = tuple(kernel_shape[:2]) == (3, 3) and tuple(strides) == (1, 1)
    precise = jnp.issubdtype(dtype, jnp.floating) and jnp.finfo(dtype).bits >= 32
    return fits and bool(precise) and min(kernel_shape[2:]) >= FEWEST_CHANNELS


def conv_3x3(x: Array, kernel: Array, pads: tuple[tuple[int, int], ...]) -> Array:
    """Convolve images with a 3 x 3 kernel at stride 1.

    Args:
      x: `[B, H, W, C]`.
      kernel: `[3, 3, C, O]`.
      pads: zeros before and after each of height and width.

    Returns:
      `[B, H', W', O]`, each side longer by its zeros and shorter by 2.

    Example:
      >>> conv_3x3(jnp.ones((1, 3, 3, 1)), jnp.ones((3, 3, 1, 1)), ((1, 1), (1, 1)))[0, :, :, 0]
      Array([[4., 6., 4.],
             [6., 9., 6.],
             [4., 6., 4.]], dtype=float32)
    """
    height, width = (size + sum(pad) - 2 for size, pad in zip(x.shape[1:3], pads, strict=True))
    rows, columns = -(-height // 2), -(-width // 2)
    inputs, weights = _inputs(x, rows, columns, pads), _both(_of_kernel, _grid(kernel))
    products = [[inputs[a][b] @ weights[a][b] for b in range(4)] for a in range(4)]
    tile = [[y.reshape(x.shape[0], rows, columns, -1) for y in row] for row in _both(_of_products, products)]
    y = jnp.stack([jnp.stack(row, axis=3) for row in tile], axis=2)  # [B, rows, 2, columns, 2, O]
    return y.reshape(x.shape[0], 2 * rows, 2 * columns, -1)[:, :height, :width]


def _inputs(x: Array, rows: int, columns: int, pads: tuple[tuple[int, int], ...]) -> Grid:
    """`B^T d B` of all tiles, 4 x 4 arrays `[B * rows * columns, C]`."""
    ends = (2 * rows + 2 - x.shape[1] - pads[0][0], 2 * columns + 2 - x.shape[2] - pads[1][0])
    x = jnp.pad(x, ((0, 0), (pads[0][0], ends[0]), (pads[1][0], ends[1]), (0, 0)))
    # Tiles overlap by half: of the even and odd rows and columns, they are slices without a stride. Their gradient, and
    # that of `split`, is cheap.
    halves = x.reshape(x.shape[0], rows + 1, 2, columns + 1, 2, x.shape[3])
    phases = [
        [part.squeeze((2, 4)) for part in lax.split(row, (1, 1), axis=4)] for row in lax.split(halves, (1, 1), axis=2)
    ]

    def seen(i: int, j: int) -> Array:
        return phases[i % 2][j % 2][:, i // 2 : i // 2 + rows, j // 2 : j // 2 + columns]

    tiles = _both(_of_inputs, [[seen(i, j) for j in range(4)] for i in range(4)])
    return [[tile.reshape(-1, x.shape[-1]) for tile in row] for row in tiles]


def _grid(kernel: Array) -> Grid:
    return [[kernel[i, j] for j in range(3)] for i in range(3)]


def _both(transform: Callable[[Sequence[Array]], list[Array]], grid: Grid) -> Grid:
    """`T m T^T` of a grid `m`, where `T` transforms a column."""
    by_column = [transform(column) for column in zip(*grid, strict=True)]
    return [transform(row) for row in zip(*by_column, strict=True)]


def _of_inputs(d: Sequence[Array]) -> list[Array]:
    """`B^T d`."""
    return [d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3]]


def _of_kernel(g: Sequence[Array]) -> list[Array]:
    """`G g`."""
    return [g[0], 0.5 * (g[0] + g[1] + g[2]), 0.5 * (g[0] - g[1] + g[2]), g[2]]


def _of_products(m: Sequence[Array]) -> list[Array]:
    """`A^T m`."""
    return [m[0] + m[1] + m[2], m[1] - m[2] - m[3]]
