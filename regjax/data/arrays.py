"""Makes datasets from arrays in memory; targets are interpreted as in files."""

from __future__ import annotations

from typing import Any

import numpy as np

from regjax.core.errors import InputError
from regjax.data.dataset import Dataset
from regjax.data.float32 import check_float32
from regjax.data.grouping import check_groups, check_times, check_weights, with_duplicates_together
from regjax.data.near_duplicates import with_near_duplicates_noted
from regjax.data.targets import as_vector, check_unmasked, encode_targets, infer_task, task_reason


def from_arrays(
    x: np.ndarray,
    y: np.ndarray,
    *,
    task: str | None = None,
    name: str = "data",
    groups: Any = None,
    times: Any = None,
    weights: Any = None,
) -> Dataset:
    """Make a dataset from arrays.

    Args:
      x: rows of a table `float[N, F]`; images `[N, H, W, C]`, uint8 or floats in [0, 1]; sequences `float[N, T, F]`; or
        integers that are not images, such as token ids `[N, T]`, which are passed to the model unchanged.
      y: labels `[N]` of any kind, one-hot rows `[N, K]`, several labels `[N, K]` that are 0 or 1, or numbers
        `[N]` / `[N, D]`.
      task: one of `regjax.catalog.TASKS`; None uses `regjax.data.targets.infer_task`.
      name: name of the dataset in reports.
      groups: `[N]` of any kind: examples with equal ones, such as those of one patient, stay in one part of a split.
        Without groups, exact duplicates stay together.
      times: `[N]` numbers or dates: later examples are the test set.
      weights: `[N]` numbers >= 0: how much each example counts in the loss of updates; metrics count each once.

    Raises:
      InputError: an array is masked or its numbers are too large for float32; the labels are of mixed types; it is
        unclear whether integers are classes or numbers, or whether a uint8 array `[N, H, W]` contains images.

    Example:
      >>> from_arrays(np.eye(4), np.array([[0.0, 1.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])).y
      array([1, 0, 1, 0], dtype=int32)
    """
    for what, values in (("x", x), ("y", y)):
        check_unmasked(f"{name}: {what}", values)
    x, y = np.asarray(x), as_vector(_targets(name, y))
    if task is None and y.dtype.kind in "iu" and infer_task(y) == "regression":
        raise InputError(
            f"{name}: y ({task_reason(y)}) may be classes or numbers; say task='classification' or task='regression'"
        )
    task, (encoded,), class_names = encode_targets(name, [y], task)
    if x.dtype.kind not in "biuf":
        raise InputError(f"{name}: x must be numbers, got dtype {x.dtype}")
    if x.dtype == np.uint8 and x.ndim == 3:
        raise InputError(
            f"{name}: x of shape {x.shape} and dtype uint8 may be gray images or token ids; x[..., None] makes images "
            "of it, x.astype(np.int32) token ids"
        )
    as_it_is = x.dtype == np.uint8 if x.ndim == 4 else x.dtype.kind in "iu"
    if not as_it_is:
        check_float32(f"{name}: x", x)
    x = x if as_it_is else x.astype(np.float32)
    made = Dataset(
        name,
        task,
        x,
        encoded,
        class_names=class_names,
        groups=None if groups is None else check_groups(name, groups, len(x)),
        times=None if times is None else check_times(name, times, len(x)),
        weights=None if weights is None else check_weights(name, weights, len(x)),
    )
    return with_near_duplicates_noted(with_duplicates_together(made))


def _targets(name: str, y: Any) -> np.ndarray:
    """Convert targets to an array; refuse mixed types, which NumPy would convert to text."""
    made = np.asarray(y)
    if made.dtype.kind in "US" and not isinstance(y, np.ndarray):
        kinds = {str if isinstance(label, str) else type(label) for label in np.asarray(y, object).flat}
        if len(kinds) > 1:
            shown = " and ".join(sorted(kind.__name__ for kind in kinds))
            raise InputError(f"{name}: y holds {shown}; accepted: labels of one kind")
    return made
