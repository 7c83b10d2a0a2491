"""Policies: how operations are drawn, and what a mixture is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from regjax.augment import aug_mix, rand_augment, trivial_augment
from regjax.augment.operations import OPERATIONS, operated
from tests.augment.pictures import pictures

KEY = jax.random.key(0)


@pytest.mark.slow
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


@pytest.mark.slow
def test_layers_follow_each_other():
    x = jnp.asarray(pictures(64, (8, 8)))
    one, three = (np.asarray(rand_augment(KEY, x, 9.0, layers=n)) for n in (1, 3))
    assert (one == np.asarray(x)).all((1, 2, 3)).mean() > (three == np.asarray(x)).all((1, 2, 3)).mean()


@pytest.mark.slow
def test_aug_mix_is_between_the_image_and_its_chains():
    # No operation of AugMix takes an image of two levels, with the darker one outside, beyond black and white.
    x = jnp.asarray(np.random.default_rng(0).choice([60.0, 180.0], (2000, 16, 16, 1)), jnp.float32) / 255
    y = 255 * np.asarray(jax.jit(lambda key, x: aug_mix(key, x, 10.0, fill=60 / 255))(KEY, x))
    assert y.min() >= -1e-3
    assert y.max() <= 255 + 1e-3
    assert len({image.tobytes() for image in y}) == 2000
    # Of chains alone there are few outcomes for a pixel; of mixtures, as many as images.
    assert len(np.unique(y[:, 8, 8].round(3))) > 500


@pytest.mark.slow
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
