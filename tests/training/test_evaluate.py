"""Metrics over whole sets, against scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    log_loss,
    mean_absolute_error,
    mean_pinball_loss,
    mean_poisson_deviance,
    mean_squared_error,
    r2_score,
)

import regjax as rj
from regjax.training.evaluate import evaluate_parts

RNG = np.random.default_rng(0)
X = RNG.normal(size=(37, 4)).astype(np.float32)
LOGITS = RNG.normal(size=(4, 3)).astype(np.float32)
CLASSES = RNG.integers(0, 3, 37)
NUMBERS = (X[:, 0] - 2 * X[:, 1] + RNG.normal(size=37)).astype(np.float32)
WEIGHTS = RNG.uniform(0, 2, 37).astype(np.float32)


def classify(variables, x):
    return x @ variables["params"]


def regress(variables, x):
    return x @ variables["params"][:, 0]


def itself(variables, x):
    return x


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("batch_size", [5, 37, 2048])
def test_classification_as_by_scikit_learn(weight, batch_size):
    found = rj.evaluate(classify, LOGITS, None, X, CLASSES, weight, batch_size=batch_size)
    shares = np.asarray(jax.nn.softmax(X @ LOGITS), np.float64)
    shares /= shares.sum(axis=1, keepdims=True)
    assert float(found["loss"]) == pytest.approx(log_loss(CLASSES, shares, sample_weight=weight), rel=1e-5)
    assert float(found["accuracy"]) == pytest.approx(
        accuracy_score(CLASSES, shares.argmax(axis=1), sample_weight=weight), rel=1e-6
    )


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("batch_size", [5, 37, 2048])
def test_regression_as_by_scikit_learn(weight, batch_size):
    found = rj.evaluate(regress, LOGITS, None, X, NUMBERS, weight, task="regression", batch_size=batch_size)
    guess = X @ LOGITS[:, 0]
    assert float(found["mse"]) == pytest.approx(mean_squared_error(NUMBERS, guess, sample_weight=weight), rel=1e-5)
    assert float(found["r2"]) == pytest.approx(r2_score(NUMBERS, guess, sample_weight=weight), rel=1e-4)


@pytest.mark.slow
def test_groups_are_measured_in_one_pass():
    groups = np.stack([np.arange(37) < 10, np.arange(37) >= 10]).astype(np.float32)
    both = rj.evaluate(classify, LOGITS, None, X, CLASSES, groups, batch_size=8)
    for i, part in enumerate((slice(0, 10), slice(10, None))):
        alone = rj.evaluate(classify, LOGITS, None, X[part], CLASSES[part])
        np.testing.assert_allclose(both["loss"][i], alone["loss"], rtol=1e-5)
        np.testing.assert_allclose(both["accuracy"][i], alone["accuracy"], rtol=1e-6)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_parts_give_the_metrics_of_the_whole(task):
    apply_fn, y = (classify, CLASSES) if task == "classification" else (regress, NUMBERS)
    whole = rj.evaluate(apply_fn, LOGITS, None, X, y, task=task)
    parts = evaluate_parts(apply_fn, LOGITS, None, [(X[:9], y[:9]), (X[9:], y[9:])], task=task)
    assert parts == pytest.approx({name: float(value) for name, value in whole.items()}, rel=1e-5)


def test_an_ensemble_is_the_mean_of_its_predictions():
    members = jnp.stack([LOGITS, -LOGITS])
    ensemble = rj.Ensemble(members, jnp.int32(2))
    found = rj.evaluate(classify, ensemble, None, X, CLASSES)
    shares = np.mean([jax.nn.softmax(X @ m) for m in members], axis=0, dtype=np.float64)
    assert float(found["loss"]) == pytest.approx(-np.mean(np.log(shares[np.arange(37), CLASSES])), rel=1e-4)


def test_parts_of_several_targets_give_the_metrics_of_the_whole():
    y = RNG.normal(size=(50, 2)).astype(np.float32)
    x = (y + RNG.normal(size=(50, 2))).astype(np.float32)
    cuts = (slice(0, 20), slice(20, 27), slice(27, 50))
    found = evaluate_parts(itself, {}, None, ((x[cut], y[cut]) for cut in cuts), task="regression")
    whole = rj.evaluate(itself, {}, None, jnp.asarray(x), jnp.asarray(y), task="regression")
    assert found == pytest.approx({name: float(value) for name, value in whole.items()}, rel=1e-5)


def test_r2_survives_targets_far_from_zero():
    y = (1000.0 + RNG.normal(size=50)).astype(np.float32)
    x = (y + 0.1 * RNG.normal(size=50)).astype(np.float32)
    found = rj.evaluate(itself, {}, None, jnp.asarray(x), jnp.asarray(y), task="regression")
    np.testing.assert_allclose(found["r2"], r2_score(y.astype(np.float64), x), atol=1e-3)


@pytest.mark.parametrize("batch_size", [5, 2048])
def test_another_loss_leaves_the_metrics_as_they_are(batch_size):
    found = rj.evaluate(
        regress, LOGITS, None, X, NUMBERS, WEIGHTS, task="regression", loss="mae", batch_size=batch_size
    )
    plain = rj.evaluate(regress, LOGITS, None, X, NUMBERS, WEIGHTS, task="regression", batch_size=batch_size)
    expected = mean_absolute_error(NUMBERS, X @ LOGITS[:, 0], sample_weight=WEIGHTS)
    assert float(found["loss"]) == pytest.approx(expected, rel=1e-5)
    assert float(found["mse"]) == pytest.approx(float(plain["mse"]), rel=1e-6)
    assert float(found["r2"]) == pytest.approx(float(plain["r2"]), rel=1e-5)


def test_counts_are_compared_on_their_own_scale():
    counts = RNG.poisson(2.0, 37).astype(np.float32)
    found = rj.evaluate(regress, 0.2 * LOGITS, None, X, counts, task="regression", loss="poisson")
    rates = np.exp(0.2 * X @ LOGITS[:, 0])
    assert float(found["loss"]) == pytest.approx(mean_poisson_deviance(counts, rates), rel=1e-5)
    assert float(found["mse"]) == pytest.approx(mean_squared_error(counts, rates), rel=1e-5)
    assert float(found["r2"]) == pytest.approx(r2_score(counts, rates), rel=1e-4)


def test_the_parameter_of_a_loss_reaches_it():
    found = rj.evaluate(
        regress, LOGITS, None, X, NUMBERS, task="regression", loss="quantile", loss_parameter=0.8, batch_size=5
    )
    assert float(found["loss"]) == pytest.approx(mean_pinball_loss(NUMBERS, X @ LOGITS[:, 0], alpha=0.8), rel=1e-5)


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("batch_size", [5, 2048])
def test_r2_of_several_targets_is_the_mean_of_theirs(weight, batch_size):
    """Also where their variances differ, which a ratio of means would weigh by."""
    y = (X @ LOGITS + RNG.normal(size=(37, 3))).astype(np.float32) * np.float32([1, 10, 100])
    options = {"task": "regression", "batch_size": batch_size}
    found = rj.evaluate(classify, LOGITS, None, X, y, weight, **options)
    assert set(found) == {"loss", "mse", "r2"}
    guess = X @ LOGITS
    assert float(found["r2"]) == pytest.approx(r2_score(y, guess, sample_weight=weight), rel=1e-4)
    assert float(found["mse"]) == pytest.approx(mean_squared_error(y, guess, sample_weight=weight), rel=1e-5)
    groups = np.stack([WEIGHTS, np.ones(37, np.float32)])
    both = rj.evaluate(classify, LOGITS, None, X, y, groups, **options)
    for g in range(2):
        assert float(both["r2"][g]) == pytest.approx(r2_score(y, guess, sample_weight=groups[g]), rel=1e-4)
    parts = [(X[:20], y[:20]), (X[20:], y[20:])]
    assert evaluate_parts(classify, LOGITS, None, parts, task="regression")["r2"] == pytest.approx(
        r2_score(y, guess), rel=1e-4
    )


@pytest.mark.parametrize("batch_size", [5, 2048])
def test_several_labels_as_by_scikit_learn(batch_size):
    y = RNG.integers(0, 2, (37, 3)).astype(np.float32)
    found = rj.evaluate(classify, LOGITS, None, X, y, WEIGHTS, task="multilabel", batch_size=batch_size)
    q = 1 / (1 + np.exp(-(X @ LOGITS).astype(np.float64)))
    each = [log_loss(y[:, k], q[:, k], sample_weight=WEIGHTS) for k in range(3)]
    assert set(found) == {"loss", "accuracy"}
    assert float(found["loss"]) == pytest.approx(np.mean(each), rel=1e-5)
    right = np.mean((q > 0.5) == y, axis=1)
    assert float(found["accuracy"]) == pytest.approx(np.average(right, weights=WEIGHTS), rel=1e-5)
    parts = [(X[:20], y[:20]), (X[20:], y[20:])]
    assert evaluate_parts(classify, LOGITS, None, parts, task="multilabel")["accuracy"] == pytest.approx(right.mean())
    with pytest.raises(ValueError, match="one shape"):
        rj.evaluate(classify, LOGITS, None, X, y[:, :2], task="multilabel")
