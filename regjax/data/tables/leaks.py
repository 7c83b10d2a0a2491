"""Finds inputs that give the target away, such as a copy of it in another unit or a fact known only afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

ORDERED = 0.99
"""An input with at least this rank correlation gives a number away."""

SEPARATED = 0.99
"""An input with at least this area under the ROC curve gives one of two classes away."""

MOST_ROWS, MOST_INPUTS = 20_000, 500  # the rest is not examined, so that it takes less than a second


def leaks(
    x: np.ndarray, y: np.ndarray, names: Sequence[str], task: str, targets: Sequence[str] | None = None
) -> list[str]:
    """Return a note for each input that alone gives the target away.

    Args:
      x: inputs `[N, F]`; rows in which one is missing (NaN) do not count for it.
      y: numbers `[N]`, or labels of two classes; inputs are not examined for other targets. Of `[N, D]` with names,
        each column is examined.
      names: of the inputs.
      task: one of `regjax.catalog.TASKS`.
      targets: names of the columns of `y`, if there are several.

    Example:
      >>> x = np.stack([np.arange(50.0) ** 3, np.arange(50.0) % 7], axis=1)
      >>> leaks(x, np.arange(50.0), ["cube", "rest"], "regression")
      ['cube alone orders the targets (rank correlation 1.00); if it is known only after them: ignore=cube']
    """
    if targets is not None:
        notes = []
        for k, target in enumerate(targets):
            own = "regression" if task == "regression" else "classification"
            notes += [f"target {target}: {note}" for note in leaks(x, y[:, k], names, own)]
        return notes
    if y.ndim != 1 or x.ndim != 2 or len(y) < 30 or (task == "classification" and set(np.unique(y)) != {0, 1}):
        return []
    every = -(-len(y) // MOST_ROWS)
    x, y = x[::every, :MOST_INPUTS], y[::every].astype(np.float64)
    notes = []
    for j, name in enumerate(names[: x.shape[1]]):
        known = ~np.isnan(x[:, j])
        values, own = x[known, j], y[known]
        if len(values) < 30 or values.min() == values.max() or own.min() == own.max():
            continue
        ranks = _ranks(values)
        if task == "regression":
            found = float(np.corrcoef(ranks, _ranks(own))[0, 1])
            words = f"orders the targets (rank correlation {found:.2f})" if abs(found) >= ORDERED else ""
        else:
            ones = int(own.sum())
            area = float((ranks[own == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(own) - ones)))
            words = f"tells the classes apart (area under the ROC curve {max(area, 1 - area):.2f})"
            words = words if max(area, 1 - area) >= SEPARATED else ""
        if words:
            column = name.split("=")[0].removesuffix(" is missing")
            notes.append(f"{name} alone {words}; if it is known only after them: ignore={column}")
    return notes


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1, equal values sharing the mean of theirs; importing `scipy.stats` for them takes a second."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray(np.cumsum(counts) - (counts - 1) / 2)[inverse.reshape(-1)]
