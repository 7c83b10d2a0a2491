"""Pictures and PIL, for tests that compare with it."""

import jax
import numpy as np
from PIL import Image


def pictures(count=24, size=(19, 23), channels=3, seed=0):
    """Bytes `[count, H, W, channels]`: noise, dark noise, one level, ramps."""
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 256, (count, *size, channels), np.uint8)
    x[::4] //= 16
    x[1::4] = np.arange(size[1], dtype=np.uint8)[:, None] * 9
    x[2::8, ..., 0] = 77
    return x


def with_pil(function, x, *arguments):
    """`function(picture, one of each argument)` for each picture, as bytes like `x`."""
    results = []
    for image, *numbers in zip(x, *arguments, strict=True):
        picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        results.append(np.asarray(function(picture, *numbers)).reshape(image.shape))
    return np.stack(results)


def assert_pixels_equal(kernel, expected, x, factors):
    """Equal to PIL pixel by pixel; compiled, products and sums are rounded once instead of twice.

    Then a result that is a whole number but for rounding may be truncated to the one below: one level, seldom.
    """
    np.testing.assert_array_equal(kernel(x, factors), expected)
    away = np.abs(np.asarray(jax.jit(kernel)(x, factors)).astype(int) - expected)
    assert away.max() <= 1
    assert (away > 0).mean() < 2e-3
