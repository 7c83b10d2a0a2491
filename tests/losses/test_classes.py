import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import log_loss

import regjax as rj
from regjax.core.errors import InputError
from regjax.losses import correct, cross_entropy, focal_loss, smooth_labels

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(50, 4)).astype(np.float32)
LABELS = RNG.integers(0, 4, 50).astype(np.int32)


def test_cross_entropy_equals_sklearn():
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.mean(cross_entropy(LOGITS, LABELS)), log_loss(LABELS, probabilities), rtol=1e-6)
    soft = np.eye(4, dtype=np.float32)[LABELS]
    np.testing.assert_allclose(cross_entropy(LOGITS, soft), cross_entropy(LOGITS, LABELS), rtol=1e-6)


def focal_by_hand(logits, p, gamma):
    q = np.exp(logits.astype(np.float64))
    q /= q.sum(axis=-1, keepdims=True)
    return -np.sum(p * (1 - q) ** gamma * np.log(q), axis=-1)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
def test_focal_loss_by_hand(gamma):
    """Of classes, of smoothed labels, and of tokens, of which an ignored one has no loss."""
    hard = np.eye(4)[LABELS]
    np.testing.assert_allclose(focal_loss(LOGITS, LABELS, gamma), focal_by_hand(LOGITS, hard, gamma), rtol=2e-5)
    soft = np.asarray(smooth_labels(jnp.asarray(LABELS), 0.2, 4))
    np.testing.assert_allclose(focal_loss(LOGITS, soft, gamma), focal_by_hand(LOGITS, soft, gamma), rtol=2e-5)
    tokens, of_tokens = np.where(np.arange(50) % 5, LABELS, -100).reshape(5, 10), LOGITS.reshape(5, 10, 4)
    found = focal_loss(of_tokens, tokens, gamma, ignore_index=-100)
    expected = focal_by_hand(LOGITS, hard, gamma) * (np.arange(50) % 5 > 0)
    np.testing.assert_allclose(found.ravel(), expected, rtol=2e-5)


def test_focal_loss_without_focus_is_the_cross_entropy():
    np.testing.assert_allclose(focal_loss(LOGITS, LABELS, 0.0), cross_entropy(LOGITS, LABELS), rtol=1e-6)
    soft = smooth_labels(jnp.asarray(LABELS), 0.1, 4)
    both = (jax.grad(lambda z, f=f: f(z, soft).sum()) for f in (lambda z, y: focal_loss(z, y, 0.0), cross_entropy))
    np.testing.assert_allclose(*(gradient(jnp.asarray(LOGITS)) for gradient in both), atol=1e-6)


@pytest.mark.parametrize("gamma", [0.1, 0.5, 2.0])
@pytest.mark.parametrize("size", [30.0, 1e4])
def test_the_gradient_of_the_focal_loss_is_finite_where_a_probability_rounds_to_1(gamma, size):
    """There the power of 1 - q has no slope below an exponent of 1."""
    for label, steep in ((0, False), (1, True)):
        slope = jax.grad(lambda z, label=label: focal_loss(z, jnp.array([label]), gamma)[0])(jnp.array([[size, 0.0]]))
        assert np.isfinite(slope).all()
        np.testing.assert_allclose(slope[0, 1], -1.0 if steep else 0.0, atol=0.3)


def test_correct_takes_soft_targets():
    np.testing.assert_array_equal(correct(LOGITS, np.eye(4)[LABELS]), correct(LOGITS, LABELS))


def test_class_weights():
    """Of effective numbers: (1 - b^n_k) / (1 - b) with b = 9/10, scaled to a mean of 1 over the ten examples."""
    np.testing.assert_allclose(rj.class_weights([6, 3, 1]), [10 / 18, 10 / 9, 10 / 3], rtol=1e-6)
    raw = 0.1 / (1 - 0.9 ** np.array([6, 3, 1]))
    np.testing.assert_allclose(rj.class_weights([6, 3, 1], "effective"), raw * 10 / (raw @ [6, 3, 1]), rtol=1e-6)
    assert rj.class_weights([4, 0, 4]).tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match="counts must be numbers >= 0"):
        rj.class_weights([0, 0])
    with pytest.raises(InputError, match="did you mean 'balanced'"):
        rj.class_weights([1, 2], "balance")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cross_entropy(jnp.zeros(3), jnp.zeros(3)), r"must be logits .*\(3,\)"),
        (lambda: cross_entropy(jnp.zeros((3, 2)), jnp.zeros((2,), jnp.int32)), r"int32\[2\]"),
    ],
)
def test_errors(call, message):
    with pytest.raises(ValueError, match=message):
        call()
