"""Reads pairs of `.npy` files: inputs, and beside them targets."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from regjax.core.errors import InputError
from regjax.data.dataset import Dataset
from regjax.data.inputs import Note, Piece
from regjax.data.preprocess import Preprocessor
from regjax.data.readers.array_files import PIECE_BYTES, check_size, dataset_of_arrays, inputs_of_model, readable


def load_npy(
    path: Path, *, task: str | None = None, lazy: bool = False, target: str | Sequence[str] | None = None
) -> Dataset:
    """Load inputs and targets from two `.npy` files, such as `x.npy` and `y.npy`.

    The targets of `x.npy` are in `y.npy`, those of `X_train.npy` in `Y_train.npy` or `y_train.npy`, of the same folder.
    If the folder has `x_test.npy` and `y_test.npy` too, they are an official test split.

    Args:
      path: the file of inputs; its array is like `x` of `regjax.data.load_npz`.
      task: overrides `regjax.data.targets.infer_task`.
      lazy: map the inputs from the files, as `Rows`, instead of reading them.
      target: the file of targets, if its name is another one, from the working directory or the folder of `path`.

    Raises:
      InputError: there is no file of targets, or a file is not valid.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     np.save(f"{folder}/x.npy", np.eye(4))
      ...     np.save(f"{folder}/y.npy", np.array(["a", "b", "a", "b"]))
      ...     data = load_npy(Path(folder, "x.npy"))
      >>> data.x.shape, data.class_names
      ((4, 4), ('a', 'b'))
    """
    targets = _targets(path) if target is None else _named_targets(path, target)
    x_test, y_test = _test_of(path), _test_of(targets)
    notes = [f"targets from {targets.name}"]
    arrays = {"x": _read(path, mapped=lazy), "y": _read(targets)}
    if x_test is not None and y_test is not None and x_test.is_file() and y_test.is_file():
        arrays |= {"x_test": _read(x_test, mapped=lazy), "y_test": _read(y_test)}
        notes.append(f"test examples from {x_test.name} and {y_test.name}: {len(arrays['y_test'])}")
    elif x_test is not None and y_test is not None and x_test.is_file():
        notes.append(f"{x_test.name} is not the test set, because there is no {y_test.name}; predict can read it")
    data = dataset_of_arrays(path, arrays, task=task, lazy=lazy)
    return dataclasses.replace(data, notes=(*data.notes, *notes))


def npy_pieces(path: Path, preprocessor: Preprocessor, note: Note | None = None) -> Iterator[Piece]:
    """Read the array of a `.npy` file in the form used in training, and the index of each example.

    Raises:
      InputError: the array does not fit the model.
    """
    del note
    stored = _read(path, mapped=True)
    if stored.ndim == 0:
        raise InputError(f"{path.name}: the array is a single number; accepted: one row for each example")
    rows = max(PIECE_BYTES // max(stored[:1].nbytes, 1), 1)
    for start in range(0, max(len(stored), 1), rows):
        piece = np.asarray(stored[start : start + rows])
        end = start + len(piece)
        ids = [str(i) for i in range(start, end)]
        yield Piece(inputs_of_model(path, piece, preprocessor, start), ids, end / max(len(stored), 1))


def _read(path: Path, mapped: bool = False) -> np.ndarray:
    with readable(path):
        if not mapped:
            check_size(path, path.stat().st_size)
        array = np.load(path, allow_pickle=False, mmap_mode="r" if mapped else None)
        if not isinstance(array, np.ndarray):
            raise InputError(f"{path.name}: holds several arrays, as .npz files do; name it so")
        return array


def _targets(path: Path) -> Path:
    """Return the file of targets that belongs to a file of inputs; raises an InputError if there is none."""
    names = [made for letter in "yY" if (made := _with_word(path.stem, "x", letter))]
    for name in names:
        if (found := path.with_name(name + path.suffix)).is_file():
            return found
    tried = f"there is no {names[0]}{path.suffix} beside it" if names else "its name does not tell that of its targets"
    raise InputError(f"{path.name}: {tried}; name the .npy file of the targets with target=FILE")


def _named_targets(path: Path, name: str | Sequence[str]) -> Path:
    """Return the file of targets of that name, from the working directory or the folder of `path`."""
    for found in (Path(name).expanduser(), path.parent / name) if isinstance(name, str) else ():
        if found.is_file() and found.suffix.lower() == ".npy":
            return found
    raise InputError(
        f"target {name!r}: accepted for {path.name} is a .npy file of the targets, and there is no such file"
    )


def _test_of(path: Path) -> Path | None:
    """Return the name that the file of test examples has beside a file of training examples; None for test examples."""
    words = _words(path.stem)
    if "test" in map(str.lower, words):
        return None
    name = _with_word(path.stem, "train", "test") or f"{path.stem}_test"
    return path.with_name(name + path.suffix)


def _with_word(stem: str, word: str, other: str) -> str:
    """Return the name with one of its words replaced, or an empty text if it does not have it."""
    words = _words(stem)
    lower = [part.lower() for part in words]
    if word not in lower:
        return ""
    words[lower.index(word)] = other
    return "".join(words)


def _words(stem: str) -> list[str]:
    """Return the words of a name, such as those of `X_train`, and what is between them."""
    return re.split(r"([_.-])", stem)
