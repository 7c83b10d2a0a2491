"""Targets as they come from files: which task they mean, and class indices for labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from regjax.checks import InputError, check_choice
from regjax.data.dataset import TASKS

MAX_INFERRED_CLASSES = 20
"""More distinct integers than this are read as numbers (regression) unless `task` says otherwise."""

MAX_CLASSES = 100_000
"""More distinct labels than this are refused."""


def infer_task(values: np.ndarray) -> str:
    """The task that targets suggest.

    Text and booleans mean classification; so do whole numbers of at most `MAX_INFERRED_CLASSES` distinct
    values that occur twice on average. Everything else is regression.

    Args:
      values: `[N]` or `[N, D]`, text or numbers.

    Returns:
      `"classification"` or `"regression"`.

    Example:
      >>> infer_task(np.array([1, 2, 1, 2])), infer_task(np.array([0.5, 1.5, 2.0]))
      ('classification', 'regression')
    """
    if values.dtype.kind in "USb":
        return "classification"
    if values.ndim != 1 or not np.all(values == np.floor(values)):
        return "regression"
    distinct = len(np.unique(values))
    return "classification" if distinct <= MAX_INFERRED_CLASSES and 2 * distinct <= len(values) else "regression"


def encode_targets(
    name: str, parts: Sequence[np.ndarray], task: str | None = None
) -> tuple[str, list[np.ndarray], tuple[str, ...] | None]:
    """Targets as regjax uses them: class indices with names, or float32 numbers.

    Labels are the sorted distinct values of the first part (the training part): 3, 5, 9 become 0, 1, 2.

    Args:
      name: of the source, for messages.
      parts: targets of the training part and, possibly, of a test part.
      task: overrides `infer_task`.

    Returns:
      `(task, parts, class_names)`: `int32[N]` and names, or `float32[N]` / `float32[N, D]` and None.

    Raises:
      InputError: targets that the task cannot use, or a label of a later part that the first has not.

    Example:
      >>> encode_targets("toy", [np.array(["b", "a", "b"])])
      ('classification', [array([1, 0, 1], dtype=int32)], ('a', 'b'))
    """
    for values in parts:
        if values.dtype.kind not in "USbiuf":
            raise InputError(f"{name}: targets must be numbers or text, got dtype {values.dtype}")
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise InputError(f"{name}: target of example {int(np.argmin(np.isfinite(values)))} is not finite")
    if task is None:
        task = infer_task(parts[0])
    check_choice("task", task, TASKS)
    if task == "regression":
        if any(values.dtype.kind in "US" for values in parts):
            raise InputError(f"{name}: task 'regression' needs numeric targets, found text {str(parts[0].flat[0])!r}")
        return task, [values.astype(np.float32) for values in parts], None
    if parts[0].ndim != 1:
        raise InputError(f"{name}: labels must be one value per example, got targets of shape {parts[0].shape}")
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


def _text(label: np.generic) -> str:
    value = label.item()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
