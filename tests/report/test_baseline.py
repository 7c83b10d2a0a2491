import pytest

from regjax.report.baseline import baseline_clause, counted, median_onset, onset_clause, picture
from regjax.report.words import Measure

OVERFIT = {"verdict": "overfit", "median_onset": 21, "onset_epochs": [11, None, 40, 21], "verdicts": {"overfit": 4}}


def test_the_onset_is_an_epoch_of_those_that_show_one():
    text = onset_clause(OVERFIT, "loss")
    assert all(part in text for part in ("3 of 4 runs", "epoch 21", "median", "11 to 40"))
    assert "4 runs" not in onset_clause({**OVERFIT, "onset_epochs": [11, 21, 40]}, "loss")
    one = onset_clause({**OVERFIT, "onset_epochs": [21]}, "MSE")
    assert "epoch 21" in one
    assert "median" not in one


def lead(**diagnosis):
    return baseline_clause({"metric": "accuracy", "diagnosis": OVERFIT | diagnosis})


def test_the_size_of_a_rise_is_that_of_the_runs_that_show_one():
    sizes = {"generalization_loss": 22.4, "generalization_losses": [12.3, None, 60.0, 22.4]}
    assert lead(**sizes).endswith("22% above its lowest (median; range 12 to 60%)")
    assert lead(**sizes | {"generalization_losses": [22.4, None, None, 22.1]}).endswith("22% above its lowest (median)")
    assert lead(onset_epochs=[21], generalization_loss=22.4, generalization_losses=[22.4]).endswith(
        "22% above its lowest"
    )
    # Of an older file, in which it is the mean over all runs.
    assert "%" not in lead(generalization_loss=22.4)
    assert "1e+33%" in lead(generalization_loss=1e33, generalization_losses=[1e33])


def test_a_gap_has_its_size_and_unit():
    gap = {"median_onset": None, "metric_gap": 0.146, "generalization_gap": 0.57}
    assert "14.6 points above validation accuracy, mean of 4 runs" in lead(**gap)
    assert "0.570 above training loss" in lead(**gap | {"metric_gap": None})
    assert "mean of" not in lead(**gap | {"onset_epochs": [None]})
    several = lead(**gap | {"verdicts": {"overfit": 3, "underfit": 1}})
    assert "underfits in 1; training accuracy is 14.6 points above" in several  # one pair of brackets
    regression = {"metric": "rmse", "task": "regression", "diagnosis": OVERFIT | gap}
    assert "training R² is 0.146 above validation R²" in baseline_clause(regression)
    assert "above" not in lead(median_onset=None)


@pytest.mark.parametrize("change", [{"median_onset": None}, {"verdict": "correct_fit"}, {"verdict": "undecided"}])
def test_no_epoch_is_named_for_few_runs_or_another_verdict(change):
    diagnosis = OVERFIT | change
    assert median_onset(diagnosis) is None
    assert onset_clause(diagnosis, "loss") == ""
    assert "epoch" not in baseline_clause({"metric": "accuracy", "diagnosis": diagnosis})


def test_the_verdicts_of_runs_are_counted_where_they_differ():
    tie = {"overfit": 4, "correct_fit": 4, "undecided": 2}
    text = baseline_clause({"metric": "accuracy", "diagnosis": {"verdict": "undecided", "verdicts": tie}})
    assert all(part in text for part in ("overfits in 4 of 10 runs", "in 4 and", "in 2"))
    assert counted({"verdicts": {"overfit": 10}}) == counted({}) == ""


@pytest.mark.parametrize("verdict", ["overfit", "correct_fit", "underfit", "undecided", "diverged", None])
def test_a_baseline_with_regularizers_is_not_called_unregularized(verdict):
    results = {"diagnosis": {"verdict": verdict}, "settings": {"always": ["dropout 0.5", "l2(0.01)"]}}
    for text in (baseline_clause(results), picture(results, Measure.of(results), "one run")["caption"]):
        assert "without regularization" not in text.lower()
        assert "unregularized" not in text
    assert verdict is None or "dropout 0.5 and l2(0.01) in every run" in baseline_clause(results).replace(
        "With", "with"
    )
    assert "unregularized" in picture({}, Measure.of({}), "one run")["caption"]


def test_underfit_has_its_size():
    diagnosis = {"verdict": "underfit", "training_loss_share": 0.873}
    results = {"metric": "accuracy", "task": "classification", "diagnosis": diagnosis}
    assert "its training loss ends at 87% of a constant guess's" in baseline_clause(results)


def test_runs_that_differ_without_overfitting_are_not_said_to():
    diagnosis = {"verdict": "undecided", "verdicts": {"correct_fit": 5, "underfit": 5}}
    said, each = baseline_clause({"diagnosis": diagnosis}).split(": it ")
    assert said.startswith("Whether")
    assert "overfits" not in each
