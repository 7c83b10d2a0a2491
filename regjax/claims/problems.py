"""The learning problems of the claims, drawn afresh for each run: training, validation and test examples.

Generated problems are drawn anew from a known distribution, so that runs are independent of each other. Of the embedded
data sets, each run draws its parts at random; what is found then holds for other draws from the same examples.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from regjax.core.checks import check_choice
from regjax.data import Standardization, load
from regjax.data.generated import spirals_problem
from regjax.data.label_noise import noisy_labels

TRAIN = 128
"""Training examples of a run, unless a claim is about their number."""
MOST, VALIDATION, TEST = 1024, 200, 400
"""Training examples that a run could use, and those of the other parts."""


class Problem(NamedTuple):
    """The examples of some runs, as rows of one pool.

    Attributes:
      name: identifier.
      num_classes: 0 for a regression.
      x: `[N, ...]`.
      y: `[R, N]`, the targets of each run; label noise is only in its training rows.
      clean: `[N]`, the targets without noise.
      order: `int32[R, n]`, the training rows of each run; a run may use a prefix.
      validation: `int32[R, V]`.
      test: `int32[R, T]`.
      standardizations: of each run, from its first `TRAIN` training rows.
    """

    name: str
    num_classes: int
    x: np.ndarray
    y: np.ndarray
    clean: np.ndarray
    order: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    standardizations: tuple[Standardization, ...]

    @property
    def task(self) -> str:
        """The task of `Spec`."""
        return "classification" if self.num_classes else "regression"


def _digits(runs: Sequence[int], noise: float) -> Problem:
    data = load("digits")
    parts = _drawn(len(data.x), MOST, runs)
    y = np.repeat(data.y[None], len(runs), axis=0)
    for own, rows, number in zip(y, parts[0], runs, strict=True):
        own[rows] = noisy_labels(data.y, noise, data.num_classes, [number])[0][rows]
    pixels = (Standardization(np.float32(78.0), np.float32(96.0)),) * len(runs)  # fixed numbers, for all pixels alike
    return Problem("digits", data.num_classes, data.x, y, data.y, *parts, pixels)


def _breast_cancer(runs: Sequence[int]) -> Problem:
    data = load("breast_cancer")
    # Its 569 examples leave a smaller test part.
    parts = _drawn(len(data.x), TRAIN, runs, validation=140, test=300)
    y = np.repeat(data.y[None], len(runs), axis=0)
    return Problem("breast_cancer", data.num_classes, data.x, y, data.y, *parts, _standardized(data.x, parts[0]))


def _drawn(
    size: int, train: int, runs: Sequence[int], validation: int = VALIDATION, test: int = TEST
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Disjoint rows of each run, drawn at random."""
    rows = np.stack([np.random.default_rng([number, 7]).permutation(size) for number in runs]).astype(np.int32)
    held_out = validation + test
    return rows[:, held_out : held_out + train], rows[:, :validation], rows[:, validation:held_out]


def _standardized(x: np.ndarray, order: np.ndarray) -> tuple[Standardization, ...]:
    first = [x[rows[:TRAIN]].astype(np.float64) for rows in order]
    return tuple(
        Standardization(part.mean(axis=0).astype(np.float32), np.maximum(part.std(axis=0), 1e-6).astype(np.float32))
        for part in first
    )


Draw = Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]


def clusters(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Three overlapping Gaussian classes in ten dimensions, of which two tell them apart."""
    y = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 10))
    x[:, :2] += 1.2 * np.array([[0, 1], [0.87, -0.5], [-0.87, -0.5]])[y]
    return x.astype(np.float32), y.astype(np.int32)


def teacher(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """A random net of eight hidden units on eight inputs, and as much noise: half of the variance is noise."""
    x = rng.normal(size=(n, 8))
    f = np.tanh(x @ rng.normal(size=(8, 8))) @ rng.normal(size=8)
    return x.astype(np.float32), ((f / f.std() + rng.normal(size=n)) / np.sqrt(2)).astype(np.float32)


def spirals(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two interleaved spirals with some noise, about three units wide."""
    x, y = spirals_problem(int(rng.integers(2**31)), n, noise=0.08)
    order = rng.permutation(n)  # the classes of `spirals_problem` alternate
    return x[order] * np.float32(3), y[order]


def _generated(name: str, draw: Draw, num_classes: int, runs: Sequence[int]) -> Problem:
    each = MOST + VALIDATION + TEST
    made = [draw(np.random.default_rng([number, 11]), each) for number in runs]
    x, y = (np.concatenate(arrays) for arrays in zip(*made, strict=True))
    rows = np.arange(len(x), dtype=np.int32).reshape(len(runs), each)
    identity = (Standardization(np.float32(0), np.float32(1)),) * len(runs)
    return Problem(
        name, num_classes, x, np.repeat(y[None], len(runs), axis=0), y,
        rows[:, :MOST], rows[:, MOST : MOST + VALIDATION], rows[:, MOST + VALIDATION :], identity,
    )  # fmt: skip


PROBLEMS: dict[str, Callable[[Sequence[int]], Problem]] = {
    "noisy digits": functools.partial(_digits, noise=0.1),
    "digits": functools.partial(_digits, noise=0.0),
    "random labels": functools.partial(_digits, noise=0.9),  # of ten classes, a label says nothing then
    "clusters": functools.partial(_generated, "clusters", clusters, 3),
    "teacher": functools.partial(_generated, "teacher", teacher, 0),
    "spirals": functools.partial(_generated, "spirals", spirals, 2),
    "breast cancer": _breast_cancer,
}


TITLES = {
    "noisy digits": "digits, 10% wrong labels",
    "digits": "digits",
    "random labels": "digits, labels that say nothing",
    "clusters": "three clusters",
    "teacher": "regression on a random net",
    "spirals": "two spirals",
    "breast cancer": "breast cancer",
}
"""What the page calls them."""


def problem(name: str, runs: Sequence[int]) -> Problem:
    """Draw the examples of some runs; the same number gives the same examples, whatever the other runs.

    Raises:
      InputError: the name is unknown.
    """
    check_choice("problem", name, PROBLEMS)
    return PROBLEMS[name](runs)
