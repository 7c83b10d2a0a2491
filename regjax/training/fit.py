"""Training as a host loop over blocks of updates, with progress, checkpoints and signals between the blocks."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import jax
import numpy as np

from regjax.core.mesh import on_mesh
from regjax.core.typing import Array, Batch, PRNGKey
from regjax.training.batches import next_block
from regjax.training.checkpoint import Checkpoints
from regjax.training.events import Callback, EpochEnded, FitResult, Saved, Started, Stopped
from regjax.training.intervals import MOST_STEPS, BlockLength, SaveInterval
from regjax.training.preflight import check_order, check_run
from regjax.training.program import make_program
from regjax.training.spec import Hparams, Spec
from regjax.training.state import RunState, TrainData, Weights
from regjax.training.step import MakeTx
from regjax.training.stream import StreamLoader


def fit(
    spec: Spec,
    hparams: Hparams,
    key: PRNGKey,
    data: TrainData,
    *,
    make_tx: MakeTx | None = None,
    checkpoints: Checkpoints | None = None,
    checkpoint_every: int = 1,
    checkpoint_steps: int | None = None,
    checkpoint_seconds: float | None = None,
    callbacks: Sequence[Callback] = (),
    interrupted: Callable[[], bool] = lambda: False,
    loader: StreamLoader | None = None,
) -> FitResult:
    """Train one run block by block. The results are equal to those of `make_run(spec)`, bit for bit.

    A block takes about a second, or consists of the batches that a loader has read. It ends at the end of an epoch at
    the latest.

    Args:
      spec: what to compile.
      hparams: the numbers, from `make_hparams`.
      key: root key of the run.
      data: arrays of one seed.
      make_tx: optional `hparams -> optax transform`.
      checkpoints: where to save checkpoints; if there is one already, the run resumes from it.
      checkpoint_every: number of epochs between saves. A save is postponed while the last one is still in progress; a
        run that ends or is interrupted is always saved.
      checkpoint_steps: number of updates between saves, instead of epochs. With a loader, saves happen at the end of
        the block that was read.
      checkpoint_seconds: number of seconds between saves, instead of epochs; saves happen at the end of a block.
      callbacks: what watches the run, from `rj.Callback`; it changes nothing about the run.
      interrupted: called between blocks and after each epoch; if it returns True, the run is saved and returned with
        status `"interrupted"`. A resumed run continues with the next update.
      loader: reads the training pool from disk; `data` is then `loader.evaluation_data(...)`.

    Returns:
      A `FitResult`.

    Raises:
      ValueError: an interval is out of range, both steps and seconds are given, or labels are not classes of the model.
      InputError: all checkpoints are damaged, or they belong to another run.
      OSError: a checkpoint cannot be written.

    Example:
      >>> import flax.linen as nn, jax.numpy as jnp
      >>> from regjax.training.spec import make_hparams
      >>> x = jnp.linspace(-1, 1, 32)[:, None]
      >>> data = TrainData(x, (x[:, 0] > 0).astype(jnp.int32), jnp.arange(32), x, (x[:, 0] > 0).astype(jnp.int32))
      >>> spec = Spec(nn.Dense(2), num_classes=2, batch_size=8, steps_per_epoch=4, epochs=3)
      >>> fit(spec, make_hparams(learning_rate=0.1, n_train=32), jax.random.key(0), data).status
      'completed'
    """
    started = time.perf_counter()
    pool, standardized = None if loader is None else loader.y, hparams.standardizes_inputs
    check_run(spec, data, hparams.n_train, pool, standardized=standardized)
    if loader is not None:
        check_order(loader.order, len(loader.y), hparams.n_train)
    host_key, n_train = key, hparams.n_train
    hparams, key, data = on_mesh((hparams, key, data), spec.mesh)
    examples = data.x if loader is None else on_mesh(loader.example(), spec.mesh)
    saves = SaveInterval(checkpoint_every, checkpoint_steps, checkpoint_seconds)
    if checkpoints is not None and checkpoints.steps():
        like = jax.eval_shape(functools.partial(_init, spec, make_tx), hparams, key, examples)  # compiles nothing
        state = on_mesh(checkpoints.restore_latest(like), spec.mesh)
    else:
        state = _init(spec, make_tx, hparams, key, examples)
    step, done = int(state.train.step), int(state.epoch)
    saves.saved(step)

    def save(wait: bool) -> None:
        if checkpoints is not None and checkpoints.save(state, wait=wait):
            saves.saved(step)
            for callback in callbacks:
                callback.on_save(Saved(step))

    for callback in callbacks:
        callback.on_start(Started(done, state))
    stop, halted = _stopped(state), False
    with contextlib.ExitStack() as ending:
        feed: _Memory | _Stream
        if loader is None:
            block_length = BlockLength(min(spec.steps_per_epoch, MOST_STEPS))
            feed = _Memory(spec, make_tx, hparams, key, data, block_length)
        else:
            blocks = loader.blocks(spec, host_key, n_train, step)
            ending.callback(blocks.close)  # otherwise its threads would continue after an error
            feed = _Stream(spec, make_tx, hparams, key, blocks)
        while done < spec.epochs and not stop and not halted:
            # A run that was interrupted inside an epoch has done some of its updates.
            left = (done + 1) * spec.steps_per_epoch - step
            while left and not halted:
                state, steps = feed.advance(state, min(left, saves.room(step) or left))
                step, left = step + steps, left - steps
                halted = left > 0 and interrupted()
                if left and (halted or saves.due(step)):
                    save(wait=halted)
            if halted:
                break
            state = _end_epoch(spec, make_tx, state, hparams, data)
            done, stop = done + 1, _stopped(state)
            for callback in callbacks:
                callback.on_epoch(EpochEnded(done - 1, history_row(state, done - 1), state))
                if stop:
                    callback.on_stop(Stopped(done - 1, state.stop.reason_name))
            halted = interrupted()
            final = stop or halted or done == spec.epochs
            if final or saves.due(step, done):
                save(wait=final)
    weights = _final_weights(state, hparams)
    if spec.mesh is not None:
        state, weights = jax.device_get((state, weights))  # usable without the devices of other processes
    result = FitResult(state, weights, _status(state, spec, stop, halted), time.perf_counter() - started)
    for callback in callbacks:
        callback.on_end(result)
    return result


def history_row(state: RunState, epoch: int) -> dict[str, float]:
    """Return the metrics of one epoch as Python floats, by their names in `metrics.jsonl`."""
    return dict(zip(state.history.names, np.asarray(state.history.table)[epoch].tolist(), strict=True))


# The functions below compute on the host: outside of jit, each array operation compiles a program for each shape.


def _stopped(state: RunState) -> bool:
    return int(state.stop.reason) != 0


def _final_weights(state: RunState, hparams: Hparams) -> Weights:
    """`state.weights(hparams)`."""
    if bool(hparams.restore_best) and int(state.stop.best_step) >= 0:
        return state.best
    if state.averages is None:
        return Weights(state.train.params, state.train.model_state)
    return state.weights(hparams)


def _status(state: RunState, spec: Spec, stop: bool, halted: bool) -> str:
    if stop:
        return "diverged" if state.stop.reason_name == "diverged" else "stopped_early"
    return "interrupted" if halted and int(state.epoch) < spec.epochs else "completed"


@functools.partial(jax.jit, static_argnums=(0, 1))
def _init(spec: Spec, make_tx: MakeTx | None, hparams: Hparams, key: PRNGKey, examples: Array) -> RunState:
    return make_program(spec, make_tx).init(hparams, key, examples[:1])


class _Memory(NamedTuple):
    """Blocks of updates on a training pool in memory."""

    spec: Spec
    make_tx: MakeTx | None
    hparams: Hparams
    key: PRNGKey
    data: TrainData
    block_length: BlockLength

    def advance(self, state: RunState, most: int) -> tuple[RunState, int]:
        """Train the next block; return the state and the number of updates."""
        started, steps = time.perf_counter(), min(most, self.block_length.steps)
        state = _updates(
            self.spec,
            self.make_tx,
            self.block_length.max_steps,
            state,
            self.hparams,
            self.key,
            self.data,
            np.int32(steps),
        )
        jax.block_until_ready(state.train.step)  # otherwise all blocks of an epoch would be queued
        self.block_length.record(steps, time.perf_counter() - started)
        return state, steps


class _Stream(NamedTuple):
    """Blocks of updates on batches that a loader prefetches."""

    spec: Spec
    make_tx: MakeTx | None
    hparams: Hparams
    key: PRNGKey
    blocks: Iterator[Batch]

    def advance(self, state: RunState, most: int) -> tuple[RunState, int]:
        """Train the next block; return the state and the number of updates, which the loader determines."""
        del most
        batches = next(self.blocks)  # read and transferred while the previous block trains
        jax.block_until_ready(state.train.step)  # so that there are at most two blocks
        steps = batches.x.shape[0]
        length = np.int32(steps)
        return _updates(self.spec, self.make_tx, steps, state, self.hparams, self.key, batches, length), steps


@functools.partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=3)
def _updates(
    spec: Spec,
    make_tx: MakeTx | None,
    most: int,
    state: RunState,
    hparams: Hparams,
    key: PRNGKey,
    source: TrainData | Batch,
    steps: np.int32,
) -> RunState:
    block = next_block(spec, key, state.train.step, source, hparams.n_train, most)
    return make_program(spec, make_tx).updates(state, hparams, key, block, steps)


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def _end_epoch(spec: Spec, make_tx: MakeTx | None, state: RunState, hparams: Hparams, data: TrainData) -> RunState:
    return make_program(spec, make_tx).end_epoch(state, hparams, data)
