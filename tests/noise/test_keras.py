"""Alpha and Gaussian dropout against Keras' own layers; needs the bench extra."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax import noise
from regjax.penalties.outputs import Forward

os.environ.setdefault("KERAS_BACKEND", "jax")
keras = pytest.importorskip("keras")

KEY = jax.random.key(0)


@pytest.mark.parametrize("rate", [0.1, 0.5])
def test_alpha_dropout_takes_the_two_values_of_keras(rate):
    theirs = np.unique(np.asarray(keras.layers.AlphaDropout(rate, seed=0)(jnp.full((1000,), 2.0), training=True)))
    ours = np.unique(np.asarray(noise.alpha_dropout(KEY, jnp.full((1000,), 2.0), rate)))
    assert len(theirs) == len(ours) == 2
    np.testing.assert_allclose(ours, theirs, rtol=1e-3)  # a rate of 16 bits


def test_gaussian_dropout_has_the_moments_of_keras():
    """Standard deviations of two samples of 100,000: 4.9 standard errors of their difference, false alarm 1e-6."""
    x = jnp.ones((100_000,))
    theirs = np.asarray(keras.layers.GaussianDropout(0.3, seed=0)(x, training=True))
    ours = np.asarray(noise.gaussian_dropout(KEY, x, 0.3))
    assert abs(ours.std() - theirs.std()) < 4.9 * theirs.std() * np.sqrt(2 / (2 * 100_000))
    assert abs(ours.mean() - theirs.mean()) < 4.9 * theirs.std() * np.sqrt(2 / 100_000)


def test_activity_penalty_is_that_of_keras():
    """ActivityRegularization(l1, l2) on one batch: the same number."""
    h = jax.random.normal(KEY, (6, 3))
    layer = keras.layers.ActivityRegularization(l1=0.2, l2=0.3)
    layer(h)
    ours = 0.0
    for penalty in (rj.activity_l1(0.2), rj.activity_l2(0.3)):
        forward = Forward(rj.Batch(h, h), None, {"h": h}, None, None, None)
        ours += float(penalty.value(forward))
    assert ours == pytest.approx(float(sum(layer.losses)), rel=1e-5)  # Keras divides by the batch as well
