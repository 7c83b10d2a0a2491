"""Families of generated data sets whose truth is known.

A family shares how its targets come about; its members differ in the number of rows or in the noise.
"""

from __future__ import annotations

import numpy as np

from regjax.data import Dataset, from_arrays

COLUMNS, RELEVANT = 60, 5


def linear(
    name: str, rows: int, *, relevant: int, noise: float = 1.0, correlation: float = 0.0, tail: float = 0.0
) -> Dataset:
    """A linear regression with coefficients of equal size: `y = x @ w + e`, whose signal has variance 1.

    Args:
      name: name of the data set.
      rows: number of rows.
      relevant: number of the `COLUMNS` columns whose coefficient is not zero.
      noise: standard deviation of the errors.
      correlation: of neighbouring columns, an autoregressive process.
      tail: degrees of freedom of Student's t of the errors, scaled to the same standard deviation; 0 is normal.
    """
    rng = np.random.default_rng([rows, relevant, round(1000 * correlation), round(1000 * tail), 7])
    x = rng.standard_normal((rows, COLUMNS))
    for column in range(1, COLUMNS):
        x[:, column] = correlation * x[:, column - 1] + np.sqrt(1 - correlation**2) * x[:, column]
    w = np.zeros(COLUMNS)
    w[rng.permutation(COLUMNS)[:relevant]] = rng.choice([-1.0, 1.0], relevant)
    lags = correlation ** np.abs(np.subtract.outer(np.arange(COLUMNS), np.arange(COLUMNS)))
    w /= np.sqrt(w @ lags @ w)
    error = rng.standard_t(tail, rows) / np.sqrt(tail / (tail - 2)) if tail else rng.standard_normal(rows)
    return from_arrays(x.astype(np.float32), (x @ w + noise * error).astype(np.float32), task="regression", name=name)


def teacher(name: str, rows: int, *, classes: int = 3, columns: int = 20, flipped: float = 0.0) -> Dataset:
    """Classes that a random net with 8 hidden units gives to normal inputs.

    Args:
      name: name of the data set.
      rows: number of rows.
      classes: number of classes, which are equally frequent but for chance.
      columns: number of columns, all of which the net reads.
      flipped: share of the labels, of all parts of the data, that are replaced by a random other class.
    """
    rng = np.random.default_rng([rows, classes, columns, 11])
    x = rng.standard_normal((rows, columns))
    first = np.random.default_rng([classes, columns, 12])
    hidden = np.tanh(2 * x @ first.standard_normal((columns, 8)) / np.sqrt(columns))
    scores = hidden @ first.standard_normal((8, classes))
    y = np.argmax(scores - np.median(scores, axis=0), axis=1)
    hit = rng.random(rows) < flipped
    y = np.where(hit, (y + rng.integers(1, classes, rows)) % classes, y)
    return from_arrays(x.astype(np.float32), y.astype(np.int32), task="classification", name=name)
