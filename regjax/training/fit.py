"""Training as a host loop over blocks of updates: progress, checkpoints and signals act between blocks."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import jax
import numpy as np

from regjax.core.mesh import on_mesh
from regjax.core.typing import Array, Batch, PRNGKey
from regjax.training.batches import next_block
from regjax.training.checkpoint import Checkpoints
from regjax.training.pace import MOST_STEPS, BlockLength, SaveInterval
from regjax.training.preflight import check_order, check_run
from regjax.training.program import make_program
from regjax.training.spec import Hparams, Spec
from regjax.training.state import RunState, TrainData, Weights
from regjax.training.step import MakeTx
from regjax.training.stream import StreamLoader


class FitResult(NamedTuple):
    """How a fit ended.

    Attributes:
      state: the last `RunState`.
      weights: of the best evaluation if `hparams.restore_best`, else the last ones.
      status: `"completed"`, `"stopped_early"`, `"diverged"` or `"interrupted"`.
      seconds: of this call, compilation included.
    """

    state: RunState
    weights: Weights
    status: str
    seconds: float


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
    on_start: Callable[[int, RunState], None] | None = None,
    on_epoch: Callable[[int, dict[str, float], RunState], None] | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    loader: StreamLoader | None = None,
) -> FitResult:
    """Train one run block by block; the same numbers, bit for bit, as `make_run(spec)`.

    A block is about a second of updates, or what a loader has read; none crosses the end of an epoch.

    Args:
      spec: what to compile.
      hparams: the numbers, from `make_hparams`.
      key: root key of the run.
      data: arrays of one seed.
      make_tx: optional `hparams -> optax transform`.
      checkpoints: where to save, and what to resume from when it holds a checkpoint.
      checkpoint_every: epochs between saves. A save that is due while the last one is still being written waits
        for the next moment; the end and an interruption always save.
      checkpoint_steps: updates between saves instead of epochs. A loader saves when the block that it has read ends.
      checkpoint_seconds: seconds between saves instead, at the end of a block.
      on_start: called as `(epochs that were already done, state)`.
      on_epoch: called as `(epoch, row, state)` after each epoch, `row` being its line of the history.
      interrupted: asked between blocks and after each epoch; True saves and returns with status `"interrupted"`. A
        resumed run goes on at the very update.
      loader: reads the training pool from disk; then `data` is `loader.evaluation_data(...)`.

    Returns:
      A `FitResult`.

    Raises:
      ValueError: an interval out of range, or steps and seconds together; labels that are no classes of the model.
      InputError: no checkpoint that is there can be used, or they are of another run.
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
    pool, standardized = None if loader is None else loader.y, hparams.standardization is not None
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

    if on_start is not None:
        on_start(done, state)
    stop, halted = _stopped(state), False
    with contextlib.ExitStack() as ending:
        feed: _Memory | _Stream
        if loader is None:
            block_length = BlockLength(min(spec.steps_per_epoch, MOST_STEPS))
            feed = _Memory(spec, make_tx, hparams, key, data, block_length)
        else:
            blocks = loader.blocks(spec, host_key, n_train, step)
            ending.callback(blocks.close)  # or its threads would go on after an error
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
            if on_epoch is not None:
                on_epoch(done - 1, history_row(state, done - 1), state)
            halted = interrupted()
            final = stop or halted or done == spec.epochs
            if final or saves.due(step, done):
                save(wait=final)
    weights = _final_weights(state, hparams)
    if spec.mesh is not None:
        state, weights = jax.device_get((state, weights))  # of use without the devices of other processes
    return FitResult(state, weights, _status(state, spec, stop, halted), time.perf_counter() - started)


def history_row(state: RunState, epoch: int) -> dict[str, float]:
    """The measurements of one epoch as Python floats, by their names of `metrics.jsonl`."""
    return dict(zip(state.history.names, np.asarray(state.history.table)[epoch].tolist(), strict=True))


# What follows decides on the host: outside of jit, each operation on arrays is a program to compile, for each shape.


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
        """The state after the next block, and the number of its updates."""
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
        jax.block_until_ready(state.train.step)  # or all blocks of an epoch would wait in a queue
        self.block_length.record(steps, time.perf_counter() - started)
        return state, steps


class _Stream(NamedTuple):
    """Blocks of updates on batches that a loader reads ahead."""

    spec: Spec
    make_tx: MakeTx | None
    hparams: Hparams
    key: PRNGKey
    blocks: Iterator[Batch]

    def advance(self, state: RunState, most: int) -> tuple[RunState, int]:
        """The state after the next block, and the number of its updates, which the loader decides."""
        del most
        batches = next(self.blocks)  # are read and put on the device while the last ones train
        jax.block_until_ready(state.train.step)  # so that no more than two blocks are there
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
