"""Policies: every operation against PIL, how they are drawn, and what a mixture is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from PIL import Image, ImageEnhance, ImageOps

from regjax.augment import aug_mix, rand_augment, trivial_augment
from regjax.augment.operations import OPERATIONS, STANDARD, WIDE, operated
from tests.augment.pictures import pictures, with_pil

KEY = jax.random.key(0)


def sheared(picture, s, space, axis):
    slope, center = s * space.slope, (picture.size[1 - axis] - 1) / 2 + 0.5
    rows = [(1, 0, 0), (0, 1, 0)]
    rows[axis] = (1, slope, -slope * center) if axis == 0 else (slope, 1, -slope * center)
    return picture.transform(picture.size, Image.Transform.AFFINE, (*rows[0], *rows[1]))


def moved(picture, s, space, axis):
    offset = [0, 0]
    offset[axis] = np.round(np.float32(s) * np.float32(space.share * picture.size[axis]))
    return picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, offset[0], 0, 1, offset[1]))


ORACLES = {
    "identity": lambda p, s, space: p,
    "autocontrast": lambda p, s, space: ImageOps.autocontrast(p),
    "equalize": lambda p, s, space: ImageOps.equalize(p),
    "rotate": lambda p, s, space: p.rotate(float(s) * space.degrees),
    "solarize": lambda p, s, space: ImageOps.solarize(p, int(256 * (1 - space.inverted * abs(s)))),
    "posterize": lambda p, s, space: ImageOps.posterize(p, int(8 - np.round(space.bits * abs(s)))),
    "saturation": lambda p, s, space: ImageEnhance.Color(p).enhance(float(1 + space.change * s)),
    "contrast": lambda p, s, space: ImageEnhance.Contrast(p).enhance(float(1 + space.change * s)),
    "brightness": lambda p, s, space: ImageEnhance.Brightness(p).enhance(float(1 + space.change * s)),
    "sharpness": lambda p, s, space: ImageEnhance.Sharpness(p).enhance(float(1 + space.change * s)),
    "shear_x": lambda p, s, space: sheared(p, s, space, 0),
    "shear_y": lambda p, s, space: sheared(p, s, space, 1),
    "translate_x": lambda p, s, space: moved(p, s, space, 0),
    "translate_y": lambda p, s, space: moved(p, s, space, 1),
}


@pytest.mark.parametrize("space", [STANDARD, WIDE], ids=["standard", "wide"])
def test_every_operation_equals_pil(space):
    assert set(OPERATIONS) == set(ORACLES)
    names, per = tuple(ORACLES), 12
    x = pictures(per * len(names), (32, 32))
    choices = np.repeat(np.arange(len(names)), per)
    strengths = np.tile(np.linspace(-1, 1, per), len(names)).astype(np.float32)
    ours = jax.jit(lambda *a: operated(*a, names, space=space))(jnp.asarray(x), choices, strengths)
    expected = with_pil(lambda picture, c, s: ORACLES[names[c]](picture, s, space), x, choices, strengths)
    away = np.abs(np.asarray(ours).astype(int) - expected)
    for i, name in enumerate(names):
        part = away[choices == i]
        if name in ("rotate", "shear_x", "shear_y"):
            # PIL counts in 1/65536 of a pixel, which decides for places that near to an edge between two.
            assert (part > 0).mean() < 5e-3, name
        else:
            # Autocontrast: where a quotient is whole. Blends: see `assert_pixels_equal`.
            assert part.max() <= 1, name
            assert (part > 0).mean() < (0.02 if name == "autocontrast" else 0.01), name


def test_strength_zero_is_the_identity_of_every_operation():
    x = jnp.asarray(pictures(len(OPERATIONS)))
    same = operated(x, jnp.arange(len(x)), jnp.zeros(len(x)), OPERATIONS)
    np.testing.assert_array_equal(same, x)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_accelerators_are_served_without_a_loop_over_images(platform):
    x = jnp.zeros((4, 8, 8, 3), jnp.uint8)
    traced = jax.jit(lambda *a: operated(*a, OPERATIONS)).trace(x, jnp.zeros(4, jnp.int32), jnp.ones(4))
    assert "stablehlo.while" not in traced.lower(lowering_platforms=(platform,)).as_text()
    assert "stablehlo.while" in traced.lower(lowering_platforms=("cpu",)).as_text()


def test_all_operations_at_once_and_one_kept_is_the_same():
    """What accelerators do: under `vmap` the switch becomes a selection."""
    x, rng = jnp.asarray(pictures(40, (8, 9))), np.random.default_rng(0)
    choices, strengths = rng.integers(0, len(OPERATIONS), 40), rng.uniform(-1, 1, 40).astype(np.float32)
    one = jax.jit(lambda x, c, s: operated(x, c, s, OPERATIONS))
    every = jax.vmap(lambda x, c, s: operated(x[None], c[None], s[None], OPERATIONS)[0])
    np.testing.assert_array_equal(jax.jit(every)(x, choices, strengths), one(x, choices, strengths))


def test_operations_and_directions_are_drawn_evenly():
    # A picture that tells operations apart: count the results that each (operation, sign) would give.
    x = jnp.asarray(np.random.default_rng(0).integers(30, 220, (1, 32, 32, 3), np.uint8))
    kinds = [(c, s) for c in range(len(OPERATIONS)) for s in (-0.7, 0.7)]
    each = operated(
        jnp.repeat(x, len(kinds), 0), jnp.array([c for c, _ in kinds]), jnp.array([s for _, s in kinds]), OPERATIONS
    )
    count = 6000
    y = jax.jit(lambda key, x: rand_augment(key, x, 7.0, layers=1))(KEY, jnp.repeat(x, count, 0))
    found = {}
    for image in np.asarray(y):
        found[image.tobytes()] = found.get(image.tobytes(), 0) + 1
    expected = {}
    for image in np.asarray(each):
        expected[image.tobytes()] = expected.get(image.tobytes(), 0) + 1 / len(kinds)
    assert found.keys() == expected.keys()
    counts = [(found[image], count * expected[image]) for image in expected]
    # Chi-square at level 1e-6.
    assert scipy.stats.chisquare(*zip(*counts, strict=True)).pvalue > 1e-6


def test_trivial_augment_draws_magnitudes_uniformly():
    x = jnp.full((20_000, 4, 4, 1), 100, jnp.uint8)
    y = np.asarray(jax.jit(lambda key, x: trivial_augment(key, x, 10.0))(KEY, x))[:, 2, 2, 0]
    # Of 14 operations only brightness makes 100 any of 1 ... 99 but not by inversion, posterizing or moving away.
    between = y[(y > 0) & (y < 99) & ~np.isin(y, (64, 96))]
    darker = 20_000 / 14 / 2
    # Binomial: 4.9 standard deviations, false alarm 1e-6, and 3% for levels left out and magnitudes near 0.
    assert abs(len(between) - darker) < 4.9 * np.sqrt(darker) + 0.05 * darker
    # Kolmogorov-Smirnov at level 1e-6, with a step of one level.
    assert (
        scipy.stats.kstest(between / 100 + np.random.default_rng(0).uniform(0, 0.01, len(between)), "uniform").pvalue
        > 1e-6
    )


def test_layers_follow_each_other():
    x = jnp.asarray(pictures(64, (8, 8)))
    one, three = (np.asarray(rand_augment(KEY, x, 9.0, layers=n)) for n in (1, 3))
    assert (one == np.asarray(x)).all((1, 2, 3)).mean() > (three == np.asarray(x)).all((1, 2, 3)).mean()


def test_aug_mix_is_between_the_image_and_its_chains():
    # No operation of AugMix takes an image of two levels, with the darker one outside, beyond black and white.
    x = jnp.asarray(np.random.default_rng(0).choice([60.0, 180.0], (2000, 16, 16, 1)), jnp.float32) / 255
    y = 255 * np.asarray(jax.jit(lambda key, x: aug_mix(key, x, 10.0, fill=60 / 255))(KEY, x))
    assert y.min() >= -1e-3
    assert y.max() <= 255 + 1e-3
    assert len({image.tobytes() for image in y}) == 2000
    # Of chains alone there are few outcomes for a pixel; of mixtures, as many as images.
    assert len(np.unique(y[:, 8, 8].round(3))) > 500


def test_aug_mix_of_one_operation_mixes_uniformly():
    # One chain of one operation: translations of a picture of one bright column leave 1 - m of it where it was.
    x = jnp.zeros((6000, 9, 9, 1)).at[:, 4, 4].set(1.0)
    y = np.asarray(jax.jit(lambda key, x: aug_mix(key, x, 10.0, width=1, depth=1))(KEY, x))
    kept = y[:, 4, 4, 0]
    # Where the bright pixel moved, one other pixel has the rest.
    elsewhere = np.where(np.arange(81) == 40, 0, y.reshape(-1, 81)).max(1)
    moved = np.isclose(kept + elsewhere, 1, atol=1e-4) & (elsewhere > 0) & ((y > 1e-2 / 255).sum((1, 2, 3)) <= 2)
    assert moved.sum() > 500
    # Kolmogorov-Smirnov at level 1e-6.
    assert scipy.stats.kstest(kept[moved], "uniform").pvalue > 1e-6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: rand_augment(KEY, x, 11), r"rand_augment: magnitude must be in \[0, 10\], got 11"),
        (lambda x: rand_augment(KEY, x, 9, layers=0), "rand_augment: layers must be a whole number >= 1, got 0"),
        (lambda x: aug_mix(KEY, x, 3, width=1.5), "aug_mix: width must be a whole number >= 1, got 1.5"),
        (lambda x: trivial_augment(KEY, x[..., :2], 3), r"trivial_augment: x must have 1 \(gray\) or 3"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call(jnp.ones((2, 4, 4, 3)))
