"""Noise and occlusion, counted by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from regjax.augment import covered, cutout, gaussian_noise, random_erasing

KEY = jax.random.key(0)


@pytest.mark.parametrize("size", [1, 2, 3, 6])
def test_cutout_covers_a_clipped_square(size):
    y = np.asarray(cutout(KEY, jnp.ones((500, 8, 6, 2)), size, fill=-3.0))
    for image in y:
        covered = image[..., 0] == -3.0
        np.testing.assert_array_equal(covered, image[..., 1] == -3.0)
        rows, columns = np.flatnonzero(covered.any(1)), np.flatnonzero(covered.any(0))
        assert covered.sum() == len(rows) * len(columns)  # a rectangle: rows and columns both contiguous
        for side, length in ((rows, 8), (columns, 6)):
            assert len(side) == side[-1] - side[0] + 1
            # Shorter than `size` only where the image ends.
            assert len(side) == min(size, length) or (len(side) < size and (side[0] == 0 or side[-1] == length - 1))


def test_cutout_of_one_pixel_is_uniform():
    y = np.asarray(cutout(KEY, jnp.ones((20_000, 4, 5, 1)), 1))
    assert (1 - y).sum() == 20_000
    # Chi-square at level 1e-6.
    assert scipy.stats.chisquare((1 - y).sum((0, 3)).ravel()).pvalue > 1e-6


def test_cutout_larger_than_the_image():
    with pytest.raises(ValueError, match=r"cutout: size must be in \[0, 6\], got 6.5"):
        cutout(KEY, jnp.ones((20, 4, 6, 1)), 6.5)
    # A traced one cannot be refused: beyond twice the image it covers all.
    assert not np.any(jax.jit(cutout)(KEY, jnp.ones((20, 4, 4, 1)), 8.5))


def test_random_erasing_is_inside_and_as_large_as_it_says():
    y = np.asarray(random_erasing(KEY, jnp.ones((4000, 9, 12, 1)), 0.4, fill=-1.0))[..., 0]
    sizes = []
    for image in y:
        rows, columns = np.flatnonzero((image < 0).any(1)), np.flatnonzero((image < 0).any(0))
        assert (image < 0).sum() == len(rows) * len(columns)  # a rectangle
        sizes.append(len(rows) * len(columns) / image.size)
    assert max(sizes) < 0.5  # 0.4 before sides are rounded
    # Area is uniform in [0, 0.4], up to rounding: mean 0.2, deviation 0.115; 4.9 of the mean's, false alarm 1e-6.
    assert abs(np.mean(sizes) - 0.2) < 4.9 * 0.115 / np.sqrt(4000) + 0.01
    # Every pixel is covered now and then, the corners too.
    assert (y < 0).any(0).all()


def test_covered_by_hand():
    x = jnp.ones((2, 2, 3, 2), jnp.uint8)
    y = covered(x, jnp.array([[1.0, 0.0], [1.5, 3.0]]), jnp.array([[2.0, 2.0], [1.0, 2.0]]), fill=jnp.array([7, 9]))
    np.testing.assert_array_equal(y[0, ..., 0], [[1, 7, 1], [1, 7, 1]])
    np.testing.assert_array_equal(y[1, ..., 1], [[1, 1, 9], [1, 1, 1]])


def test_noise_on_bytes_is_rounded_and_clipped():
    y = np.asarray(gaussian_noise(KEY, jnp.full((200, 10, 10, 1), 128, jnp.uint8), 10.0), np.float64)
    # Rounding adds 1/12 to the variance; the mean of 20000 has deviation 0.071: 4.9 of them, false alarm 1e-6.
    assert abs(y.mean() - 128) < 4.9 * 0.071
    assert abs(y.std() - np.sqrt(100 + 1 / 12)) < 4.9 * 10 / np.sqrt(40_000)
    assert np.asarray(gaussian_noise(KEY, jnp.zeros((4, 8, 8, 1), jnp.uint8), 300.0)).max() == 255


def test_noise_on_tables():
    y = np.asarray(gaussian_noise(KEY, jnp.zeros((20_000, 5)), 0.2))
    # Kolmogorov-Smirnov at level 1e-6.
    assert scipy.stats.kstest(y.ravel() / 0.2, "norm").pvalue > 1e-6
