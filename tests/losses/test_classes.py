import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import log_loss

import regjax as rj
from regjax.core.errors import InputError
from regjax.losses import correct, cross_entropy

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(50, 4)).astype(np.float32)
LABELS = RNG.integers(0, 4, 50).astype(np.int32)


def test_cross_entropy_equals_sklearn():
    probabilities = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(np.mean(cross_entropy(LOGITS, LABELS)), log_loss(LABELS, probabilities), rtol=1e-6)
    soft = np.eye(4, dtype=np.float32)[LABELS]
    np.testing.assert_allclose(cross_entropy(LOGITS, soft), cross_entropy(LOGITS, LABELS), rtol=1e-6)


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
