"""Moves of pixels without randomness, against scipy.ndimage and PIL."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.ndimage
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from regjax.augment import affined, displaced, rotated, scaled, sheared, shifted
from tests.augment.pictures import pictures, with_pil

IMAGE = np.random.default_rng(1).normal(size=(7, 6, 2)).astype(np.float32)
compiled = jax.jit(affined, static_argnames="interpolation")


@settings(max_examples=25)
@given(st.integers(-9, 9), st.integers(-9, 9), st.sampled_from([0.0, -1.5]))
def test_shifted_equals_scipy(down, right, fill):
    expected = scipy.ndimage.shift(IMAGE, (down, right, 0), order=0, mode="grid-constant", cval=fill)
    ours = shifted(jnp.asarray(IMAGE)[None], jnp.array([down]), jnp.array([right]), fill)[0]
    np.testing.assert_array_equal(ours, expected)


@pytest.mark.parametrize("padding", ["edge", "reflect"])
@pytest.mark.parametrize("move", [(0, 0), (3, -2), (-5, 5), (-17, 20)])
def test_shifted_pads_as_numpy_does(padding, move):
    padded = np.pad(IMAGE, ((20, 20), (20, 20), (0, 0)), mode=padding)
    expected = padded[20 - move[0] :][:7, 20 - move[1] :][:, :6]
    ours = shifted(jnp.asarray(IMAGE)[None], jnp.array([move[0]]), jnp.array([move[1]]), padding=padding)[0]
    np.testing.assert_array_equal(ours, expected)
    one = shifted(jnp.ones((1, 1, 1, 1)), jnp.array([3]), jnp.array([-3]), padding=padding)
    assert one.ravel() == 1


@settings(max_examples=25)
@given(st.floats(-180, 180), st.sampled_from([0.0, 2.0]))
@pytest.mark.slow
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


@settings(max_examples=40)
@given(st.lists(st.floats(-1.5, 1.5), min_size=4, max_size=4), st.lists(st.floats(-4, 4), min_size=2, max_size=2))
def test_affined_equals_scipy(entries, offset):
    linear, middle = np.array(entries).reshape(2, 2), (np.array(IMAGE.shape[:2]) - 1) / 2
    shift = middle + offset - linear @ middle
    channels = []
    for channel in np.moveaxis(IMAGE.astype(np.float64), -1, 0):
        options = {"order": 1, "mode": "grid-constant", "cval": 0.5}
        channels.append(scipy.ndimage.affine_transform(channel, linear, shift, **options))
    matrices = np.concatenate([linear, np.array(offset)[:, None]], 1)[None]
    ours = compiled(jnp.asarray(IMAGE)[None], matrices, 0.5)[0]
    np.testing.assert_allclose(ours, np.stack(channels, -1), atol=5e-5)


@pytest.mark.slow
def test_shear_and_scale_are_their_matrices():
    x, slopes = jnp.asarray(np.stack([IMAGE] * 3)), jnp.array([-0.3, 0.0, 0.7])
    by_hand = np.stack([[[1, s, 0], [2 * s, 1, 0]] for s in slopes])
    np.testing.assert_array_equal(sheared(x, slopes, 2 * slopes), affined(x, by_hand))
    by_hand = np.stack([[[1 / f, 0, 0], [0, 1 / f, 0]] for f in (0.5, 1.0, 3.0)])
    np.testing.assert_allclose(scaled(x, jnp.array([0.5, 1.0, 3.0])), affined(x, by_hand), atol=1e-5)


@settings(max_examples=15)
@given(st.integers(0, 1000))
def test_displaced_equals_scipy(seed):
    fields = np.random.default_rng(seed).normal(0, 2, (2, 7, 6))
    places = np.indices((7, 6)) + fields
    ours = displaced(jnp.asarray(IMAGE)[None], *jnp.asarray(fields, jnp.float32)[:, None], 0.5)[0]
    for channel in (0, 1):
        options = {"order": 1, "mode": "grid-constant", "cval": 0.5}
        expected = scipy.ndimage.map_coordinates(IMAGE[..., channel].astype(np.float64), places, **options)
        np.testing.assert_allclose(ours[..., channel], expected, atol=2e-5)


def random_maps(count, rng):
    """Rotation, shear, scale and shift, moderate; rows `(A | t)` about the center."""
    linear = np.eye(2) + rng.uniform(-0.4, 0.4, (count, 2, 2))
    return np.concatenate([linear, rng.uniform(-4, 4, (count, 2, 1))], 2)


def pil_coefficients(matrix, size):
    """What PIL's `transform` takes for the same map: x before y, and pixel centers at one half."""
    flipped = matrix[::-1, [1, 0, 2]]
    center = np.array(size[::-1]) / 2
    offset = center + flipped[:, 2] - flipped[:, :2] @ center
    return (*flipped[0, :2], offset[0], *flipped[1, :2], offset[1])


def transformed(picture, matrix, resample):
    coefficients = pil_coefficients(matrix, picture.size[::-1])
    return picture.transform(picture.size, Image.Transform.AFFINE, coefficients, resample, fillcolor=(9, 9, 9))


def test_nearest_equals_pil():
    x, maps = pictures(60, (32, 32)), random_maps(60, np.random.default_rng(3))
    expected = with_pil(lambda picture, m: transformed(picture, m, Image.Resampling.NEAREST), x, maps)
    ours = np.asarray(compiled(jnp.asarray(x), maps, 9, interpolation="nearest"))
    # PIL counts in 1/65536 of a pixel: where a place lies that near to an edge between pixels, the other one counts.
    assert (ours != expected).any(-1).mean() < 1e-3


def test_bilinear_equals_pil_inside():
    x, maps = pictures(60, (32, 32)), random_maps(60, np.random.default_rng(4))
    expected = with_pil(lambda picture, m: transformed(picture, m, Image.Resampling.BILINEAR), x, maps)
    ours = np.asarray(compiled(jnp.asarray(x), maps, 9)).astype(int)
    # Outside, PIL does not continue the image by `fill` before it interpolates: compare where all four pixels are in.
    places = np.indices((32, 32)) - 15.5
    source = np.einsum("bij,jhw->bihw", maps[:, :, :2], places) + maps[:, :, 2, None, None] + 15.5
    inside = ((source >= 0) & (source <= 31)).all(1)
    assert np.abs(ours - expected)[inside].max() <= 1


def test_rotate_equals_pil():
    x = pictures(30, (33, 32))
    degrees = np.linspace(-170, 170, 30)
    expected = with_pil(lambda picture, d: picture.rotate(float(d)), x, degrees)
    ours = np.asarray(rotated(jnp.asarray(x), degrees, interpolation="nearest"))
    assert (ours != expected).any(-1).mean() < 1e-3


def test_far_places_are_fill_and_nan_is_no_crash():
    x = jnp.ones((2, 3, 3, 1))
    y = affined(x, jnp.array([[[1e30, 0, 0], [0, 1, 0]], [[1, 0, 1e30], [0, 1, 0]]]), 7.0)
    np.testing.assert_array_equal(y[1], 7)
    assert np.isfinite(y).all()
    with pytest.raises(ValueError, match="affined: interpolation 'cubic' is not known"):
        affined(x, jnp.zeros((2, 2, 3)), interpolation="cubic")
