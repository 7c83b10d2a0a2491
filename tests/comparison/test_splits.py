"""A comparison over several splits: each is chosen and tested on its own, and the result is of all of them."""

import numpy as np
import pytest

import regjax as rj
from regjax.analysis import run_interval, sign_flip_p
from regjax.data import Dataset, split

GRID = {"l2": [0.01, 0.3], "dropout": [0.5], "combination": []}
OPTIONS = {
    "learning_rate": 3e-3,
    "train_examples": 40,
    "epochs": 8,
    "label_noise": 0.1,
    "batch_size": 16,
    "fresh_seeds": False,  # so that a split alone has the same seeds as among others
}


@pytest.fixture(scope="module")
def dataset():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 8)).astype(np.float32)
    return Dataset("table", "classification", x, (x[:, 0] + 0.5 * rng.normal(size=200) > 0).astype(np.int32))


@pytest.fixture(scope="module")
def result(dataset):
    return rj.compare("mlp", dataset, GRID, seeds=6, seed=3, split_seed=10, **OPTIONS)


@pytest.fixture(scope="module")
def alone(dataset):
    """Each split as a comparison of its own."""
    return [
        rj.compare("mlp", split(dataset, seed=10 + k), GRID, seeds=1, seed=3 + k, split_seed=10 + k, **OPTIONS)
        for k in range(6)
    ]


def test_each_run_has_a_split_of_its_own(result):
    assert (result.splits, result.seeds) == (6, 6)
    assert result.runs == tuple((10 + k, 3 + k) for k in range(6))


def test_a_setting_is_chosen_and_tested_within_each_split(result, alone):
    for name in ("l2", "dropout"):
        row = result.techniques[name]
        assert row.chosen["values"] == [one.techniques[name].chosen["value"] for one in alone]
        assert row.params_sha256 == tuple(one.techniques[name].params_sha256[0] for one in alone)
        assert row.test.values == tuple(one.techniques[name].test.values[0] for one in alone)
        assert [flags.get("l2") for flags in row.flags] == [one.techniques[name].flags[0].get("l2") for one in alone]
    assert result.baseline.params_sha256 == tuple(one.baseline.params_sha256[0] for one in alone)


def test_the_reported_value_is_marked_where_it_is_an_end_of_its_grid(result, alone):
    for name in ("l2", "dropout"):
        chosen, values = result.techniques[name].chosen, [p.value for p in result.techniques[name].grid]
        ends = {min(values): "low", max(values): "high"} if len(values) > 1 else {}
        best = max(result.techniques[name].grid, key=lambda point: point.select_score.mean).value
        assert chosen["edge"] == (ends.get(chosen["value"]) if best == chosen["value"] else None)
        assert chosen["ties"] == sum(one.techniques[name].chosen["ties"] for one in alone)


def test_where_nothing_can_be_combined_what_helped_stands_in(result, alone):
    assert 0 < sum("combination" in one.techniques for one in alone) < 6  # the data are such that both happen
    row = result.techniques["combination"]
    for k, one in enumerate(alone):
        if "combination" in one.techniques:
            assert row.params_sha256[k] == one.techniques["combination"].params_sha256[0]
            assert row.chosen["parts_by_split"][k] == one.techniques["combination"].chosen["parts"]
            continue
        best = max(one.rows(), key=lambda other: other.chosen["select_score"])
        assert row.chosen["values"][k] is None
        assert row.test.values[k] == best.test.values[0]
        assert row.chosen["parts_by_split"][k] == [best.name]


def test_intervals_and_tests_are_over_splits(result):
    hits = {name: result.predictions.hits(name).astype(int) for name in ("baseline", "l2")}
    difference, gain = hits["l2"] - hits["baseline"], result.techniques["l2"].improvement
    interval = run_interval(difference, splits=range(6), examples=result.predictions.rows, counted=True)
    assert (gain.mean, *gain.ci95) == pytest.approx(interval)
    assert gain.p == sign_flip_p(difference.sum(axis=1))
    assert gain.components["seed"] is None


def test_test_examples_are_those_of_the_split(result, dataset):
    for k in range(6):
        rows = split(dataset, seed=10 + k).indices["test"]
        np.testing.assert_array_equal(result.predictions.rows[k], rows)
        np.testing.assert_array_equal(result.predictions.y[k], dataset.y[rows])


@pytest.mark.slow
def test_several_seeds_share_a_split(dataset):
    found = rj.compare("linear", dataset, {"l2": [0.1]}, seeds=6, splits=3, epochs=1, train_examples=40)
    assert found.runs == ((0, 6), (0, 7), (1, 8), (1, 9), (2, 10), (2, 11))  # 0 to 5 chose
    assert found.techniques["l2"].improvement.p >= 2 / 2**3  # three splits are three observations
    assert found.techniques["l2"].improvement.components["seed"] is not None
    assert "3 splits" in str(found)


@pytest.mark.slow
def test_losses_of_a_regression_have_one_unit_over_all_splits():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(120, 3)).astype(np.float32)
    y = (x[:, 0] * 50 + 1000 + 20 * rng.normal(size=120)).astype(np.float32)
    found = rj.compare("linear", (x, y), {"l2": [0.01]}, seeds=3, epochs=40, learning_rate=0.03)
    in_units = found.predictions.losses("l2").mean(axis=1)
    np.testing.assert_allclose(found.techniques["l2"].test_mse.values, in_units, rtol=1e-3)
    ratio = np.array(found.techniques["l2"].test_loss.values) / in_units
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-3)


def test_what_cannot_be_split_is_refused_before_the_first_run(dataset):
    with pytest.raises(rj.InputError, match="splits 4: 6 seeds cannot be spread evenly"):
        rj.compare("linear", dataset, ["l2"], seeds=6, splits=4)
    with pytest.raises(rj.InputError, match="splits 2: the data are split already"):
        rj.compare("linear", split(dataset), ["l2"], seeds=2, splits=2)


@pytest.mark.slow
def test_progress_counts_the_runs_of_all_splits(dataset):
    steps = []
    made = rj.compare(
        "linear", dataset, {"l2": [0.1, 0.2]}, seeds=3, epochs=1, train_examples=40, progress=lambda *s: steps.append(s)
    )
    # On each split five learning rates, or more if the best is at an end; then a baseline and two strengths that
    # choose, and two rows that are trained anew for the test.
    assert [done for done, _, _ in steps] == list(range(1, len(steps) + 1))
    searched = [name == "learning rate" for _, _, name in steps]
    assert sum(searched) == sum(made.settings["learning_rate_search"]["tried"]) >= 15
    assert len(steps) == sum(searched) + 15
    assert steps[-1][1] == len(steps)
    assert steps[0][1] == 30


@pytest.mark.slow
def test_finished_runs_are_kept_for_each_split(dataset, tmp_path):
    options = {"seeds": 2, "epochs": 1, "train_examples": 40}
    first = rj.compare("linear", dataset, {"l2": [0.1]}, directory=tmp_path, **options)
    again = rj.compare("linear", dataset, {"l2": [0.1]}, directory=tmp_path, **options)
    assert first.techniques["l2"].params_sha256 == again.techniques["l2"].params_sha256
    assert first.techniques["l2"].seconds == again.techniques["l2"].seconds  # nothing was trained again


@pytest.mark.slow
def test_fresh_seeds_are_tested_and_the_choice_is_the_same(dataset, result):
    """The setting is chosen as before; what is tested has the seeds after those, also of the baseline."""
    steps = []
    fresh = rj.compare(
        "mlp",
        dataset,
        GRID,
        seeds=6,
        seed=3,
        split_seed=10,
        progress=lambda *s: steps.append(s),
        **OPTIONS | {"fresh_seeds": True},
    )
    assert fresh.runs == tuple((10 + k, 9 + k) for k in range(6))
    assert fresh.predictions.seeds.tolist() == list(range(9, 15))
    for name in ("l2", "dropout"):
        assert fresh.techniques[name].chosen == result.techniques[name].chosen
        assert set(fresh.techniques[name].params_sha256).isdisjoint(result.techniques[name].params_sha256)
        assert fresh.techniques[name].lanes == result.techniques[name].lanes + 6
    value = fresh.techniques["l2"].chosen["values"][0]
    alone = rj.compare("mlp", split(dataset, seed=10), {"l2": [value]}, seeds=1, seed=9, **OPTIONS)
    assert fresh.techniques["l2"].params_sha256[0] == alone.techniques["l2"].params_sha256[0]
    assert fresh.baseline.params_sha256[0] == alone.baseline.params_sha256[0]
    done, total, _ = steps[-1]
    assert done == total == len(steps)


@pytest.mark.parametrize("groups", [None, "unequal"])
@pytest.mark.slow
def test_duplicates_and_groups_give_every_split_the_same_sizes(groups):
    """Else the runs of two splits could not be put together, after all of them were trained."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 2)).astype(np.float32)
    x = np.concatenate([x, x[:3]]) if groups is None else x
    ids = None if groups is None else np.repeat(np.arange(60), rng.integers(1, 5, 60))[:60]
    data = rj.data.from_arrays(x, (x[:, 0] > 0).astype(np.int32), groups=ids)
    assert data.groups is not None
    found = rj.compare("linear", data, {"l2": [0.01]}, seeds=4, epochs=1)
    assert found.splits == 4
    assert len({len(part) for part in found.predictions.y}) == 1
