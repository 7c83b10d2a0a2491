"""Chooses the probability from which on the second of two classes is predicted, by labelled examples."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from regjax.core.checks import check_range
from regjax.core.errors import InputError


class Threshold(NamedTuple):
    """A threshold, and what it gives on the examples that it was chosen by.

    Attributes:
      value: from this probability on, the second class is predicted; it lies halfway between two of the examples.
      precision: share of the predicted examples that are of the second class; NaN if none is predicted.
      recall: share of the examples of the second class that are predicted.
      cost: mean cost of an example; NaN if no costs were given.
      predicted: number of examples that are predicted to be of the second class.
      positives: number of examples of the second class.
      examples: number of examples.
    """

    value: float
    precision: float
    recall: float
    cost: float
    predicted: int
    positives: int
    examples: int


def threshold_of_precision(probabilities: np.ndarray, labels: np.ndarray, precision: float) -> Threshold:
    """Return the lowest threshold whose precision is at least the one that is wanted.

    Args:
      probabilities: of the second class, `[N]`.
      labels: 1 for the second class, otherwise 0, `[N]`.
      precision: between 0 and 1.

    Raises:
      InputError: no threshold has this precision; the message has the best.
      ValueError: the precision is not between 0 and 1, or there is no example of one of the classes.

    Example:
      >>> found = threshold_of_precision(np.array([0.1, 0.4, 0.6, 0.8]), np.array([0, 1, 0, 1]), 0.6)
      >>> found.value, found.precision, found.recall
      (0.25, 0.6666666666666666, 1.0)
    """
    check_range("threshold_of_precision: precision", precision, 0.0, 1.0)
    values, predicted, right, positives = _cuts(probabilities, labels)
    reached = right[:-1] >= precision * predicted[:-1]  # the last one predicts no example
    if not reached.any():
        best = int(np.argmax(right[:-1] / predicted[:-1]))
        raise InputError(
            f"no threshold has a precision of {precision:g} on the {len(labels)} validation examples; the best is "
            f"{right[best] / predicted[best]:.3f}, of {predicted[best]} predicted examples"
        )
    at = int(np.argmax(reached))
    return _threshold(values[at], int(predicted[at]), int(right[at]), positives, len(labels))


def threshold_of_cost(
    probabilities: np.ndarray, labels: np.ndarray, false_negative: float, false_positive: float
) -> Threshold:
    """Return the threshold of the least mean cost; of several, the one nearest to that of calibrated probabilities.

    That is false_positive / (false_negative + false_positive).

    Args:
      probabilities: of the second class, `[N]`.
      labels: 1 for the second class, otherwise 0, `[N]`.
      false_negative: cost of an example of the second class that is not predicted.
      false_positive: cost of another one that is predicted.

    Raises:
      ValueError: a cost is not positive, or there is no example of one of the classes.

    Example:
      >>> found = threshold_of_cost(np.array([0.1, 0.4, 0.6, 0.8]), np.array([0, 1, 0, 1]), 5.0, 1.0)
      >>> found.value, found.cost
      (0.25, 0.25)
    """
    for name, cost in (("false_negative", false_negative), ("false_positive", false_positive)):
        check_range(f"threshold_of_cost: {name}", cost, 0.0, low_open=True)
    values, predicted, right, positives = _cuts(probabilities, labels)
    costs = (false_negative * (positives - right) + false_positive * (predicted - right)) / len(labels)
    best = np.flatnonzero(costs == costs.min())
    ideal = false_positive / (false_negative + false_positive)
    at = int(best[np.argmin(np.abs(values[best] - ideal))])
    made = _threshold(values[at], int(predicted[at]), int(right[at]), positives, len(labels))
    return made._replace(cost=float(costs[at]))


def _threshold(value: float, predicted: int, right: int, positives: int, examples: int) -> Threshold:
    precision = right / predicted if predicted else float("nan")
    return Threshold(float(value), precision, right / positives, float("nan"), predicted, positives, examples)


def _cuts(probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, int]:
    """All thresholds that differ, by rising value, with the numbers of predicted examples and of those that are right.

    The first one predicts every example, the last one none.
    """
    p, y = np.asarray(probabilities, np.float64), np.asarray(labels, np.int64)
    if p.ndim != 1 or p.shape != y.shape or not len(p) or not 0 < y.sum() < len(y):
        raise ValueError(f"thresholds: [N] probabilities and labels of both classes, got {p.shape} and {y.shape}")
    distinct, place = np.unique(p, return_inverse=True)
    last = (distinct[-1] + 1) / 2 if distinct[-1] < 1 else np.nextafter(1.0, 2.0)
    values = np.concatenate([[0.0], (distinct[:-1] + distinct[1:]) / 2, [last]])
    below = np.concatenate([[0], np.cumsum(np.bincount(place))])
    wrong = np.concatenate([[0], np.cumsum(np.bincount(place, weights=y)).astype(np.int64)])
    positives = int(y.sum())
    return values, len(p) - below, positives - wrong, positives
