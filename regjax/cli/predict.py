"""Predict with the model of a trained run.

  regjax predict --workdir=runs/train --input=test --output=runs/predictions.csv

--input is a table with the training columns, a .npz with x, a folder of images, a split of the training dataset (train,
validation, test), or - for a .csv from a pipe. --output gets one row per example: its id, the predicted class, its
probability and that of each class, or the predicted number in the units of the target. Only the files of the run are
needed, unless --input is a split. With --mc_samples, the noise of training is active, and the output also has the
predictive entropy and the mutual information (in nats), or a standard deviation.
"""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regjax.cli import app, flags, prediction_table
from regjax.cli.train import Config as TrainConfig
from regjax.cli.winner import directory_of_run
from regjax.core.options import Options, number, switch, text, whole

if TYPE_CHECKING:
    from regjax.data import Preprocessor

SPLITS = ("train", "validation", "test")


@dataclasses.dataclass(frozen=True)
class Config(Options):
    """The options of the command."""

    workdir: str = text(
        "predict", "runs/train", "directory of a run of train, or of a comparison, whose winner predicts"
    )
    input: str | None = text(
        "predict",
        None,
        "a table, a .npz, a folder of images, a split (train, validation, test), or - for a .csv from a pipe",
    )
    output: str | None = text("predict", None, "the .csv or .parquet to write")
    threshold: float | None = number(
        "predict",
        None,
        "of two classes: the probability from which on the second one is predicted; default 0.5",
        high=1.0,
    )
    data_dir: str | None = text("predict", None, "where prepared TFDS sets are, for a split")
    mc_samples: int = whole(
        "predict",
        0,
        "number of passes with the noise of training, whose spread is reported; 0 predicts without noise",
        low=0,
    )
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
    endings = prediction_table.ENDINGS
    flags.check(output.suffix.lower() in endings, "output", f"must end in {' or '.join(endings)}")

    import jax
    import jax.numpy as jnp
    import numpy as np

    from regjax import data
    from regjax.averaging import Ensemble
    from regjax.cli.restored import restore
    from regjax.core.rng import run_key
    from regjax.models.interface import as_model
    from regjax.training.evaluate import predict
    from regjax.training.uncertainty import mc_predict

    model = restore(workdir)
    spec, hparams, pre, weights = model.spec, model.hparams, model.preprocessor, model.weights
    if where in SPLITS and not Path(where).exists():
        x, truth = _split(
            dataclasses.replace(model.options, data_dir=config.data_dir or model.options.data_dir), where, pre
        )
        ids = [str(i) for i in range(len(x))]  # inputs of a streamed run are read below, in batches
    else:
        with _file_of(where) as path:
            x, ids = flags.about("input", lambda: data.read_inputs(path, pre, app.note))
        truth = None
    two = pre.task == "classification" and len(pre.class_names or ()) == 2
    flags.check(config.threshold is None or two, "threshold", "is for models of two classes")
    flags.about("input", lambda: pre.transform(x[:1]))  # raises an error for another shape

    apply_fn = as_model(spec.model).apply
    samples, key = config.mc_samples, run_key(config.seed)
    if samples:
        flags.check(bool(hparams.rates), "mc_samples", "the run was trained without noise, so all passes are the same")
        flags.check(not isinstance(weights.params, Ensemble), "mc_samples", "the run keeps an ensemble of snapshots")

    @jax.jit
    def predicted(rows: Any, index: Any) -> tuple[Any, dict[str, Any]]:
        if not samples:
            return predict(apply_fn, *weights, rows, task=spec.task), {}
        batch_key, state = jax.random.fold_in(key, index), weights.model_state
        sampled = mc_predict(
            apply_fn, weights.params, rows, batch_key, samples, rates=hparams.rates, model_state=state, task=spec.task
        )
        if spec.task == "regression":
            return sampled.mean, {"std": jnp.sqrt(sampled.variance)}
        unsure = {
            "predictive_entropy": sampled.predictive_entropy,
            "mutual_information": sampled.mutual_information,
        }
        return jnp.log(sampled.mean), unsure

    size = config.batch_size
    parts = [predicted(jnp.asarray(pre.transform(x[i : i + size])), i) for i in range(0, len(x), size)]
    outputs = np.concatenate([np.asarray(part[0]) for part in parts])
    unsure = {name: np.concatenate([np.asarray(part[1][name]) for part in parts]) for name in parts[0][1]}

    columns: dict[str, list[Any]] = {"id": ids}
    if pre.task == "regression":
        columns |= prediction_table.number_columns(outputs, pre)
        if truth is not None:
            columns |= prediction_table.numbered("target", np.reshape(truth, (len(ids), -1)))
    else:
        columns |= prediction_table.class_columns(outputs, pre.class_names, config.threshold)
        if truth is not None:
            columns["target"] = [pre.class_names[t] if pre.class_names else str(t) for t in truth]
    scale = 1.0 if pre.y_scale is None else pre.y_scale  # a standard deviation in the units of the target
    for name, column in unsure.items():
        columns |= prediction_table.numbered(name, (column * scale).reshape(len(ids), -1).astype(np.float64).round(6))
    prediction_table.write(columns, output)
    note = ""
    if truth is not None and pre.task == "classification":
        note = f"; accuracy {np.mean(np.argmax(outputs, axis=1) == truth):.4f}"
    print(f"{len(ids)} predictions in {output}{note}")
    return app.DONE


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
