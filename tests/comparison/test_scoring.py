import dataclasses
import math
from typing import NamedTuple

import numpy as np
import pytest

from regjax.comparison import scoring
from regjax.comparison.scoring import (
    Scorer,
    calibration_of,
    chance_of,
    diagnose_all,
)
from regjax.data import Preprocessor, Splits
from regjax.training.state import History, Weights

X = np.zeros((4, 2), np.float32)
SPLITS = Splits(X, np.array([0, 0, 0, 1]), X, np.zeros(4, int), X, np.zeros(4, int), X, np.array([0, 1, 1, 1]),
                "hand", "classification", "table", 2)  # fmt: skip
PLAIN = Preprocessor.for_splits(SPLITS)
WEIGHTS = Weights({"logits": np.array([0.0, math.log(3)], np.float32)}, {})


def constant(variables, x):
    """The same logits for each example."""
    return np.ones((len(x), 1), np.float32) * variables["params"]["logits"]


def test_a_classification_by_hand(monkeypatch):
    """The probabilities are 1/4 and 3/4; three of the four test examples are of class 1."""
    expected = -np.log([0.25, 0.75, 0.75, 0.75])
    for batch in (4096, 3):
        monkeypatch.setattr(scoring, "BATCH", batch)
        found = Scorer(constant, SPLITS, PLAIN, "test")(WEIGHTS, diverged=False)
        assert found.score == 0.75
        assert found.loss == pytest.approx(expected.mean())
        np.testing.assert_allclose(found.losses, expected, rtol=1e-6)
        np.testing.assert_array_equal(found.hits, [0, 1, 1, 1])
        np.testing.assert_allclose(found.outputs, [[0.25, 0.75]] * 4, rtol=1e-6)
        assert found.outputs.dtype == np.float32
    selected = Scorer(constant, SPLITS, PLAIN, "select")(WEIGHTS, diverged=False)
    assert (selected.score, selected.outputs.size) == (0.0, 0)


def test_chance_is_the_guess_of_the_training_part():
    chance = chance_of(SPLITS, PLAIN, SPLITS.y_test)
    assert chance.score == 0.25  # always class 0
    assert chance.loss == pytest.approx(-(0.25 * math.log(0.75) + 0.75 * math.log(0.25)))


@pytest.mark.parametrize(("logits", "diverged"), [([0.0, 0.0], True), ([np.nan, 0.0], False)])
def test_a_diverged_run_scores_as_the_constant_guess(logits, diverged):
    scorer = Scorer(constant, SPLITS, PLAIN, "test")
    found = scorer(Weights({"logits": np.array(logits, np.float32)}, {}), diverged)
    assert (found.score, found.loss) == scorer.chance
    np.testing.assert_array_equal(found.losses, [found.loss] * 4)
    np.testing.assert_array_equal(found.hits, [found.score] * 4)
    np.testing.assert_array_equal(found.outputs, [[0.75, 0.25]] * 4)
    assert found.outputs.dtype == np.float32


def test_a_regression_by_hand():
    y = np.array([0.0, 2.0, 4.0, 6.0], np.float32)
    splits = dataclasses.replace(SPLITS, task="regression", num_classes=0, y_train=y, y_test=y + 1)
    preprocessor = Preprocessor.for_splits(splits)
    scorer = Scorer(lambda v, x: v["params"]["w"] * np.ones(len(x), np.float32), splits, preprocessor, "test")
    targets = (splits.y_test - y.mean()) / y.std()
    found = scorer(Weights({"w": np.float32(0.5)}, {}), diverged=False)
    assert found.loss == pytest.approx(np.mean((targets - 0.5) ** 2), rel=1e-5)
    assert found.score == pytest.approx(1 - found.loss / targets.var(), rel=1e-5)
    assert found.hits.size == 0
    np.testing.assert_allclose(found.outputs, [y.mean() + 0.5 * y.std()] * 4, rtol=1e-6)
    assert scorer.chance.loss == pytest.approx(np.mean(targets**2), rel=1e-5)  # the mean of train is 0
    np.testing.assert_array_equal(scorer(Weights({"w": np.float32(0.5)}, {}), diverged=True).outputs, [y.mean()] * 4)


def test_predictions_of_several_targets():
    """In their own units, which differ: standardized predictions of 1 are a deviation above the mean."""
    y = np.array([[0.0, 10.0], [2.0, 30.0], [4.0, 20.0], [6.0, 0.0]], np.float32)
    splits = dataclasses.replace(SPLITS, task="regression", num_classes=0, y_train=y, y_test=y)
    preprocessor = Preprocessor.for_splits(splits)
    scorer = Scorer(lambda v, x: np.ones((len(x), 2), np.float32) * v["params"]["w"], splits, preprocessor, "test")
    weights = Weights({"w": np.float32(1.0)}, {})
    np.testing.assert_allclose(scorer(weights, False).outputs, [y.mean(axis=0) + y.std(axis=0)] * 4, rtol=1e-6)
    np.testing.assert_allclose(scorer(weights, True).outputs, [y.mean(axis=0)] * 4, rtol=1e-6)


def test_calibration_is_a_spread_over_runs_and_one_curve():
    """The first run is right as often as it says, the second never; together they are right in 3 of 8."""
    p = np.tile(np.float32([0.75, 0.25]), (2, 4, 1))
    y = np.array([[0, 0, 0, 1], [1, 1, 1, 1]])
    found = calibration_of(p, y)
    np.testing.assert_allclose(found.ece.values, [0.0, 0.75])
    assert found.ece.mean == pytest.approx(0.375)
    np.testing.assert_allclose(found.brier.values, [(3 * 0.125 + 1.125) / 4, 1.125])
    np.testing.assert_allclose(found.log_loss.values[1], -math.log(0.25))
    assert found.reliability == {"confidence": [0.75], "accuracy": [0.375], "counts": [8]}


def test_a_scorer_knows_one_part(table):
    """With the test part blanked out, everything about selection is the same, the constant guess included."""
    blank = dataclasses.replace(table, x_test=table.x_test[:0], y_test=table.y_test[:0])
    scorers = [Scorer(lambda v, x: x, part, Preprocessor.for_splits(part), "select") for part in (table, blank)]
    assert scorers[0].chance == scorers[1].chance


class Ended(NamedTuple):
    """What scoring reads of the result of a run."""

    history: History
    weights: Weights = WEIGHTS
    end_epoch: int = 0


def run(values, epochs=None, **fields):
    """A run with these columns, over the epochs that happened."""
    table = np.stack([np.asarray(column, np.float32) for column in values.values()], axis=1)
    valid = np.arange(len(table)) < (len(table) if epochs is None else epochs)
    return Ended(History(table, valid, tuple(values)), **fields)


def test_the_value_at_the_end_is_that_of_the_kept_weights():
    ended = run({"a": [3.0, 2.0, np.nan]}, end_epoch=1)
    assert scoring._at_end(ended, "a", 9.0) == 2.0
    assert scoring._at_end(ended._replace(end_epoch=2), "a", 9.0) == 9.0  # it diverged
    assert scoring._at_end(run({"a": [1.0]}, epochs=0), "a", 9.0) == 9.0


def test_a_run_that_has_stopped_counts_on_in_the_curves():
    columns = ("train/data_loss", "val/loss", "train/accuracy", "val/accuracy")
    long, short = (
        run({name: np.array([1.0, 2.0, 3.0]) + shift for name in columns}, epochs)
        for shift, epochs in ((0.0, 3), (1.0, 1))
    )
    curves = scoring._curves([long, short], "accuracy")
    assert (curves["epoch"], curves["runs"]) == ([0, 1, 2], [2, 1, 1])
    assert curves["val_loss"]["mean"] == [1.5, 2.0, 2.5]
    assert curves["val_loss"]["low"][0] < 1.0
    assert scoring._curves([run({name: [np.nan] for name in columns}, epochs=0)], "accuracy")["epoch"] == []
    many = run({name: np.arange(1000.0) for name in columns})
    thinned = scoring._curves([many], "accuracy", points=5)
    assert thinned["epoch"] == thinned["val_score"]["mean"] == [0, 250, 500, 749, 999]


def test_the_histogram_counts_zeros_apart():
    kernel = np.array([[0.0, 0.0, 1e-4, -2.0], [2.0, 1.0, np.nan, 0.0]], np.float32)
    ended = run({"a": [0.0]}, weights=Weights({"kernel": kernel, "bias": np.ones(4, np.float32)}, {}))
    found = scoring._histogram([ended], bins=4)
    assert found["zero_fraction"] == pytest.approx(3 / 7)
    assert found["small_fraction"] == pytest.approx(1 / 7)
    assert found["counts"] == [1, 0, 1, 2]
    assert found["edges"] == pytest.approx([-2, -1, 0, 1, 2], abs=0.01)


def test_no_interval_has_an_end_that_is_impossible():
    assert scoring.spread_of([0.0, 0.001, 0.02], scoring.LOSS_RANGE).ci95[0] == 0.0
    high = scoring.spread_of([1.0, 1.0, 0.9], scoring.SCORE_RANGE["classification"])
    assert high.ci95[1] == 1.0
    assert high.mean == pytest.approx(29 / 30)
    assert scoring.spread_of([-3.0, 0.2], scoring.SCORE_RANGE["regression"]).ci95[0] < -3.0
    assert np.isnan(scoring.spread_of([1.0], scoring.LOSS_RANGE).ci95).all()


def test_runs_that_all_diverged_have_no_other_diagnosis():
    lost = run({"train/data_loss": [np.nan, np.nan], "val/loss": [np.nan, np.nan]})
    found = diagnose_all([lost, lost], 1.0, 100)
    assert (found["verdict"], found["verdicts"], found["median_onset"]) == ("diverged", {"diverged": 2}, None)


def turning(onset, level=0.5):
    """A run of 60 epochs whose validation loss turns around at this one."""
    epochs = np.arange(60)
    val = level + np.exp(-epochs / 2) + 0.02 * np.maximum(epochs - onset, 0)
    return run({"train/data_loss": 2.0 * np.exp(-epochs / 5), "val/loss": val})


def test_the_median_onset_is_an_epoch_of_those_that_are_shown():
    early, middle, late, never = (turning(onset) for onset in (10, 15, 20, 60))
    each = diagnose_all([early, middle, late, never], 2.3, 100)
    first, second, third, none = each["onset_epochs"]
    assert first < second < third
    assert none is None
    assert each["median_onset"] == second
    assert diagnose_all([early, late], 2.3, 100)["median_onset"] == first  # the lower one, not an epoch between
    assert diagnose_all([early, never], 2.3, 100)["median_onset"] == first
    assert diagnose_all([early, never, never], 2.3, 100)["median_onset"] is None  # fewer than half


def test_a_verdict_takes_more_than_half_of_the_runs():
    rising, flat = turning(10), turning(60)
    lost = run({"train/data_loss": [np.nan] * 60, "val/loss": [np.nan] * 60})
    assert diagnose_all([rising, rising, flat], 2.3, 100)["verdict"] == "overfit"
    tie = diagnose_all([rising, rising, flat, flat], 2.3, 100)
    assert (tie["verdict"], tie["verdicts"]) == ("undecided", {"correct_fit": 2, "overfit": 2})
    assert tie["evidence"]
    assert diagnose_all([rising, rising, flat, lost], 2.3, 100)["verdict"] == "undecided"  # most frequent, not most
