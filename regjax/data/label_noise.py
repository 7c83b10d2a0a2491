"""Label noise of the training pool, a pure function of its seeds (see `regjax.data.keyed_random`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from regjax.core.checks import check_range
from regjax.core.errors import InputError
from regjax.core.labels import check_labels, is_indices
from regjax.data import keyed_random


def noisy_targets(y: np.ndarray, rate: float, task: str, num_classes: int, seeds: Sequence[int] | int) -> np.ndarray:
    """Label noise of a classification, or of several labels, each of which is the other one with probability `rate`.

    Args:
      y: class indices `int32[N]`, or labels `[N, K]` that are 0 or 1.
      rate: as in `noisy_labels`.
      task: `"classification"` or `"multilabel"`.
      num_classes: of a classification.
      seeds: as in `noisy_labels`.

    Returns:
      `int32[S, N]` or `float32[S, N, K]`.

    Raises:
      InputError: as `noisy_labels`, or the task is regression.

    Example:
      >>> noisy_targets(np.array([[1.0, 0.0]]), 1.0, "multilabel", 0, 1).tolist()
      [[[0.0, 1.0]]]
    """
    if task == "classification":
        return noisy_labels(y, rate, num_classes, seeds)
    if task != "multilabel":
        raise InputError(f"noisy_targets: label noise is for classes and labels, got task {task!r}")
    noisy = noisy_labels(np.asarray(y).reshape(-1).astype(np.int32), rate, 2, seeds)
    return noisy.reshape(len(noisy), *np.shape(y)).astype(np.float32)


def noisy_labels(y: np.ndarray, rate: float, num_classes: int, seeds: Sequence[int] | int) -> np.ndarray:
    """Replace each label, with probability `rate`, by one of the other classes.

    The new class is uniform over the `num_classes - 1` others, so `rate` is the expected fraction of wrong labels. The
    noise of an example depends only on the seed and its position: nested subsets share their noise, and a label that is
    wrong at some rate has the same wrong value at every higher rate.

    Args:
      y: labels of the training pool, `int32[N]`.
      rate: probability in [0, 1].
      num_classes: K, at least 2 unless the rate is 0.
      seeds: seeds of the S lanes; an integer S means `range(S)`.

    Returns:
      `int32[S, N]`.

    Raises:
      InputError: the rate is outside [0, 1], or a label is out of range.

    Example:
      >>> noisy_labels(np.array([0, 1, 2]), 0.0, 3, 2).tolist()
      [[0, 1, 2], [0, 1, 2]]
      >>> bool((noisy_labels(np.array([0, 1, 2]), 1.0, 3, 2) != np.array([0, 1, 2])).all())
      True
    """
    y = np.asarray(y)
    try:
        check_range("noisy_labels: rate", rate, 0.0, 1.0)
        check_labels("noisy_labels", y, num_classes)
    except ValueError as error:
        raise InputError(str(error)) from None
    if not is_indices(y):
        raise InputError(f"noisy_labels: labels must be class indices int[N], got {y.dtype}{list(y.shape)}")
    if rate > 0 and num_classes < 2:
        raise InputError(f"noisy_labels: rate {rate} needs at least 2 classes, got {num_classes}")
    rows = []
    for seed in keyed_random.seed_list("noisy_labels", seeds):
        hit = keyed_random.uniform(len(y), "label noise", seed) < rate
        jump = 1 + np.floor(keyed_random.uniform(len(y), "noisy label", seed) * (num_classes - 1)).astype(int)
        rows.append(np.where(hit, (y + jump) % num_classes, y))
    return np.asarray(rows, np.int32).reshape(len(rows), len(y))
