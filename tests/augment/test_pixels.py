"""Noise and occlusion, counted by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from regjax.augment import cutout, gaussian_noise

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


def test_cutout_larger_than_twice_the_image_covers_all():
    assert not np.any(cutout(KEY, jnp.ones((20, 4, 4, 1)), 8.5))


def test_noise_on_tables():
    y = np.asarray(gaussian_noise(KEY, jnp.zeros((20_000, 5)), 0.2))
    # Kolmogorov-Smirnov at level 1e-6.
    assert scipy.stats.kstest(y.ravel() / 0.2, "norm").pvalue > 1e-6
