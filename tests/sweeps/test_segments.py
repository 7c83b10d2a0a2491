import jax
import numpy as np
import pytest

import regjax as rj
from regjax.sweeps.plan import plan_lanes
from regjax.sweeps.segments import SegmentStore, SegmentTrainer
from tests.helpers import assert_trees_equal

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lane(spec):
    hparams = rj.make_hparams(learning_rate=0.01, n_train=80, rates={"dropout": 0.2})
    return rj.Lane(rj.make_run(spec), hparams, jax.random.key(0))


def train(lane, blobs, pauses, store=None, **layout):
    """Train one lane with pauses; gives the end of each segment."""
    rest, ends = list(pauses), []

    def more():
        return [(0, rest.pop(0), lane)] if rest and len(ends) == len(pauses) - len(rest) else None

    plan = plan_lanes([lane], blobs, predict=False, **layout)
    trainer = SegmentTrainer(plan, blobs, store, more, lambda number, until, ended: ends.append((number, until, ended)))
    trainer.run()
    return ends


def test_segments_go_on_from_each_other(lane, blobs):
    ends = train(lane, blobs, [1, 2, 2, 6])
    assert [(number, until, ended.epochs) for number, until, ended in ends] == [
        (0, 1, 1),
        (0, 2, 1),
        (0, 2, 0),
        (0, 6, 4),
    ]
    [whole] = rj.run_lanes([lane], blobs, keep_weights=False)
    assert_trees_equal(ends[-1][-1].result, whole)


def test_a_state_that_is_newer_than_its_result_is_not_trained_again(lane, blobs, tmp_path):
    """As after a kill between the two files."""
    store = SegmentStore(tmp_path, blobs)
    train(lane, blobs, [1, 3], store)
    [result] = (tmp_path / "epoch-000003").iterdir()
    before = result.read_bytes()
    [state] = (tmp_path / "states").iterdir()
    stamp = state.read_bytes()
    result.unlink()
    ends = train(lane, blobs, [1, 3], SegmentStore(tmp_path, blobs))
    assert [ended.epochs for *_, ended in ends] == [1, 2]
    with np.load(result) as now, np.load(tmp_path / "states" / state.name) as kept:
        assert int(kept["leaf_00000"]) == 9  # updates: three epochs of three
        assert set(now.files) >= {"fingerprint", "leaf_00000"}
    assert before == result.read_bytes()
    assert stamp == state.read_bytes()


def test_another_lane_is_refused(lane, blobs, tmp_path):
    train(lane, blobs, [1], SegmentStore(tmp_path, blobs))
    with pytest.raises(rj.InputError, match="other data, numbers or seed"):
        train(lane._replace(seed=1), blobs, [1], SegmentStore(tmp_path, blobs))


def test_a_state_is_forgotten(lane, blobs, tmp_path):
    store = SegmentStore(tmp_path, blobs)
    train(lane, blobs, [2], store)
    assert len(list((tmp_path / "states").iterdir())) == 1
    store.forget(0)
    store.forget(0)
    assert list((tmp_path / "states").iterdir()) == []


def test_an_error_ends_all_workers(lane, blobs):
    class Stop(Exception):
        pass

    numbers = iter(range(100))

    def fail(number, until, ended):
        raise Stop

    plan = plan_lanes([lane] * 3, blobs, predict=False, workers=3)
    with pytest.raises(Stop):
        SegmentTrainer(plan, blobs, None, lambda: [(next(numbers), 1, lane)], fail).run()
    assert next(numbers) < 20
