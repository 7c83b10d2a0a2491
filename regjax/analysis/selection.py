"""Selection among the points of a grid by their validation scores; nothing here sees the test split."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from regjax.catalog import SELECTIONS
from regjax.core.checks import check_choice


class Choice(NamedTuple):
    """The grid point that was chosen.

    Attributes:
      position: its position in the grid.
      best: position of the point with the best mean score; under the rule `"1se"` it may differ.
      edge: `"low"` or `"high"` if the choice is at an end of the grid, so that a wider grid might hold a better one;
        else None. A grid of one point has no edge.
    """

    position: int
    best: int
    edge: str | None


def choose(
    scores: np.ndarray,
    losses: np.ndarray,
    strengths: Sequence[float],
    rule: str = "best",
    *,
    errors: Sequence[float] | None = None,
) -> Choice:
    """Choose a grid point by its mean score over seeds.

    Args:
      scores: `[points, seeds]` on the selection split; larger is better. NaN is not accepted: a diverged run is scored
        at chance.
      losses: `[points, seeds]`; breaks ties.
      strengths: how strongly each point regularizes; larger is stronger. Breaks the remaining ties.
      rule: `"best"`: the best mean, ties broken by lower mean loss, then by the stronger regularizer. `"1se"`: the
        strongest point whose mean is within one standard error (of the best point) of the best mean.
      errors: the standard error of each mean score; None is that over seeds, which a single seed does not have.

    Raises:
      InputError: an unknown rule.
      ValueError: the lengths differ, or scores are not finite.

    Example:
      >>> scores = np.array([[0.8, 0.9], [0.9, 0.9], [0.9, 0.9]])
      >>> choose(scores, np.zeros((3, 2)), [1.0, 2.0, 3.0])
      Choice(position=2, best=2, edge='high')

    Reference:
      Breiman et al., Classification and regression trees, 1984 (one standard error).
    """
    check_choice("select", rule, SELECTIONS)
    scores, losses = np.asarray(scores, np.float64), np.asarray(losses, np.float64)
    if scores.shape != losses.shape or len(scores) != len(strengths):
        raise ValueError(f"choose: {scores.shape} scores, {losses.shape} losses and {len(strengths)} strengths")
    if not np.all(np.isfinite(scores)):
        raise ValueError("choose: scores must be finite; score a diverged run at chance")
    mean, loss = scores.mean(axis=1), losses.mean(axis=1)
    loss = np.where(np.isfinite(loss), loss, np.inf)
    best = max(range(len(mean)), key=lambda i: (round(mean[i], 9), -loss[i], strengths[i]))
    index = best
    if rule == "1se":
        error = 0.0 if errors is None else errors[best]
        if errors is None and scores.shape[1] > 1:
            error = scores[best].std(ddof=1) / math.sqrt(scores.shape[1])
        near = [i for i in range(len(mean)) if mean[i] >= mean[best] - error]
        index = max(near, key=lambda i: strengths[i])
    return Choice(index, best, _edge(strengths, index))


def _edge(strengths: Sequence[float], index: int) -> str | None:
    if len(strengths) < 2:
        return None
    if strengths[index] == max(strengths):
        return "high"
    return "low" if strengths[index] == min(strengths) else None
