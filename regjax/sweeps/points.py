"""Points of a search space: at random, or spread evenly by a Sobol sequence."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

from regjax.core.checks import check_range
from regjax.core.errors import InputError
from regjax.core.extras import require
from regjax.core.ranges import Range

Space: TypeAlias = Mapping[str, "Range | Sequence[float]"]  # a list is a set of choices
Points: TypeAlias = list[dict[str, float]]


def random_points(space: Space, count: int, seed: int = 0) -> Points:
    """Draw points of a space independently of each other.

    Args:
      space: by name a `Range`, or a list of choices of which each is as probable as the others. Of choices alone,
        points are drawn without repetition.
      count: number of points.
      seed: of the draws. The first points are the same for any `count`.

    Raises:
      ValueError: a range without numbers, or choices alone with fewer combinations than `count`.

    Example:
      >>> points = random_points({"l2": Range(1e-6, 1e-1, log=True), "dropout": [0.0, 0.5]}, 4, seed=1)
      >>> [f"{point['l2']:.1e}" for point in points], [point["dropout"] for point in points]
      (['3.6e-04', '5.3e-06', '3.6e-05', '1.4e-02'], [0.5, 0.5, 0.0, 0.0])

    Reference: Bergstra and Bengio, Random search for hyper-parameter optimization, 2012.
    """
    _check(space, count)
    rng = np.random.default_rng(seed)
    if not any(isinstance(values, Range) for values in space.values()):
        grid = list(itertools.product(*space.values()))
        if count > len(grid):
            raise InputError(f"search: {count} points are more than the {len(grid)} combinations there are")
        drawn = [grid[i] for i in rng.permutation(len(grid))[:count]]
        return [dict(zip(space, map(float, point), strict=True)) for point in drawn]
    return [_point(space, shares) for shares in rng.random((count, len(space)))]


def sobol_points(space: Space, count: int, seed: int = 0) -> Points:
    """Spread points evenly over a space: a scrambled Sobol sequence.

    Each power of two of its first points has one in every equal part of each range. Other numbers of points are less
    even.

    Args:
      space: by name a `Range`, or a list of choices, which are equal parts of an axis; at least one `Range`.
      count: number of points; a power of two is best.
      seed: of the scrambling. The first points are the same for any `count`.

    Raises:
      ValueError: no range, or one without numbers.

    Example:
      >>> points = sobol_points({"dropout": Range(0.0, 0.8)}, 4)
      >>> sorted(int(point["dropout"] / 0.2) for point in points)  # one in each quarter
      [0, 1, 2, 3]

    Reference: Sobol, On the distribution of points in a cube, 1967; Owen, Scrambling Sobol and Niederreiter-Xing
      points, 1998. The sequence is that of `scipy.stats.qmc`.
    """
    require("scipy")
    from scipy.stats import qmc

    _check(space, count)
    if not any(isinstance(values, Range) for values in space.values()):
        raise InputError("search: a Sobol sequence needs a range, such as uniform(0,0.8); lists alone are a grid")
    # A whole power of two is drawn, because others come with a warning.
    shares = qmc.Sobol(len(space), scramble=True, rng=np.random.default_rng(seed)).random_base2(
        (count - 1).bit_length()
    )
    return [_point(space, row) for row in shares[:count]]


def _point(space: Space, shares: np.ndarray) -> dict[str, float]:
    return {
        name: values.at(float(share)) if isinstance(values, Range) else float(values[int(share * len(values))])
        for (name, values), share in zip(space.items(), shares, strict=True)
    }


def _check(space: Space, count: int) -> None:
    check_range("search: number of points", count, 1)
    if not space:
        raise InputError("search: the space has no name")
    for name, values in space.items():
        if isinstance(values, Range):
            values.check(name)
        elif not len(values):
            raise InputError(f"{name}: the list of choices is empty")
