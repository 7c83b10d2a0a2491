"""Several labels an example: by hand, against scikit-learn, and as K separate problems of two classes."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import log_loss

from regjax.losses import (
    binary_cross_entropy,
    cross_entropy,
    labels_correct,
    probabilities,
    smooth_binary,
    smooth_labels,
)

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(50, 4)).astype(np.float32)
LABELS = RNG.integers(0, 2, (50, 4)).astype(np.float32)


def test_it_is_the_mean_of_the_losses_of_two_classes():
    found = binary_cross_entropy(jnp.asarray(LOGITS), jnp.asarray(LABELS))
    two = [
        cross_entropy(jnp.stack([jnp.zeros(50), LOGITS[:, k]], axis=1), LABELS[:, k].astype(np.int32)) for k in range(4)
    ]
    np.testing.assert_allclose(found, np.mean(two, axis=0), rtol=1e-5)
    q = 1 / (1 + np.exp(-LOGITS.astype(np.float64)))
    each = [log_loss(LABELS[:, k], q[:, k]) for k in range(4)]
    assert float(found.mean()) == pytest.approx(np.mean(each), rel=1e-6)


def test_large_logits_stay_finite():
    logits = jnp.array([[1e4, -1e4]])
    np.testing.assert_allclose(binary_cross_entropy(logits, jnp.array([[1.0, 0.0]])), [0.0])
    np.testing.assert_allclose(binary_cross_entropy(logits, jnp.array([[0.0, 1.0]])), [1e4])
    gradient = jax.grad(lambda z: binary_cross_entropy(z, jnp.array([[0.0, 1.0]])).sum())(logits)
    np.testing.assert_allclose(gradient, [[0.5, -0.5]])


def test_answers_by_hand():
    logits = jnp.array([[2.0, -1.0, 0.0], [-3.0, 0.5, 0.1]])
    np.testing.assert_allclose(labels_correct(logits, jnp.array([[1, 1, 0], [0, 1, 1]])), [2 / 3, 1], rtol=1e-6)


@pytest.mark.parametrize("convention", ["uniform", "others"])
@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_smoothing_is_that_of_two_classes_for_each_label(convention, smoothing):
    found = smooth_binary(jnp.asarray(LABELS), smoothing, convention=convention)
    two = smooth_labels(jnp.asarray(LABELS.astype(np.int32)), smoothing, 2, convention=convention)
    np.testing.assert_allclose(found, two[..., 1], rtol=1e-6)
    assert jax.jit(smooth_binary)(jnp.asarray(LABELS), jnp.float32(-1.0)).tolist() == LABELS.tolist()


def test_probabilities_are_of_the_task():
    q = probabilities(jnp.asarray(LOGITS), "multilabel")
    np.testing.assert_allclose(q, 1 / (1 + np.exp(-LOGITS)), rtol=1e-5)
    np.testing.assert_allclose(probabilities(jnp.asarray(LOGITS), "classification").sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: binary_cross_entropy(jnp.zeros((2, 3)), jnp.zeros((2, 2))),
            r"\(2, 3\) and targets \(2, 2\).*one shape",
        ),
        (lambda: binary_cross_entropy(jnp.zeros(2), jnp.zeros(2)), r"one shape \[B, K\]"),
        (lambda: binary_cross_entropy(jnp.zeros((1, 2)), jnp.array([[0.0, 2.0]])), r"in \[0, 1\], got 2.0"),
        (lambda: labels_correct(jnp.zeros((1, 2)), jnp.array([[-1.0, 1.0]])), r"in \[0, 1\], got -1.0"),
        (lambda: smooth_binary(jnp.zeros((1, 2)), 1.5), r"smoothing must be in \[0, 1\], got 1.5"),
        (lambda: smooth_binary(jnp.zeros((1, 2)), 0.5, convention="other"), "did you mean 'others'"),
        (lambda: probabilities(jnp.zeros((1, 2)), "regression"), "accepted: classification, multilabel"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
