import json
import math

import numpy as np
import pytest

from regjax.comparison import budget
from regjax.comparison.budget import Cut, Timing, cut_to_fit, expected_seconds, measure, programs, runs, with_cut
from regjax.comparison.options import CompareOptions
from regjax.comparison.plan import make_plan
from regjax.comparison.procedure import compare, make_runner
from regjax.core.errors import InputError
from regjax.sweeps.programs import train_lane

GRIDS = {"l2": [0.01, 0.1, 1.0], "dropout": [0.2, 0.5]}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)).astype(np.float32)
DATA = (X, (X[:, 0] + RNG.normal(size=200) > 0).astype(np.int32))


def plan_of(techniques=None, **options):
    given = {"seeds": 10, "epochs": 4, "learning_rate": 0.01, "batch_size": 32}
    return make_plan("mlp", DATA, GRIDS if techniques is None else techniques, CompareOptions(**{**given, **options}))


def test_runs_are_counted_by_hand():
    assert runs(plan_of(fresh_seeds=False)) == 10 * (1 + 3 + 2)
    assert runs(plan_of()) == 10 * (1 + 3 + 2) + 10 * 3  # each row is trained anew for the test
    assert runs(plan_of(learning_rate=None)) == 10 * (1 + 3 + 2) + 10 * 3 + 5 * 10  # five learning rates on ten splits


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.slow
def test_runs_and_programs_are_those_of_a_comparison(fresh):
    techniques = {**GRIDS, "early_stopping": (), "more_data": ()}
    options = {
        "seeds": 2,
        "epochs": 1,
        "fresh_seeds": fresh,
        "batch_size": 40 + fresh,
    }  # sizes that no other test compiles
    told, seen = [], []
    before = train_lane._cache_size()
    made = compare(
        "mlp", DATA, techniques, announce=told.append, progress=lambda done, total, _: seen.append((done, total)),
        **options,
    )  # fmt: skip
    search = made.settings["learning_rate_search"]
    # More learning rates than five on a split whose best one is at an end.
    assert told[0].runs + sum(search["tried"]) - 5 * 2 == seen[-1][0] == seen[-1][1]
    # That of the baseline serves early stopping and more data too.
    assert told[0].programs == train_lane._cache_size() - before == 3
    assert told[0].cut is None


def test_time_is_that_of_programs_and_runs():
    plan = plan_of()
    assert programs(plan) == 3
    assert expected_seconds(plan, Timing(2.0, 0.5)) == pytest.approx(3 * 2.0 + 90 * 0.5)


@pytest.mark.parametrize(
    ("seconds", "cut"),
    [
        (90, Cut(10)),  # 6 runs that choose and 3 that are tested for each seed
        (89, Cut(9)),
        (54, Cut(6)),
        (53, Cut(7, 2)),  # of l2 there remain 0.01 and 1, of dropout 0.5: 7 runs for each seed
        (42, Cut(6, 2)),
        (41, Cut(6, 4)),
        (36, Cut(6, 4)),
    ],
)
def test_runs_are_cut_before_strengths(seconds, cut):
    plan = plan_of(budget=f"{seconds}s")
    assert cut_to_fit(plan, Timing(0.0, 1.0)) == cut
    made = with_cut(plan, cut)
    assert runs(made) <= seconds
    assert made.options.seeds == made.options.splits == cut.seeds
    assert made.settings()["budget"] == {"budget": f"{seconds}s", "wanted_seeds": 10, **cut._asdict()}


def test_the_strongest_values_stay():
    made = with_cut(plan_of(), Cut(10, 2))
    assert [technique.values for technique in made.techniques] == [(0.01, 1.0), (0.5,)]


def test_too_small_a_budget_says_what_the_least_takes():
    with pytest.raises(InputError, match=r"budget 35s: 6 runs of one strength .* about 36 s"):
        cut_to_fit(plan_of(budget="35s"), Timing(0.0, 1.0))


def test_runs_stay_spread_over_the_splits():
    assert cut_to_fit(plan_of(seeds=12, splits=4, budget="75s"), Timing(0.0, 1.0)) == Cut(8)
    assert cut_to_fit(plan_of(seeds=3, splits=3, budget="30s"), Timing(0.0, 1.0)) == Cut(3)


@pytest.mark.slow
def test_the_timing_is_that_of_the_program():
    """A run of ten times the updates takes longer, by a factor that even a busy machine shows."""
    short, long = (measure(plan_of(epochs=epochs), make_runner) for epochs in (100, 1000))
    assert short.compile_seconds > 0
    assert 3 < long.run_seconds / short.run_seconds < 30


@pytest.mark.slow
def test_a_resumed_comparison_keeps_its_cut(tmp_path, monkeypatch):
    options = {"seeds": 8, "epochs": 1, "learning_rate": 0.01, "budget": "6s", "directory": tmp_path}
    monkeypatch.setattr(budget, "measure", lambda plan, make: Timing(0.0, 1 / 16))
    assert compare("mlp", DATA, {"l2": [0.1, 1.0, 3.0, 9.0]}, **options).seeds == 8
    monkeypatch.setattr(budget, "measure", lambda plan, make: Timing(0.0, 1.0))
    assert compare("mlp", DATA, {"l2": [0.1, 1.0, 3.0, 9.0]}, **options).seeds == 8
    assert json.loads((tmp_path / budget.FILE).read_text()) == {"seeds": 8, "every": 1}


@pytest.mark.parametrize("text", ["5", "0min", "-3s", "1d", "", "five min", "nan s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(InputError, match="is not a duration; accepted: a number and a unit, as 90s, 5min or 2h"):
        CompareOptions(budget=text)


@pytest.mark.slow
def test_a_comparison_without_a_budget_is_not_timed(monkeypatch):
    monkeypatch.setattr(budget, "measure", lambda plan, make: math.nan)
    assert compare("linear", DATA, {"l2": [0.1]}, seeds=2, epochs=1, learning_rate=0.1).settings["budget"] is None


@pytest.mark.slow
def test_a_comparison_that_goes_on_says_no_time(tmp_path):
    """It would be that of the whole, some of whose runs are there."""
    told = []
    for _ in range(2):
        options = {"seeds": 2, "epochs": 1, "learning_rate": 0.1, "directory": tmp_path}
        compare("linear", DATA, {"l2": [0.1]}, announce=told.append, **options)
    assert len(told) == 1
