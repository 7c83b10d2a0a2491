import dataclasses
import os
import shutil
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.training.checkpoint import Checkpoints, CheckpointWarning
from regjax.training.program import make_program
from tests.helpers import assert_trees_equal


@pytest.fixture(scope="module")
def states(spec, blobs):
    """The states of a run after 0, 1, 2 and 3 epochs."""
    program = make_program(spec)
    hparams, key, data = rj.make_hparams(n_train=80, learning_rate=0.05), jax.random.key(0), blobs.for_seed(0)
    found = [jax.jit(program.init)(hparams, key, data.x[:1])]
    step = jax.jit(program.epoch_block)
    for _ in range(3):
        found.append(step(found[-1], hparams, key, data))
    return found


@pytest.fixture
def saved(states, tmp_path):
    """Two checkpoints, of one and of two epochs."""
    store = Checkpoints(tmp_path, config={"seed": 1})
    for state in states[1:3]:
        store.save(state, wait=True)
    return tmp_path


def test_what_is_saved_is_restored_bit_for_bit(states, tmp_path):
    odd = states[1]._replace(loss_sum=jnp.float32(np.nan), epoch=jnp.int32(-7))
    Checkpoints(tmp_path).save(odd, wait=True)
    found = Checkpoints(tmp_path).restore_latest(states[0])
    assert_trees_equal(found, odd)
    assert [leaf.dtype for leaf in jax.tree.leaves(found)] == [leaf.dtype for leaf in jax.tree.leaves(odd)]


def test_nothing_saved_gives_back_what_was_given(states, tmp_path):
    assert Checkpoints(tmp_path / "none").restore_latest(states[0]) is states[0]


def test_the_newest_stay_and_the_best_stays_apart(states, tmp_path):
    store = Checkpoints(tmp_path, keep=2)
    for state in states[1:]:
        store.save(state, wait=True)
    assert store.steps() == [6, 9]
    assert len(store.steps("best")) == 1
    last = states[-1]
    assert_trees_equal(store.restore_best(states[0].best), last.best)
    # A worse evaluation moves latest and leaves best alone.
    before = store.steps("best")
    worse = last._replace(train=last.train._replace(step=last.train.step + 3), epoch=last.epoch + 1)
    store.save(worse, wait=True)
    assert store.steps() == [9, 12]
    assert store.steps("best") == before


def files_of(directory):
    return sorted(path for path in directory.rglob("*") if path.is_file())


@pytest.mark.slow
def test_damage_of_any_file_falls_back_to_the_checkpoint_before(states, saved):
    newest = saved / "latest" / "6"
    names = [path.relative_to(newest) for path in files_of(newest)]
    assert len(names) >= 3
    backup = saved / "backup"
    shutil.copytree(newest, backup)
    for name in names:
        for damage in ("flip", "truncate", "remove"):
            path = newest / name
            content = path.read_bytes()
            if damage == "flip":
                path.write_bytes(content[: len(content) // 2] + b"\xff\x00" + content[len(content) // 2 + 2 :])
            elif damage == "truncate":
                os.truncate(path, len(content) // 2)
            else:
                path.unlink()
            if path.exists() and path.read_bytes() == content:
                continue  # an empty file cannot be cut
            with pytest.warns(CheckpointWarning, match=r"latest/6 is damaged"):
                found = Checkpoints(saved).restore_latest(states[0])
            assert int(found.epoch) == 1
            assert_trees_equal(found, states[1])
            shutil.rmtree(newest)
            shutil.copytree(backup, newest)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert_trees_equal(Checkpoints(saved).restore_latest(states[0]), states[2])


def test_a_damaged_checkpoint_takes_no_place_of_a_good_one(states, saved):
    os.truncate(saved / "latest" / "6" / "manifest.json", 10)
    store = Checkpoints(saved, config={"seed": 1})
    with pytest.warns(CheckpointWarning):
        found = store.restore_latest(states[0])
    store.save(found._replace(train=found.train._replace(step=found.train.step + 1)), wait=True)
    assert store.steps() == [3, 4]  # not the damaged 6, which would leave one good one


def test_all_damaged_is_an_error_and_no_silent_restart(states, saved):
    for step in ("3", "6"):
        os.truncate(saved / "latest" / step / "manifest.json", 10)
    with pytest.warns(CheckpointWarning), pytest.raises(rj.InputError, match=r"no checkpoint can be used.*6.*3"):
        Checkpoints(saved).restore_latest(states[0])


def test_a_checkpoint_of_another_run_is_refused(states, saved, spec, blobs):
    wider = dataclasses.replace(spec, model=rj.models.make_model("mlp", num_outputs=2, widths=(17,)))
    init = make_program(wider).init
    like = jax.eval_shape(init, rj.make_hparams(n_train=80), jax.random.key(0), blobs.x[:1])
    with pytest.raises(rj.InputError, match=r"does not belong to this run: .*17\]"):
        Checkpoints(saved).restore_latest(like)
    half = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16) if leaf.dtype == jnp.float32 else leaf, states[0])
    with pytest.raises(rj.InputError, match=r"does not belong to this run: .*bfloat16"):
        Checkpoints(saved).restore_latest(half)
    with jax.enable_x64(True), pytest.raises(rj.InputError, match="jax_enable_x64 is on"):
        Checkpoints(saved).restore_latest(
            jax.tree.map(lambda leaf: leaf.astype(np.float64) if leaf.dtype == np.float32 else leaf, states[0])
        )
    with pytest.raises(rj.InputError, match="other settings: seed"):
        Checkpoints(saved, config={"seed": 2}).restore_latest(states[0])


def test_a_save_that_fails_names_the_path_and_leaves_the_others(states, saved, monkeypatch):
    store = Checkpoints(saved)

    def full(*arguments, **options):
        raise ValueError("RESOURCE_EXHAUSTED: No space left on device")

    monkeypatch.setattr(store._orbax, "save", full)
    with pytest.raises(OSError, match=r"latest/9 cannot be written: .*No space left on device"):
        store.save(states[3], wait=True)
    assert store.steps() == [3, 6]
    assert not list(saved.rglob(".tmp-*"))
    assert_trees_equal(Checkpoints(saved).restore_latest(states[0]), states[2])


def test_an_error_in_the_background_is_raised_by_the_next_save(states, tmp_path, monkeypatch):
    store = Checkpoints(tmp_path)
    monkeypatch.setattr(store._orbax, "save", lambda *arguments, **options: 1 / 0)
    store.save(states[1])
    with pytest.raises(OSError, match="cannot be written: division by zero"):
        store.save(states[2], wait=True)


def test_leftovers_of_a_killed_save_are_removed_and_never_read(states, saved):
    shutil.copytree(saved / "latest" / "6", saved / "latest" / ".tmp-9-1-abc")
    (saved / "latest" / ".tmp-9-1-abc" / "manifest.json").unlink()
    assert_trees_equal(Checkpoints(saved).restore_latest(states[0]), states[2])
    assert [path.name for path in (saved / "latest").iterdir() if path.name.startswith(".")] == []
