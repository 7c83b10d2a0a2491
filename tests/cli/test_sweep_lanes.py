import jax
import numpy as np
import pytest

from regjax.cli import setup
from regjax.cli.grid import Point
from regjax.cli.search_options import SearchOptions
from regjax.cli.sweep_lanes import SweepLanes
from regjax.cli.sweep_runs import FoldRuns
from regjax.core.rng import run_key
from regjax.sweeps.lane import program_of

CONFIG = SearchOptions(dataset="diabetes", model="linear", epochs=3, dropout=0.1)


@pytest.fixture(scope="module")
def lanes():
    runs = FoldRuns(CONFIG, setup.load(CONFIG, 0), [3, 4], 2)
    return SweepLanes(CONFIG, setup.make_spec(CONFIG, runs.facts), runs, ("l2", "dropout"))


def test_a_point_has_a_lane_for_each_run_with_its_values(lanes):
    made = lanes.of(Point({"l2": 0.5, "dropout": 0.25}, False))
    assert [lane.seed for lane in made] == [0, 1, 2, 3]
    assert [int(lane.hparams.n_train) for lane in made] == [lanes.runs.facts_of(one).pool for one in lanes.runs.runs]
    assert [float(lane.hparams.rates["dropout"]) for lane in made] == [0.25] * 4
    keys = [jax.random.key_data(lane.key).tolist() for lane in made]
    assert keys == [jax.random.key_data(run_key(seed)).tolist() for seed in (3, 3, 4, 4)]
    assert not np.array_equal(made[0].hparams.standardization.mean, made[1].hparams.standardization.mean)


def test_the_reference_and_every_point_are_of_one_program(lanes):
    points = [Point({"l2": l2, "dropout": rate}, False) for l2, rate in ((0.0, 0.0), (0.5, 0.0), (0.1, 0.7))]
    assert len({program_of(lane) for point in points for lane in lanes.of(point)}) == 1


def test_losses_get_the_unit_of_the_whole_data(lanes):
    """A squared error in standard deviations of the fold, times its variance by that of all examples."""
    own = lanes.units(Point({"l2": 0.5, "dropout": 0.0}, False))
    whole = lanes.runs.loaded.preprocessor
    expected = [(lanes.runs.preprocessor(one, None).y_scale / whole.y_scale) ** 2 for one in lanes.runs.runs]
    assert own == pytest.approx([float(np.squeeze(value)) for value in expected], rel=1e-5)
