import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as oracle

from regjax.comparison.metrics import CONSTANT, LINEAR, RARE, metrics_of, reference_notes


def predictions(seed, classes, n=40):
    rng = np.random.default_rng(seed)
    probability = rng.dirichlet(np.ones(classes), n)
    return probability, np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])


@given(st.integers(0, 1000))
def test_two_classes_are_those_of_scikit_learn(seed):
    probability, y = predictions(seed, 2)
    best = probability.argmax(axis=1)
    found = metrics_of("classification", probability, y)
    assert found == pytest.approx(
        {
            "accuracy": oracle.accuracy_score(y, best),
            "balanced_accuracy": oracle.balanced_accuracy_score(y, best),
            "roc_auc": oracle.roc_auc_score(y, probability[:, 1]),
            "average_precision": oracle.average_precision_score(y, probability[:, 1]),
            "f1": oracle.f1_score(y, best),
            "log_loss": oracle.log_loss(y, probability),
            "brier": 2 * oracle.brier_score_loss(y, probability[:, 1]),
        }
    )


@given(st.integers(0, 1000), st.integers(3, 6))
def test_more_classes_are_those_of_scikit_learn(seed, classes):
    probability, y = predictions(seed, classes)
    best, truth = probability.argmax(axis=1), np.eye(classes)[y]
    found = metrics_of("classification", probability, y)
    assert found["balanced_accuracy"] == pytest.approx(oracle.balanced_accuracy_score(y, best))
    assert found["roc_auc"] == pytest.approx(oracle.roc_auc_score(y, probability, multi_class="ovr"))
    assert found["average_precision"] == pytest.approx(oracle.average_precision_score(truth, probability))
    assert found["f1"] == pytest.approx(oracle.f1_score(y, best, average="macro"))
    assert found["log_loss"] == pytest.approx(oracle.log_loss(y, probability))


@given(st.integers(0, 1000), st.sampled_from([(), (1,), (3,)]))
def test_numbers_are_those_of_scikit_learn(seed, shape):
    rng = np.random.default_rng(seed)
    y, predicted = rng.normal(size=(20, *shape)), rng.normal(size=(20, *shape))
    found = metrics_of("regression", predicted, y)
    assert found == pytest.approx(
        {
            "r2": oracle.r2_score(y, predicted),
            "mae": oracle.mean_absolute_error(y, predicted),
            "rmse": oracle.root_mean_squared_error(y, predicted),
        }
    )


def test_what_is_not_defined_is_nan():
    found = metrics_of("classification", np.array([[0.5, 0.5], [0.1, 0.9]]), np.array([1, 1]))
    assert found["balanced_accuracy"] == found["accuracy"] == 0.5
    assert np.isnan(found["roc_auc"])
    assert np.isnan(metrics_of("regression", np.array([1.0]), np.array([2.0]))["r2"])


def test_a_rare_class_is_noticed():
    def notes(accuracy):
        references = {CONSTANT: {"accuracy": accuracy}, LINEAR: {"accuracy": 0.97}}
        rows = {"baseline": {"balanced_accuracy": 0.5, "average_precision": 0.25}}
        return reference_notes("classification", "accuracy", {"baseline": "baseline"}, rows, references)

    assert len(notes(1 - RARE)) == 1
    assert "constant guess 90, linear model 97" in notes(0.9)[0]
    assert "95% accuracy. Balanced accuracy in %: baseline 50. Average precision in %: baseline 25." in notes(0.95)[1]
    assert reference_notes("regression", "r2", {}, {}, {}) == []
