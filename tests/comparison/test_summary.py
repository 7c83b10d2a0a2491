import math
from typing import NamedTuple

import numpy as np
import pytest

from regjax.catalog import METRICS
from regjax.comparison import summary
from regjax.comparison.summary import at_end, calibration_of, diagnose_all
from regjax.training.state import History, Weights

WEIGHTS = Weights({"logits": np.array([0.0, math.log(3)], np.float32)}, {})


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


class Ended(NamedTuple):
    """What a summary reads of the result of a run."""

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
    assert at_end(ended, "a", 9.0) == 2.0
    assert at_end(ended._replace(end_epoch=2), "a", 9.0) == 9.0  # it diverged
    assert at_end(run({"a": [1.0]}, epochs=0), "a", 9.0) == 9.0


def test_a_run_that_has_stopped_counts_on_in_the_curves():
    columns = ("train/data_loss", "val/loss", "train/accuracy", "val/accuracy")
    long, short = (
        run({name: np.array([1.0, 2.0, 3.0]) + shift for name in columns}, epochs)
        for shift, epochs in ((0.0, 3), (1.0, 1))
    )
    curves = summary._curves([long, short], "accuracy")
    assert (curves["epoch"], curves["runs"]) == ([0, 1, 2], [2, 1, 1])
    assert curves["val_loss"]["mean"] == [1.5, 2.0, 2.5]
    assert curves["val_loss"]["low"][0] < 1.0
    assert summary._curves([run({name: [np.nan] for name in columns}, epochs=0)], "accuracy")["epoch"] == []
    many = run({name: np.arange(1000.0) for name in columns})
    thinned = summary._curves([many], "accuracy", points=5)
    assert thinned["epoch"] == thinned["val_score"]["mean"] == [0, 250, 500, 749, 999]


def test_the_histogram_counts_zeros_apart():
    kernel = np.array([[0.0, 0.0, 1e-4, -2.0], [2.0, 1.0, np.nan, 0.0]], np.float32)
    ended = run({"a": [0.0]}, weights=Weights({"kernel": kernel, "bias": np.ones(4, np.float32)}, {}))
    found = summary._histogram([ended], bins=4)
    assert found["zero_fraction"] == pytest.approx(3 / 7)
    assert found["small_fraction"] == pytest.approx(1 / 7)
    assert found["counts"] == [1, 0, 1, 2]
    assert found["edges"] == pytest.approx([-2, -1, 0, 1, 2], abs=0.01)


def test_the_weights_of_a_diverged_run_have_a_histogram():
    """As numbers of float32, the width of their bins is infinite."""
    kernel = np.array([[3e38, -3e38, 1.0]], np.float32)
    found = summary._histogram([run({"a": [0.0]}, weights=Weights({"kernel": kernel}, {}))], bins=4)
    assert sum(found["counts"]) == 3


def test_no_interval_has_an_end_that_is_impossible():
    assert summary.spread_of([0.0, 0.001, 0.02], summary.LOSS_RANGE).ci95[0] == 0.0
    high = summary.spread_of([1.0, 1.0, 0.9], METRICS["accuracy"].limits)
    assert high.ci95[1] == 1.0
    assert high.mean == pytest.approx(29 / 30)
    assert summary.spread_of([-3.0, 0.2], METRICS["r2"].limits).ci95[0] < -3.0
    assert np.isnan(summary.spread_of([1.0], summary.LOSS_RANGE).ci95).all()


def test_runs_that_all_diverged_have_no_other_diagnosis():
    lost = run({"train/data_loss": [np.nan, np.nan], "val/loss": [np.nan, np.nan]})
    found = diagnose_all([lost, lost], 1.0, 2 * [100])
    assert (found["verdict"], found["verdicts"], found["median_onset"]) == ("diverged", {"diverged": 2}, None)


def turning(onset, level=0.5):
    """A run of 60 epochs whose validation loss turns around at this one."""
    epochs = np.arange(60)
    val = level + np.exp(-epochs / 2) + 0.02 * np.maximum(epochs - onset, 0)
    return run({"train/data_loss": 2.0 * np.exp(-epochs / 5), "val/loss": val})


def test_the_median_onset_is_an_epoch_of_those_that_are_shown():
    early, middle, late, never = (turning(onset) for onset in (10, 15, 20, 60))
    each = diagnose_all([early, middle, late, never], 2.3, 4 * [100])
    first, second, third, none = each["onset_epochs"]
    assert first < second < third
    assert none is None
    assert each["median_onset"] == second
    assert diagnose_all([early, late], 2.3, 2 * [100])["median_onset"] == first  # the lower one, not an epoch between
    assert diagnose_all([early, never], 2.3, 2 * [100])["median_onset"] == first
    assert diagnose_all([early, never, never], 2.3, 3 * [100])["median_onset"] is None  # fewer than half


def test_the_rise_is_that_of_the_runs_that_show_one():
    early, late, never = (turning(onset) for onset in (10, 20, 60))
    found = diagnose_all([early, never, late, never], 2.3, 4 * [100])
    large, first, small, second = found["generalization_losses"]
    assert first is second is None
    assert large > small > 10
    assert found["generalization_loss"] == small  # the lower one
    assert diagnose_all([never], 2.3, 1 * [100])["generalization_loss"] is None
    # It ends at 1.43, the mean of the last six epochs, and is 0.51 to 0.56 within three epochs of the lowest.
    assert 100 * (1.43 / 0.56 - 1) < large < 100 * (1.43 / 0.51 - 1)


def test_a_verdict_takes_more_than_half_of_the_runs():
    rising, flat = turning(10), turning(60)
    lost = run({"train/data_loss": [np.nan] * 60, "val/loss": [np.nan] * 60})
    assert diagnose_all([rising, rising, flat], 2.3, 3 * [100])["verdict"] == "overfit"
    tie = diagnose_all([rising, rising, flat, flat], 2.3, 4 * [100])
    assert (tie["verdict"], tie["verdicts"]) == ("undecided", {"correct_fit": 2, "overfit": 2})
    assert tie["evidence"]
    four = diagnose_all([rising, rising, flat, lost], 2.3, 4 * [100])
    assert four["verdict"] == "undecided"  # most frequent, not most
