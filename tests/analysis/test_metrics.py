import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from regjax.analysis.calibration import log_loss
from regjax.analysis.metrics import contributions, metrics_of, reaches
from regjax.catalog import METRICS
from regjax.core.errors import InputError


def predictions(seed, classes, n=40):
    rng = np.random.default_rng(seed)
    probability = rng.dirichlet(np.ones(classes), n)
    return probability, np.concatenate([np.arange(classes), rng.integers(0, classes, n - classes)])


@given(st.integers(0, 1000))
@pytest.mark.slow
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
@pytest.mark.slow
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


def weighted(metric, outputs, y, weight):
    """The metric by scikit-learn, with a weight for each example."""
    if METRICS[metric].task == "regression":
        of = {"r2": oracle.r2_score, "mae": oracle.mean_absolute_error, "rmse": oracle.root_mean_squared_error}[metric]
        return of(y, outputs, sample_weight=weight)
    best = outputs.argmax(axis=1)
    if metric == "balanced_accuracy":
        return oracle.balanced_accuracy_score(y, best, sample_weight=weight)
    of = {"roc_auc": oracle.roc_auc_score, "average_precision": oracle.average_precision_score}.get(metric)
    if of is None:
        return oracle.f1_score(y, best, sample_weight=weight)
    return of(y, outputs[:, 1], sample_weight=weight)


@settings(max_examples=10)
@pytest.mark.parametrize("metric", ["balanced_accuracy", "roc_auc", "average_precision", "f1", "mae", "rmse"])
@given(st.integers(0, 1000), st.booleans())
def test_a_contribution_is_the_metric_and_its_derivative_by_the_weight_of_the_example(metric, seed, ties):
    if METRICS[metric].task == "regression":
        rng = np.random.default_rng(seed)
        y, outputs = rng.normal(size=15), rng.normal(size=15)
    else:
        outputs, y = predictions(seed, 2, n=15)
        outputs = outputs.round(1) if ties else outputs
    found, step = contributions(metric, outputs, y), 1e-6
    derivative = [
        (weighted(metric, outputs, y, 1 + step * one) - weighted(metric, outputs, y, 1 - step * one)) / (2 * step)
        for one in np.eye(15)
    ]
    np.testing.assert_allclose(found, weighted(metric, outputs, y, np.ones(15)) + 15 * np.array(derivative), atol=1e-5)


def test_an_unknown_metric_is_refused():
    with pytest.raises(InputError, match="roc_auc"):
        contributions("auc", np.ones((2, 2)), np.array([0, 1]))


def test_log_loss_is_that_of_the_calibration():
    """Of probabilities that float32 rounds to 0, too."""
    p = np.array([[1e-30, 1.0], [0.0, 1.0], [0.7, 0.3]])
    y = np.array([0, 0, 1])
    assert metrics_of("classification", p, y)["log_loss"] == pytest.approx(log_loss(p, y))


def test_reaches_by_hand():
    p = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.8, 0.2]])
    y = np.array([0, 1, 0, 1])
    assert reaches("accuracy", p, y).tolist() == [1.0] * 4
    np.testing.assert_allclose(reaches("balanced_accuracy", p, np.array([0, 1, 0, 0])), 4 / 2 / np.array([3, 1, 3, 3]))
    np.testing.assert_allclose(reaches("roc_auc", p, np.array([0, 1, 0, 0])), 4 / 2 / np.array([3, 1, 3, 3]))
    assert reaches("average_precision", p, y).tolist() == [0.0, 2.0, 0.0, 2.0]
    # One of two found and no false one: F1 = 2 / 3, and 1 guessed + 2 true.
    np.testing.assert_allclose(reaches("f1", p, y), 4 * np.array([2 / 3, 4 / 3, 2 / 3, 4 / 3]) / 3)
    for name in ("log_loss", "brier"):
        assert not reaches(name, p, y).any()
    assert not reaches("mae", np.ones(3), np.zeros(3)).any()
    assert not reaches("roc_auc", p, np.zeros(4, int)).any()  # not defined


@pytest.mark.parametrize("metric", ["balanced_accuracy", "f1"])
@pytest.mark.parametrize("classes", [2, 4])
def test_an_answer_moves_the_metric_at_most_by_its_reach(metric, classes):
    """Every change of one answer, among 300 examples: linear up to 1 / 300 of the reach times a constant."""
    rng = np.random.default_rng(classes)
    y = rng.permutation(np.repeat(np.arange(classes), 300 // classes))
    outputs = np.eye(classes)[np.where(rng.random(300) < 0.7, y, rng.integers(0, classes, 300))]
    reach, before = reaches(metric, outputs, y), contributions(metric, outputs, y).mean()
    largest = np.zeros(classes)
    for example in range(300):
        for guess in range(classes):
            changed = outputs.copy()
            changed[example] = np.eye(classes)[guess]
            moved = abs(contributions(metric, changed, y).mean() - before)
            assert moved <= 1.02 * reach[example] / 300
            largest[y[example]] = max(largest[y[example]], moved * 300 / reach[example])
    assert largest[-1] > 0.7  # it is no bound out of sight


def test_an_unknown_metric_has_no_reach():
    with pytest.raises(InputError, match="roc_auc"):
        reaches("auc", np.ones((2, 2)), np.array([0, 1]))


@given(st.integers(0, 1000))
@pytest.mark.slow
def test_several_labels_are_those_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    q = rng.uniform(size=(40, 3))
    y = np.concatenate([[[0, 1, 0], [1, 0, 1]], rng.integers(0, 2, (38, 3))]).astype(np.float32)
    guess = q > 0.5
    each = range(3)
    found = metrics_of("multilabel", q, y)
    assert found == pytest.approx(
        {
            "accuracy": np.mean(guess == y),
            "balanced_accuracy": np.mean([oracle.balanced_accuracy_score(y[:, k], guess[:, k]) for k in each]),
            "roc_auc": oracle.roc_auc_score(y, q, average="macro"),
            "average_precision": oracle.average_precision_score(y, q, average="macro"),
            "f1": oracle.f1_score(y, guess, average="macro"),
            "log_loss": np.mean([oracle.log_loss(y[:, k], q[:, k]) for k in each]),
        }
    )
    for metric in found:
        assert np.mean(contributions(metric, q, y)) == pytest.approx(found[metric])
        assert reaches(metric, q, y).shape == (40,)
    np.testing.assert_array_equal(reaches("accuracy", q, y), 1)
    np.testing.assert_array_equal(reaches("log_loss", q, y), 0)


def test_a_label_without_examples_is_left_out_of_the_means_that_need_both():
    rng = np.random.default_rng(0)
    q, y = rng.uniform(size=(30, 3)), rng.integers(0, 2, (30, 3)).astype(np.float32)
    y[:, 2] = 0
    for metric in ("roc_auc", "average_precision", "f1"):
        assert metrics_of("multilabel", q, y)[metric] == pytest.approx(
            metrics_of("multilabel", q[:, :2], y[:, :2])[metric]
        )
    assert metrics_of("multilabel", q, y)["accuracy"] == pytest.approx(np.mean((q > 0.5) == y))
    assert np.isnan(metrics_of("multilabel", q, 0 * y)["roc_auc"])
