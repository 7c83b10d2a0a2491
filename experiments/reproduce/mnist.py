"""MNIST for the repetitions: its arrays, and runs of a net that are kept on disk, so that a repetition can go on."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

import regjax as rj
from experiments.reproduce.published import Publication, record
from regjax.core.rng import run_key
from regjax.data import load, nested_order
from regjax.models import make_model
from regjax.sweeps import LaneStore
from regjax.training.run import RunResult

BATCH, CLASSES = 128, 10


class Images(NamedTuple):
    """Images with brightness from 0 to 1 as rows, `float32[N, 784]`, and their classes, `int32[N]`."""

    x: np.ndarray
    y: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray


class Cell(NamedTuple):
    """One run.

    Attributes:
      method: names the arguments of `rj.make_hparams`, see `lanes`.
      strength: of the method; 0 where it has none.
      learning_rate: at the first update; it falls linearly to 0 at the last one.
      examples: number of training examples.
      updates: number of updates.
      seed: of initialization, subset, order and noise, so that runs of one seed are paired.
    """

    method: str
    strength: float
    learning_rate: float
    examples: int
    updates: int
    seed: int


class Trained(NamedTuple):
    """The results of cells, and the seconds that they took, those before an interruption included.

    Runs that train side by side count in full, so that this is more than the time on the clock.
    """

    results: dict[Cell, RunResult]
    seconds: float


Arguments = Callable[[float], dict[str, Any]]
Outcome = tuple[dict[str, Any], dict[str, Any], float]


def images(data_dir: str | os.PathLike[str]) -> Images:
    """MNIST from a directory of prepared TFDS sets."""
    data = load("mnist", data_dir=data_dir)
    if data.test is None:
        raise ValueError(f"images: mnist in {data_dir} has no test set")
    x, x_test = (np.asarray(part, np.float32).reshape(len(part), -1) / 255 for part in (data.x, data.test[0]))
    return Images(x, np.asarray(data.y, np.int32), x_test, np.asarray(data.test[1], np.int32))


def train_data(pool: Images, seeds: int, y: np.ndarray | None = None) -> rj.TrainData:
    """The pool with its test set as the evaluated part; each seed has its own nested, stratified subsets.

    Args:
      pool: the images.
      seeds: number of seeds.
      y: labels to train with, `int32[S, N]`; None takes the true ones.
    """
    order = nested_order(pool.y, seeds, "classification")
    labels = np.broadcast_to(pool.y, order.shape) if y is None else y
    return rj.TrainData(*map(jnp.asarray, (pool.x, labels, order, pool.x_test, pool.y_test)))


def held_out(pool: Images, examples: int) -> Images:
    """The pool without its last examples in a fixed random order, which take the place of the test set."""
    order = np.random.default_rng(0).permutation(len(pool.y))
    own, rest = order[:-examples], order[-examples:]
    return Images(pool.x[own], pool.y[own], pool.x[rest], pool.y[rest])


def lanes(
    cells: Sequence[Cell], methods: Mapping[str, Arguments], widths: tuple[int, ...], evaluations: int = 1
) -> list[rj.Lane]:
    """The runs of cells, by stochastic gradient descent with momentum 0.9.

    Args:
      cells: the runs.
      methods: for each method the arguments of `rj.make_hparams`, as a function of its strength.
      widths: of the hidden layers.
      evaluations: how often a run is evaluated, the last time after its last update.
    """
    model = make_model("mlp", num_outputs=CLASSES, widths=widths)
    out = []
    for cell in cells:
        spec = rj.Spec(
            model,
            num_classes=CLASSES,
            batch_size=BATCH,
            optimizer="momentum",
            schedule="linear",
            steps_per_epoch=cell.updates // evaluations,
            epochs=evaluations,
        )
        own = methods[cell.method](cell.strength)
        hparams = rj.make_hparams(learning_rate=cell.learning_rate, n_train=cell.examples, **own)
        out.append(rj.Lane(rj.make_run(spec), hparams, run_key(cell.seed), cell.seed))
    return out


def trained(cells: Sequence[Cell], made: Sequence[rj.Lane], data: rj.TrainData, store: Path | None) -> Trained:
    """Train the cells that the store does not have yet, with progress on stderr."""
    total = [0.0]

    def done(i: int, result: RunResult, seconds: float) -> None:
        total.append(seconds)
        print(f"{cells[i]}: {errors(result)[-1]:.2f}% error, {seconds:.0f} s", file=sys.stderr, flush=True)

    kept = None if store is None else LaneStore(store)
    results = rj.run_lanes(made, data, keep_weights=False, store=kept, on_done=done)
    return Trained(dict(zip(cells, results, strict=True)), sum(total))


def record_of(name: str, publication: Publication, run: Callable[[Images], Outcome], data_dir: Path) -> dict[str, Any]:
    """The record of a repetition, with the seconds of all its runs, those before an interruption included.

    Args:
      name: of the module.
      publication: what was published.
      run: returns what was measured for the published rows, further results, and the seconds of all runs.
      data_dir: of the images.
    """
    started = time.time()
    measured, more, seconds = run(images(data_dir))
    made = record(name, publication, measured, started, **more)
    made["reproduce"]["seconds"] = round(seconds)
    return made


def errors(result: RunResult, metric: str = "val/accuracy") -> list[float]:
    """The error in percent at each evaluation; of ten thousand examples exact to the last one."""
    return [round(100 - 100 * float(value), 4) for value in result.history.values[metric]]
