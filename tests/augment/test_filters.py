"""Sharpness against PIL, blur against SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from PIL import ImageEnhance

from regjax.augment import blur, blurred, sharpened
from tests.augment.pictures import assert_pixels_equal, pictures, with_pil

KEY = jax.random.key(0)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(19, 23), (3, 4), (2, 9)])
def test_sharpness_equals_pil_pixel_by_pixel(channels, size):
    x = pictures(size=size, channels=channels)
    factors = np.linspace(0, 3, len(x)).astype(np.float32)
    expected = with_pil(lambda picture, f: ImageEnhance.Sharpness(picture).enhance(float(f)), x, factors)
    assert_pixels_equal(sharpened, expected, x, factors)


def test_sharpness_of_floating_point_images_by_hand():
    x = jnp.zeros((1, 3, 3, 1)).at[0, 1, 1, 0].set(0.65)
    y = sharpened(x, jnp.array([0.0]))
    np.testing.assert_allclose(y[0, 1, 1, 0], 0.25, rtol=1e-5)


@pytest.mark.parametrize("kernel_size", [1, 3, 7])
def test_blur_equals_scipy(kernel_size):
    x = np.random.default_rng(0).normal(size=(5, 6, 4, 2)).astype(np.float32)
    sigmas = np.array([0.1, 0.5, 1.0, 2.0, 9.0], np.float32)

    def oracle(image, sigma):
        options = {"radius": (kernel_size // 2, kernel_size // 2, 0), "mode": "nearest"}
        return scipy.ndimage.gaussian_filter(image.astype(np.float64), (sigma, sigma, 0), **options)

    for images, tolerance in ((x, 1e-5), (pictures(5), 0.501)):
        expected = [oracle(image, sigma) for image, sigma in zip(images, sigmas, strict=True)]
        np.testing.assert_allclose(blurred(images, sigmas, kernel_size), expected, atol=tolerance)


@pytest.mark.parametrize("size", [0, 4, -1, 3.0])
def test_even_windows_are_refused(size):
    with pytest.raises(ValueError, match=rf"blur: kernel_size must be an odd whole number of pixels, got {size}"):
        blur(KEY, jnp.ones((1, 4, 4, 1)), 1.0, kernel_size=size)
    with pytest.raises(ValueError, match="blurred: kernel_size"):
        jax.eval_shape(lambda x: blurred(x, jnp.ones(1), size), jnp.ones((1, 4, 4, 1)))
