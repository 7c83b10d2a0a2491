"""The points of a sweep: the grid, and beside it the reference, in which every swept regularizer is off."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from regjax.catalog import NOISES, NUMBERS

REGULARIZERS = ("l1", "l2", "penalty", "output_penalty", "augment", *NOISES, *NUMBERS)
"""What can be swept and is off at 0."""
CONDITION = "train_examples"
"""Each of its values has a reference of its own, because more data is not a setting of the training."""

REFERENCES = 8
"""References of a search at most, where learning rates or other values that are no regularizer are searched too."""


class Point(NamedTuple):
    """A point of a sweep.

    Attributes:
      values: the swept values by name.
      reference: whether every swept regularizer is off.
    """

    values: dict[str, float]
    reference: bool


def off_values(names: Collection[str], epochs: int) -> dict[str, float]:
    """Return, for each regularizer among the swept names, the value at which it is off.

    A patience as long as the training never runs out.

    Example:
      >>> off_values(["l2", "learning_rate", "patience"], epochs=50)
      {'l2': 0.0, 'patience': 50.0}
    """
    off = {name: 0.0 for name in names if name in REGULARIZERS}
    if "patience" in names:
        # A smallest gain does nothing without a patience.
        off |= {name: 0.0 for name in names if name == "min_delta"} | {"patience": float(epochs)}
    return off


def points_of(swept: Mapping[str, Sequence[float]], off: Mapping[str, float]) -> list[Point]:
    """Return the points of the grid in order, and then the references that it lacks.

    There is one reference for each combination of the other swept values, such as learning rates; without a swept
    regularizer there is none.

    Args:
      swept: the values by name.
      off: from `off_values`.

    Example:
      >>> [point.values for point in points_of({"l2": [0.1], "learning_rate": [0.01, 0.02]}, {"l2": 0.0})][2:]
      [{'l2': 0.0, 'learning_rate': 0.01}, {'l2': 0.0, 'learning_rate': 0.02}]
    """
    grid = _product(swept)
    references = _product({name: [off[name]] if name in off else values for name, values in swept.items()})
    are_off, in_grid = ({tuple(point.values()) for point in points} for points in (references if off else [], grid))
    added = [point for point in references if tuple(point.values()) in are_off - in_grid]
    return [*(Point(values, tuple(values.values()) in are_off) for values in grid), *(Point(v, True) for v in added)]


def trial_points(trials: Sequence[Mapping[str, float]], off: Mapping[str, float]) -> list[Point]:
    """Return the points of a search.

    Example:
      >>> [point.reference for point in trial_points([{"l2": 0.1}, {"l2": 0.0}], {"l2": 0.0})]
      [False, True]
    """
    return [Point(dict(values), bool(off) and all(values[name] == off[name] for name in off)) for values in trials]


def references_for(points: Sequence[Point], off: Mapping[str, float], among: Sequence[Point]) -> list[Point]:
    """Return the references of a search: the other swept values of the first trials, with the regularizers off.

    There are at most `REFERENCES`, so that the reference is tuned too, if over fewer values than the trials.

    Args:
      points: the trials.
      off: from `off_values`.
      among: the trials that were trained to the end, of which none is trained again.
    """
    if not off:
        return []
    wanted = list(dict.fromkeys(tuple({**point.values, **off}.items()) for point in points))[:REFERENCES]
    there = [point.values for point in among]
    return [Point(dict(values), True) for values in wanted if dict(values) not in there]


def references_of(points: Sequence[Point], ranking: Sequence[int]) -> list[int | None]:
    """Return the position of the reference of each point; None if it has none.

    It is the best of those with the same number of training examples, so that it is tuned as the other settings are.

    Args:
      points: the points of the sweep.
      ranking: positions of the points that have a score, best first.
    """
    best: dict[float | None, int] = {}
    for i in ranking:
        if points[i].reference:
            best.setdefault(points[i].values.get(CONDITION), i)
    return [best.get(point.values.get(CONDITION)) for point in points]


def _product(values: Mapping[str, Sequence[float]]) -> list[dict[str, float]]:
    return [dict(zip(values, point, strict=True)) for point in itertools.product(*values.values())]
