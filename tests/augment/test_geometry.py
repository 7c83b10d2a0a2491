"""The distribution of moves that are drawn; what they do is tested in test_resample."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from regjax.augment import flip, pad_crop, rotate, scale, shear, shift

KEY = jax.random.key(0)


def drawn_shifts(max_pixels, count=20_000):
    """Offsets read back from where a single bright pixel went."""
    x = jnp.zeros((count, 7, 7, 1)).at[:, 3, 3].set(1.0)
    y = np.asarray(shift(KEY, x, max_pixels))[..., 0]
    assert (y.sum((1, 2)) == 1).all()
    return np.argwhere(y)[:, 1:] - 3


def test_shifts_are_uniform_and_independent():
    table = np.zeros((5, 5))
    np.add.at(table, tuple(drawn_shifts(2).T + 2), 1)
    # Chi-square at level 1e-6 against the uniform distribution over all 25 pairs.
    assert scipy.stats.chisquare(table.ravel()).pvalue > 1e-6


def test_fractional_shift_interpolates_the_distribution():
    offsets = drawn_shifts(0.25)
    assert set(np.unique(offsets)) == {-1, 0, 1}
    # |v| * 0.75 > 0.5 for a third of v. Binomial, n = 40000: 4.9 standard deviations, false alarm 1e-6.
    assert abs((offsets != 0).mean() - 1 / 3) < 4.9 * np.sqrt(2 / 9 / offsets.size)


def test_shift_beyond_the_image_leaves_fill():
    y = shift(KEY, jnp.ones((50, 3, 3, 1)), 100.0, fill=-1.0)
    assert set(np.unique(y)) <= {-1.0, 1.0}


def test_flip_probability():
    x = jnp.broadcast_to(jnp.array([1.0, 2.0]).reshape(1, 1, 2, 1), (20_000, 1, 2, 1))
    flipped = np.asarray(flip(KEY, x, 0.3))[:, 0, 0, 0] == 2
    # Binomial: 4.9 standard deviations, false alarm 1e-6.
    assert abs(flipped.mean() - 0.3) < 4.9 * np.sqrt(0.21 / 20_000)
    np.testing.assert_array_equal(flip(KEY, x, 1.0), x[:, :, ::-1])
    with pytest.raises(ValueError, match=r"flip: probability must be in \[0, 1\], got 1.5"):
        flip(KEY, x, 1.5)


def test_angles_are_uniform():
    # A ramp along the columns, sampled beside the center, shows the cosine of the angle; here its sine.
    ramp = jnp.broadcast_to(jnp.arange(9.0)[None, :, None, None] - 4, (4000, 9, 9, 1))
    angles = -np.degrees(np.arcsin(np.asarray(rotate(KEY, ramp, 30.0))[:, 4, 5, 0]))
    # Kolmogorov-Smirnov at level 1e-6.
    assert scipy.stats.kstest(angles, "uniform", args=(-30, 60)).pvalue > 1e-6


def test_pad_crop_is_a_crop_of_the_padded_image():
    image = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8)
    x = jnp.asarray(np.stack([image] * 60))
    for padding, options in (("constant", {"constant_values": 7}), ("reflect", {}), ("edge", {})):
        padded = np.pad(image, ((3, 3), (3, 3), (0, 0)), mode=padding, **options)
        crops = {padded[i : i + 9, j : j + 8].tobytes() for i in range(7) for j in range(7)}
        y = np.asarray(pad_crop(KEY, x, 3, 7, padding=padding))
        assert {crop.tobytes() for crop in y} <= crops
        assert len({crop.tobytes() for crop in y}) > 20


def test_slopes_and_scales_have_their_distributions():
    # A ramp along the rows, sampled beside the center, shows the slope: column j is taken from j + right * i.
    ramp = jnp.broadcast_to(jnp.arange(9.0)[None, None, :, None] - 4, (4000, 9, 9, 1))
    slopes = np.asarray(shear(KEY, ramp, 0.5))[:, 5, 4, 0]
    factors = 1 / np.asarray(scale(KEY, ramp, 1.0))[:, 4, 5, 0]
    # Kolmogorov-Smirnov at level 1e-6.
    assert scipy.stats.kstest(slopes, "uniform", args=(-0.5, 1.0)).pvalue > 1e-6
    assert scipy.stats.kstest(np.log2(factors), "uniform", args=(-1, 2)).pvalue > 1e-6
