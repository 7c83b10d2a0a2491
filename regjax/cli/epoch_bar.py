"""The progress of a training run, epoch by epoch."""

from __future__ import annotations

from regjax.catalog import SCORE
from regjax.cli.progress import Bar
from regjax.training.events import Callback, EpochEnded, Started


class EpochBar(Callback):
    """Shows the epochs of a run on a bar, with losses, the metric and the countdown of early stopping.

    Args:
      bar: the display.
      patience: of early stopping.
      left_out: prefixes of metrics that are not shown.
    """

    def __init__(self, bar: Bar, patience: int, left_out: tuple[str, ...] = ()):
        self.bar, self.patience, self.left_out = bar, patience, left_out

    def on_start(self, event: Started) -> None:
        """Show what was done before."""
        self.bar.start_at(event.epochs)

    def on_epoch(self, event: EpochEnded) -> None:
        """Show an epoch."""
        row = {name: value for name, value in event.row.items() if not name.startswith(self.left_out)}
        self.bar.update(event.epoch + 1, epoch_status(event.epoch, row, int(event.state.stop.wait), self.patience))


def epoch_status(epoch: int, row: dict[str, float], wait: int, patience: int) -> str:
    """Return the status text of a training run: epoch (from 0), losses, metric, countdown of early stopping."""
    part = "val" if "val/loss" in row else "train"  # a final run has no validation examples
    metric = next(name for name in SCORE.values() if f"{part}/{name}" in row)
    words = f"epoch {epoch}: loss {row['train/loss']:.4f}"
    words += f"  val {row['val/loss']:.4f}" if part == "val" else ""
    words += f"  {metric if part == 'val' else f'training {metric}'} {row[f'{part}/{metric}']:.3f}"
    if patience < 2**31 - 1:
        words += f"  stops in {max(patience - wait, 0)}"
    return words
