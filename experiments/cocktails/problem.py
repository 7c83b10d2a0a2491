"""A data set with its splits: lanes that train on them, and scores on the examples that validate and test."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import regjax as rj
from experiments.atlas import data as atlas
from experiments.cocktails.parts import AUGMENTATIONS, Program, arguments
from regjax.analysis.metrics import metrics_of
from regjax.core.errors import InputError
from regjax.core.rng import run_key
from regjax.data import Dataset, Preprocessor, nested_order, split
from regjax.models import make_model
from regjax.sweeps import Score, Task
from regjax.training.evaluate import predict
from regjax.training.run import Run, RunResult
from regjax.training.state import Weights

MOST_EXAMPLES, BATCH, EPOCHS = 400, 32, 45
MOST_OUTSIDE = 1_000  # examples that validate, and that test; more would only take time
WIDTHS = (64, 64)
TABLES = ("breast_cancer", "pima", "oj", "fgl", "chile", "teacher_1000_flipped")
IMAGES = ("digits", "mnist")
NAMES = (*TABLES, *IMAGES)


class Examples(NamedTuple):
    """The examples of a split, standardized as the training examples are: what every learner gets."""

    train: tuple[np.ndarray, np.ndarray]
    validation: tuple[np.ndarray, np.ndarray]
    test: tuple[np.ndarray, np.ndarray]


def load(name: str, packages: Path | None, data_dir: Path | None) -> Dataset:
    """A data set of `NAMES`.

    Raises:
      InputError: it needs a directory that is not given, or is not among them.
    """
    if name not in NAMES:
        raise InputError(f"{name!r} is no data set of the study; accepted: {', '.join(NAMES)}")
    if name == "mnist":
        if data_dir is None:
            raise InputError("mnist: give the directory of the prepared data set with --data_dir=DIR")
        whole = rj.data.load("mnist", data_dir=data_dir)
        rows = np.sort(np.random.default_rng(0).permutation(len(whole))[:5_000])
        return rj.data.from_arrays(whole.x[rows], whole.y[rows], name="mnist")
    [entry] = [entry for entry in atlas.ENTRIES if entry.name == name]
    return entry.make(name, packages)


class Problem:
    """A data set and its splits; seed and run of a split have its number.

    Args:
      data: classes to tell apart.
      splits: how many.
      epochs: of a whole training.

    Raises:
      InputError: the data are no classes.
    """

    def __init__(self, data: Dataset, splits: int, epochs: int = EPOCHS):
        if data.task != "classification":
            raise InputError(f"{data.name}: cocktails are compared on classes, not on a {data.task}")
        self.data, self.epochs, self.splits = data, epochs, splits
        parts = [split(data, seed=number) for number in range(splits)]
        self.n_train = min(MOST_EXAMPLES, parts[0].sizes["train"])
        self.fitted, self.rows, order, validation = [], [], [], []
        for number, part in enumerate(parts):
            own = part.indices["train"][nested_order(part.y_train, [number], data.task)[0]]
            outside = np.concatenate([part.indices["stop"], part.indices["select"]])
            rows = {
                "train": own[: self.n_train],
                "validation": _some(outside, number),
                "test": _some(part.indices["test"], number),
            }
            self.fitted.append(Preprocessor.for_splits(part))
            self.rows.append(rows)
            order.append(own)
            validation.append(rows["validation"])
        x, y = jnp.asarray(data.x), jnp.asarray(data.y)
        self.arrays = rj.TrainData(
            x, jnp.stack([y] * splits), jnp.asarray(np.array(order)), x[:0], y[:0],
            val_rows=jnp.asarray(np.array(validation)),
        )  # fmt: skip

    @property
    def steps_per_epoch(self) -> int:
        """Updates of an epoch."""
        return math.ceil(self.n_train / BATCH)

    def run(self, program: Program) -> Run:
        """The training run of a program."""
        model = make_model("mlp", num_outputs=self.data.num_classes, widths=WIDTHS, **program.structure)
        augmentation = rj.augment.make(AUGMENTATIONS[self.data.kind]) if "augmentation" in program.parts else None
        return rj.make_run(
            rj.Spec(
                model, num_classes=self.data.num_classes, batch_size=BATCH, steps_per_epoch=self.steps_per_epoch,
                epochs=self.epochs, schedule="cosine", augmentation=augmentation,
            )
        )  # fmt: skip

    def lane(self, program: Program, point: Mapping[str, float], number: int) -> rj.Lane:
        """The run of a point of a program on a split."""
        hparams = rj.make_hparams(
            n_train=self.n_train, standardization=self.fitted[number].standardization, **arguments(program, point)
        )
        return rj.Lane(self.run(program), hparams, run_key(number), number)

    def examples(self, number: int) -> Examples:
        """The examples of a split, each flat."""
        standard = self.fitted[number].standardization
        x = self.data.x if standard is None else np.asarray(standard.apply(jnp.asarray(self.data.x)))
        x, y = x.reshape(len(x), -1), self.data.y
        return Examples(*((x[rows], y[rows]) for rows in self.rows[number].values()))

    def probabilities(self, run: Run, result: RunResult, number: int, part: str) -> np.ndarray:
        """Of the classes, `[N, K]`, for the examples of a part of a split, by the weights that a run kept."""
        x = jnp.asarray(self.data.x[self.rows[number][part]])
        standard = self.fitted[number].standardization
        return np.asarray(_probabilities(run.spec.model, result.weights, x if standard is None else standard.apply(x)))

    def metrics(self, run: Run, result: RunResult, number: int, part: str) -> dict[str, float]:
        """The metrics of a run on a part of its split."""
        return metrics_of(
            "classification", self.probabilities(run, result, number, part), self.data.y[self.rows[number][part]]
        )

    def score(self, task: Task, results: Sequence[RunResult]) -> Score:
        """By which a search chooses: the accuracy on validation, and where that is equal, the loss."""
        del task
        [result] = results
        values, end = result.history.values, int(result.end_epoch)
        return Score(float(values["val/accuracy"][end]), -float(values["val/loss"][end]))


def _some(rows: np.ndarray, seed: int) -> np.ndarray:
    """At most `MOST_OUTSIDE` of the rows."""
    return np.sort(np.random.default_rng(seed).permutation(rows)[:MOST_OUTSIDE])


@functools.partial(jax.jit, static_argnums=0)
def _probabilities(model: Any, weights: Weights, x: jax.Array) -> jax.Array:
    return jax.nn.softmax(predict(model.apply, weights.params, weights.model_state, x))
