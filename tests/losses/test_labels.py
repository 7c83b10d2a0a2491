import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.losses import smooth_labels


def test_smoothing_by_hand():
    np.testing.assert_allclose(smooth_labels(jnp.array([2]), 0.1, 4), [[0.025, 0.025, 0.925, 0.025]], rtol=1e-6)
    soft = smooth_labels(jnp.array([[0.5, 0.5, 0.0, 0.0]]), 0.1, 4)
    np.testing.assert_allclose(soft.sum(), 1.0, rtol=1e-6)


def test_smoothing_by_hand_in_both_conventions():
    y = jnp.array([[1.0, 0.0, 0.0], [0.2, 0.8, 0.0]])
    np.testing.assert_allclose(rj.smooth_labels(y, 0.3, 3), 0.7 * y + 0.1, rtol=1e-6)
    np.testing.assert_allclose(rj.smooth_labels(y, 0.3, 3, convention="others"), 0.7 * y + 0.15 * (1 - y), rtol=1e-6)
    for convention in ("uniform", "others"):
        np.testing.assert_allclose(rj.smooth_labels(y, 0.3, 3, convention=convention).sum(1), 1.0, rtol=1e-6)
    # One is the other with e K / (K - 1).
    np.testing.assert_allclose(
        rj.smooth_labels(y, 0.2, 3, convention="others"), rj.smooth_labels(y, 0.3, 3), rtol=1e-5, atol=1e-7
    )
    with pytest.raises(ValueError, match="convention 'other' is not known"):
        rj.smooth_labels(y, 0.1, 3, convention="other")


def test_corrupted_labels_are_other_classes_at_the_rate():
    n, k = 100_000, 5
    labels = jnp.arange(n, dtype=jnp.int32) % k
    noisy = np.asarray(jax.jit(rj.corrupt_labels, static_argnums=3)(jax.random.key(0), labels, 0.3, k))
    changed = noisy != np.asarray(labels)
    # Binomial; 4.9 standard deviations: false alarm 1e-6 each.
    assert abs(changed.mean() - 0.3) < 4.9 * np.sqrt(0.21 / n)
    shift = (noisy - np.asarray(labels)) % k
    for offset in range(1, k):
        share = (shift[changed] == offset).mean()
        assert abs(share - 0.25) < 4.9 * np.sqrt(0.25 * 0.75 / changed.sum())
    np.testing.assert_array_equal(rj.corrupt_labels(jax.random.key(0), labels, 0.0, k), labels)
    with pytest.raises(ValueError, match=r"got float32\[3\]"):
        rj.corrupt_labels(jax.random.key(0), jnp.ones(3), 0.1, 2)


def test_smoothing_out_of_range_is_finite_when_traced_and_classes_are_checked():
    smooth = jax.jit(lambda e: rj.smooth_labels(jnp.array([1]), e, 3))
    for e, expected in ((-1.0, [0, 1, 0]), (np.nan, [0, 1, 0]), (2.0, [1 / 3] * 3)):
        np.testing.assert_allclose(smooth(jnp.float32(e))[0], expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"class indices must be in \[0, 3\], got 7"):
        rj.smooth_labels(jnp.array([1, 7]), 0.1, 4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: smooth_labels(jnp.array([0]), 1.5, 2), r"smoothing must be in \[0, 1\], got 1.5"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
