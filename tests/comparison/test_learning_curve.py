import numpy as np
import pytest

from regjax.analysis import sign_flip_p
from regjax.comparison.data_defaults import curve_sizes
from regjax.comparison.options import CompareOptions
from regjax.comparison.procedure import compare


@pytest.fixture(scope="module")
def result(table):
    return compare("linear", table, ["more_data", "l2"], CompareOptions(seeds=6, epochs=4, learning_rate=0.05))


def test_the_last_point_is_the_baseline(result):
    curve = result.learning_curve
    assert curve.sizes == (30, 60, 120, 240)
    assert curve.test[-1] == result.baseline.test
    assert curve.test_loss[-1] == result.baseline.test_loss
    assert [len(spread.values) for spread in curve.test] == [6] * 4
    assert "more_data" not in result.techniques


@pytest.mark.slow
def test_the_points_are_runs_of_the_baseline_on_fewer_examples(result, table):
    """Half of the curve is a comparison of its own with half of the examples."""
    half = compare("linear", table, ["l2"], CompareOptions(seeds=6, epochs=8, learning_rate=0.05, train_examples=120))
    assert half.settings["updates"] == result.settings["updates"]
    assert half.learning_curve is None
    np.testing.assert_array_equal(result.learning_curve.test[2].values, half.baseline.test.values)


def test_the_last_doubling_is_paired_and_tested(result):
    curve, gain = result.learning_curve, result.learning_curve.doubling
    differences = np.array(curve.test[-1].values) - curve.test[-2].values
    assert gain.mean == pytest.approx(differences.mean())
    assert gain.p_adjusted == gain.p == sign_flip_p(np.round(differences * 80))  # 80 test examples
    assert gain.practical == 0.01
    losses = np.array(curve.test_loss[-2].values) - curve.test_loss[-1].values
    assert curve.loss_doubling.mean == pytest.approx(losses.mean())
    assert gain.ci95[0] < gain.mean < gain.ci95[1]


def test_there_is_a_curve_only_where_all_examples_are_in_use(table):
    pool = len(table.y_train)
    assert curve_sizes(None, table, pool) == (pool // 8, pool // 4, pool // 2)
    assert curve_sizes(None, table, pool - 1) == ()
    assert curve_sizes(["l2"], table, pool) == ()
    assert curve_sizes({"more_data": ()}, table, 40) == ()
    few = table.__class__(**{**vars(table), "y_train": table.y_train[:40]})
    assert curve_sizes(None, few, 40) == (10, 20)  # 5 examples are too few


@pytest.mark.slow
def test_fresh_seeds_are_those_of_the_curve_too(table):
    found = compare("linear", table, ["more_data", "l2"], seeds=2, epochs=2, fresh_seeds=True)
    assert found.learning_curve.test[-1] == found.baseline.test


@pytest.mark.slow
def test_accuracy_says_nothing_where_the_rare_class_is_hardly_ever_predicted():
    """The probabilities get better with more examples, but hardly one of the 4% passes one half."""
    rng = np.random.default_rng(0)
    y = (np.arange(1200) % 25 == 0).astype(np.int32)
    x = rng.normal(size=(1200, 16)).astype(np.float32)
    x[:, 0] += 0.3 * y
    techniques = {"more_data": (), "l2": (0.05,)}
    found = compare("linear", (x, y), techniques, seeds=12, epochs=40, learning_rate=0.02)
    curve = found.learning_curve
    assert max(spread.mean for spread in curve.test) <= found.chance["score"] + 1e-9
    assert curve.doubling.p_adjusted > 0.05  # of the accuracy
    assert curve.loss_doubling.ci95[0] > 0  # while the loss falls
    note = next(note for note in found.notes() if note.startswith("More data would"))
    assert note.startswith("More data would probably lower the test loss, but accuracy cannot show it")
