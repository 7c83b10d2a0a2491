"""What happens in a run, for those who watch it: a log, a progress bar, a notebook."""

from __future__ import annotations

from typing import NamedTuple

from regjax.training.state import RunState, Weights


class Started(NamedTuple):
    """A run begins, or goes on from a checkpoint.

    Attributes:
      epochs: number of epochs that were already done.
      state: the state from which it goes on.
    """

    epochs: int
    state: RunState


class EpochEnded(NamedTuple):
    """An epoch is done and evaluated.

    Attributes:
      epoch: its number, from 0.
      row: its metrics by their names in `metrics.jsonl`.
      state: the state after it.
    """

    epoch: int
    row: dict[str, float]
    state: RunState


class Saved(NamedTuple):
    """A checkpoint is written, or is being written.

    Attributes:
      step: number of updates in it.
    """

    step: int


class Stopped(NamedTuple):
    """Early stopping or a loss that is not finite ends the run before its last epoch.

    Attributes:
      epoch: the epoch after which it ends, from 0.
      reason: a name of `regjax.stopping.REASONS`, such as `"patience"` or `"diverged"`.
    """

    epoch: int
    reason: str


class FitResult(NamedTuple):
    """The result of `rj.fit`, which is also its last event.

    Attributes:
      state: the last `RunState`.
      weights: the weights of the best evaluation if `hparams.restore_best`, else the last ones.
      status: `"completed"`, `"stopped_early"`, `"diverged"` or `"interrupted"`.
      seconds: duration of this call, including compilation.
    """

    state: RunState
    weights: Weights
    status: str
    seconds: float


class Callback:
    """Watches a run: `rj.fit(..., callbacks=[...])` calls a method for each event; those of this class do nothing.

    A callback sees the state and cannot change it, so a run with callbacks has the bits of a run without. An error that
    it raises ends the run; checkpoints that were saved stay.

    Example:
      >>> import jax, jax.numpy as jnp, flax.linen as nn
      >>> import regjax as rj
      >>> class Print(rj.Callback):
      ...     def on_epoch(self, event):
      ...         print(event.epoch, sorted(event.row)[-2:])
      >>> x, y = jnp.eye(2), jnp.arange(2)
      >>> spec = rj.Spec(nn.Dense(2), num_classes=2, batch_size=2, epochs=2)
      >>> result = rj.fit(
      ...     spec,
      ...     rj.make_hparams(learning_rate=1.0, n_train=2),
      ...     jax.random.key(0),
      ...     rj.TrainData(x, y, y, x, y),
      ...     callbacks=[Print()],
      ... )
      0 ['val/accuracy', 'val/loss']
      1 ['val/accuracy', 'val/loss']
    """

    def on_start(self, event: Started) -> None:
        """A run begins or goes on."""

    def on_epoch(self, event: EpochEnded) -> None:
        """An epoch is done."""

    def on_save(self, event: Saved) -> None:
        """A checkpoint is saved."""

    def on_stop(self, event: Stopped) -> None:
        """The run ends before its last epoch; the event follows that of its last epoch."""

    def on_end(self, result: FitResult) -> None:
        """The run is over or was interrupted."""
