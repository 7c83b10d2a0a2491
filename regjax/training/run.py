"""A whole training run as one compiled function."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from regjax.core.typing import Array, PRNGKey
from regjax.training.preflight import check_run
from regjax.training.program import make_program
from regjax.training.spec import Hparams, Spec
from regjax.training.state import History, RunState, TrainData, Weights
from regjax.training.step import MakeTx


class RunResult(NamedTuple):
    """The result of a run; with a leading axis of lanes, the result of a sweep."""

    weights: Weights  # those of the best evaluation if hparams.restore_best, else the last ones
    history: History
    epochs: Array  # int32[]: number of epochs
    end_epoch: Array  # int32[]: the epoch of the weights
    best_epoch: Array  # int32[]: epoch of the lowest validation loss, -1 if no loss is finite
    best_value: Array  # float32[]: the lowest validation loss
    reason: Array  # int32[]: index into regjax.stopping.REASONS


@dataclasses.dataclass(frozen=True)
class Run:
    """`run(hparams, key, data, seed=0, weights=None) -> RunState`; see `make_run`. Hashable by what it compiles."""

    spec: Spec
    make_tx: MakeTx | None = None

    def __call__(
        self,
        hparams: Hparams,
        key: PRNGKey,
        data: TrainData,
        seed: Array | int = 0,
        weights: Weights | None = None,
    ) -> RunState:
        """Train until early stopping or the last epoch."""
        check_run(self.spec, data, hparams.n_train, standardized=hparams.standardizes_inputs)
        program = make_program(self.spec, self.make_tx)
        data = data.for_seed(seed)

        def going(state: RunState) -> Array:
            return (state.epoch < self.spec.epochs) & ~state.stop.should_stop

        def body(state: RunState) -> RunState:
            return program.epoch_block(state, hparams, key, data)

        return jax.lax.while_loop(going, body, program.init(hparams, key, data.x[:1], weights))

    def result(
        self,
        hparams: Hparams,
        key: PRNGKey,
        data: TrainData,
        seed: Array | int = 0,
        weights: Weights | None = None,
    ) -> RunResult:
        """Train, and return the result without the optimizer state and other weights."""
        return self.result_of(self(hparams, key, data, seed, weights), hparams)

    def result_of(self, state: RunState, hparams: Hparams) -> RunResult:
        """Return the result of a run from its final state."""
        restored = jnp.logical_and(hparams.restore_best, state.stop.best_step >= 0)
        return RunResult(
            weights=state.weights(hparams),
            history=state.history,
            epochs=state.epoch,
            end_epoch=jnp.where(restored, state.stop.best_step, state.epoch - 1),
            best_epoch=state.stop.best_step,
            best_value=state.stop.best_value,
            reason=state.stop.reason,
        )


def make_run(spec: Spec, make_tx: MakeTx | None = None) -> Run:
    """Make `run(hparams, key, data, seed=0, weights=None) -> RunState`, a whole training run with evaluations.

    Args:
      spec: what to compile.
      make_tx: optional `hparams -> optax transform`; see `regjax.training.program.make_program`.

    Returns:
      A pure function, not jitted: `jax.jit(run)` trains one run, `rj.sweep` many. `seed` selects the row of arrays in
      `data` that differ between seeds; `weights` replace the random initialization (a warm start). Early stopping ends
      the loop, so a stopped run takes no further time. `state.weights(hparams)` are the final weights.

    Example:
      >>> import flax.linen as nn, jax.numpy as jnp
      >>> from regjax.training.spec import make_hparams
      >>> x = jax.random.normal(jax.random.key(1), (64, 2))
      >>> data = TrainData(x, (x[:, 0] > 0).astype(jnp.int32), jnp.arange(64), x, (x[:, 0] > 0).astype(jnp.int32))
      >>> spec = Spec(nn.Dense(2), num_classes=2, batch_size=16, steps_per_epoch=4, epochs=20)
      >>> state = jax.jit(make_run(spec))(make_hparams(learning_rate=0.1, n_train=64), jax.random.key(0), data)
      >>> float(state.history.values["val/accuracy"][-1]) > 0.9
      True
    """
    return Run(spec, make_tx)
