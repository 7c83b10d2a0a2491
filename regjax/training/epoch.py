"""One epoch: a block of updates, an evaluation, and the bookkeeping of early stopping.

`run` (everything compiled) and `fit` (a host loop) both call `epoch_block`, so they train alike.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.averaging import Ensemble
from regjax.core.dtypes import float_dtype
from regjax.core.mesh import replicated, split_examples
from regjax.core.rng import stream
from regjax.core.typing import Array, ArrayLike, Batch, PRNGKey, PyTree
from regjax.data.shuffle import shuffled_indices
from regjax.models.interface import as_model
from regjax.penalties.constraints import apply_constraints
from regjax.stopping import StopState, keep_best
from regjax.training.assemble import learning_rate_of, loss_of, optimizer_of, penalty_value
from regjax.training.evaluate import METRICS, evaluate
from regjax.training.spec import Hparams, Spec
from regjax.training.step import MakeTx, TrainState, init_train_state, make_step


class TrainData(NamedTuple):
    """The arrays of one run, or of all runs of a sweep: they differ between seeds only in `y` and `order`.

    Attributes:
      x: training pool `[N, ...]`.
      y: labels `[N, ...]`, or `[S, N, ...]` when they differ between seeds (label noise).
      order: `int32[N]` or `int32[S, N]`: a run uses the examples `order[:n_train]`.
      x_val: validation inputs; early stopping watches them.
      y_val: validation targets.
    """

    x: Array
    y: Array
    order: Array
    x_val: Array
    y_val: Array

    def for_seed(self, seed: Array | int) -> TrainData:
        """The arrays of one seed; arrays without an axis of seeds are shared."""
        if self.order.ndim == 1:
            return self
        return self._replace(y=self.y[seed], order=self.order[seed])


class Weights(NamedTuple):
    """Parameters together with the other collections of the model."""

    params: PyTree
    model_state: PyTree


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class History:
    """Measurements of each epoch; entries of epochs that did not happen are NaN and not valid."""

    table: Array  # float32[epochs, columns]; one array, so that an epoch is one write
    valid: Array  # bool[epochs]
    names: tuple[str, ...] = dataclasses.field(metadata={"static": True})

    @property
    def values(self) -> dict[str, Array]:
        """Each column by its name of `metrics.jsonl`, `[..., epochs]`."""
        return {name: self.table[..., i] for i, name in enumerate(self.names)}


class RunState(NamedTuple):
    """Everything that a resume needs."""

    train: TrainState
    stop: StopState
    best: Weights  # of the evaluation stop.best_step
    averages: Any  # the state of hparams.average, None without one
    loss_sum: Array  # float32[]: training-mode losses of the updates since the last evaluation
    history: History
    epoch: Array  # int32[]: epochs done
    start: PyTree  # the initial parameters, if a penalty refers to them, else None

    def weights(self, hparams: Hparams) -> Weights:
        """The weights that the run ends with: of the best evaluation, or the last ones."""
        last = _evaluated(self.train, self.averages, hparams)
        return keep_best(last, self.best, jnp.logical_and(hparams.restore_best, self.stop.best_step >= 0))


class Program(NamedTuple):
    """The functions of one `Spec`; pure, not yet jitted.

    Attributes:
      init: `(hparams, key, data, weights=None) -> RunState`; `weights` replace the random initialization.
      updates: `(state, hparams, key, data, steps, most) -> RunState` after the next `steps` updates. `steps` may be
        traced, `most` >= `steps` is static: one program for any number of them, and the same bits however a run is cut.
      updates_on: `(state, hparams, key, batches, steps) -> RunState` after an update on each of the first `steps`
        batches of `[most, B, ...]`.
      end_epoch: `(state, hparams, data) -> RunState` after an evaluation and its bookkeeping.
      epoch_block: `(state, hparams, key, data) -> RunState` after one more epoch: its updates and its end.
    """

    init: Callable[..., RunState]
    updates: Callable[[RunState, Hparams, PRNGKey, TrainData, ArrayLike, int], RunState]
    updates_on: Callable[[RunState, Hparams, PRNGKey, Batch, ArrayLike], RunState]
    end_epoch: Callable[[RunState, Hparams, TrainData], RunState]
    epoch_block: Callable[[RunState, Hparams, PRNGKey, TrainData], RunState]


def history_names(task: str) -> tuple[str, ...]:
    """The columns of a history, named as in `metrics.jsonl`."""
    metrics = [name for name in METRICS[task] if name != "loss"]
    train = [
        "train/loss",
        "train/data_loss",
        "train/penalty",
        *(f"train/{m}" for m in metrics),
        "train/running_loss",
    ]
    return (*train, "val/loss", *(f"val/{m}" for m in metrics), "learning_rate")


def make_program(spec: Spec, make_tx: MakeTx | None = None) -> Program:
    """Build the functions that train one `Spec`.

    Args:
      spec: what to compile.
      make_tx: `hparams -> optax transform`; None builds `spec.optimizer` with the penalties of `hparams` on
        their routes. A custom one has to apply the optimizer-side penalties itself.

    Returns:
      A `Program`.
    """
    model = as_model(spec.model)
    # An optimizer from the specification fits its penalties by construction.
    check_step, make_tx = make_tx is not None, make_tx or (lambda hparams: optimizer_of(spec, hparams))
    loss_fn = loss_of(spec)
    step = make_step(
        loss_fn,
        make_tx,
        constraint=lambda hparams: hparams.constraint,
        micro_batch=spec.micro_batch_size(),
        check_step=check_step,
    )

    names = history_names(spec.task)

    def init(hparams: Hparams, key: PRNGKey, data: TrainData, weights: Weights | None = None) -> RunState:
        weights = init_weights(spec, key, data.x[:1]) if weights is None else weights
        start = weights.params if any(p.needs_start for p in hparams.penalties.values()) else None
        hparams = _anchored(hparams, start)
        train = init_train_state(*weights, make_tx(hparams))
        averages = None if hparams.average is None else hparams.average.init(weights)
        return RunState(
            train=train,
            stop=hparams.stopping.init(),
            # A copy, so that the buffers of the state can be donated.
            best=jax.tree.map(jnp.copy, _evaluated(train, averages, hparams)),
            averages=averages,
            loss_sum=jnp.asarray(0.0, float_dtype()),
            history=History(jnp.full((spec.epochs, len(names)), jnp.nan), jnp.zeros((spec.epochs,), bool), names),
            epoch=jnp.asarray(0, jnp.int32),
            start=jax.tree.map(jnp.copy, start),
        )

    def looped(
        state: RunState, hparams: Hparams, key: PRNGKey, steps: ArrayLike, batch_of: Callable[[Array], Batch]
    ) -> RunState:
        """Updates 0 to `steps` - 1 of a block."""
        hparams = _anchored(hparams, state.start)

        def body(i: Array, carry: tuple[TrainState, Any, Array]) -> tuple[TrainState, Any, Array]:
            train, averages, loss_sum = carry
            batch = split_examples(batch_of(i), spec.mesh)
            train, metrics = step(hparams, train, batch, stream(key, "step", train.step))
            if hparams.average is not None:
                averages, weights = hparams.average.update(averages, Weights(train.params, train.model_state))
                train = train._replace(params=weights.params, model_state=weights.model_state)
            return train, averages, loss_sum + metrics["loss"]

        start = (state.train, state.averages, state.loss_sum)
        train, averages, loss_sum = jax.lax.fori_loop(0, steps, body, start)
        return replicated(state._replace(train=train, averages=averages, loss_sum=loss_sum), spec.mesh)

    def updates(
        state: RunState, hparams: Hparams, key: PRNGKey, data: TrainData, steps: ArrayLike, most: int
    ) -> RunState:
        rows = batch_rows(spec, key, state.train.step, most, data.order, hparams.n_train)
        return looped(state, hparams, key, steps, lambda i: Batch(data.x[rows[i]], data.y[rows[i]]))

    def updates_on(state: RunState, hparams: Hparams, key: PRNGKey, batches: Batch, steps: ArrayLike) -> RunState:
        return looped(state, hparams, key, steps, lambda i: jax.tree.map(lambda leaf: leaf[i], batches))

    def end_epoch(state: RunState, hparams: Hparams, data: TrainData) -> RunState:
        hparams = _anchored(hparams, state.start)
        train, averages = state.train, state.averages
        running_loss = state.loss_sum / spec.steps_per_epoch
        weights = _evaluated(train, averages, hparams)
        on_train, on_val = _measure(spec, model.apply, weights, hparams, data)
        # A training loss that is not finite must stop the run even while validation still looks finite.
        watched = jnp.where(jnp.isfinite(running_loss), on_val["loss"], jnp.nan)
        stop = hparams.stopping.update(state.stop, watched, on_train["loss"])
        single = train.params if isinstance(weights.params, Ensemble) else weights.params
        penalty = penalty_value(hparams, single, train.step)
        row = {
            "train/loss": on_train["loss"] + penalty,
            "train/data_loss": on_train["loss"],
            "train/penalty": penalty,
            "train/running_loss": running_loss,
            "learning_rate": learning_rate_of(spec, hparams)(train.step - 1),
            **{f"train/{name}": value for name, value in on_train.items() if name != "loss"},
            **{f"val/{name}": value for name, value in on_val.items()},
        }
        table = state.history.table.at[state.epoch].set(jnp.stack([row[name] for name in names]))
        return RunState(
            train=train,
            stop=stop,
            best=keep_best(state.best, weights, stop.improved),
            averages=averages,
            loss_sum=jnp.zeros_like(state.loss_sum),
            history=History(table, state.history.valid.at[state.epoch].set(True), names),
            epoch=state.epoch + 1,
            start=state.start,
        )

    def epoch_block(state: RunState, hparams: Hparams, key: PRNGKey, data: TrainData) -> RunState:
        steps = spec.steps_per_epoch
        return end_epoch(updates(state, hparams, key, data, steps, steps), hparams, data)

    return Program(init, updates, updates_on, end_epoch, epoch_block)


def batch_rows(spec: Spec, key: PRNGKey, step: ArrayLike, steps: int, order: Array, n_train: ArrayLike) -> Array:
    """The rows of the training pool that the next updates take, `int32[steps, batch_size]`.

    A function of the root key and the position alone: a run may be cut anywhere, and a loader that
    reads examples from disk asks for the same ones.

    Args:
      spec: whose batch size counts.
      key: root key of the run.
      step: updates so far; may be traced.
      steps: how many updates, static.
      order: `int32[N]`; the run uses the examples `order[:n_train]`.
      n_train: how many, may be traced.

    Example:
      >>> import flax.linen as nn
      >>> spec = Spec(nn.Dense(2), batch_size=4)
      >>> sorted(batch_rows(spec, jax.random.key(0), 0, 2, jnp.arange(8), 8).ravel().tolist())
      [0, 1, 2, 3, 4, 5, 6, 7]
    """
    start = step * spec.batch_size
    picked = shuffled_indices(stream(key, "shuffle"), start, steps * spec.batch_size, n_train)
    return order[picked].reshape(steps, spec.batch_size)


def init_weights(spec: Spec, key: PRNGKey, x: Array) -> Weights:
    """The weights that a run with this key starts from.

    Args:
      spec: whose model is initialized.
      key: root key of the run.
      x: an example batch, as `data.x[:1]`.

    Returns:
      `Weights`.

    Example:
      >>> import flax.linen as nn
      >>> init_weights(Spec(nn.Dense(2)), jax.random.key(0), jnp.ones((1, 3))).params["kernel"].shape
      (3, 2)
    """
    return Weights(*as_model(spec.model).init(stream(key, "init"), x))


def weight_shapes(spec: Spec, x: Array | np.ndarray) -> Weights:
    """The shapes of the weights of a run; `x` holds examples, of which one is enough. Nothing is computed."""
    return jax.eval_shape(lambda: init_weights(spec, jax.random.key(0), jnp.asarray(x[:1])))


def _anchored(hparams: Hparams, start: PyTree) -> Hparams:
    """The hyperparameters, where penalties that refer to the start of the run know it."""
    return hparams._replace(penalties={mode: p.anchored(start) for mode, p in hparams.penalties.items()})


def _evaluated(train: TrainState, averages: Any, hparams: Hparams) -> Weights:
    """The weights that are evaluated and kept: the averaged ones, or an ensemble, if there is an average."""
    weights = Weights(train.params, train.model_state)
    if averages is None:
        return weights
    kept = averages.evaluated(weights)
    if isinstance(kept, Ensemble):
        return Weights(Ensemble(kept.members.params, kept.taken), kept.members.model_state)
    # The mean of weights that satisfy a constraint need not satisfy it (unit norm).
    return kept._replace(params=apply_constraints(hparams.constraint, kept.params))


def _measure(
    spec: Spec, apply_fn: Callable[..., Any], weights: Weights, hparams: Hparams, data: TrainData
) -> tuple[dict[str, Array], dict[str, Array]]:
    """Metrics on the training examples in use and on validation, from one pass over both."""
    seen = min(spec.eval_train_examples, data.order.shape[0])
    subset = data.order[:seen]
    x = split_examples(jnp.concatenate([data.x[subset], data.x_val]), spec.mesh)
    y = jnp.concatenate([data.y[subset], data.y_val])
    index = jnp.arange(x.shape[0])
    groups = jnp.stack([index < jnp.minimum(seen, hparams.n_train), index >= seen])
    options: Any = {"task": spec.task, "batch_size": spec.eval_batch_size, "ignore_index": spec.ignore_index}
    both = evaluate(apply_fn, *weights, x, y, groups, **options)
    return {name: value[0] for name, value in both.items()}, {name: value[1] for name, value in both.items()}
