"""Moves of pixels against scipy.ndimage, and the distribution of what is drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from regjax.augment import flip, rotate, rotated, shift, shifted

KEY = jax.random.key(0)
IMAGE = np.random.default_rng(1).normal(size=(7, 6, 2)).astype(np.float32)


@settings(max_examples=25, deadline=None)
@given(st.integers(-9, 9), st.integers(-9, 9), st.sampled_from([0.0, -1.5]))
def test_shifted_equals_scipy(down, right, fill):
    expected = scipy.ndimage.shift(IMAGE, (down, right, 0), order=0, mode="grid-constant", cval=fill)
    ours = shifted(jnp.asarray(IMAGE)[None], jnp.array([down]), jnp.array([right]), fill)[0]
    np.testing.assert_array_equal(ours, expected)


@settings(max_examples=25, deadline=None)
@given(st.floats(-180, 180), st.sampled_from([0.0, 2.0]))
def test_rotated_equals_scipy(degrees, fill):
    options = {"reshape": False, "order": 1, "mode": "grid-constant", "cval": fill}
    expected = scipy.ndimage.rotate(IMAGE.astype(np.float64), degrees, **options)
    ours = rotated(jnp.asarray(IMAGE)[None], jnp.array([degrees]), fill)[0]
    np.testing.assert_allclose(ours, expected, atol=2e-5)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_equal_rot90(turns):
    square = IMAGE[:6]
    ours = rotated(jnp.asarray(square)[None], jnp.array([90.0 * turns]))[0]
    np.testing.assert_allclose(ours, np.rot90(square, turns), atol=1e-5)


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
