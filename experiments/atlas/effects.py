"""What the runs on a data set tell: by how much the test loss fell, whether validation spoke for it, and features.

The unit is the logarithm of the test loss, baseline minus technique on the same split: 0.1 is a loss that is 10% lower;
a hundredth of the loss of a constant guess is added to both, so that a loss of 0 has one. It has no unit of the data,
so that cross entropies and squared errors can stand side by side; a technique that halves a loss weighs as much as one
that doubles it; and what makes a split hard for both cancels out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from experiments.atlas import protocol
from regjax.catalog import COMBINATION, METRICS
from regjax.comparison.atlas import Known, features
from regjax.comparison.techniques import BASELINE

FLOOR = 0.01
"""What is added to each test loss, a share of that of a constant guess: far below it losses count as alike.

Cross entropies on a few test examples may be 0 in float32, whose logarithm is none.
"""


def changes_of(one: Mapping[str, Any], *, off: bool = True, floor: float = FLOOR) -> dict[str, np.ndarray]:
    """By how much the logarithm of the test loss fell in each run, by technique.

    A data set on which no split had two techniques to combine has no combination; the baseline stands in for it.

    Args:
      one: what was measured.
      off: whether none is a strength too: in a split where no strength has a better validation score than the
        baseline, the technique is left out, and changes nothing.
      floor: what is added to each loss, a share of that of a constant guess.
    """
    added = floor * one["chance"]["loss"]
    logs = {name: np.log(np.array(row["test_loss"]) + added) for name, row in one["techniques"].items()}
    out = {}
    for name, gains in gains_on_validation(one).items():
        change = logs[BASELINE] - logs[name]
        out[name] = np.where(gains > 0, change, 0.0) if off else change
    out.setdefault(COMBINATION, np.zeros(len(logs[BASELINE])))
    return out


def gains_on_validation(one: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """By how much the validation score of what each technique chose is better than the baseline's, by split."""
    sign = METRICS[protocol.METRICS[one["task"]]].sign
    scores = {name: sign * np.array(row["select_scores"]) for name, row in one["techniques"].items()}
    plain = scores.pop(BASELINE)
    return {name: own - plain for name, own in scores.items()}


def ratio(one: Mapping[str, Any]) -> float:
    """The number of test examples over that of training examples."""
    return float(one["settings"]["test_examples"] / one["settings"]["train_examples"])


def known_of(one: Mapping[str, Any], changes: Mapping[str, np.ndarray]) -> Known:
    """What the rules know of a data set, and the mean effects."""
    train = float(np.mean(one["techniques"][BASELINE]["train_loss"]))
    own = features(
        one["settings"]["train_examples"], one["columns"], one["classes"], one["chance"]["select_loss"], train,
        one["select_loss"],
    )  # fmt: skip
    return Known(one["name"], one["family"], one["task"], own, {n: float(np.mean(d)) for n, d in changes.items()})


def features_by_split(one: Mapping[str, Any]) -> list[tuple[float, ...]]:
    """The features of each split, from the losses of the plain net on its own training and validation examples.

    The loss of a constant guess, which is the scale of the targets, is the mean over splits. A root mean squared error
    is in the unit of the target; its square is brought to that of the mean validation loss.
    """
    plain = one["techniques"][BASELINE]
    losses = np.array(plain["select_scores"]) ** (2 if one["task"] == "regression" else 1)
    losses = losses * one["select_loss"] / losses.mean() if losses.mean() > 0 else losses
    sizes = one["settings"]["train_examples"], one["columns"], one["classes"], one["chance"]["select_loss"]
    return [features(*sizes, train, loss) for train, loss in zip(plain["train_loss"], losses.tolist(), strict=True)]
