"""Maps of levels against PIL, and values by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from PIL import ImageOps

from regjax.augment import autocontrasted, equalize, equalized, posterize, posterized, solarize, solarized
from tests.augment.pictures import pictures, with_pil

KEY = jax.random.key(0)
both = pytest.mark.parametrize("jit", [lambda f: f, jax.jit], ids=["eager", "jit"])


@both
def test_posterize_equals_pil(jit):
    x = pictures()
    bits = np.arange(len(x)) % 8 + 1
    expected = with_pil(lambda picture, b: ImageOps.posterize(picture, int(b)), x, bits)
    np.testing.assert_array_equal(jit(posterized)(x, bits), expected)


@both
def test_solarize_equals_pil(jit):
    x = pictures()
    thresholds = np.linspace(0, 256, len(x)).round()
    expected = with_pil(lambda picture, t: ImageOps.solarize(picture, int(t)), x, thresholds)
    np.testing.assert_array_equal(jit(solarized)(x, thresholds), expected)


@pytest.mark.parametrize(("size", "channels"), [((19, 23), 3), ((40, 50), 1), ((5, 7), 3), ((64, 64), 3)])
def test_equalize_equals_pil(size, channels):
    x = pictures(size=size, channels=channels)
    np.testing.assert_array_equal(jax.jit(equalized)(x), with_pil(ImageOps.equalize, x))


@both
def test_autocontrast_equals_pil(jit):
    x = pictures(40)
    ours, expected = np.asarray(jit(autocontrasted)(x)).astype(int), with_pil(ImageOps.autocontrast, x)
    low, high = x.min((1, 2), keepdims=True).astype(int), x.max((1, 2), keepdims=True).astype(int)
    whole = 255 * (x - low) % np.maximum(high - low, 1) == 0
    # PIL truncates a float64 that may lie just below a whole quotient: one level, there alone.
    np.testing.assert_array_equal(ours[~whole], expected[~whole])
    assert np.isin(ours - expected, (0, 1)).all()


def test_by_hand_on_floating_point_images():
    x = jnp.array([0.0, 0.5, 1.0]).reshape(1, 1, 3, 1)
    np.testing.assert_allclose(solarized(x, jnp.array([200.0])).ravel(), [0, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(posterized(x, jnp.array([1])).ravel(), [0, 0, 128 / 255], atol=1e-6)
    np.testing.assert_allclose(autocontrasted(x[:, :, :2], 1.0).ravel(), [0, 1], atol=1e-6)
    # Half of the stretched image.
    np.testing.assert_allclose(autocontrasted(x[:, :, :2], 0.5).ravel(), [0, 0.75], atol=1e-6)


def test_equalized_is_nearly_uniform():
    x = np.random.default_rng(0).normal(100, 10, (1, 256, 256, 1)).round().astype(np.uint8)
    levels = np.sort(np.asarray(jax.jit(equalized)(x)).ravel())
    # Each level keeps its pixels, at most 4% here, so quantiles are off by no more.
    assert np.abs(levels / 255 - np.linspace(0, 1, len(levels))).max() < 0.05


def test_draws_of_posterize_and_solarize():
    x = jnp.full((8000, 1, 1, 1), 255, jnp.uint8)
    removed = np.round(np.log2(256 - np.asarray(posterize(KEY, x, 4)).ravel().astype(int)))
    # Chi-square at level 1e-6 against the uniform distribution over 0 ... 4.
    assert scipy.stats.chisquare(np.bincount(removed.astype(int), minlength=5)).pvalue > 1e-6
    gray = jnp.full((8000, 1, 1, 1), 192, jnp.uint8)
    inverted = np.asarray(solarize(KEY, gray, 0.5)).ravel() == 63
    # threshold = 256 - 128 u <= 192 for u >= 1/2. Binomial: 4.9 standard deviations, false alarm 1e-6.
    assert abs(inverted.mean() - 0.5) < 4.9 * 0.5 / np.sqrt(8000)


def test_share_of_equalize():
    x = jnp.asarray(pictures(4))
    run = jax.jit(equalize)
    half, full = (np.asarray(run(KEY, x, share)).astype(int) for share in (0.5, 1.0))
    np.testing.assert_array_equal(full, with_pil(ImageOps.equalize, np.asarray(x)))
    assert np.abs(half - (np.asarray(x).astype(int) + full) / 2).max() <= 1
