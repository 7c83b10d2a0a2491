import copy
import shlex

import pytest

from regjax.comparison.options import CompareOptions
from regjax.report.more_runs import more_runs
from regjax.report.words import Measure


@pytest.fixture
def results(digits):
    return copy.deepcopy(digits)


def said(results):
    return more_runs(results, Measure.of(results))


@pytest.mark.parametrize(
    ("seeds", "splits", "expected"),
    [
        (10, 10, {"seeds": "40", "seed": "17", "split_seed": "13"}),
        (10, 1, {"seeds": "40", "splits": "1", "seed": "17", "split_seed": "3"}),
        (20, 10, {"seeds": "80", "splits": "40", "seed": "27", "split_seed": "13"}),
    ],
)
def test_the_command_for_more_runs_is_that_of_a_new_comparison(results, seeds, splits, expected):
    """It has so many runs that the largest change that is not shown would be, and none that was seen."""
    gain = {"mean": 0.02, "ci95": [-0.01, 0.05], "p_adjusted": 0.3, "runs_needed": 40, "least_detectable": 0.011}
    results |= {"seeds": seeds, "splits": splits, "runs": [(3 + i * splits // seeds, 7 + i) for i in range(seeds)]}
    for name, row in results["techniques"].items():
        row["improvement"] = gain if name == "l1" else gain | {"mean": 0.0}
    start = "python -m experiments.compare --dataset=wine"
    results["reproduce"]["command"] = f"{start} --seeds={seeds} --seed=7 --split_seed=3 --workdir=runs/a --overwrite"
    command = next(note for note in said(results) if "40 runs" in note).partition(": ")[2].partition(". ")[0]
    assert command.startswith(start)
    given = dict(word.removeprefix("--").split("=") for word in shlex.split(command)[3:])
    assert given.pop("workdir") != "runs/a"
    assert given == {"dataset": "wine", **expected}
    new = CompareOptions(**{name: int(value) for name, value in expected.items()})  # it is accepted
    assert {seed for _, seed in results["runs"]}.isdisjoint(new.all_seeds())
    of_splits = range(new.split_seed, new.split_seed + (new.splits or new.seeds))
    assert {split for split, _ in results["runs"]}.isdisjoint(of_splits) == (splits > 1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"mean": 0.003}, ("the 900 examples of this data set", "about 1.1 points")),
        ({"mean": -0.02, "runs_needed": None}, ("−2.0 points with L1", "more than 500 runs")),
    ],
)
def test_a_change_that_no_new_comparison_would_show_has_no_command(results, change, words):
    gain = {"mean": 0.02, "ci95": [-0.04, 0.05], "p_adjusted": 0.3, "runs_needed": 40, "least_detectable": 0.011}
    for name, row in results["techniques"].items():
        row["improvement"] = gain | (change if name == "l1" else {"mean": 0.0})
    results["settings"]["population"] = 900
    (note,) = [note for note in said(results) if "largest change" in note]
    assert all(word in note for word in words)
    assert "--seeds" not in note


def test_all_changes_that_look_equally_large_are_named(results):
    gain = {"mean": 0.0201, "ci95": [-0.04, 0.05], "p_adjusted": 0.3, "runs_needed": 40, "least_detectable": 0.011}
    for name, row in results["techniques"].items():
        row["improvement"] = gain | {"mean": {"l1": 0.0201, "l2": -0.0199}.get(name, 0.0)}
    (note,) = [note for note in said(results) if "largest change" in note]
    assert "−2.0 points with L2 in the loss and +2.0 points with L1 proximal" in note


def test_without_a_change_that_is_missed_no_command_is_given(results):
    for row in results["techniques"].values():
        row["improvement"] |= {"ci95": [0.01, 0.02], "mean": 0.015, "p_adjusted": 0.01}
    assert not [note for note in said(results) if "would show" in note]
