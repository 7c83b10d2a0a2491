from types import SimpleNamespace

import numpy as np
import pytest

from regjax.comparison import procedure
from regjax.comparison.data_defaults import RATES, WIDER, learning_rates_of
from regjax.comparison.learning_rate import searched
from regjax.comparison.options import CompareOptions
from regjax.comparison.plan import make_plan, plan_of_split
from regjax.comparison.procedure import compare
from regjax.comparison.train import Runner
from regjax.data import Dataset, load, split


@pytest.fixture(scope="module")
def noise():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5)).astype(np.float32)
    return Dataset("plane", "classification", x, (x[:, 0] + 0.3 * rng.normal(size=300) > 0).astype(np.int32))


@pytest.mark.slow
def test_each_split_takes_the_best_rate_of_the_baseline_on_its_own_validation_examples(noise):
    """As comparisons on that split alone, with each rate given, find it; other splits have no say."""
    options = {"epochs": 2, "fresh_seeds": False}
    result = compare("linear", noise, ["l2"], seeds=3, **options)
    search = result.settings["learning_rate_search"]
    assert (search["runs"], len(search["chosen"]), max(search["tried"])) == (1, 3, 3)
    for number, chosen in enumerate(search["chosen"]):
        alone = {
            rate: compare(
                "linear", noise, ["l2"], seeds=1, seed=number, split_seed=number, learning_rate=rate, **options
            )
            for rate in search["rates"]
        }
        scores = {
            rate: (one.baseline.grid[0].select_score.mean, -one.baseline.grid[0].select_loss)
            for rate, one in alone.items()
        }
        position = RATES.index(chosen)
        around = {*RATES[WIDER:-WIDER], *RATES[max(position - 1, 0) : position + 2]}
        assert scores[chosen] == max(scores[rate] for rate in around & scores.keys())
        assert alone[chosen].baseline.params_sha256[0] == result.baseline.params_sha256[number]
    assert result.settings["learning_rate"] in search["chosen"]
    assert [flags["learning_rate"] for flags in result.baseline.flags] == search["chosen"]


def test_rates_beyond_the_first_five_are_tried_only_while_the_best_is_at_an_end(noise):
    """With a score that grows with the learning rate, it goes on to the highest, and the other way round."""
    plan = make_plan("linear", noise, ["l2"], CompareOptions(seeds=1, epochs=1))

    def tried(score):
        runner = procedure.make_runner(plan)
        asked = []

        def run(self, trials, part):
            asked.extend(trial.value for trial in trials)
            found = [SimpleNamespace(score=score(trial.value), loss=0.0) for trial in trials]
            return [SimpleNamespace(trial=t, select=[one]) for t, one in zip(trials, found, strict=True)]

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(Runner, "run", run)
            chosen, prepared = searched(plan, runner)
        assert prepared.defaults["learning_rate"] == chosen.options.learning_rate == chosen.search.chosen
        return asked, chosen.search

    middle = RATES[WIDER:-WIDER]
    asked, search = tried(lambda rate: rate)
    assert (asked, search.chosen, search.at_end) == ([*middle, *RATES[-WIDER:]], RATES[-1], True)
    asked, search = tried(lambda rate: -rate)
    assert (asked, search.rates, search.at_end) == ([*middle, *RATES[:WIDER][::-1]], RATES[: len(RATES) - WIDER], True)
    assert search.scores == pytest.approx([-rate for rate in search.rates])
    asked, search = tried(lambda rate: 0.0)  # all as good: the middle, and no further ones
    assert (asked, search.chosen, search.at_end) == ([*middle], 0.003, False)
    asked, search = tried(lambda rate: float(rate >= 0.01))
    assert (asked, search.chosen) == ([*middle], 0.01)
    asked, search = tried(lambda rate: -abs(rate - 0.003))
    assert (asked, search.chosen, search.at_end) == ([*middle], 0.003, False)
    asked, search = tried(lambda rate: -abs(rate - 0.1))
    assert (search.chosen, search.rates[-1], search.at_end) == (0.1, 0.3, False)


@pytest.mark.slow
def test_with_one_split_the_search_has_several_seeds(noise):
    result = compare("linear", noise, ["l2"], seeds=4, splits=1, epochs=1)
    assert result.settings["learning_rate_search"]["runs"] == 3
    assert compare("linear", noise, ["l2"], seeds=1, epochs=1).settings["learning_rate_search"]["runs"] == 1


@pytest.mark.slow
def test_the_progress_ends_at_the_runs_that_were_made(noise):
    steps = []
    compare("linear", noise, ["l2"], seeds=2, epochs=1, progress=lambda *step: steps.append(step))
    assert [done for done, _, _ in steps] == list(range(1, len(steps) + 1))
    assert steps[-1][1] == len(steps)
    assert all(done <= total for done, total, _ in steps)


@pytest.mark.slow
def test_an_error_is_searched_for_its_lowest_value():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    data = Dataset("line", "regression", x, (5 * x[:, 0]).astype(np.float32))
    result = compare("linear", data, ["l2"], seeds=1, epochs=3, metric="rmse")
    search = result.settings["learning_rate_search"]
    assert result.settings["learning_rate"] == search["rates"][int(np.argmin(search["scores"]))]
    assert min(search["scores"]) > 0


def test_what_is_given_is_not_searched(noise):
    splits = split(noise)
    assert learning_rates_of(CompareOptions(learning_rate=0.5), splits) == (0.5,)
    assert learning_rates_of(CompareOptions(optimizer="momentum"), splits) == pytest.approx(
        [10 * rate for rate in RATES]
    )
    assert learning_rates_of(CompareOptions(), split(load("digits"))) == (0.003,)


@pytest.mark.slow
def test_the_search_does_not_see_the_test_part(noise):
    """Other test inputs and labels, the same learning rate and scores."""
    plan = make_plan("linear", noise, ["l2"], CompareOptions(seeds=3, epochs=2))
    rows = np.concatenate([plan_of_split(plan, number).splits.indices["test"] for number in range(3)])
    poisoned = noise.x.copy()
    only = np.setdiff1d(rows, np.concatenate([plan_of_split(plan, 0).splits.indices[p] for p in ("train", "select")]))
    poisoned[only] = 0
    options = {"seeds": 3, "splits": 1, "epochs": 2}
    first, second = (
        compare("linear", Dataset("plane", "classification", x, noise.y), ["l2"], **options)
        for x in (noise.x, poisoned)
    )
    assert first.settings["learning_rate_search"] == second.settings["learning_rate_search"]
