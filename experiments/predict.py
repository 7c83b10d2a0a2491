"""Predict with a trained run.

  python -m experiments.predict --workdir=runs/train --input=test --output=runs/predictions.csv

--input is a .npz with x, a .csv with the training columns, a folder of images, or a split of the training dataset
(train, validation, test). --output gets one line an example: its id, the predicted class and its probability, or the
predicted number in the units of the target. Needs only the run's own files, unless --input is a split.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from experiments import app, flags

SPLITS = ("train", "validation", "test")

flags.text("predict", "workdir", "runs/train", "directory of a run of experiments.train")
flags.text("predict", "input", None, "a .npz, a .csv, a folder of images, or a split: train, validation, test")
flags.text("predict", "output", None, "the .csv to write")
flags.text("predict", "data_dir", None, "where prepared TFDS sets are, for a split")
flags.switch("predict", "overwrite", False, "replace --output")
flags.whole("predict", "batch_size", 1024, "examples at a time; bounds the memory")


def main() -> int:
    """Run the experiment; returns the exit code."""
    values = flags.values()
    workdir = Path(values["workdir"]).expanduser()
    for name in ("config.json", "preprocess.json", "checkpoints"):
        flags.check((workdir / name).exists(), "workdir", f"holds no trained run: {name} is missing")
    flags.check(values["input"] is not None, "input", f"is needed: a file, a folder, or one of {', '.join(SPLITS)}")
    flags.check(bool(values["output"]), "output", "is needed: the .csv to write")
    output = Path(values["output"]).expanduser()
    flags.check(not output.is_dir(), "output", "is a directory; name a file")
    flags.check(values["overwrite"] or not output.exists(), "output", "exists; use --overwrite to replace it")
    flags.check(output.absolute().parent.is_dir(), "output", "its directory does not exist")

    import jax
    import jax.numpy as jnp
    import numpy as np

    from experiments import setup
    from regjax import data
    from regjax.adapt import as_model
    from regjax.checkpoint import Checkpoints
    from regjax.epoch import TrainData, make_program
    from regjax.evaluate import predict

    config = json.loads((workdir / "config.json").read_text())
    flags.check(config.get("experiment") == "train", "workdir", "is not a run of experiments.train")
    trained, known = config["flags"], config["facts"]
    pre = data.Preprocessor.from_json((workdir / "preprocess.json").read_text())
    spec = setup.make_spec(trained, known)
    hparams = setup.hparams_of(trained, known, trained["restore_best"])

    if values["input"] in SPLITS and not Path(values["input"]).exists():
        x, truth = _split(trained | {"data_dir": values["data_dir"] or trained["data_dir"]}, values["input"])
        ids = [str(i) for i in range(len(x))]
    else:
        x, ids = flags.about("input", lambda: data.read_inputs(values["input"], pre))
        truth = None
    x = flags.about("input", lambda: pre.transform(x))

    # The shapes of the state come from the configuration; the arrays from the checkpoint.
    example: Any = jax.ShapeDtypeStruct((1, *pre.shape), jnp.float32)
    index: Any = jax.ShapeDtypeStruct((1,), jnp.int32)
    like = jax.eval_shape(
        make_program(spec).init, hparams, jax.random.key(0), TrainData(example, index, index, example, index)
    )
    state = Checkpoints(workdir / "checkpoints").restore_latest(like)
    flags.check(state is not like, "workdir", "holds no checkpoint yet")
    weights = state.weights(hparams.restore_best)
    apply_fn = as_model(spec.model).apply
    predicted = jax.jit(lambda rows: predict(apply_fn, *weights, rows, task=spec.task))
    size = values["batch_size"]
    outputs = np.concatenate([np.asarray(predicted(jnp.asarray(x[i : i + size]))) for i in range(0, len(x), size)])

    header, rows = _rows(outputs, ids, truth, pre)
    partial = output.with_name(output.name + ".partial")
    with partial.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
    partial.rename(output)
    note = ""
    if truth is not None and pre.task == "classification":
        note = f"; accuracy {np.mean(np.argmax(outputs, axis=1) == truth):.4f}"
    print(f"{len(rows)} predictions in {output}{note}")
    return app.DONE


def _split(values: dict[str, Any], name: str) -> tuple[Any, Any]:
    import numpy as np

    from experiments import setup

    splits = setup.load(values | {"train_examples": None, "label_noise": None}).splits
    if name == "validation":
        return np.concatenate([splits.x_stop, splits.x_select]), np.concatenate([splits.y_stop, splits.y_select])
    return getattr(splits, f"x_{name}"), getattr(splits, f"y_{name}")


def _rows(outputs: Any, ids: list[str], truth: Any, pre: Any) -> tuple[list[str], list[list[Any]]]:
    """The lines of the output file."""
    import numpy as np

    if pre.task == "regression":
        predicted = np.asarray(pre.target_inverse(outputs)).reshape(len(ids), -1)
        names = ["prediction"] if predicted.shape[1] == 1 else [f"prediction_{i}" for i in range(predicted.shape[1])]
        known = [] if truth is None else ["target"]
        values = np.reshape(truth, (len(ids), -1)) if truth is not None else None
        rows = [
            [i, *row, *([] if values is None else values[k].tolist())]
            for k, (i, row) in enumerate(zip(ids, predicted.tolist(), strict=True))
        ]
        return ["id", *names, *known], rows
    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    probability = shifted / shifted.sum(axis=1, keepdims=True)
    best = np.argmax(outputs, axis=1)
    classes = pre.class_names or tuple(str(k) for k in range(outputs.shape[1]))
    rows = [[i, classes[k], round(float(probability[j, k]), 6)] for j, (i, k) in enumerate(zip(ids, best, strict=True))]
    if truth is None:
        return ["id", "prediction", "probability"], rows
    return ["id", "prediction", "probability", "target"], [
        [*row, classes[t]] for row, t in zip(rows, truth, strict=True)
    ]


if __name__ == "__main__":
    app.run(main, __doc__ or "")
