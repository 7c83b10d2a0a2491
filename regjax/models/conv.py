"""Two-dimensional convolution and pooling that are fast inside compiled loops on CPU.

Inside `lax.scan` and `lax.while_loop`, in which whole training runs execute, XLA does not use its fast convolution for
CPUs: there `lax.conv_general_dilated` takes about ten times as long as outside. The same convolution as slices of the
image times a matrix (im2col) does not, and with 3 x 3 kernels fewer products do (`regjax.models.winograd`).
Accelerators use the native convolution.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from regjax.core.checks import check_choice
from regjax.core.typing import Array
from regjax.models.winograd import conv_3x3, is_faster

IMPLEMENTATIONS = ("auto", "native", "patches", "winograd")
_PADDINGS = ("SAME", "VALID")


def conv2d(
    x: Array,
    kernel: Array,
    strides: tuple[int, int] = (1, 1),
    padding: str | Sequence[tuple[int, int]] = "SAME",
    implementation: str = "auto",
) -> Array:
    """Convolution (cross-correlation) of images with a kernel.

      y[b, i, j, o] = sum_{u, v, c} x[b, i s_h + u - p_h, j s_w + v - p_w, c] kernel[u, v, c, o]

    Args:
      x: `[B, H, W, C]`.
      kernel: `[KH, KW, C, O]`.
      strides: steps along height and width.
      padding: `"SAME"`, `"VALID"` or zeros `((top, bottom), (left, right))`.
      implementation: `"native"` (`lax.conv_general_dilated`), `"patches"` (im2col: a matrix product), `"winograd"`
        (fewer products, for 3 x 3 kernels at stride 1), or `"auto"`: on CPU winograd where it is faster, which takes
        float32 and 32 channels, and patches otherwise; native elsewhere. This is decided when the program is lowered
        (`lax.platform_dependent`), not by the default backend, so a program for the CPU of a machine with a GPU
        gets the right one, and so does a program exported for another platform.

    Returns:
      `[B, H', W', O]`. The implementations agree to rounding.

    Raises:
      ValueError: a shape, stride or padding does not fit.

    Example:
      >>> conv2d(jnp.ones((1, 3, 3, 1)), jnp.ones((3, 3, 1, 1)))[0, :, :, 0]
      Array([[4., 6., 4.],
             [6., 9., 6.],
             [4., 6., 4.]], dtype=float32)
    """
    check_choice("conv2d: implementation", implementation, IMPLEMENTATIONS)
    if implementation == "winograd" and (kernel.shape[:2] != (3, 3) or tuple(strides) != (1, 1)):
        given = f"{kernel.shape[:2]} at {tuple(strides)}"
        raise ValueError(f"conv2d: implementation 'winograd' is for 3 x 3 kernels at strides (1, 1), got {given}")
    return _conv2d(x, kernel, *_geometry(x, kernel, strides, padding), implementation)


def max_pool(x: Array, window: tuple[int, int] = (2, 2)) -> Array:
    """Maximum over non-overlapping windows; rows and columns that do not fill a window are dropped.

    Written with reshapes and maxima, because `flax.linen.max_pool` (reduce_window, and select_and_scatter in its
    gradient) is slow on CPU. Tied entries share the gradient.

    Args:
      x: `[B, H, W, C]`.
      window: height and width of a window, which is also the stride.

    Returns:
      `[B, H // window[0], W // window[1], C]`.

    Example:
      >>> max_pool(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0]
      Array([[ 5.,  7.],
             [13., 15.]], dtype=float32)
    """
    x = _cut("max_pool", x, window)
    batch, height, width, channels = x.shape
    # As maxima of slices, one axis at a time, so that the gradient is elementwise.
    x = x.reshape(batch, height // window[0], window[0], width * channels)
    x = functools.reduce(jnp.maximum, [x[:, :, i] for i in range(window[0])])
    x = x.reshape(batch, height // window[0], width // window[1], window[1], channels)
    return functools.reduce(jnp.maximum, [x[:, :, :, i] for i in range(window[1])])


def avg_pool(x: Array, window: tuple[int, int] = (2, 2)) -> Array:
    """Mean over non-overlapping windows; rows and columns that do not fill a window are dropped.

    Args:
      x: `[B, H, W, C]`.
      window: height and width of a window, which is also the stride.

    Returns:
      `[B, H // window[0], W // window[1], C]`.

    Example:
      >>> avg_pool(jnp.arange(16.0).reshape(1, 4, 4, 1))[0, :, :, 0]
      Array([[ 2.5,  4.5],
             [10.5, 12.5]], dtype=float32)
    """
    x = _cut("avg_pool", x, window)
    batch, height, width, channels = x.shape
    windows = (batch, height // window[0], window[0], width // window[1], window[1], channels)
    return x.reshape(windows).mean((2, 4))


class Conv(nn.Module):
    """Convolution layer: `conv2d(x, kernel) + bias`; parameters `kernel` and `bias` as in `flax.linen.Conv`.

    Attributes:
      features: number of output channels O.
      kernel_size: height and width of the kernel.
      strides: steps along height and width.
      padding: as in `conv2d`.
      use_bias: whether a bias is added.
      kernel_init: LeCun normal, as in `flax.linen.Conv`.
      implementation: as in `conv2d`.

    Example:
      >>> import jax
      >>> params = Conv(8).init(jax.random.key(0), jnp.ones((1, 5, 5, 3)))["params"]
      >>> params["kernel"].shape
      (3, 3, 3, 8)
    """

    features: int
    kernel_size: tuple[int, int] = (3, 3)
    strides: tuple[int, int] = (1, 1)
    padding: str | tuple[tuple[int, int], ...] = "SAME"
    use_bias: bool = True
    kernel_init: Callable[..., Array] = nn.initializers.lecun_normal()
    implementation: str = "auto"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """Applies the layer to `x` `[B, H, W, C]`; returns `[B, H', W', features]`."""
        shape = (*self.kernel_size, x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape)
        y = conv2d(x, kernel.astype(x.dtype), self.strides, self.padding, self.implementation)
        if self.use_bias:
            y = y + self.param("bias", nn.initializers.zeros_init(), (self.features,)).astype(x.dtype)
        return y


# Outside `jax.jit`, calls use one cached program; inside, `inline` merges it into the caller.
@functools.partial(jax.jit, static_argnames=("strides", "pads", "implementation"), inline=True)
def _conv2d(
    x: Array,
    kernel: Array,
    strides: tuple[int, int],
    pads: tuple[tuple[int, int], ...],
    implementation: str,
) -> Array:
    def native(x: Array, kernel: Array) -> Array:
        # Zeros that the kernel does not reach over become negative padding in the gradient, for which XLA reads beyond
        # the array on CPU. So these are put around `x`.
        reach = [
            (min(low, taps - 1), min(high, taps - 1)) for (low, high), taps in zip(pads, kernel.shape, strict=False)
        ]
        beyond = [(pad[0] - near[0], pad[1] - near[1]) for pad, near in zip(pads, reach, strict=True)]
        x = jnp.pad(x, ((0, 0), *beyond, (0, 0)))
        return lax.conv_general_dilated(x, kernel, strides, reach, dimension_numbers=("NHWC", "HWIO", "NHWC"))

    def patches(x: Array, kernel: Array) -> Array:
        columns = _patches(x, kernel.shape[:2], strides, pads)
        # As one matrix: with three leading axes the gradient with respect to the kernel would be five times slower.
        product = columns.reshape(-1, columns.shape[-1]) @ kernel.reshape(-1, kernel.shape[-1])
        return product.reshape(*columns.shape[:-1], kernel.shape[-1])

    def winograd(x: Array, kernel: Array) -> Array:
        return conv_3x3(x, kernel, pads)

    if implementation == "winograd":
        return winograd(x, kernel)
    if implementation == "native":
        return native(x, kernel)
    if implementation == "patches":
        return patches(x, kernel)
    on_cpu = winograd if is_faster(kernel.shape, strides, x.dtype) else patches
    return lax.platform_dependent(x, kernel, cpu=on_cpu, default=native)


def _geometry(
    x: Array, kernel: Array, strides: Sequence[int], padding: str | Sequence[tuple[int, int]]
) -> tuple[tuple[int, int], tuple[tuple[int, int], ...]]:
    """Strides and explicit padding, checked against the shapes."""
    if x.ndim != 4:
        raise ValueError(f"conv2d: x must be [B, H, W, C], got shape {x.shape}")
    if kernel.ndim != 4 or kernel.shape[2] != x.shape[3]:
        raise ValueError(f"conv2d: kernel must be [KH, KW, {x.shape[3]}, O] for x {x.shape}, got {kernel.shape}")
    if len(strides) != 2 or min(strides) < 1:
        raise ValueError(f"conv2d: strides must be two integers >= 1, got {strides}")
    if isinstance(padding, str):
        check_choice("conv2d: padding", padding, _PADDINGS)
        pads = tuple(lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding))
    else:
        pads = tuple((int(low), int(high)) for low, high in padding)
        if len(pads) != 2 or min(min(pair) for pair in pads) < 0:
            raise ValueError(f"conv2d: padding must be two pairs of integers >= 0, got {padding}")
    for size, (low, high), taps in zip(x.shape[1:3], pads, kernel.shape[:2], strict=True):
        if size + low + high < taps:
            raise ValueError(f"conv2d: a {kernel.shape[:2]} kernel does not fit into x {x.shape} padded by {pads}")
    return (strides[0], strides[1]), pads


def _patches(x: Array, taps: tuple[int, ...], strides: tuple[int, int], pads: tuple[tuple[int, int], ...]) -> Array:
    """`[B, H', W', KH * KW * C]`: the receptive field of each output pixel, in the order of the kernel."""
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    batch, height, width, channels = x.shape
    rows, columns = (height - taps[0]) // strides[0] + 1, (width - taps[1]) // strides[1] + 1
    slices = [
        lax.slice(
            x,
            (0, u, v, 0),
            (batch, u + (rows - 1) * strides[0] + 1, v + (columns - 1) * strides[1] + 1, channels),
            (1, *strides, 1),
        )
        for u in range(taps[0])
        for v in range(taps[1])
    ]
    return jnp.concatenate(slices, axis=-1)


def _cut(name: str, x: Array, window: tuple[int, int]) -> Array:
    if x.ndim != 4 or x.shape[1] < window[0] or x.shape[2] < window[1] or min(window) < 1:
        raise ValueError(f"{name}: x must be [B, H, W, C] with H, W >= window {window}, got shape {x.shape}")
    return x[:, : x.shape[1] // window[0] * window[0], : x.shape[2] // window[1] * window[1]]
