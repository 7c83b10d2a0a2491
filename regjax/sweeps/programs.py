"""The compiled programs of a sweep, each one for all lanes that share a `Spec` and the structure of their numbers."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.typing import Array, PRNGKey, PyTree
from regjax.sweeps.lane import Lane, Place, put, run_on
from regjax.training.program import init_weights, make_program
from regjax.training.run import Run, RunResult
from regjax.training.spec import Hparams, Spec, stack_hparams
from regjax.training.state import RunState, TrainData, Weights


@functools.partial(jax.jit, static_argnums=0)
def one(run: Run, hparams: Hparams, key: PRNGKey, data: TrainData, seed: Array, weights: Weights) -> RunResult:
    """A run alone."""
    return run.result(hparams, key, data, seed, weights)


@functools.partial(jax.jit, static_argnums=0)
def many(run: Run, hparams: Hparams, keys: PRNGKey, data: TrainData, seeds: Array, weights: Weights) -> RunResult:
    """Runs side by side, until the last of them stops."""
    return jax.vmap(run.result, in_axes=(0, 0, None, 0, 0))(hparams, keys, data, seeds, weights)


@functools.partial(jax.jit, static_argnums=0)
def begin(run: Run, hparams: Hparams, keys: PRNGKey, data: TrainData, seeds: Array, weights: Weights) -> RunState:
    """The states of runs before their first epoch."""
    program = make_program(run.spec, run.make_tx)

    def start(hparams: Hparams, key: PRNGKey, seed: Array, weights: Weights) -> RunState:
        return program.init(hparams, key, data.for_seed(seed), weights)

    return jax.vmap(start)(hparams, keys, seeds, weights)


@functools.partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def advance(
    run: Run, epochs: int, states: RunState, hparams: Hparams, keys: PRNGKey, data: TrainData, seeds: Array
) -> tuple[RunState, Array]:
    """At most `epochs` more epochs of each run, and which of them go on; a run that has stopped stays as it is."""
    program = make_program(run.spec, run.make_tx)

    def going(state: RunState) -> Array:
        return (state.epoch < run.spec.epochs) & ~state.stop.should_stop

    def train(state: RunState, hparams: Hparams, key: PRNGKey, seed: Array) -> tuple[RunState, Array]:
        own, last = data.for_seed(seed), state.epoch + epochs
        state = jax.lax.while_loop(
            lambda state: going(state) & (state.epoch < last),
            lambda state: program.epoch_block(state, hparams, key, own),
            state,
        )
        return state, going(state)

    return jax.vmap(train)(states, hparams, keys, seeds)


@functools.partial(jax.jit, donate_argnums=1)
def renew(fresh: Array, states: RunState, others: RunState) -> RunState:
    """The states, those that are `fresh` replaced by the others."""

    def choose(old: Array, new: Array) -> Array:
        return jnp.where(fresh.reshape(-1, *[1] * (old.ndim - 1)), new, old)

    return jax.tree.map(choose, states, others)


@jax.jit
def take(tree: PyTree, rows: Array) -> PyTree:
    """These rows of each leaf."""
    return jax.tree.map(lambda leaf: leaf[rows], tree)


@functools.partial(jax.jit, static_argnums=0)
def results_of(run: Run, states: RunState, hparams: Hparams) -> RunResult:
    """What is kept of runs."""
    return jax.vmap(run.result_of)(states, hparams)


@functools.partial(jax.jit, static_argnums=0)
def _initial(spec: Spec, key: PRNGKey, x: Array) -> Weights:
    # Apart from the run: compiled once for all programs of a model, which halves the time to compile each.
    return init_weights(spec, key, x)


def one_arguments(lane: Lane, data: TrainData, place: Place) -> tuple[Run, Any, Any, TrainData, Any, Weights]:
    """The arguments of `one` for a lane."""
    hparams, key, seed = put((lane.hparams, lane.key, np.int32(lane.seed)), place)
    return run_on(lane.run, place), hparams, key, data, seed, _start(lane, key, data, place)


def numbers(lanes: Sequence[Lane], place: Place) -> tuple[Run, Any, Any, Any]:
    """The run of lanes of one program, and their hyperparameters, keys and seeds, stacked."""
    keys = jnp.stack([lane.key for lane in lanes])
    seeds = np.asarray([lane.seed for lane in lanes], np.int32)
    return run_on(lanes[0].run, place), *put((stack_hparams([lane.hparams for lane in lanes]), keys, seeds), place)


def starts(lanes: Sequence[Lane], data: TrainData, place: Place) -> Weights:
    """The weights that lanes start from, stacked; a lane that is there several times is initialized once."""
    made: dict[int, Weights] = {}
    for lane in lanes:
        if id(lane) not in made:
            made[id(lane)] = _start(lane, put(lane.key, place), data, place)
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *[made[id(lane)] for lane in lanes])


def result_shape(lane: Lane, data: TrainData) -> RunResult:
    """Shapes and dtypes of the result of a lane; nothing is computed."""
    spec = Spec(lane.run.spec.model, task=lane.run.spec.task)
    key = jax.random.key_data(lane.key)

    def result(key: Array) -> RunResult:
        own = jax.random.wrap_key_data(key)
        weights = init_weights(spec, own, data.x[:1]) if lane.weights is None else lane.weights
        return lane.run.result(lane.hparams, own, data, lane.seed, weights)

    return jax.eval_shape(result, key)


def fetch(tree: PyTree) -> PyTree:
    """Arrays on the host."""
    return jax.tree.map(np.asarray, tree)


def row_of(tree: PyTree, index: int) -> PyTree:
    """One entry of stacked leaves."""
    return jax.tree.map(lambda leaf: leaf[index], tree)


def _start(lane: Lane, key: PRNGKey, data: TrainData, place: Place) -> Weights:
    if lane.weights is not None:
        return put(lane.weights, place)
    spec = lane.run.spec
    # Only the model and the task decide about the initial weights; other fields would compile it again.
    return _initial(Spec(spec.model, task=spec.task), key, data.x[:1])
