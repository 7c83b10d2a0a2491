"""A comparison that chooses and tests by any metric, against scikit-learn."""

import numpy as np
import pytest
from sklearn import metrics as oracle

from regjax.catalog import METRICS
from regjax.comparison.procedure import compare
from regjax.core.errors import InputError
from regjax.data import Dataset, nested_order, split
from regjax.training.evaluate import predict

SEEDS, EXAMPLES = range(2, 4), 60  # those of the runs that are tested: 0 and 1 chose


def data(task):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(240, 4)).astype(np.float32)
    signal = x[:, 0] + x[:, 1] + rng.normal(size=240)
    y = (signal > 0.8).astype(np.int32) if task == "classification" else (50 + 20 * signal).astype(np.float32)
    return split(Dataset("signal", task, x, y))


def by_scikit_learn(metric, outputs, y):
    if METRICS[metric].task == "regression":
        of = {
            "d2": oracle.r2_score,
            "r2": oracle.r2_score,
            "mae": oracle.mean_absolute_error,
            "rmse": oracle.root_mean_squared_error,
        }
        return of[metric](y, outputs)
    if metric in ("accuracy", "balanced_accuracy", "f1"):
        return getattr(oracle, f"{metric}_score")(y, outputs.argmax(axis=1))
    if metric == "brier":
        return 2 * oracle.brier_score_loss(y, outputs[:, 1])
    return oracle.log_loss(y, outputs) if metric == "log_loss" else getattr(oracle, f"{metric}_score")(y, outputs[:, 1])


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.slow
def test_a_comparison_goes_by_its_metric(metric):
    record, splits = METRICS[metric], data(METRICS[metric].task)
    given = splits.y_train.astype(np.float64)
    result = compare("linear", splits, {"l2": [0.001, 3.0]}, metric=metric, seeds=2, epochs=8, train_examples=EXAMPLES,
                     learning_rate=0.03)  # fmt: skip
    row, found = result.techniques["l2"], result.predictions
    assert result.metric == metric
    for one in (result.baseline, row):
        expected = [by_scikit_learn(metric, *run) for run in zip(found.outputs[one.name], found.y, strict=True)]
        np.testing.assert_allclose(one.test.values, expected, rtol=1e-5)
        assert result.metrics[one.name][metric] == pytest.approx(np.mean(expected), rel=1e-5)
        assert one.test.ci95[0] <= one.test.mean <= one.test.ci95[1]
    sign = 1 if record.higher else -1
    change = sign * (row.test.mean - result.baseline.test.mean)
    assert row.improvement.mean == pytest.approx(change, abs=1e-6)
    select = [sign * point.select_score.mean for point in row.grid]
    assert row.chosen["value"] == row.grid[int(np.argmax(select))].value
    assert row.chosen["select_score"] == pytest.approx(sign * max(select))
    assert record.title in str(result)
    rows = nested_order(splits.y_train, SEEDS, splits.task, size=EXAMPLES)
    for i in range(len(SEEDS)):
        weights, own = result.trained.weights["l2"][i], result.trained.preprocessors["l2"][i]
        outputs = np.asarray(
            predict(result.trained.apply, *weights, own.transform(splits.x_train[rows[i]]), task=splits.task)
        )
        if splits.task == "regression":
            outputs = own.target_inverse(outputs)
        else:
            outputs = np.exp(outputs - outputs.max(axis=1, keepdims=True))
            outputs /= outputs.sum(axis=1, keepdims=True)
        truth = given[rows[i]] if splits.task == "regression" else splits.y_train[rows[i]]
        assert row.train.values[i] == pytest.approx(by_scikit_learn(metric, outputs, truth), rel=1e-3)
    gaps = sign * (np.array(row.train.values) - row.test.values)
    np.testing.assert_allclose(row.generalization_gap.values, gaps, atol=1e-6)


@pytest.mark.slow
def test_a_smallest_change_is_in_points_or_relative():
    of = {
        metric: compare("linear", data(METRICS[metric].task), ["l2"], metric=metric, seeds=2, epochs=1, practical=5.0)
        for metric in ("roc_auc", "rmse")
    }
    assert of["roc_auc"].techniques["l2"].improvement.practical == pytest.approx(0.05)
    expected = 0.05 * of["rmse"].baseline.test.mean
    assert of["rmse"].techniques["l2"].improvement.practical == pytest.approx(expected)


def test_a_metric_of_the_other_task_is_refused():
    with pytest.raises(InputError, match="metric 'rmse': signal is a classification set; accepted: accuracy"):
        compare("linear", data("classification"), ["l2"], metric="rmse", seeds=2)
    with pytest.raises(InputError, match="did you mean 'roc_auc'"):
        compare("linear", data("classification"), ["l2"], metric="rocauc", seeds=2)


def test_a_part_of_one_class_is_refused_where_the_metric_needs_two():
    splits = data("classification")
    one = splits.__class__(**{**vars(splits), "y_test": np.zeros_like(splits.y_test)})
    with pytest.raises(InputError, match="all 48 test examples of signal are of one class"):
        compare("linear", one, ["l2"], metric="roc_auc", seeds=2)
