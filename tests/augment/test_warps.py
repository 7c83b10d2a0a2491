"""Affine maps in one go and elastic distortion: what is drawn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

from regjax.augment import affine, elastic, rotate

KEY = jax.random.key(0)


def ramps(count, size=9):
    """Images whose channels are the row and the column, counted from the center: pixels say where they came from."""
    places = jnp.stack(jnp.meshgrid(jnp.arange(size), jnp.arange(size), indexing="ij"), -1) - (size - 1) / 2
    return jnp.broadcast_to(places, (count, size, size, 2))


@pytest.mark.parametrize("off", ["degrees", "share", "change", "slope"])
def test_affine_is_what_it_says(off):
    limits = {"degrees": 20.0, "share": 0.1, "change": 0.5, "slope": 0.2} | {off: 0.0}
    y = np.asarray(affine(KEY, ramps(3000), 1.0, **limits), np.float64)
    t = y[:, 4, 4]
    columns = [y[:, 5, 4] - t, y[:, 4, 5] - t]
    linear = np.stack(columns, -1)  # A of each image
    shrink = np.sqrt(np.linalg.det(linear))
    angle = np.degrees(np.arctan2(-linear[:, 1, 0], linear[:, 0, 0]))
    slope = (linear[:, 0] * linear[:, 1]).sum(1)  # 0 without a shear
    for name, values, law in (
        ("degrees", angle, ("uniform", (-20, 40))),
        ("share", t[:, 0], ("uniform", (-0.9, 1.8))),
        ("change", np.log(shrink) / np.log(1.5), ("uniform", (-1, 2))),
    ):
        if name == off:
            np.testing.assert_allclose(values, 0, atol=2e-5)
        else:  # Kolmogorov-Smirnov at level 1e-6
            assert scipy.stats.kstest(values, law[0], args=law[1]).pvalue > 1e-6
    assert (off == "slope") == (np.abs(slope).max() < 1e-4)


def test_affine_without_the_rest_is_a_rotation():
    y = affine(KEY, ramps(500), 0.5, degrees=40.0, share=0.0, change=0.0, slope=0.0)
    angles = np.degrees(np.arcsin(np.asarray(y)[:, 4, 5, 0]))
    rotated = np.degrees(np.arcsin(np.asarray(rotate(KEY, ramps(500), 20.0))[:, 4, 5, 0]))
    assert scipy.stats.ks_2samp(angles, rotated).pvalue > 1e-6


def test_displacements_are_normal_at_the_center_and_at_the_border():
    y = np.asarray(elastic(KEY, ramps(3000, 15), 0.5, sigma=2.0), np.float64) - np.asarray(ramps(1, 15))
    # Two pixels from the border, the image goes on as far as the displacement reaches: 4 deviations.
    for place in ((7, 7), (3, 3), (3, 7)):
        for axis in (0, 1):
            # Kolmogorov-Smirnov at level 1e-6.
            assert scipy.stats.kstest(y[:, *place, axis] / 0.5, "norm").pvalue > 1e-6
    near = np.corrcoef(y[:, 7, 7, 0], y[:, 7, 8, 0])[0, 1]
    far = np.corrcoef(y[:, 7, 2, 0], y[:, 7, 12, 0])[0, 1]
    # Between the rows of windows of width 2, one apart: exp(-1/16) = 0.94; ten apart: exp(-100/16) = 0.002.
    assert near == pytest.approx(np.exp(-1 / 16), abs=0.02)
    assert abs(far) < 4.9 / np.sqrt(3000) + 0.01  # false alarm 1e-6
    assert abs(np.corrcoef(y[:, 7, 7, 0], y[:, 7, 7, 1])[0, 1]) < 4.9 / np.sqrt(3000)


def test_errors():
    with pytest.raises(ValueError, match="elastic: sigma must be > 0, got 0"):
        elastic(KEY, ramps(1), 1.0, sigma=0.0)
    with pytest.raises(ValueError, match="affine: share must be >= 0, got -1"):
        affine(KEY, ramps(1), 1.0, share=-1.0)
    with pytest.raises(ValueError, match="affine: interpolation 'cubic' is not known"):
        affine(KEY, ramps(1), 1.0, interpolation="cubic")
