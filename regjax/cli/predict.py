"""Predict with the model of a trained run.

  regjax predict --workdir=runs/train --input=test --output=runs/predictions.csv

--input is a table with the training columns, a .npz with x, a .npy, a folder of images, a split of the training dataset
(train, validation, test), or - for a .csv from a pipe. --output gets one row per example: its id, the predicted class,
its probability and that of each class, or the predicted number in the units of the target. Of several targets, a column
is named after each; of several labels, it is 0 or 1, and another one is its probability. Only the files of the run are
needed, unless --input is a split. With --mc_samples, the noise of training is active, and the output also has the
predictive entropy and the mutual information (in nats), or a standard deviation. An interval of numbers, and a
threshold by --precision or --cost, come from the validation examples of the run.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regjax.catalog import METRICS
from regjax.cli import app, flags, prediction_file, prediction_table
from regjax.cli.options import DecisionOptions
from regjax.cli.prediction_file import PredictionFile
from regjax.cli.train import Config as TrainConfig
from regjax.cli.winner import directory_of_run
from regjax.core.options import switch, text, whole

if TYPE_CHECKING:
    from regjax.cli.progress import Bar
    from regjax.data import Preprocessor
    from regjax.data.inputs import Piece

SPLITS = ("train", "validation", "test")
SPLIT_ROWS = 8192  # of a split that are predicted at once, about
PROGRESS_AFTER = 2.0  # seconds


@dataclasses.dataclass(frozen=True)
class Config(DecisionOptions):
    """The options of the command."""

    workdir: str = text(
        "predict", "runs/train", "directory of a run of train, or of a comparison, whose winner predicts"
    )
    input: str | None = text(
        "predict",
        None,
        "a table, a .npz, a .npy, a folder of images, a split (train, validation, test), or - for a .csv from a pipe",
    )
    output: str | None = text("predict", None, "the .csv or .parquet to write")
    data_dir: str | None = text("predict", None, "where prepared TFDS sets are, for a split")
    seed: int = whole("predict", 0, "of the noise of --mc_samples", low=0)
    overwrite: bool = switch("predict", False, "replace --output")
    batch_size: int = whole("predict", 1024, "examples at a time; bounds the memory")


def main(config: Config) -> int:
    """Run the experiment; returns the exit code."""
    workdir = directory_of_run(Path(config.workdir).expanduser())
    where, target = config.input or "", config.output or ""
    flags.check(config.input is not None, "input", f"is needed: a file, a folder, or one of {', '.join(SPLITS)}")
    flags.check(bool(target), "output", "is needed: the .csv or .parquet to write")
    output = Path(target).expanduser()
    flags.check(not output.is_dir(), "output", "is a directory; name a file")
    # A device or pipe would be replaced by a file of the same name.
    flags.check(output.is_file() or not output.exists(), "output", "is a device or a pipe, accepted: a file")
    flags.check(config.overwrite or not output.exists(), "output", "exists; use --overwrite to replace it")
    flags.check(output.absolute().parent.is_dir(), "output", "its directory does not exist")
    endings = prediction_file.ENDINGS
    flags.check(output.suffix.lower() in endings, "output", f"must end in {' or '.join(endings)}")

    from regjax import data
    from regjax.averaging import Ensemble
    from regjax.cli import decisions, held_out
    from regjax.cli.predictor import predictor
    from regjax.cli.restored import restore
    from regjax.data.inputs import in_batches

    restored = restore(workdir)
    model = restored.model
    pre, size = model.preprocessor, config.batch_size
    if config.mc_samples:
        noisy, ensemble = bool(model.hparams.rates), isinstance(model.weights.params, Ensemble)
        flags.check(noisy, "mc_samples", "the run was trained without noise, so all passes are the same")
        flags.check(not ensemble, "mc_samples", "the run keeps an ensemble of snapshots")
    held = held_out.read(workdir, model)
    threshold = decisions.threshold_of(config, model, held)
    half_width = decisions.half_width_of(config, model, held)
    outputs_of = predictor(model, size, samples=config.mc_samples, seed=config.seed)
    truth, right = None, 0
    with contextlib.ExitStack() as stack:
        if where in SPLITS and not Path(where).exists():
            options = dataclasses.replace(restored.options, data_dir=config.data_dir or restored.options.data_dir)
            x, truth = _split(options, where, pre)
            pieces = _pieces(x, size)
        else:
            path = stack.enter_context(_file_of(where))
            pieces = in_batches(data.stream_inputs(path, pre, app.note), size)
        file, bar = stack.enter_context(PredictionFile(output)), stack.enter_context(_progress())
        while piece := flags.about("input", lambda: next(pieces, None)):
            first, last = file.rows, file.rows + len(piece.ids)
            outputs, unsure = flags.about("input", functools.partial(outputs_of, piece.x, first))
            targets = None if truth is None else truth[first:last]
            file.write({"id": piece.ids} | _columns(outputs, unsure, targets, pre, threshold, half_width))
            if targets is not None:
                right += _hits(outputs, targets, pre.task)
            bar.update(int(100 * piece.share), f"{last} rows")
    accuracy = ""
    if truth is not None and pre.task != "regression":
        answers = file.rows * (truth.shape[1] if pre.task == "multilabel" else 1)
        accuracy = f"; {METRICS['accuracy'].title_in(pre.task)} {right / answers:.4f}"
    print(f"{file.rows} predictions in {output}{accuracy}")
    return app.DONE


def _hits(outputs: Any, targets: Any, task: str) -> int:
    """The number of right answers; 0 for numbers."""
    if task == "multilabel":
        return int(((outputs > 0) == (targets > 0.5)).sum())
    return int((outputs.argmax(axis=1) == targets).sum()) if task == "classification" else 0


def _columns(
    outputs: Any, unsure: dict[str, Any], targets: Any, pre: Preprocessor, threshold: float | None, half_width: Any
) -> dict[str, list[Any]]:
    """Return the columns of the output beside the ids."""
    import numpy as np

    if pre.task == "regression":
        columns = prediction_table.number_columns(outputs, pre, half_width)
        if targets is not None:
            columns |= prediction_table.target_columns(
                "target", np.reshape(targets, (len(outputs), -1)), pre.target_names
            )
    elif pre.task == "multilabel":
        columns = prediction_table.label_columns(outputs, pre.target_names)
        if targets is not None:
            columns |= prediction_table.target_columns("target", targets.astype(int), pre.target_names)
    else:
        columns = prediction_table.class_columns(outputs, pre.class_names, threshold)
        if targets is not None:
            columns["target"] = [pre.class_names[t] if pre.class_names else str(t) for t in targets]
    scale = 1.0 if pre.y_scale is None else pre.y_scale  # a standard deviation in the units of the target
    for name, column in unsure.items():
        rounded = (column * scale).reshape(len(outputs), -1).astype(np.float64).round(prediction_table.DIGITS)
        columns |= prediction_table.target_columns(name, rounded, pre.target_names)
    return columns


def _progress() -> Bar:
    from regjax.cli.progress import Bar

    return Bar("percent", 100, after=PROGRESS_AFTER)


def _pieces(x: Any, size: int) -> Iterator[Piece]:
    """Yield the examples of a split, which are read from the disk if they are streamed."""
    from regjax.data.inputs import Piece

    rows = max(SPLIT_ROWS // size, 1) * size
    for start in range(0, len(x), rows):
        part = x[start : start + rows]
        yield Piece(part, [str(start + i) for i in range(len(part))], (start + len(part)) / len(x))


@contextlib.contextmanager
def _file_of(where: str) -> Iterator[str]:
    """Yield the path of the input, which is a temporary file with what comes through the pipe if it is `-`."""
    if where != "-":
        yield where
        return
    with tempfile.NamedTemporaryFile(suffix=".csv") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
        file.flush()
        yield file.name


def _split(trained: TrainConfig, name: str, pre: Preprocessor) -> tuple[Any, Any]:
    from regjax.cli import setup
    from regjax.data.image_rule import STRETCH

    splits = setup.load(trained, trained.split_seed, lazy=trained.loader == "stream").splits
    if splits.image_rule is not None and pre.image_rule is not None and pre.image_rule.fit == STRETCH:
        app.note(
            "the run is of an earlier version, which stretched images of another shape; give the folder as --input"
        )
    if name == "validation":
        return setup.validation_part(splits)
    return getattr(splits, f"x_{name}"), getattr(splits, f"y_{name}")
