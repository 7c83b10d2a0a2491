"""Infers the task from targets, and encodes labels as class indices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from regjax.catalog import TASKS
from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.data.float32 import check_float32, spread_of

MAX_INFERRED_CLASSES = 20
"""With more distinct integers than this, the task is regression unless `task` says otherwise."""

MAX_CLASSES = 100_000
"""More distinct labels than this are refused."""


def infer_task(values: np.ndarray) -> str:
    """Infer the task from targets, in the same way for files and arrays of any dtype.

    Text, booleans and one-hot rows mean classification, and so do whole numbers with at most `MAX_INFERRED_CLASSES`
    distinct values that occur at least twice on average. Rows `[N, K]` of 0 and 1 that are not one-hot are several
    labels an example, multilabel. Everything else is regression. A column `[N, 1]` is treated as a vector.

    Args:
      values: `[N]` or `[N, D]`, text or numbers.

    Returns:
      One of `regjax.catalog.TASKS`; `task_reason` says why.

    Example:
      >>> infer_task(np.array([1, 2, 1, 2])), infer_task(np.array([0.5, 1.5, 2.0]))
      ('classification', 'regression')
    """
    return _read(as_vector(values))[0]


def task_reason(values: np.ndarray) -> str:
    """Return the reason for the result of `infer_task`, in words.

    Args:
      values: as for `infer_task`.

    Example:
      >>> task_reason(np.array([1.0, 2.0, 1.0, 2.0])), task_reason(np.eye(3))
      ('2 distinct whole numbers', 'one-hot rows of 3 classes')
    """
    return _read(as_vector(values))[1]


def _read(values: np.ndarray) -> tuple[str, str]:
    if values.dtype.kind in "US":
        return "classification", "text"
    if is_one_hot(values):
        return "classification", f"one-hot rows of {values.shape[1]} classes"
    if is_multi_hot(values):
        return "multilabel", f"rows of {values.shape[1]} labels that are 0 or 1"
    if values.dtype.kind == "b":
        return "classification", "booleans"
    if values.ndim != 1:
        return "regression", f"{values.dtype} of shape {values.shape}"
    fractions = values[values != np.floor(values)]
    if len(fractions):
        return "regression", f"numbers that are not whole, as {fractions[0]:g}"
    distinct = len(np.unique(values))
    few = distinct <= MAX_INFERRED_CLASSES and 2 * distinct <= len(values)
    return "classification" if few else "regression", f"{distinct} distinct whole numbers"


def is_one_hot(values: np.ndarray) -> bool:
    """Whether each row of `[N, K]`, K >= 2, contains a single 1 and zeros.

    Example:
      >>> is_one_hot(np.eye(3)), is_one_hot(np.ones((3, 2)))
      (True, False)
    """
    if values.ndim != 2 or values.shape[1] < 2 or not len(values) or values.dtype.kind not in "biuf":
        return False
    return bool(_zeros_and_ones(values) and np.all(values.sum(axis=1) == 1))


def is_multi_hot(values: np.ndarray) -> bool:
    """Whether `[N, K]`, K >= 2, consists of zeros and ones and has both, as one-hot rows do too.

    Example:
      >>> is_multi_hot(np.array([[1, 0], [1, 1]])), is_multi_hot(np.array([[1, 0], [2, 1]]))
      (True, False)
    """
    wide = values.ndim == 2 and values.shape[1] >= 2 and len(values) > 0
    return wide and values.dtype.kind in "biuf" and _zeros_and_ones(values) and bool(np.ptp(values.astype(np.int8)))


def _zeros_and_ones(values: np.ndarray) -> bool:
    return bool(np.all((values == 0) | (values == 1)))


def as_vector(values: np.ndarray) -> np.ndarray:
    """Convert a column `[N, 1]` to `[N]`, and objects of one type, such as text from a data frame, to an array of it.

    Example:
      >>> as_vector(np.array([["a"], ["b"]], object)).tolist()
      ['a', 'b']
    """
    values = values[:, 0] if values.ndim == 2 and values.shape[1] == 1 else values
    kinds = {type(value) for value in values.flat} if values.dtype == object else ()
    one = len(kinds) == 1 and issubclass(next(iter(kinds)), str | int | float | np.generic)
    return np.array(values.tolist()) if one else values


def encode_targets(
    name: str, parts: Sequence[np.ndarray], task: str | None = None
) -> tuple[str, list[np.ndarray], tuple[str, ...] | None]:
    """Encode targets as class indices with names, or as float32 numbers.

    The classes are the sorted distinct labels of the first part, the training set: 3, 5, 9 become 0, 1, 2. The class of
    a one-hot row is the column of its 1. A column `[N, 1]` is treated as a vector.

    Args:
      name: name of the source, for messages.
      parts: targets of the training set and, possibly, of a test set.
      task: overrides `infer_task`.

    Returns:
      `(task, parts, class_names)`: `int32[N]` and names, or `float32[N]` / `float32[N, D]` and None; labels of
      multilabel are `float32[N, K]`, 0 or 1.

    Raises:
      InputError: the targets do not fit the task, or a later part has a label that the first one does not have.

    Example:
      >>> encode_targets("toy", [np.array(["b", "a", "b"])])
      ('classification', [array([1, 0, 1], dtype=int32)], ('a', 'b'))
    """
    parts = [as_vector(values) for values in parts]
    for values in parts:
        check_unmasked(f"{name}: targets", values)
        if values.dtype.kind not in "USbiuf":
            raise InputError(f"{name}: targets must be numbers or text, got dtype {values.dtype}")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise InputError(f"{name}: target of example {int(np.argmin(np.isfinite(values)))} is not finite")
    if task is None:
        task = infer_task(parts[0])
        if parts[0].ndim == 2 and parts[0].dtype.kind not in "US" and not is_one_hot(parts[0]):
            _check_rows(name, parts[0])
    check_choice("task", task, TASKS)
    if task == "regression":
        if any(values.dtype.kind in "US" for values in parts):
            raise InputError(f"{name}: task 'regression' needs numeric targets, found text {str(parts[0].flat[0])!r}")
        check_float32(f"{name}: targets", parts[0])
        for values in parts[1:]:
            check_float32(f"{name}: targets of the test part", values, spread=spread_of(parts[0]))
        return task, [values.astype(np.float32) for values in parts], None
    if task == "multilabel":
        return task, [_labels(name, values, parts[0]) for values in parts], None
    if is_one_hot(parts[0]):
        width = parts[0].shape[1]
        for values in parts:
            if not is_one_hot(values) or values.shape[1] != width:
                raise InputError(f"{name}: targets must be one-hot rows of {width} classes, got shape {values.shape}")
        return task, [values.argmax(axis=1).astype(np.int32) for values in parts], tuple(map(str, range(width)))
    if parts[0].ndim != 1:
        raise InputError(f"{name}: labels must be one value per example or one-hot rows, got shape {parts[0].shape}")
    labels = np.unique(parts[0])
    if len(labels) > MAX_CLASSES:
        raise InputError(f"{name}: {len(labels)} distinct labels, accepted: at most {MAX_CLASSES}")
    encoded = []
    for values in parts:
        index = np.minimum(np.searchsorted(labels, values), max(len(labels) - 1, 0))
        if len(labels) and not np.all(found := labels[index] == values):
            raise InputError(f"{name}: label {_text(values[np.argmin(found)])!r} of the test part is not in train")
        encoded.append(index.astype(np.int32))
    return task, encoded, tuple(_text(label) for label in labels)


def check_varied(name: str, y: np.ndarray, targets: Sequence[str] | None = None) -> None:
    """Check that targets `[N]` or `[N, D]` are not the same for all training examples.

    Args:
      name: name of the dataset, for the message.
      y: the targets.
      targets: names of the D targets, for the message.

    Raises:
      InputError: they are, or those of one column; R2 has no meaning then.
    """
    same = np.ptp(y.reshape(len(y), -1), axis=0) == 0
    if same.any():
        place = int(np.argmax(same))
        which = "the target" if same.size == 1 else f"target {place if targets is None else repr(targets[place])}"
        raise InputError(f"{name}: {which} is the same in all training examples; nothing can be learned")


def check_unmasked(what: str, values: Any) -> None:
    """Check that no entry of an array is masked, because masked entries have no meaningful value.

    Raises:
      InputError: names the first example.

    Example:
      >>> check_unmasked("y", np.ma.array([1.0, 2.0]))
    """
    if np.ma.is_masked(values):
        example = int(np.argwhere(np.ma.getmaskarray(values))[0][0])
        raise InputError(f"{what}: example {example} is masked; leave it out, or fill it")


def _check_rows(name: str, values: np.ndarray) -> None:
    """Raise an `InputError` for rows that look like class distributions, or like labels that are not 0 and 1."""
    if values.shape[1] < 2 or not len(values) or is_multi_hot(values):
        return
    numbers = values.astype(np.float64)
    if np.all(numbers >= 0) and np.allclose(numbers.sum(axis=1), 1.0, rtol=0, atol=1e-3):
        raise InputError(
            f"{name}: targets {values.shape} are distributions over classes; y.argmax(axis=1) makes classes of them, "
            "task='regression' takes them as numbers"
        )
    if len(np.unique(numbers)) <= 2:
        found = " or ".join(f"{number:g}" for number in np.unique(numbers))
        raise InputError(
            f"{name}: targets {values.shape} are {found} each; several labels an example are 0 or 1, and both occur: "
            f"y == {numbers.max():g} makes them; task='regression' takes them as numbers"
        )


def _labels(name: str, values: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Labels `float32[N, K]`; raises an `InputError` if there are not K >= 2 of them, each 0 or 1."""
    if values.ndim != 2 or values.shape[1] < 2:
        raise InputError(
            f"{name}: task 'multilabel' needs labels [N, K] with K >= 2, got shape {values.shape}; one label is "
            "the task 'classification'"
        )
    if values.shape[1] != first.shape[1]:
        raise InputError(f"{name}: the test part has {values.shape[1]} labels, the training part {first.shape[1]}")
    if values.dtype.kind in "US":
        raise InputError(f"{name}: task 'multilabel' needs labels that are 0 or 1, found text {str(values.flat[0])!r}")
    other = np.argwhere((values != 0) & (values != 1))
    if len(other):
        place = tuple(int(i) for i in other[0])
        raise InputError(
            f"{name}: task 'multilabel' needs labels that are 0 or 1, found {values[place]} in example {place[0]}, "
            f"label {place[1]}"
        )
    return values.astype(np.float32)


def _text(label: np.generic) -> str:
    value = label.item()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
