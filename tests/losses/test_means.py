import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import r2_score

import regjax as rj
from regjax.losses import cross_entropy, squared_error, weighted_mean

RNG = np.random.default_rng(0)
LOGITS = RNG.normal(size=(50, 4)).astype(np.float32)
LABELS = RNG.integers(0, 4, 50).astype(np.int32)


def test_weighted_mean():
    values = jnp.array([1.0, 3.0, 100.0])
    assert weighted_mean(values, jnp.array([1.0, 1.0, 0.0])) == 2.0
    assert weighted_mean(values, jnp.zeros(3)) == 0.0


def classify(variables, x):
    return x


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_weights_count_by_their_share_whatever_they_add_up_to(task, scale):
    weight = RNG.uniform(size=50).astype(np.float32)
    y = LABELS if task == "classification" else RNG.normal(size=(50, 4)).astype(np.float32)
    found = rj.evaluate(classify, {}, None, LOGITS, y, scale * weight, task=task)
    loss = cross_entropy(LOGITS, y) if task == "classification" else squared_error(LOGITS, y)
    np.testing.assert_allclose(found["loss"], np.average(loss, weights=weight), rtol=1e-5)
    np.testing.assert_allclose(weighted_mean(loss, scale * weight), np.average(loss, weights=weight), rtol=1e-5)
    if task == "regression":
        expected = r2_score(y, LOGITS, sample_weight=weight)
        np.testing.assert_allclose(found["r2"], expected, rtol=1e-4)
    none = rj.evaluate(classify, {}, None, LOGITS, y, np.zeros(50), task=task)
    assert none["loss"] == 0.0


@pytest.mark.parametrize(
    "call",
    [lambda w: weighted_mean(np.ones(50), w), lambda w: rj.evaluate(classify, {}, None, LOGITS, LABELS, w)],
    ids=["weighted_mean", "evaluate"],
)
@pytest.mark.parametrize("bad", [-0.5, np.nan])
def test_a_weight_that_is_no_weight_is_refused(call, bad):
    with pytest.raises(ValueError, match=str(bad)):
        call(np.where(np.arange(50) == 7, bad, 1.0))


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.int8, bool])
def test_weights_of_few_bits_are_added_up_in_float32(dtype):
    """In 16 bits 2^17 ones are infinite, or 256 and one more are 256."""
    values = jnp.where(jnp.arange(2**17) % 2 == 0, 1.0, 3.0)
    assert float(weighted_mean(values, jnp.ones(2**17, dtype))) == 2.0
    found = weighted_mean(jnp.arange(1001.0), jnp.ones(1001, dtype))
    assert found.dtype == jnp.float32
    assert float(found) == 500.0


@pytest.mark.parametrize("weight", [None, 1.0])
def test_values_of_few_bits_are_added_up_in_float32(weight):
    values = jnp.where(jnp.arange(1001) < 1000, 1.0, 0.0).astype(jnp.bfloat16)
    weight = None if weight is None else jnp.ones(1001)
    np.testing.assert_allclose(weighted_mean(values, weight), 1000 / 1001, rtol=1e-6)
