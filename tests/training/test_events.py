"""What a callback gets to know, in order, and that nothing depends on it."""

import time

import jax
import numpy as np
import pytest

import regjax as rj
from regjax.training.checkpoint import Checkpoints
from regjax.training.events import EpochEnded, FitResult, Saved, Started, Stopped
from tests.training.recorder import Recorder

pytestmark = pytest.mark.slow


def trained(spec, blobs, **options):
    hparams = rj.make_hparams(n_train=80, **{"learning_rate": 0.02} | options.pop("hparams", {}))
    return rj.fit(spec, hparams, jax.random.key(0), blobs.for_seed(0), **options)


def test_events_come_in_order_and_tell_what_is_in_the_history(spec, blobs, tmp_path):
    recorder = Recorder()
    result = trained(spec, blobs, callbacks=[recorder], checkpoints=Checkpoints(tmp_path))
    kinds = [type(event) for event in recorder.events]
    assert kinds[0] is Started
    assert kinds[-1] is FitResult
    assert kinds.count(EpochEnded) == spec.epochs
    assert recorder.events[-1].status == result.status == "completed"
    assert recorder.of(Saved)[-1].step == int(result.state.train.step)
    for epoch, event in enumerate(recorder.of(EpochEnded)):
        assert event.epoch == epoch
        assert event.row["val/loss"] == float(result.state.history.values["val/loss"][epoch])


def test_a_run_has_the_same_bits_with_callbacks_and_without(spec, blobs):
    watched, alone = trained(spec, blobs, callbacks=[Recorder(), Recorder()]), trained(spec, blobs)
    jax.tree.map(np.testing.assert_array_equal, watched.state, alone.state)


@pytest.mark.parametrize(
    ("options", "reason"),
    [({"stopping": rj.EarlyStopping(patience=0, min_delta=1e6)}, "patience"), ({"learning_rate": 1e20}, "diverged")],
)
def test_a_stop_has_its_reason_and_follows_its_epoch(spec, blobs, options, reason):
    recorder = Recorder()
    trained(spec, blobs, hparams=options, callbacks=[recorder])
    (stop,) = recorder.of(Stopped)
    assert stop.reason == reason
    before = recorder.events[recorder.events.index(stop) - 1]
    assert isinstance(before, EpochEnded)
    assert before.epoch == stop.epoch


def test_a_run_without_a_stop_has_no_such_event(spec, blobs):
    recorder = Recorder()
    trained(spec, blobs, callbacks=[recorder])
    assert recorder.of(Stopped) == []


def test_an_error_of_a_callback_ends_the_run_and_keeps_what_was_saved(spec, blobs, tmp_path):
    store = Checkpoints(tmp_path)

    class Fails(rj.Callback):
        def on_epoch(self, event):
            if event.epoch == 1:
                while not store.steps():  # the checkpoint of the epoch before is being written
                    time.sleep(0.01)
                raise RuntimeError("no room for a log")

    with pytest.raises(RuntimeError, match="no room for a log"):
        trained(spec, blobs, callbacks=[Fails()], checkpoints=store)
    recorder = Recorder()
    again = trained(spec, blobs, callbacks=[recorder], checkpoints=Checkpoints(tmp_path))
    assert recorder.of(Started)[0].epochs >= 1
    jax.tree.map(np.testing.assert_array_equal, again.state, trained(spec, blobs).state)
