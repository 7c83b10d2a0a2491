import dataclasses

import numpy as np
import pytest

from regjax.analysis import equivalent_examples, fit_power_law
from regjax.comparison.data_defaults import smaller_sizes
from regjax.comparison.options import CompareOptions
from regjax.comparison.procedure import compare

pytestmark = pytest.mark.slow
OPTIONS = CompareOptions(seeds=4, epochs=4, learning_rate=0.05, learning_curves=True)


@pytest.fixture(scope="module")
def result(table):
    return compare("linear", table, {"l2": [0.01, 0.1], "early_stopping": []}, OPTIONS)


def test_the_last_point_of_each_row_is_its_result(result):
    curves = result.row_curves
    assert curves["sizes"] == [30, 60, 120, 240]
    assert list(curves["rows"]) == ["baseline", "l2", "early_stopping"]
    for row in result.rows():
        own = curves["rows"][row.name]
        assert own["title"] == row.title
        assert own["test"][-1] == row.test
        assert own["test_loss"][-1] == row.test_loss
        assert [len(spread.values) for spread in own["test"]] == [4] * 4


def test_the_points_are_runs_of_the_chosen_setting_on_fewer_examples(result, table):
    """A comparison with half of the examples, as many updates, and the chosen strength alone."""
    chosen = result.techniques["l2"].chosen["value"]
    half = compare("linear", table, {"l2": [chosen]}, dataclasses.replace(OPTIONS, epochs=8, train_examples=120))
    assert half.settings["updates"] == result.settings["updates"]
    own = result.row_curves["rows"]["l2"]["test_loss"][2]
    np.testing.assert_allclose(own.values, half.techniques["l2"].test_loss.values, rtol=1e-6)
    assert half.row_curves["sizes"] == [15, 30, 60, 120]


def test_laws_and_equivalents_are_those_of_the_losses(result):
    curves = result.row_curves
    laws = {}
    for name, row in curves["rows"].items():
        losses = np.array([spread.values for spread in row["test_loss"]]).T
        laws[name] = fit_power_law(curves["sizes"], losses)
        assert row["law"]["rate"]["value"] == pytest.approx(laws[name].rate)
        assert row["law"]["floor"]["ci95"] == pytest.approx(list(laws[name].interval("floor")[1:]))
    number, low, high = equivalent_examples(laws["baseline"], laws["l2"], 240)
    found = curves["rows"]["l2"]["equivalent"]
    assert [found["examples"], *found["ci95"]] == [v if np.isfinite(v) else None for v in (number, low, high)]
    assert curves["rows"]["baseline"]["equivalent"] is None


def test_more_data_has_no_curve_of_its_own_and_nobody_gets_one_unasked(table):
    found = compare(
        "linear", table, {"more_data": [240], "l2": [0.1]}, dataclasses.replace(OPTIONS, train_examples=120)
    )
    assert list(found.row_curves["rows"]) == ["baseline", "l2"]
    plain = compare("linear", table, {"l2": [0.1]}, dataclasses.replace(OPTIONS, learning_curves=False))
    assert plain.row_curves is None


def test_too_few_runs_or_sizes_have_no_law(table):
    found = compare("linear", table, {"l2": [0.1]}, dataclasses.replace(OPTIONS, seeds=2))
    assert [row["law"] for row in found.row_curves["rows"].values()] == [None, None]
    assert smaller_sizes(table, 8) == ()


def test_a_resumed_comparison_repeats_no_point(table, tmp_path):
    first = compare("linear", table, {"l2": [0.1]}, OPTIONS, directory=tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert any("row_curves" in str(path) for path in before)
    again = compare("linear", table, {"l2": [0.1]}, OPTIONS, directory=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert again.to_json()["row_curves"] == first.to_json()["row_curves"]
