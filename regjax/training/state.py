"""The data and the state of a run: arrays, weights, history, and everything that is needed to resume."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from regjax.averaging import Ensemble
from regjax.core.typing import Array, PyTree
from regjax.penalties.constraints import apply_constraints
from regjax.stopping import StopState, keep_best
from regjax.training.spec import Hparams


class TrainData(NamedTuple):
    """The arrays of one run, or of all runs of a sweep, where only `y` and `order` may differ between seeds.

    Attributes:
      x: training pool `[N, ...]`; not standardized if `Hparams.standardization` is used.
      y: labels `[N, ...]`, or `[S, N, ...]` if they differ between seeds (label noise).
      order: `int32[N]` or `int32[S, N]`: a run uses the examples `order[:n_train]`.
      x_val: validation inputs, like `x`; used for early stopping.
      y_val: validation targets.
      weight: `float32[N]` >= 0, of the examples in the loss of updates; None weighs all alike.
      val_rows: `int32[V]` or `int32[S, V]`: the validation examples are these rows of the pool, so that each run can
        have its own, as in cross-validation; -1 fills up shorter lists. `x_val` and `y_val` are empty then. None if the
        validation examples are those of `x_val`.
    """

    x: Array
    y: Array
    order: Array
    x_val: Array
    y_val: Array
    weight: Array | None = None
    val_rows: Array | None = None

    def for_seed(self, seed: Array | int) -> TrainData:
        """Return the arrays of one seed; arrays without an axis of seeds are shared."""
        if self.order.ndim == 1:
            return self
        rows = self.val_rows if self.val_rows is None or self.val_rows.ndim == 1 else self.val_rows[seed]
        return self._replace(y=self.y[seed], order=self.order[seed], val_rows=rows)

    def validation(self) -> tuple[Array, Array, Array]:
        """Return inputs and targets for validation, and which of them count; of one seed."""
        if self.val_rows is None:
            return self.x_val, self.y_val, jnp.ones(self.x_val.shape[0], bool)
        return self.x[self.val_rows], self.y[self.val_rows], self.val_rows >= 0


class Weights(NamedTuple):
    """Parameters and the other collections of the model."""

    params: PyTree
    model_state: PyTree


class TrainState(NamedTuple):
    """Everything that an update changes, as arrays."""

    step: Array  # int32[]: number of updates so far
    params: PyTree
    model_state: PyTree  # other collections of the model, {} if it has none
    opt_state: PyTree


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class History:
    """The metrics of each epoch; entries of epochs that did not take place are NaN and not valid."""

    table: Array  # float32[epochs, columns]; one array, so that each epoch needs a single write
    valid: Array  # bool[epochs]
    names: tuple[str, ...] = dataclasses.field(metadata={"static": True})

    @property
    def values(self) -> dict[str, Array]:
        """The columns by their names in `metrics.jsonl`, each `[..., epochs]`."""
        return {name: self.table[..., i] for i, name in enumerate(self.names)}


class RunState(NamedTuple):
    """Everything that is needed to resume a run."""

    train: TrainState
    stop: StopState
    best: Weights  # weights of the evaluation stop.best_step
    averages: PyTree  # the state of hparams.average, or None
    loss_sum: Array  # float32[]: sum of the training losses of the updates since the last evaluation
    history: History
    epoch: Array  # int32[]: number of completed epochs
    start: PyTree  # the initial parameters, if a penalty refers to them, else None

    def weights(self, hparams: Hparams) -> Weights:
        """Return the final weights of the run: those of the best evaluation, or the last ones."""
        last = evaluated_weights(self.train, self.averages, hparams)
        return keep_best(last, self.best, jnp.logical_and(hparams.restore_best, self.stop.best_step >= 0))


def evaluated_weights(train: TrainState, averages: PyTree, hparams: Hparams) -> Weights:
    """Return the weights for evaluations: the averaged weights or the ensemble, if there is an average."""
    weights = Weights(train.params, train.model_state)
    if averages is None:
        return weights
    kept = averages.evaluated(weights)
    if isinstance(kept, Ensemble):
        return Weights(Ensemble(kept.members.params, kept.taken), kept.members.model_state)
    # The mean of weights that satisfy a constraint need not satisfy it (unit norm).
    return kept._replace(params=apply_constraints(hparams.constraint, kept.params))
