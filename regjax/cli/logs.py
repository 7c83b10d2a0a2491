"""Logs of a training run for other tools, beside `metrics.jsonl`: `--log=tensorboard,csv`.

Each log is a `Callback` and lives below `WORKDIR/logs`. A run that goes on after an interruption continues its log:
epochs that are trained again replace those of before.
"""

from __future__ import annotations

import csv
import json
import math
import os
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from regjax.core.typing import Json, Value
from regjax.training.events import Callback, EpochEnded, FitResult, Started
from regjax.training.fit import history_row

FOLDER = "logs"


class Log(Callback):
    """A log in a folder of its own.

    Args:
      workdir: of the run.
      settings: the flags of the run.
      steps_per_epoch: updates of an epoch.
      left_out: prefixes of metrics that are not logged.
    """

    def __init__(
        self, workdir: Path, settings: Mapping[str, Json], steps_per_epoch: int, left_out: tuple[str, ...] = ()
    ):
        self.workdir, self.settings, self.steps, self.left_out = workdir, settings, steps_per_epoch, left_out
        self.folder = workdir / FOLDER
        self.folder.mkdir(parents=True, exist_ok=True)

    def row(self, event: EpochEnded) -> dict[str, float]:
        """Return what is logged of an epoch."""
        return {name: value for name, value in event.row.items() if not name.startswith(self.left_out)}

    def updates(self, epochs: int) -> int:
        """Return the number of updates of so many epochs."""
        return epochs * self.steps


class CsvLog(Log):
    """`metrics.csv`: a row for each epoch; the cell of a number that is not finite is empty."""

    def on_start(self, event: Started) -> None:
        """Write the epochs that were done before."""
        with self._file("w") as file:
            csv.writer(file).writerow(["epoch", "step", *self._names(event.state.history.names)])
        for epoch in range(event.epochs):
            self.on_epoch(EpochEnded(epoch, history_row(event.state, epoch), event.state))

    def on_epoch(self, event: EpochEnded) -> None:
        """Append a row."""
        row = self.row(event)
        cells = [row[name] if math.isfinite(row[name]) else "" for name in self._names(row)]
        with self._file("a") as file:
            csv.writer(file).writerow([event.epoch, self.updates(event.epoch + 1), *cells])

    def _names(self, names: Sequence[str] | Mapping[str, float]) -> list[str]:
        return [name for name in names if not name.startswith(self.left_out)]

    def _file(self, mode: str) -> Value:
        return (self.folder / "metrics.csv").open(mode, newline="")


class TensorboardLog(Log):
    """Event files of TensorBoard, with the number of updates as step."""

    def on_start(self, event: Started) -> None:
        """Open a file; what a run of before logged beyond its checkpoint is hidden."""
        from tensorboardX import SummaryWriter

        done = self.updates(event.epochs)
        # A file is named after the second in which it begins, which two short runs may share.
        self._writer = SummaryWriter(
            str(self.folder / "tensorboard"), purge_step=done + 1 if done else None, filename_suffix=f".{done:08}"
        )
        if not done:
            flags = "\n".join(f"    {name} = {value}" for name, value in self.settings.items())
            self._writer.add_text("flags", flags, 0)

    def on_epoch(self, event: EpochEnded) -> None:
        """Add the metrics of an epoch."""
        for name, value in self.row(event).items():
            self._writer.add_scalar(name, value, self.updates(event.epoch + 1))
        self._writer.flush()

    def on_end(self, result: FitResult) -> None:
        """Close the file."""
        self._writer.close()


class WandbLog(Log):
    """A run of Weights & Biases, in the mode of `$WANDB_MODE`."""

    def on_start(self, event: Started) -> None:
        """Start a run, or go on with that of before."""
        import wandb

        name = _same_name(self.folder / "wandb.json", lambda: secrets.token_hex(4))
        self._run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "regjax"),
            name=self.workdir.name,
            id=name,
            resume="allow",
            dir=str(self.folder),
            config=dict(self.settings),
        )

    def on_epoch(self, event: EpochEnded) -> None:
        """Log the metrics of an epoch."""
        self._run.log({"epoch": event.epoch, **self.row(event)}, step=self.updates(event.epoch + 1))

    def on_end(self, result: FitResult) -> None:
        """End the run."""
        self._run.summary["status"] = result.status
        self._run.finish(exit_code=int(result.status == "diverged"))


class MlflowLog(Log):
    """A run of MLflow, on the server of `$MLFLOW_TRACKING_URI`, or in a file below the folder of logs."""

    def on_start(self, event: Started) -> None:
        """Start a run, or go on with that of before."""
        from mlflow import MlflowClient

        file = f"sqlite:///{(self.folder / 'mlflow.db').absolute()}"
        self._client = MlflowClient(os.environ.get("MLFLOW_TRACKING_URI", file))
        experiment = self._client.get_experiment_by_name("regjax")
        number = self._client.create_experiment("regjax") if experiment is None else experiment.experiment_id

        def begun() -> str:
            run = self._client.create_run(number, run_name=self.workdir.name).info.run_id
            for name, value in self.settings.items():
                self._client.log_param(run, name, str(value)[:500])
            return str(run)

        self._id = _same_name(self.folder / "mlflow.json", begun)
        self._client.update_run(self._id, status="RUNNING")

    def on_epoch(self, event: EpochEnded) -> None:
        """Log the metrics of an epoch."""
        for name, value in self.row(event).items():
            self._client.log_metric(self._id, name, value, step=self.updates(event.epoch + 1))

    def on_end(self, result: FitResult) -> None:
        """End the run; an interrupted one stays open."""
        if result.status != "interrupted":
            self._client.set_terminated(self._id, "FAILED" if result.status == "diverged" else "FINISHED")


LOGS: dict[str, type[Log]] = {"csv": CsvLog, "tensorboard": TensorboardLog, "wandb": WandbLog, "mlflow": MlflowLog}
"""The logs by name, as `--log` takes them; the same names as `regjax.cli.train.LOGS`."""


def _same_name(path: Path, make: Value) -> str:
    """Return the name of a run that is kept in a file, so that a resumed run has it too."""
    if not path.exists():
        path.write_text(json.dumps({"run": make()}) + "\n")
    return str(json.loads(path.read_text())["run"])
