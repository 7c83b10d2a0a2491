"""Levels from pixels, and back."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.augment.levels import check_colors, from_levels, gray_levels, to_levels
from tests.augment.pictures import pictures, with_pil

X = np.zeros((1, 2, 2, 3), np.float32)


def test_gray_equals_pil():
    x = pictures()
    expected = with_pil(lambda picture: picture.convert("L").convert("RGB"), x)
    np.testing.assert_array_equal(gray_levels(to_levels(x), whole=True)[..., 0], expected[..., 0])
    loose = gray_levels(to_levels(x), whole=False)[..., 0]
    np.testing.assert_allclose(loose, expected[..., 0], atol=0.501)


def test_levels_there_and_back():
    x = jnp.asarray(pictures(4))
    np.testing.assert_array_equal(from_levels(to_levels(x), x), x)
    z = x.astype(jnp.float32) / 300
    np.testing.assert_allclose(from_levels(to_levels(z), z), z, atol=1e-6)


def test_floating_point_images_end_at_one_and_bytes_at_255():
    levels = jnp.array([-100.0, 127.9, 300.0]).reshape(1, 1, 3, 1)
    np.testing.assert_allclose(from_levels(levels, jnp.ones(())).ravel(), [0, 127.9 / 255, 1], rtol=1e-6)
    np.testing.assert_array_equal(from_levels(levels, jnp.uint8(0)).ravel(), [0, 127, 255])


def test_half_precision_stays():
    x = jnp.ones((1, 1, 1, 1), jnp.bfloat16)
    assert from_levels(to_levels(x), x).dtype == jnp.bfloat16


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (X - 0.5, r"f: floating-point images must be in \[0, 1\], .* got \[-0.5, -0.5\]; augment images before"),
        (X + 255, r"f: floating-point images must be in \[0, 1\], .* got \[255, 255\]"),
        (X[..., :2], r"f: x must have 1 \(gray\) or 3 \(red, green, blue\) channels, got 2"),
        (X[0], r"f: x must be images \[B, H, W, C\], got shape \(2, 2, 3\)"),
    ],
)
def test_colors_that_are_refused(x, message):
    with pytest.raises(ValueError, match=message):
        check_colors("f", x, gray_or_rgb=True)


def test_colors_that_are_accepted():
    assert check_colors("f", X[..., :2]).shape == (1, 2, 2, 2)
    assert check_colors("f", np.full((1, 2, 2, 1), 255, np.uint8), gray_or_rgb=True).shape == (1, 2, 2, 1)
    jax.jit(lambda x: check_colors("f", x))(X + 9)  # nobody knows the numbers of a traced image
