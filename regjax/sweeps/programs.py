"""The compiled programs of a sweep; each serves all lanes of one `Spec` and one structure of hyperparameters."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.typing import Array, PRNGKey, PyTree
from regjax.data.standardization import Standardization
from regjax.sweeps.lane import DeviceOrMesh, Lane, program_of, put, run_on
from regjax.training.program import init_weights, make_program
from regjax.training.run import Run, RunResult
from regjax.training.spec import Hparams, Spec, stack_hparams
from regjax.training.state import RunState, TrainData, Weights


@functools.partial(jax.jit, static_argnums=0)
def train_lane(run: Run, hparams: Hparams, key: PRNGKey, data: TrainData, seed: Array, weights: Weights) -> RunResult:
    """Train one lane."""
    return run.result(hparams, key, data, seed, weights)


@functools.partial(jax.jit, static_argnums=0)
def train_lanes(
    run: Run, hparams: Hparams, keys: PRNGKey, data: TrainData, seeds: Array, weights: Weights
) -> RunResult:
    """Train several lanes side by side, until the last one stops."""
    return jax.vmap(run.result, in_axes=(0, 0, None, 0, 0))(hparams, keys, data, seeds, weights)


@functools.partial(jax.jit, static_argnums=0)
def initial_states(run: Run, hparams: Hparams, keys: PRNGKey, data: TrainData, weights: Weights) -> RunState:
    """The states of several lanes before their first epoch."""
    program = make_program(run.spec, run.make_tx)

    def start(hparams: Hparams, key: PRNGKey, weights: Weights) -> RunState:
        return program.init(hparams, key, data.x[:1], weights)

    return jax.vmap(start)(hparams, keys, weights)


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def advance(
    run: Run,
    epochs: int,
    states: RunState,
    hparams: Hparams,
    keys: PRNGKey,
    data: TrainData,
    seeds: Array,
    until: Array,
) -> tuple[RunState, Array]:
    """Train each lane for at most `epochs` epochs, and say which are still running; stopped lanes do not change.

    `until` has for each lane the number of epochs after which it pauses.
    """

    def train(state: RunState, hparams: Hparams, key: PRNGKey, seed: Array, until: Array) -> tuple[RunState, Array]:
        end = jnp.minimum(until, state.epoch + epochs)
        state = _train_until(run, state, hparams, key, data.for_seed(seed), end)
        return state, _is_running(run, state) & (state.epoch < until)

    return jax.vmap(train)(states, hparams, keys, seeds, until)


@functools.partial(jax.jit, static_argnums=0)
def initial_state(run: Run, hparams: Hparams, key: PRNGKey, data: TrainData, weights: Weights) -> RunState:
    """The state of one lane before its first epoch."""
    return make_program(run.spec, run.make_tx).init(hparams, key, data.x[:1], weights)


@functools.partial(jax.jit, static_argnums=0, donate_argnums=1)
def advance_lane(
    run: Run, state: RunState, hparams: Hparams, key: PRNGKey, data: TrainData, seed: Array, until: Array
) -> tuple[RunState, RunResult]:
    """Train one lane until it has had `until` epochs or stops; returns its state, and the result up to there."""
    state = _train_until(run, state, hparams, key, data.for_seed(seed), until)
    return state, run.result_of(state, hparams)


def _is_running(run: Run, state: RunState) -> Array:
    return (state.epoch < run.spec.epochs) & ~state.stop.should_stop


def _train_until(run: Run, state: RunState, hparams: Hparams, key: PRNGKey, data: TrainData, end: Array) -> RunState:
    program = make_program(run.spec, run.make_tx)
    return jax.lax.while_loop(
        lambda state: _is_running(run, state) & (state.epoch < end),
        lambda state: program.epoch_block(state, hparams, key, data),
        state,
    )


@functools.partial(jax.jit, donate_argnums=1)
def replace_states(is_new: Array, states: RunState, new_states: RunState) -> RunState:
    """The states, where `is_new` those of `new_states`."""

    def select(old: Array, new: Array) -> Array:
        return jnp.where(is_new.reshape(-1, *[1] * (old.ndim - 1)), new, old)

    return jax.tree.map(select, states, new_states)


@jax.jit
def take_rows(tree: PyTree, rows: Array) -> PyTree:
    """The given rows of each leaf."""
    return jax.tree.map(lambda leaf: leaf[rows], tree)


@functools.partial(jax.jit, static_argnums=0)
def results_of(run: Run, states: RunState, hparams: Hparams) -> RunResult:
    """The results of several lanes."""
    return jax.vmap(run.result_of)(states, hparams)


@functools.partial(jax.jit, static_argnums=0)
def _init_weights(spec: Spec, key: PRNGKey, x: Array, standardization: Standardization | None) -> Weights:
    # Not part of the run, so that it compiles once for all programs of a model; this halves the time to compile each.
    example = x[:1]
    return init_weights(spec, key, example if standardization is None else standardization.apply(example))


def train_lane_arguments(
    lane: Lane, data: TrainData, device: DeviceOrMesh
) -> tuple[Run, Any, Any, TrainData, Any, Weights]:
    """The arguments of `train_lane` for a lane."""
    hparams, key, seed = put((lane.hparams, lane.key, np.int32(lane.seed)), device)
    return run_on(lane.run, device), hparams, key, data, seed, _initial_weights(lane, key, data, device)


def first_state(lane: Lane, data: TrainData, device: DeviceOrMesh) -> RunState:
    """The state of a lane before its first epoch, on the device."""
    run, hparams, key, _, _, weights = train_lane_arguments(lane, data, device)
    return initial_state(run, hparams, key, data, weights)


def stack_lanes(lanes: Sequence[Lane], device: DeviceOrMesh) -> tuple[Run, Any, Any, Any]:
    """The run that the lanes of one program share, and their hyperparameters, keys and seeds, stacked."""
    keys = jnp.stack([lane.key for lane in lanes])
    seeds = np.asarray([lane.seed for lane in lanes], np.int32)
    return run_on(lanes[0].run, device), *put((stack_hparams([lane.hparams for lane in lanes]), keys, seeds), device)


def initial_weights(lanes: Sequence[Lane], data: TrainData, device: DeviceOrMesh) -> Weights:
    """The initial weights of lanes, stacked; a lane that occurs several times is initialized once."""
    by_lane: dict[int, Weights] = {}
    for lane in lanes:
        if id(lane) not in by_lane:
            by_lane[id(lane)] = _initial_weights(lane, put(lane.key, device), data, device)
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *[by_lane[id(lane)] for lane in lanes])


class Shapes:
    """Shapes and dtypes of the states and results of lanes, without computing them; traced once for each program.

    Args:
      data: shared by all lanes.
    """

    def __init__(self, data: TrainData):
        self._data = data
        self._of: dict[Hashable, tuple[RunState, RunResult]] = {}

    def result(self, lane: Lane) -> RunResult:
        """The shape of the result of a lane."""
        return self._both(lane)[1]

    def state(self, lane: Lane) -> RunState:
        """The shape of the state of a lane."""
        return self._both(lane)[0]

    def _both(self, lane: Lane) -> tuple[RunState, RunResult]:
        given = tuple((leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves(lane.weights))
        program = program_of(lane), jax.tree.structure(lane.weights), given
        if program not in self._of:
            self._of[program] = _state_and_result_shape(lane, self._data)
        return self._of[program]


def _state_and_result_shape(lane: Lane, data: TrainData) -> tuple[RunState, RunResult]:
    spec = Spec(lane.run.spec.model, task=lane.run.spec.task)
    key = jax.random.key_data(lane.key)

    def train(key: Array) -> tuple[RunState, RunResult]:
        typed_key = jax.random.wrap_key_data(key)
        weights = (
            init_weights(spec, typed_key, lane.hparams.standardized(data.x[:1]))
            if lane.weights is None
            else lane.weights
        )
        state = lane.run(lane.hparams, typed_key, data, lane.seed, weights)
        return state, lane.run.result_of(state, lane.hparams)

    return jax.eval_shape(train, key)


def fetch(tree: PyTree) -> PyTree:
    """The arrays, copied to the host."""
    return jax.tree.map(np.asarray, tree)


def row_of(tree: PyTree, index: int) -> PyTree:
    """One row of stacked leaves."""
    return jax.tree.map(lambda leaf: leaf[index], tree)


def _initial_weights(lane: Lane, key: PRNGKey, data: TrainData, device: DeviceOrMesh) -> Weights:
    if lane.weights is not None:
        return put(lane.weights, device)
    spec = lane.run.spec
    # The initial weights depend on model and task alone; other fields would only cause recompilations.
    return _init_weights(Spec(spec.model, task=spec.task), key, data.x, lane.hparams.standardization)
