import numpy as np
import pytest

from regjax.comparison.data_defaults import RATES, learning_rates_of
from regjax.comparison.options import CompareOptions
from regjax.comparison.plan import make_plan, plan_of_split
from regjax.comparison.procedure import compare
from regjax.data import Dataset, load, split


@pytest.fixture(scope="module")
def noise():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 5)).astype(np.float32)
    return Dataset("plane", "classification", x, (x[:, 0] + 0.3 * rng.normal(size=300) > 0).astype(np.int32))


@pytest.mark.slow
def test_the_best_rate_of_the_baseline_on_validation_is_that_of_all_rows(noise):
    """As comparisons of the baseline with each rate alone find it, on the first three splits."""
    result = compare("linear", noise, ["l2"], seeds=4, epochs=2)
    search = result.settings["learning_rate_search"]
    assert (tuple(search["rates"]), search["runs"]) == (RATES, 3)
    alone = [
        compare("linear", noise, ["l2"], seeds=3, epochs=2, learning_rate=rate).baseline.grid[0].select_score.mean
        for rate in RATES
    ]
    assert search["scores"] == pytest.approx(alone)
    assert result.settings["learning_rate"] == RATES[int(np.argmax(alone))]
    again = compare("linear", noise, ["l2"], seeds=4, epochs=2, learning_rate=result.settings["learning_rate"])
    assert again.baseline.params_sha256 == result.baseline.params_sha256
    assert again.settings["learning_rate_search"] is None


@pytest.mark.slow
def test_with_one_split_the_search_has_several_seeds(noise):
    result = compare("linear", noise, ["l2"], seeds=4, splits=1, epochs=1)
    assert result.settings["learning_rate_search"]["runs"] == 3
    assert compare("linear", noise, ["l2"], seeds=1, epochs=1).settings["learning_rate_search"]["runs"] == 1


@pytest.mark.slow
def test_an_error_is_searched_for_its_lowest_value():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    data = Dataset("line", "regression", x, (5 * x[:, 0]).astype(np.float32))
    result = compare("linear", data, ["l2"], seeds=2, epochs=3, metric="rmse")
    search = result.settings["learning_rate_search"]
    assert result.settings["learning_rate"] == search["rates"][int(np.argmin(search["scores"]))]
    assert min(search["scores"]) > 0


def test_what_is_given_is_not_searched(noise):
    splits = split(noise)
    assert learning_rates_of(CompareOptions(learning_rate=0.5), splits) == (0.5,)
    assert learning_rates_of(CompareOptions(optimizer="momentum"), splits) == (0.003, 0.01, 0.03, 0.1, 0.3)
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
