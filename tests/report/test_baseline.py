import pytest

from regjax.report.baseline import baseline_clause, counted, median_onset, onset_clause

OVERFIT = {"verdict": "overfit", "median_onset": 21, "onset_epochs": [11, None, 40, 21], "verdicts": {"overfit": 4}}


def test_the_onset_is_an_epoch_of_those_that_show_one():
    text = onset_clause(OVERFIT, "loss")
    assert all(part in text for part in ("3 of 4 runs", "epoch 21", "median", "11 to 40"))
    assert "4 runs" not in onset_clause({**OVERFIT, "onset_epochs": [11, 21, 40]}, "loss")
    one = onset_clause({**OVERFIT, "onset_epochs": [21]}, "MSE")
    assert "epoch 21" in one
    assert "median" not in one


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
