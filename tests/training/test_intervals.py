"""Block lengths and save intervals on a clock of our own; and what they do to a run."""

import jax
import numpy as np
import pytest

import regjax as rj
from regjax.training.checkpoint import Checkpoints
from regjax.training.intervals import MEASURED_BLOCKS, BlockLength, SaveInterval
from tests.helpers import assert_trees_equal


def test_the_first_block_compiles_and_does_not_count():
    block_length = BlockLength(1000)
    assert block_length.steps == 1
    block_length.record(1, 30.0)
    assert block_length.steps == 1
    block_length.record(1, 0.02)
    assert block_length.steps == 50


@pytest.mark.parametrize(("seconds", "length"), [(1e-6, 100), (0.0, 100), (0.3, 3), (5.0, 1)])
def test_a_block_has_one_update_at_least_and_no_more_than_there_are(seconds, length):
    block_length = BlockLength(100)
    for _ in range(2):
        block_length.record(1, seconds)
    assert block_length.steps == length


def test_a_hiccup_is_forgotten_and_the_length_settles():
    block_length = BlockLength(1000)
    block_length.record(1, 9.0)
    block_length.record(1, 2.0)
    assert block_length.steps == 1
    block_length.record(1, 0.01)
    assert block_length.steps == 100
    for _ in range(MEASURED_BLOCKS):
        block_length.record(100, 0.1)
    assert block_length.steps == 1000
    block_length.record(1000, 0.001)
    assert block_length.steps == 1000


def test_saves_by_epochs_come_at_their_ends_alone():
    saves = SaveInterval(3)
    assert [epoch for epoch in range(1, 10) if saves.due(epoch * 7, epoch)] == [3, 6, 9]
    assert not any(saves.due(step) for step in range(30))
    assert saves.room(5) is None


def test_saves_by_steps_come_at_the_multiples_and_stay_due_until_they_begin():
    saves = SaveInterval(steps=4, step=2)
    assert [saves.room(step) for step in (2, 4, 7)] == [2, 4, 1]
    assert [saves.due(step) for step in (3, 4, 5)] == [False, True, True]
    saves.saved(5)
    assert [saves.due(step, epoch=1) for step in (6, 7, 8)] == [False, False, True]


def test_saves_by_seconds_count_from_the_last_one():
    now = [100.0]
    saves = SaveInterval(seconds=10, clock=lambda: now[0])
    now[0] = 109.0
    assert not saves.due(1, epoch=1)
    now[0] = 110.0
    assert saves.due(2)
    saves.saved(2)
    assert not saves.due(3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"epochs": 0}, "checkpoint_every must be >= 1"),
        ({"steps": 0}, "checkpoint_steps must be >= 1"),
        ({"seconds": 0}, "checkpoint_seconds must be > 0"),
        ({"seconds": float("nan")}, "checkpoint_seconds must be > 0"),
        ({"steps": 1, "seconds": 1}, "exclude each other"),
    ],
)
def test_intervals_that_are_none_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SaveInterval(**arguments)


class Kept(Checkpoints):
    """Checkpoints that remember at which update each was asked for, and wait for each."""

    def __init__(self, directory):
        super().__init__(directory, keep=100)
        self.asked = []

    def save(self, state, *, wait=False):
        self.asked.append((int(state.train.step), int(state.epoch)))
        return super().save(state, wait=True)


def fitted(spec, blobs, **options):
    hparams = rj.make_hparams(learning_rate=0.02, n_train=80, rates={"dropout": 0.3}, stopping=rj.EarlyStopping(5))
    return rj.fit(spec, hparams, jax.random.key(4), blobs.for_seed(0), **options)


@pytest.mark.slow
def test_a_run_saves_inside_its_epochs_and_goes_on_from_each_save(spec, blobs, tmp_path):
    """Three updates an epoch, a save every two; a save at the end of an epoch holds its evaluation."""
    whole, kept = fitted(spec, blobs), Kept(tmp_path)
    fitted(spec, blobs, checkpoints=kept, checkpoint_steps=2)
    last = int(whole.state.train.step)
    assert kept.asked == [(step, step // 3) for step in [*range(2, last, 2), last]]
    for step in kept.steps()[:-1]:
        later = [s for s in kept.steps() if s > step]
        for one in later:
            (tmp_path / "latest" / str(one)).rename(tmp_path / f"later{one}")
        rest = fitted(spec, blobs, checkpoints=Checkpoints(tmp_path), checkpoint_every=10**6)
        assert_trees_equal(whole.state, rest.state)
        (tmp_path / "latest" / str(last)).rename(tmp_path / f"done{step}")
        for one in later:
            (tmp_path / f"later{one}").rename(tmp_path / "latest" / str(one))


def test_a_run_saves_by_the_clock_between_blocks(spec, blobs, tmp_path):
    kept = Kept(tmp_path)
    whole = fitted(spec, blobs, checkpoints=kept, checkpoint_seconds=1e-9)
    # Every moment is late enough: after the updates that measure, inside the first epoch, and at the end of each.
    assert kept.asked[:3] == [(1, 0), (2, 0), (3, 1)]
    assert [step for step, epoch in kept.asked if epoch][-1] == int(whole.state.train.step)
    assert np.isfinite(float(whole.state.stop.best_value))
