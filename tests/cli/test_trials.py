"""Searches of the command: which trials they train, how far, and what they count."""

import json

import numpy as np
import pytest

from regjax.cli.flags import FlagError
from regjax.cli.search_options import SearchOptions
from regjax.cli.trials import points_before, rungs_of
from regjax.core.ranges import Range
from regjax.sweeps import random_points, sobol_points
from tests.cli.shared import read_csv

FLAGS = ["--dataset=wine", "--widths=8", "--epochs=9", "--workdir=w"]
SPACE = ["--sweep=l2=loguniform(1e-4,1e-1)", "--sweep=dropout=uniform(0,0.8)"]
RANGES = {"l2": Range(1e-4, 1e-1, log=True), "dropout": Range(0.0, 0.8)}


def results_of(tmp_path, workdir="w"):
    return json.loads((tmp_path / workdir / "results.json").read_text())


def test_points_are_those_of_the_library():
    for search, draw in (("random", random_points), ("halving", random_points), ("sobol", sobol_points)):
        assert points_before(SearchOptions(search=search, trials=5, seed=3), RANGES) == draw(RANGES, 5, 3)
    with pytest.raises(FlagError, match="trials"):
        points_before(SearchOptions(search="random", trials=5), {"l2": [0.1, 0.2]})


def test_rungs_follow_the_flags():
    config = SearchOptions(search="asha", trials=8, reduction=2, epochs=16, min_epochs=3)
    assert [tuple(rung) for rung in rungs_of(config, RANGES)] == [(4, 8), (8, 4), (16, 2)]
    assert [tuple(rung) for rung in rungs_of(SearchOptions(search="random", epochs=7, trials=3), RANGES)] == [(7, 3)]


@pytest.mark.slow
@pytest.mark.parametrize(("search", "draw"), [("random", random_points), ("sobol", sobol_points)])
def test_a_search_trains_the_points_that_were_drawn_to_the_end(run, tmp_path, search, draw):
    run("sweep", f"--search={search}", "--trials=4", "--seeds=2", *SPACE, *FLAGS)
    results, rows = results_of(tmp_path), read_csv(tmp_path / "w/lanes.csv")
    assert [setting["values"] for setting in results["settings"]] == [*draw(RANGES, 4), {"l2": 0.0, "dropout": 0.0}]
    assert sorted(results["ranking"]) == list(range(5))
    assert len(rows) == 10
    found = results["search"]
    assert (found["method"], found["trials"], found["finished"]) == (search, 4, 4)
    assert found["epochs"] == found["whole_epochs"] == 4 * 2 * 9
    assert found["reference_epochs"] == 2 * 9
    assert found["updates"] % found["epochs"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("search", ["halving", "asha"])
def test_halted_trials_are_not_ranked_and_the_others_are_whole_runs(run, tmp_path, search):
    run("sweep", f"--search={search}", "--trials=9", "--cv=2", *SPACE, *FLAGS)
    results = results_of(tmp_path)
    found, lanes = results["search"], results["lanes"]
    assert [(rung["epochs"], rung["trials"]) for rung in found["rungs"]] == [(1, 9), (3, 3), (9, 1)]
    assert found["epochs"] == sum(lane["epochs"] for lane in lanes[: 9 * 2])
    assert found["epochs"] < found["whole_epochs"] == 9 * 2 * 9
    until = {setting: last for setting, last, *_ in found["steps"]}
    assert [lane["epochs"] for lane in lanes[: 9 * 2]] == [until[i // 2] for i in range(18)]
    ended = [i for i in range(9) if until[i] == 9]
    assert len(ended) == found["finished"] >= 1
    assert sorted(results["ranking"]) == [*ended, 9]
    # Those that went on from a rung are the best of it (of ASHA: of those that had ended there by then).
    if search == "halving":
        first = {setting: score for setting, last, _, score in found["steps"] if last == 1}
        kept = {setting for setting, last, *_ in found["steps"] if last == 3}
        assert min(first[i] for i in kept) >= max(first[i] for i in set(first) - kept)
    assert all(setting["over_reference"] is None for i, setting in enumerate(results["settings"]) if i not in ended)
    # The best is the run that a sweep of its values alone trains, in the same bits.
    best = results["settings"][ended[0]]["values"]
    run("sweep", *[f"--sweep={name}={value!r}" for name, value in best.items()], "--cv=2", *FLAGS, "--overwrite")
    alone = results_of(tmp_path)["lanes"][:2]
    names = ("val_score", "val_loss", "train_loss", "best_epoch", "epochs", "fold")
    for lane, other in zip(lanes[2 * ended[0] : 2 * ended[0] + 2], alone, strict=True):
        assert [lane[name] for name in names] == [other[name] for name in names]


@pytest.mark.slow
def test_references_of_a_searched_learning_rate_are_tuned_too(run, tmp_path):
    run("sweep", "--search=asha", "--trials=10", "--sweep=learning_rate=loguniform(1e-3,1e-1)", SPACE[0], *FLAGS)
    results = results_of(tmp_path)
    references = [setting for setting in results["settings"] if setting["reference"]]
    assert len(references) == 8
    rates = [setting["values"]["learning_rate"] for setting in results["settings"]]
    assert [one["values"] for one in references] == [{"learning_rate": rate, "l2": 0.0} for rate in rates[:8]]
    assert results["search"]["reference_epochs"] == 8 * 9
    compared = {setting["over_reference"]["setting"] for setting in results["settings"] if setting["over_reference"]}
    assert len(compared) == 1


@pytest.mark.slow
def test_lists_alone_can_be_halved(run, tmp_path):
    run("sweep", "--search=halving", "--sweep=l2=0,0.001,0.01,0.1", "--sweep=dropout=0,0.5", *FLAGS)
    results = results_of(tmp_path)
    assert results["search"]["trials"] == 8
    assert len({tuple(setting["values"].values()) for setting in results["settings"][:8]}) == 8
    [reference] = [i for i in results["ranking"] if results["settings"][i]["reference"]]
    assert results["settings"][reference]["finished"]


@pytest.mark.slow
def test_optuna_fills_the_places_and_repeats(run, tmp_path):
    flags = ["--search=optuna", "--trials=14", "--places=3", "--seeds=2", *SPACE, *FLAGS]
    run("sweep", *flags)
    first = results_of(tmp_path)
    assert len(first["settings"]) == 15
    assert first["search"]["epochs"] == 14 * 2 * 9
    assert first["search"]["places"] == 3
    run("sweep", *flags, "--workers=1", "--overwrite")
    again = results_of(tmp_path)
    assert again["search"] == first["search"]
    assert again["settings"] == first["settings"]


@pytest.mark.slow
def test_optuna_is_refused_where_it_is_missing(run, tmp_path):
    done = run("sweep", "--search=optuna", *SPACE, *FLAGS, code=2, hidden=("optuna",))
    assert "pip install 'regjax[optuna]'" in done.stderr
    assert not (tmp_path / "w").exists()


@pytest.mark.slow
def test_the_page_has_the_search(run, tmp_path):
    run("sweep", "--search=halving", "--trials=9", "--seeds=2", *SPACE, *FLAGS)
    text = " ".join((tmp_path / "w/report.html").read_text().split())
    found = results_of(tmp_path)["search"]
    assert f"Successive halving trained 9 trials for {found['epochs']} epochs in all" in text
    assert f"to the end takes {np.prod([9, 2, 9])}" in text
    assert (tmp_path / "w/figures/search.png").exists()
