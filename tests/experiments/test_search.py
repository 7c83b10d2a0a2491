"""The study of searches: on differences that are known, its budget, and its record."""

import json
from pathlib import Path

import numpy as np
import pytest

import regjax as rj
from experiments.studies import search as study
from regjax.analysis import fold_interval
from regjax.sweeps import Schedule, Score, halving_rungs, random_points

RECORDS = Path(__file__).resolve().parents[2] / "experiments/records"


def entry(**gains):
    """A data set on which random search reaches 80 with some spread, and the others more by a known amount."""
    base = 80 + np.random.default_rng(0).normal(size=12)
    noise = np.random.default_rng(1).normal(size=12) * 0.1
    scores = {"random": base} | {name: base + gain + noise for name, gain in gains.items()}
    row = {"validation": [90.0] * 12, "epochs": 729.0, "trials": 27.0, "seconds": 0.5}
    return {
        "metric": "accuracy",
        "examples": {"train": 150, "validation": 50, "test": 50},
        "methods": {name: row | {"test": list(values)} for name, values in scores.items()},
    }


def test_known_differences_are_found_with_their_intervals_and_correction():
    found = study.summary({"a": entry(halving=3.0, grid=0.0), "b": entry(halving=1.0, grid=0.0)})
    rows = found["data"]["a"]["methods"]
    assert rows["halving"]["over_random"] == pytest.approx(3.0, abs=0.1)
    noise = 3.0 + np.random.default_rng(1).normal(size=12) * 0.1
    assert rows["halving"]["ci95"] == pytest.approx(list(fold_interval(noise, 50 / 200)[1:]), abs=0.006)
    assert rows["halving"]["holm"] < 1e-3
    assert rows["grid"]["holm"] > 0.05
    assert all(
        row["holm"] >= row["p"] for own in found["data"].values() for row in own["methods"].values() if "p" in row
    )
    assert "over_random" not in rows["random"]
    assert found["overall"]["halving"]["over_random"] == pytest.approx(2.0, abs=0.1)
    assert found["overall"]["halving"]["data_sets"] == 2


def test_asha_stays_within_its_budget():
    rungs = [rung._replace(trials=300) for rung in halving_rungs(200, 27, min_epochs=3)]
    schedule, spent = Schedule(study.BudgetedAsha(rungs, 3, 300), 8), 0
    while True:
        task = schedule.next()
        if task is None:
            break
        spent += task.until - task.start
        schedule.report(task, Score(float(task.trial % 7)))
    assert schedule.finished
    assert 300 - 18 <= spent <= 300
    assert {task.until for task, _ in schedule.log} == {3, 9, 27}


def test_the_grid_has_the_middles_of_thirds():
    points = study.grid()
    assert len(points) == len({tuple(point.values()) for point in points}) == study.TRIALS
    assert sorted({round(point["dropout"], 6) for point in points}) == pytest.approx([0.8 / 6, 0.4, 4 / 6], abs=1e-5)
    assert sorted({point["learning_rate"] for point in points})[1] == pytest.approx(10**-2.5)


@pytest.mark.slow
def test_the_chosen_net_is_the_same_on_validation_and_test_examples():
    """The training losses of both runs are equal, so the net is; its test score is that of the epoch chosen."""
    problem = study.Problem("wine", 2)
    point = {"learning_rate": 0.01, "l2": 1e-3, "dropout": 0.2}
    validated, tested = rj.run_lanes([problem.lane(point, 1), problem.lane(point, 1, test=True)], problem.arrays)
    names = ("train/loss", "train/running_loss")
    for name in names:
        np.testing.assert_array_equal(validated.history.values[name], tested.history.values[name])
    assert not np.array_equal(validated.history.values["val/loss"], tested.history.values["val/loss"])
    found = [study.Found(point, 0.9, epoch, 27, 1) for epoch in (3, 5)]
    assert problem.test(found)[1] == tested.history.values["val/accuracy"][5]


@pytest.mark.slow
def test_every_search_spends_its_budget_at_most_and_chooses_by_validation():
    problem = study.Problem("iris", 1)
    for method in ("grid", "random", "sobol", "halving", "asha"):
        found = study.searched(problem, method, 0)
        assert found.epochs <= study.BUDGET, method
        assert found.epochs > 0.9 * study.BUDGET, method
    one = study.searched(problem, "one", 0)
    assert (one.epochs, one.trials) == (study.EPOCHS, 1)
    assert one.validation <= study.searched(problem, "random", 0).validation  # it is the first of these


def test_the_record_has_equal_budgets_and_its_overall_means():
    record = json.loads((RECORDS / "search.json").read_text())
    assert len(record["data"]) >= 4
    assert record["splits"] >= 10
    for name, own in record["data"].items():
        for method, row in own["methods"].items():
            assert row["epochs"] <= record["budget_epochs"], (name, method)
            if method != "one":
                assert row["epochs"] > 0.97 * record["budget_epochs"], (name, method)
    for method, overall in record["overall"].items():
        gains = [own["methods"][method]["over_random"] for own in record["data"].values()]
        assert overall["over_random"] == pytest.approx(np.mean(gains), abs=0.01)


def test_what_the_page_says_of_the_record():
    """No search is shown to differ from random search, all of them are above one setting, and spirals lose 4 points."""
    record = json.loads((RECORDS / "search.json").read_text())
    for name, own in record["data"].items():
        assert all(row["holm"] > 0.05 for row in own["methods"].values() if "holm" in row), name
    assert record["overall"]["one"]["ci95"][1] < 0
    for method in ("grid", "sobol", "halving", "asha", "tpe"):
        low, high = record["overall"][method]["ci95"]
        assert low < 0 < high
    spirals = {method: row["validation"] for method, row in record["data"]["spirals"]["methods"].items()}
    for method in ("halving", "asha"):
        assert round(spirals["random"] - spirals[method]) == 4
    assert random_points(study.SPACE, 107, 5)[:27] == random_points(study.SPACE, 27, 5)
