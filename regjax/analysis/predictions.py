"""Test predictions of every run of a comparison, and `predictions.npz`, the file that holds them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np

from regjax.analysis.calibration import label_losses
from regjax.analysis.metrics import contributions
from regjax.catalog import TASKS
from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.core.files import temporary_sibling
from regjax.core.typing import Numeric

FORMAT = 1
_ROW = "row/"


class Predictions(NamedTuple):
    """Predictions on the test examples, by the runs of the chosen setting of each row of a comparison.

    A run that diverged has those of a constant guess, the best one under the data loss for the training targets: by the
    default losses, the class frequencies or the mean target.

    Attributes:
      task: `"classification"`, `"regression"` or `"multilabel"`.
      seeds: `int64[runs]`, the seed of each run.
      y: targets of the test examples of each run: labels `int32[runs, N]`, or numbers `float32[runs, N]` or
        `float32[runs, N, D]` in their own units, or several labels `float32[runs, N, K]`, 0 or 1.
      rows: `int64[runs, N]`, positions of the test examples in the dataset; None if it came with a test set of its own.
      outputs: by the name of a row, `"baseline"` first: probabilities `float32[runs, N, K]` of classes or labels, or
        predictions that are shaped like `y` and in its units.
      groups: `int64[runs, N]`, the group of each test example, numbered from 0 over all runs: examples of one group are
        not independent. None without groups, and of files of earlier versions.
    """

    task: str
    seeds: np.ndarray
    y: np.ndarray
    rows: np.ndarray | None
    outputs: dict[str, np.ndarray]
    groups: np.ndarray | None = None

    @property
    def units(self) -> np.ndarray | None:
        """What another data set would draw anew, `int64[runs, N]`: the groups, or without any the examples.

        It is the argument `examples` of `regjax.analysis.run_interval` and `paired_bootstrap`; None means that all runs
        have the same test examples.
        """
        return self.rows if self.groups is None else self.groups

    def hits(self, name: str) -> np.ndarray:
        """Whether each prediction of a row is right, `bool[runs, N]`; of equal probabilities, the first class counts.

        Raises:
          InputError: there is no such row, or the task is regression.
        """
        if self.task != "classification":
            raise InputError(f"predictions: hits are for classification, this is {self.task}; accepted: losses")
        return self._outputs(name).argmax(axis=2) == self.y

    def losses(self, name: str) -> np.ndarray:
        """The loss of each prediction of a row, `float64[runs, N]`.

        For classification it is the negative logarithm of the probability of the label, as in
        `regjax.analysis.log_loss`, of several labels the mean of theirs; for regression the squared error in the units
        of the target, a mean over D.

        Raises:
          InputError: there is no such row.
        """
        outputs = self._outputs(name)
        if self.task == "classification":
            return label_losses(outputs.reshape(-1, outputs.shape[2]), self.y.reshape(-1)).reshape(self.y.shape)
        if self.task == "multilabel":
            return np.stack([contributions("log_loss", p, y) for p, y in zip(outputs, self.y, strict=True)])
        errors = np.square(outputs.astype(np.float64) - self.y)
        return errors.reshape(*errors.shape[:2], -1).mean(axis=2)

    def check_paired(self, other: Predictions) -> None:
        """Check that the runs of another comparison have the same seeds and test examples, so that pairs can be made.

        Raises:
          InputError: names what differs.
        """
        for name in ("task", "seeds", "rows", "y"):
            if not np.array_equal(np.asarray(getattr(self, name)), np.asarray(getattr(other, name))):
                raise InputError(f"predictions: {name} of the two differ, so their runs are not pairs")

    def _outputs(self, name: str) -> np.ndarray:
        check_choice("predictions: row", name, self.outputs)
        return self.outputs[name]


def write_predictions(predictions: Predictions, path: str | os.PathLike[str]) -> None:
    """Write predictions to a `.npz` file, which appears whole or not at all.

    Its arrays are `format`, `task`, `seeds`, `y`, `rows` and `groups` (if they are known) and `row/NAME` for each row;
    none needs pickle. A row takes `4 runs N K` bytes.

    Raises:
      OSError: the file cannot be written.

    Example:
      >>> import tempfile
      >>> outputs = {"baseline": np.array([[[0.9, 0.1], [0.2, 0.8]]], np.float32)}
      >>> made = Predictions("classification", np.array([0]), np.array([[0, 0]]), None, outputs)
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     write_predictions(made, f"{folder}/predictions.npz")
      ...     found = read_predictions(f"{folder}/predictions.npz")
      >>> found.hits("baseline").tolist()
      [[True, False]]
    """
    path = Path(path)
    arrays: dict[str, Numeric] = {"format": FORMAT, "task": predictions.task}
    arrays |= {"seeds": predictions.seeds, "y": predictions.y}
    if predictions.rows is not None:
        arrays["rows"] = predictions.rows
    if predictions.groups is not None:
        arrays["groups"] = predictions.groups
    arrays |= {f"{_ROW}{name}": outputs for name, outputs in predictions.outputs.items()}
    partial = temporary_sibling(path)
    try:
        with partial.open("wb") as file:
            np.savez(file, **arrays)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def read_predictions(path: str | os.PathLike[str]) -> Predictions:
    """Read the `predictions.npz` of a comparison.

    Raises:
      InputError: there is no such file, it is damaged, or it is another file.

    Example:
      >>> read_predictions("nothing/predictions.npz")
      Traceback (most recent call last):
      ...
      regjax.core.errors.InputError: predictions.npz: there is no file nothing/predictions.npz
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path.name}: there is no file {path}")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            arrays = {name: np.asarray(stored[name]) for name in stored.files}
    except Exception as error:  # what a damaged archive raises has no common base class
        raise InputError(f"{path.name}: not a readable .npz file ({error})") from None
    try:
        return _checked(arrays)
    except ValueError as error:
        raise InputError(f"{path.name}: no predictions of a comparison: {error}") from None


def _checked(arrays: dict[str, np.ndarray]) -> Predictions:
    """Return the predictions of a file, after checking types and shapes."""
    missing = [name for name in ("format", "task", "seeds", "y") if name not in arrays]
    if missing:
        raise ValueError(f"array {missing[0]!r} is missing")
    if arrays["format"].tolist() != FORMAT:
        raise ValueError(f"format {arrays['format'].tolist()}, accepted: {FORMAT}")
    task, seeds, y = str(arrays["task"]), arrays["seeds"], arrays["y"]
    rows, groups = arrays.get("rows"), arrays.get("groups")
    check_choice("task", task, TASKS)
    classify = task == "classification"
    outputs = {name.removeprefix(_ROW): array for name, array in arrays.items() if name.startswith(_ROW)}
    if not outputs:
        raise ValueError("there is no row")
    runs, size = y.shape[:2] if y.ndim > 1 else (0, 0)
    _check("y", y, "iu" if classify else "f", (y.ndim in ((2,) if classify else (2, 3))) and y.size > 0)
    _check("seeds", seeds, "iu", seeds.shape == (runs,))
    if rows is not None:
        _check("rows", rows, "iu", rows.shape == (runs, size))
    if groups is not None:
        _check("groups", groups, "iu", groups.shape == (runs, size))
        if not np.array_equal(np.unique(groups), np.arange(groups.max() + 1)):
            raise ValueError("groups must be numbered from 0 without a gap")
    for name, array in outputs.items():
        shaped = array.shape[:-1] == y.shape and array.shape[-1] > int(y.max()) if classify else array.shape == y.shape
        _check(f"{_ROW}{name}", array, "f", shaped)
    return Predictions(task, seeds, y, rows, outputs, groups)


def _check(name: str, array: np.ndarray, kinds: str, shaped: bool) -> None:
    if array.dtype.kind not in kinds or not shaped:
        raise ValueError(f"{name} cannot be {array.dtype}{list(array.shape)}")
