"""Training as a host loop over the same epoch blocks: progress, checkpoints and signals act between blocks."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Generator
from typing import NamedTuple

import jax
import numpy as np

from regjax.checkpoint import Checkpoints
from regjax.epoch import RunState, TrainData, Weights, make_program
from regjax.loader import StreamLoader
from regjax.mesh import on_mesh
from regjax.spec import Hparams, Spec
from regjax.step import MakeTx
from regjax.typing import Batch, PRNGKey


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
    on_start: Callable[[int], None] | None = None,
    on_epoch: Callable[[int, dict[str, float], RunState], None] | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    loader: StreamLoader | None = None,
) -> FitResult:
    """Train one run epoch by epoch; the same numbers, bit for bit, as `make_run(spec)`.

    Args:
      spec: what to compile.
      hparams: the numbers, from `make_hparams`.
      key: root key of the run.
      data: arrays of one seed.
      make_tx: optional `hparams -> optax transform`.
      checkpoints: where to save, and what to resume from when it holds a checkpoint.
      checkpoint_every: epochs between saves. A save that is due while the last one is still being written is left out;
        the end and an interruption always save.
      on_start: called with the number of epochs that were already done.
      on_epoch: called as `(epoch, row, state)` after each epoch, `row` being its line of the history.
      interrupted: asked between epochs, with a loader also between blocks; True saves and returns with status
        `"interrupted"`. A resumed run goes on at the very update.
      loader: reads the training pool from disk; then `data` is `loader.held(...)`, what evaluations look at.

    Returns:
      A `FitResult`.

    Example:
      >>> import flax.linen as nn, jax.numpy as jnp
      >>> from regjax.spec import make_hparams
      >>> x = jnp.linspace(-1, 1, 32)[:, None]
      >>> data = TrainData(x, (x[:, 0] > 0).astype(jnp.int32), jnp.arange(32), x, (x[:, 0] > 0).astype(jnp.int32))
      >>> spec = Spec(nn.Dense(2), num_classes=2, batch_size=8, steps_per_epoch=4, epochs=3)
      >>> fit(spec, make_hparams(learning_rate=0.1, n_train=32), jax.random.key(0), data).status
      'completed'
    """
    started = time.perf_counter()
    host_key, n_train = key, hparams.n_train
    hparams, key, data = on_mesh((hparams, key, data), spec.mesh)
    state = _init(spec, make_tx, hparams, key, data)
    if checkpoints is not None:
        state = on_mesh(checkpoints.restore_latest(state), spec.mesh)
    done = int(state.epoch)
    # A run that was interrupted inside an epoch has done some of its updates.
    left = (done + 1) * spec.steps_per_epoch - int(state.train.step)
    blocks = None if loader is None else loader.blocks(spec, host_key, n_train, int(state.train.step))
    if on_start is not None:
        on_start(done)
    stop = _stopped(state)
    halted = False
    with contextlib.ExitStack() as ending:
        if blocks is not None:
            ending.callback(blocks.close)  # or its threads would go on after an error
        while done < spec.epochs and not stop and not halted:
            if blocks is None:
                state = _epoch(spec, make_tx, left, state, hparams, key, data)
            else:
                state = _streamed(spec, make_tx, left, state, hparams, key, data, blocks, interrupted)
            left = spec.steps_per_epoch
            halted = int(state.epoch) == done  # between two blocks
            done, stop = int(state.epoch), _stopped(state)
            if on_epoch is not None and not halted:
                on_epoch(done - 1, history_row(state, done - 1), state)
            halted = halted or interrupted()
            if checkpoints is not None:
                final = stop or halted or done == spec.epochs
                if final or done % checkpoint_every == 0:
                    checkpoints.save(state, wait=final)
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
def _init(spec: Spec, make_tx: MakeTx | None, hparams: Hparams, key: PRNGKey, data: TrainData) -> RunState:
    return make_program(spec, make_tx).init(hparams, key, data)


@functools.partial(jax.jit, static_argnums=(0, 1, 2), donate_argnums=3)
def _epoch(
    spec: Spec, make_tx: MakeTx | None, steps: int, state: RunState, hparams: Hparams, key: PRNGKey, data: TrainData
) -> RunState:
    program = make_program(spec, make_tx)
    return program.end_epoch(program.updates(state, hparams, key, data, steps), hparams, data)


def _streamed(
    spec: Spec,
    make_tx: MakeTx | None,
    left: int,
    state: RunState,
    hparams: Hparams,
    key: PRNGKey,
    data: TrainData,
    blocks: Generator[Batch],
    interrupted: Callable[[], bool],
) -> RunState:
    """What is left of an epoch, block by block; without its end if an interruption comes before the last block."""
    while left:
        block = next(blocks)  # is read and put on the device while the last one trains
        jax.block_until_ready(state.train.step)  # so that no more than two blocks are there
        state = _block(spec, make_tx, state, hparams, key, block)
        left -= block.x.shape[0]
        if left and interrupted():
            return state
    return _end_epoch(spec, make_tx, state, hparams, data)


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def _block(
    spec: Spec, make_tx: MakeTx | None, state: RunState, hparams: Hparams, key: PRNGKey, block: Batch
) -> RunState:
    return make_program(spec, make_tx).updates_on(state, hparams, key, block)


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def _end_epoch(spec: Spec, make_tx: MakeTx | None, state: RunState, hparams: Hparams, data: TrainData) -> RunState:
    return make_program(spec, make_tx).end_epoch(state, hparams, data)
