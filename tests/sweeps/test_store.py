import warnings

import numpy as np
import pytest

import regjax as rj
from regjax.sweeps import LaneWarning, programs
from tests.helpers import assert_trees_equal

pytestmark = pytest.mark.slow


class Stop(Exception):
    """Ends a sweep in the middle."""


def interrupted(lanes, data, directory, after, **options):
    """Run a sweep that fails when `after` lanes are done; gives the lanes that were."""
    done = []

    def on_done(i, result, seconds):
        done.append(i)
        if len(done) == after:
            raise Stop

    with pytest.raises(Stop):
        rj.run_lanes(lanes, data, store=rj.LaneStore(directory), on_done=on_done, **options)
    return done


@pytest.mark.parametrize("options", [{"layout": "map"}, {"layout": "vmap", "chunk": 4}])
@pytest.mark.parametrize("keep_weights", [True, False])
def test_a_stopped_sweep_goes_on_and_repeats_nothing(lanes, blobs, tmp_path, options, keep_weights):
    options = options | {"keep_weights": keep_weights}
    whole = rj.run_lanes(lanes, blobs, **options)
    interrupted(lanes, blobs, tmp_path, 4, **options)
    kept = rj.LaneStore(tmp_path).finished()
    assert len(kept) >= 4
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    seen = []
    found = rj.run_lanes(lanes, blobs, store=rj.LaneStore(tmp_path), on_done=lambda i, *_: seen.append(i), **options)
    assert sorted(seen) == list(range(10))
    assert seen[: len(kept)] == kept  # those that were there are reported first
    assert {path: path.stat().st_mtime_ns for path in before} == before
    for one, other in zip(found, whole, strict=True):
        tolerance = {} if options["layout"] == "map" else {"rtol": 1e-4, "atol": 1e-5}
        assert_trees_equal(one, other, **tolerance)


def test_a_finished_sweep_is_read(lanes, blobs, tmp_path, mapped, monkeypatch):
    rj.run_lanes(lanes, blobs, store=rj.LaneStore(tmp_path))
    monkeypatch.setattr(programs, "train_lane", None)  # training would fail
    for one, other in zip(rj.run_lanes(lanes, blobs, store=rj.LaneStore(tmp_path)), mapped, strict=True):
        assert_trees_equal(one, other)


def test_another_sweep_is_refused(lanes, blobs, tmp_path):
    rj.run_lanes(lanes[:2], blobs, store=rj.LaneStore(tmp_path))
    other_number = [lanes[0]._replace(hparams=lanes[0].hparams._replace(learning_rate=np.float32(0.5))), lanes[1]]
    other_data = blobs._replace(x=blobs.x + 1)
    for chosen, data in ((lanes[1:3], blobs), (other_number, blobs), (lanes[:2], other_data)):
        with pytest.raises(rj.InputError, match="other data, numbers or seed"):
            rj.run_lanes(chosen, data, store=rj.LaneStore(tmp_path))
    with pytest.raises(rj.InputError, match="arrays of another model"):
        rj.run_lanes(lanes[:2], blobs, store=rj.LaneStore(tmp_path), keep_weights=False)


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "text"])
def test_a_damaged_result_is_trained_again_with_a_warning(lanes, blobs, tmp_path, mapped, damage):
    rj.run_lanes(lanes[:2], blobs, store=rj.LaneStore(tmp_path))
    path = tmp_path / "lane-000001.npz"
    content = bytearray(path.read_bytes())
    if damage == "flip":
        middle = len(content) // 2
        content[middle] ^= 1
    path.write_bytes({"truncate": content[:-300], "empty": b"", "text": b"no zip"}.get(damage, bytes(content)))
    with pytest.warns(LaneWarning, match="lane 1 is trained again"):
        found = rj.run_lanes(lanes[:2], blobs, store=rj.LaneStore(tmp_path))
    assert_trees_equal(found[1], mapped[1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rj.run_lanes(lanes[:2], blobs, store=rj.LaneStore(tmp_path))


def test_unfinished_files_are_no_results(tmp_path):
    (tmp_path / ".abc.partial").write_bytes(b"half")
    (tmp_path / "lane-x.npz").write_bytes(b"")
    assert rj.LaneStore(tmp_path).finished() == []
