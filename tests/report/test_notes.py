"""What the notes mention, by the numbers and names in them."""

import copy

import pytest

from regjax.report.notes import captions, notes
from regjax.report.verdict import short
from regjax.report.words import Measure


@pytest.fixture
def results(digits):
    return copy.deepcopy(digits)


def said(results):
    return notes(results, Measure.of(results))


def test_wrong_labels_are_told_if_there_are_any(results):
    with_noise = said(results)
    assert any("10% " in note for note in with_noise)
    results["settings"]["label_noise"] = 0.0
    assert len(said(results)) == len(with_noise) - 1


def test_the_settings_are_listed(results):
    setup = said(results)[0]
    for fact in ("mlp", "128", "1,077", "800", "adam", "0.003", "180", "360", "shift=1,rotate=15,noise=0.2"):
        assert fact in setup
    results["settings"] = {}
    assert "128" not in said(results)[0]


def test_choices_at_the_end_of_a_grid_are_named(results):
    before = said(results)
    at_edge = [row for row in results["techniques"].values() if row["chosen"]["edge"]]
    assert len(at_edge) > 1
    for row in at_edge:
        row["chosen"]["edge"] = None
    (note,) = set(before) - set(said(results))
    assert all(short(row["title"]) in note for row in at_edge)


def test_runs_that_diverged_are_counted(results):
    assert any("dropout (1)" in note for note in said(results))
    before = len(said(results))
    results["techniques"]["dropout"]["diverged"] = 0
    assert len(said(results)) == before - 1


def test_the_parts_of_the_combination_are_named(results):
    before = said(results)
    results["techniques"]["combination"]["chosen"]["parts"] = []
    (note,) = set(before) - set(said(results))
    assert "augmentation, L2 in the loss and dropout" in note


def test_one_split_says_what_its_intervals_do_not_know(results):
    """A note on the splits either way; --splits=1 is named where it limits the answer."""
    several, one = (" ".join(said({**results, "splits": splits})) for splits in (10, 1))
    assert "10 splits" in several
    assert "--splits=1" not in several
    assert "--splits=1" in one


@pytest.mark.parametrize(
    ("seeds", "splits", "simulated"), [(10, 10, True), (8, 8, True), (3, 3, False), (300, 300, False), (20, 10, False)]
)
def test_coverage_is_told_for_designs_that_were_simulated(results, seeds, splits, simulated):
    text = " ".join(said({**results, "seeds": seeds, "splits": splits}))
    assert ("82%" in text) == simulated
    assert (f"not for {splits} splits" in text) == (not simulated)


@pytest.mark.parametrize(("examples", "said_so"), [(40, True), (300, False), (1500, True)])
def test_coverage_is_not_told_of_other_sizes_than_were_simulated(results, examples, said_so):
    results["settings"]["population"] = examples
    text = " ".join(said({**results, "seeds": 10, "splits": 10}))
    assert (f"these are {examples:,}" in text) == said_so


@pytest.mark.parametrize(("examples", "points"), [(4, "25.0"), (20, "5.0"), (21, None)])
def test_the_steps_of_a_choice_by_few_examples_are_told(results, examples, points):
    results["settings"]["select_examples"] = examples
    told = [note for note in said(results) if "in steps of" in note]
    assert len(told) == (points is not None)
    assert all(f"in steps of {points} points" in note for note in told)
    several = {**results, "task": "multilabel"}  # whose steps are finer, one for each label
    assert not any("in steps of" in note for note in said(several))
    assert not any("in steps of" in note for note in said({**results, "metric": "roc_auc"}))


def test_a_few_errors_that_decide_the_squared_error_are_told(diabetes):
    made = copy.deepcopy(diabetes)
    made["details"] = {"baseline": {"residuals": {}, "largest_share": 0.83}}
    (note,) = [note for note in said(made) if "83% of the squared error" in note]
    assert "--loss=huber" in note
    for changed in ({"metric": "mae"}, {"details": {"baseline": {"largest_share": 0.2}}}, {"details": {}}):
        assert not any("squared error" in note for note in said(made | changed))


def test_ties_in_a_choice_are_told_where_they_decided(results):
    assert not any(" tie: " in note for note in said(results))
    results["techniques"]["dropout"]["chosen"]["ties"] = 7
    (note,) = [note for note in said(results) if " tie: " in note]
    assert "dropout in 7 of the 10 splits" in note


def test_captions_count_seeds_and_follow_the_techniques(results):
    measure = Measure.of(results)
    several = captions(results, measure)
    assert "10 runs" in several["curves_caption"]
    assert "180 " in several["strength_text"]
    one = captions({**results, "seeds": 1}, measure)
    assert "one run" in one["curves_caption"]
    assert "interval" not in one["curves_caption"]
    del results["techniques"]["more_data"]
    assert len(captions(results, measure)["strength_caption"]) < len(several["strength_caption"])


def test_the_onset_is_told_only_of_a_baseline_that_overfits(results):
    def told(verdict):
        results["diagnosis"] |= {"verdict": verdict, "median_onset": 12.0}
        return captions(results, Measure.of(results))["picture"]

    pictures = {verdict: told(verdict) for verdict in ("overfit", "underfit", "correct_fit", None)}
    assert len({picture["heading"] for picture in pictures.values()}) == 4
    assert [verdict for verdict, picture in pictures.items() if "epoch 12" in picture["caption"]] == ["overfit"]


def test_the_sizes_that_matter_are_told_if_they_are_known(results):
    told = [note for note in said(results) if "1.0 points of accuracy" in note]
    assert len(told) == 1
    with_band = captions(results, Measure.of(results))["forest_caption"]
    for row in results["techniques"].values():
        row["improvement"]["practical"] = row["loss_improvement"]["practical"] = None
    assert not any("1.0 points of accuracy" in note for note in said(results))
    assert len(captions(results, Measure.of(results))["forest_caption"]) < len(with_band)


def test_the_luck_of_the_seeds_that_chose_is_told_without_fresh_ones(results):
    """Of a file of an earlier version it is not known which seeds were tested."""
    told = "--fresh_seeds trains anew"
    for fresh, expected in ((False, 1), (True, 0)):
        results["settings"]["fresh_seeds"] = fresh
        assert sum(told in note for note in said(results)) == expected
    del results["settings"]["fresh_seeds"]
    assert not any(told in note for note in said(results))


def test_what_a_budget_has_left_is_told(results):
    cut = {"budget": "5min", "wanted_seeds": 10, "seeds": 6, "every": 2}
    text = said(results | {"settings": results["settings"] | {"budget": cut}})[0]
    assert "within 5min 6 of 10 runs of each setting and one of 2 strengths of each grid" in text
    assert "5min" not in said(results)[0]


def test_columns_that_are_not_permuted_have_a_reason(results):
    results["settings"]["importance_left_out"] = "there are 75 columns"
    assert any("rely on is left out: there are 75 columns" in note for note in said(results))
    results["settings"]["importance_left_out"] = ""
    assert not any("rely on" in note for note in said(results))
