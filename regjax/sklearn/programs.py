"""What the estimators train and compute with: arrays of a shape that programs share, and the compiled programs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.typing import Array, ModelLike, PRNGKey, Value
from regjax.models.interface import as_model
from regjax.training.batches import next_block
from regjax.training.evaluate import predict
from regjax.training.preflight import check_run
from regjax.training.program import make_program
from regjax.training.run import RunResult, make_run
from regjax.training.spec import Hparams, Spec
from regjax.training.state import TrainData, TrainState, Weights

ROWS = 64
"""Tables are filled up to a multiple of this, so that those of about the same size share a program."""

CHUNK = 2048
"""Examples that are predicted at once."""

PROGRAMS = 64
"""Compiled programs of each kind that are kept."""


class Part(NamedTuple):
    """The examples of a run: rows of a table to train on, and those that early stopping watches."""

    train: np.ndarray
    watched: np.ndarray


def train_data(x: np.ndarray, y: np.ndarray, weight: np.ndarray | None, parts: Sequence[Part]) -> TrainData:
    """Return the arrays of runs on parts of a table; run `i` is seed `i`.

    Args:
      x: `float32[N, F]`.
      y: targets `[N]` or `[N, D]`.
      weight: `float32[N]`, or None.
      parts: one for each run.
    """
    size = _multiple(len(x), ROWS)

    def filled(array: np.ndarray) -> np.ndarray:
        return np.concatenate([array, np.zeros((size - len(x), *array.shape[1:]), array.dtype)])

    order = np.zeros((len(parts), size), np.int32)
    watched = np.full((len(parts), _multiple(max(len(part.watched) for part in parts), ROWS)), -1, np.int32)
    for i, part in enumerate(parts):
        order[i, : len(part.train)] = part.train
        watched[i, : len(part.watched)] = part.watched
    targets = filled(y)
    arrays: dict[str, Value] = {  # of NumPy, until a program takes them
        "x": filled(x),
        "y": np.broadcast_to(targets, (len(parts), *targets.shape)),
        "order": order,
        "x_val": x[:0],
        "y_val": y[:0],
        "weight": None if weight is None else filled(weight),
        "val_rows": watched,
    }
    return TrainData(**arrays)


def train(spec: Spec, hparams: Hparams, key: PRNGKey, data: TrainData) -> RunResult:
    """Train one run; the result is of NumPy arrays.

    Raises:
      ValueError: targets and outputs do not fit each other; see `check_run`.
    """
    _check(spec, hparams, data)
    done: RunResult = jax.device_get(_run(spec)(hparams, key, data))
    return done


def _check(spec: Spec, hparams: Hparams, data: TrainData) -> None:
    """Check the arrays before they are traced, when their values cannot be seen any more."""
    check_run(spec, data, hparams.n_train, standardized=hparams.standardizes_inputs)


@functools.lru_cache(PROGRAMS)
def _run(spec: Spec) -> Callable[..., RunResult]:
    return jax.jit(make_run(spec).result)


class Pass(NamedTuple):
    """The state after a pass over some examples, and the mean loss of its updates."""

    train: TrainState
    loss: Array


def train_once(
    spec: Spec,
    hparams: Hparams,
    key: PRNGKey,
    data: TrainData,
    number: int,
    state: TrainState | None,
    weights: Weights | None,
) -> Pass:
    """Train for one pass over the examples.

    Args:
      spec: the specification, whose epochs and steps determine the schedule of the learning rate.
      hparams: the hyperparameters.
      key: root key, the same for all passes.
      data: the arrays of this pass.
      number: how many passes there were before; it determines the order of the examples.
      state: the state after the pass before; None begins.
      weights: the weights to begin with; None initializes them.

    Raises:
      ValueError: as `train`.
    """
    _check(spec, hparams, data)
    done: Pass = jax.device_get(_once(spec)(hparams, key, data, number, state, weights))
    return done


@functools.lru_cache(PROGRAMS)
def _once(spec: Spec) -> Callable[..., Pass]:
    program = make_program(spec)

    def once(
        hparams: Hparams,
        key: PRNGKey,
        data: TrainData,
        number: Array,
        before: TrainState | None,
        weights: Weights | None,
    ) -> Pass:
        data, steps = data.for_seed(0), spec.steps_per_epoch
        state = program.init(hparams, key, data.x[:1], weights)
        state = state if before is None else state._replace(train=before)
        block = next_block(spec, jax.random.fold_in(key, number), 0, data, hparams.n_train, steps)
        state = program.updates(state, hparams, key, block, steps)
        return Pass(state.train, state.loss_sum / steps)

    return jax.jit(once)


def outputs(spec: Spec, weights: Weights, hparams: Hparams, x: np.ndarray) -> np.ndarray:
    """Return the outputs of the model, `float32[N, ...]`, for examples that are not standardized yet."""
    forward = _forward(spec.model, spec.task, spec.link)
    found = []
    for start in range(0, len(x), CHUNK):
        rows = x[start : start + CHUNK]
        size = min(CHUNK, max(ROWS, 1 << (len(rows) - 1).bit_length()))  # few different ones are compiled
        padded = np.concatenate([rows, np.zeros((size - len(rows), *rows.shape[1:]), rows.dtype)])
        found.append(np.asarray(forward(*weights, hparams.standardized(jnp.asarray(padded))))[: len(rows)])
    return np.concatenate(found)


@functools.lru_cache(PROGRAMS)
def _forward(model: ModelLike, task: str, link: str) -> Callable[..., Array]:
    return jax.jit(functools.partial(predict, as_model(model).apply, task=task, link=link))


def _multiple(count: int, of: int) -> int:
    """The lowest multiple of `of` that is at least `count`, and at least 1."""
    return max(-(-count // of), 1) * of
