"""Colours against PIL, colorsys and values by hand; what is drawn."""

import colorsys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from PIL import ImageEnhance

from regjax.augment import brightened, brightness, contrast, contrasted, hue, hue_turned, saturated, saturation
from tests.augment.pictures import assert_pixels_equal, pictures, with_pil

KEY = jax.random.key(0)
KERNELS = {
    "brightness": (brightened, ImageEnhance.Brightness),
    "contrast": (contrasted, ImageEnhance.Contrast),
    "saturation": (saturated, ImageEnhance.Color),
}


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("channels", [1, 3])
def test_enhancements_equal_pil_pixel_by_pixel(name, channels):
    kernel, enhance = KERNELS[name]
    x = pictures(channels=channels)
    factors = np.linspace(0, 3, len(x)).astype(np.float32)
    expected = with_pil(lambda picture, f: enhance(picture).enhance(float(f)), x, factors)
    assert_pixels_equal(kernel, expected, jnp.asarray(x), factors)


def test_hue_equals_colorsys():
    x = np.random.default_rng(0).uniform(size=(6, 4, 5, 3)).astype(np.float32)
    x[0, 0] = x[0, 0, :, :1]  # gray has no hue
    turns = np.array([-0.5, -0.2, 0.0, 0.1, 1 / 3, 0.5], np.float32)
    expected = np.empty_like(x)
    for place in np.ndindex(*x.shape[:3]):
        h, s, v = colorsys.rgb_to_hsv(*map(float, x[place]))
        expected[place] = colorsys.hsv_to_rgb((h + float(turns[place[0]])) % 1, s, v)
    np.testing.assert_allclose(hue_turned(x, turns), expected, atol=2e-6)
    bytes_ = np.round(x * 255).astype(np.uint8)
    np.testing.assert_allclose(hue_turned(bytes_, turns), expected * 255, atol=1.6)
    np.testing.assert_array_equal(hue_turned(x[..., :1], turns), x[..., :1])


def test_by_hand_on_floating_point_images():
    x = jnp.array([0.0, 0.25, 1.0]).reshape(1, 1, 3, 1)
    half, twice = jnp.array([0.5]), jnp.array([2.0])
    np.testing.assert_allclose(brightened(x, half).ravel(), [0, 0.125, 0.5], rtol=1e-6)
    np.testing.assert_allclose(brightened(x, twice).ravel(), [0, 0.5, 1], rtol=1e-6)
    np.testing.assert_allclose(contrasted(x, half).ravel(), [5 / 24, 1 / 3, 17 / 24], rtol=1e-6)
    red = jnp.array([1.0, 0.0, 0.0]).reshape(1, 1, 1, 3)
    np.testing.assert_allclose(saturated(red, jnp.array([0.0])).ravel(), [0.299, 0.299, 0.299], rtol=1e-6)
    np.testing.assert_allclose(hue_turned(red, jnp.array([1 / 3])).ravel(), [0, 1, 0], atol=1e-6)


@pytest.mark.parametrize("augmentation", [brightness, contrast, saturation])
def test_factors_are_uniform(augmentation):
    x = jnp.broadcast_to(jnp.array([0.55, 0.5, 0.45, 0.5, 0.5, 0.5]).reshape(1, 1, 2, 3), (4000, 1, 2, 3))
    y = np.asarray(augmentation(KEY, x, 0.5), np.float64)
    pixel = {brightness: lambda v: v[:, 0, 0, 1] / 0.5, contrast: None, saturation: None}[augmentation]
    # The distance of red from blue in the first pixel is the factor for all three.
    factor = pixel(y) if pixel else (y[:, 0, 0, 0] - y[:, 0, 0, 2]) / 0.1
    # Kolmogorov-Smirnov at level 1e-6.
    assert scipy.stats.kstest(factor, "uniform", args=(0.5, 1.0)).pvalue > 1e-6


def test_turns_of_hue_are_uniform_in_their_range():
    red = jnp.broadcast_to(jnp.array([1.0, 0.0, 0.0]), (4000, 1, 1, 3))
    y = np.asarray(hue(KEY, red, 0.25), np.float64).reshape(-1, 3)
    turns = np.array([colorsys.rgb_to_hsv(*pixel)[0] for pixel in y])
    turns = np.where(turns > 0.5, turns - 1, turns)
    # Kolmogorov-Smirnov at level 1e-6.
    assert scipy.stats.kstest(turns, "uniform", args=(-0.25, 0.5)).pvalue > 1e-6


def test_probability():
    y = brightness(KEY, jnp.full((20_000, 1, 1, 1), 0.5), 0.5, 0.3)
    # Binomial: 4.9 standard deviations, false alarm 1e-6.
    assert abs((np.asarray(y) != 0.5).mean() - 0.3) < 4.9 * np.sqrt(0.21 / 20_000)
