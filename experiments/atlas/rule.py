"""Whether a rule that knows only what a user knows beforehand chooses better than always the same technique.

Each data set is judged by rules that have seen no data set of its family. The gain of a rule is the effect of the
technique that it chooses, by how much the logarithm of the test loss fell; its regret is what the best technique would
have gained beyond that. Means are over families, whose members count together as one.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from regjax.analysis import holm, mean_interval
from regjax.comparison.atlas import Known, mean_effects, nearest

Rule = Callable[[Known, Sequence[Known]], str]
LEVEL, STRENGTH = 0.05, 10.0
"""The level of the tests, and the strength of the ridge regression on standardized features."""


def by_nearest(one: Known, others: Sequence[Known]) -> str:
    """The technique that did best on the most similar data sets: what `compare` shows at its end."""
    return _best(mean_effects(nearest(one.features, one.task, others)))


def by_ridge(one: Known, others: Sequence[Known]) -> str:
    """The technique with the best effect that a ridge regression on features and task predicts."""
    common = list(mean_effects(others))
    rows = np.array([[*other.features, other.task == "regression"] for other in others], np.float64)
    middle, spread = rows.mean(axis=0), rows.std(axis=0)
    spread = np.where(spread > 1e-9, spread, np.inf)
    x = (rows - middle) / spread
    y = np.array([[other.effects[name] for name in common] for other in others])
    w = np.linalg.solve(x.T @ x + STRENGTH * np.eye(x.shape[1]), x.T @ (y - y.mean(axis=0)))
    own = (np.array([*one.features, one.task == "regression"], np.float64) - middle) / spread
    return common[int(np.argmax(y.mean(axis=0) + own @ w))]


def on_average(one: Known, others: Sequence[Known]) -> str:
    """The technique that is best on average over the other families, whatever the features."""
    del one
    families = sorted({other.family for other in others})
    members = [[other for other in others if other.family == family] for family in families]
    means = [mean_effects(own) for own in members]
    common = mean_effects(others)  # of what all have
    return _best({name: float(np.mean([mean[name] for mean in means])) for name in common})


RULES: dict[str, Rule] = {"nearest": by_nearest, "ridge": by_ridge}
CONSTANTS: dict[str, Rule] = {
    "dropout": lambda one, others: "dropout",
    "decoupled": lambda one, others: "decoupled",
    "on average": on_average,
}


OWN = "own comparison"
"""The technique that does best on validation, after all were tried on the data set itself."""


class Own(NamedTuple):
    """What a comparison on a data set itself chooses by the validation examples of each split.

    Attributes:
      choices: the technique, or the baseline, by split.
      gain: what it gains there, mean over splits.
    """

    choices: Sequence[str]
    gain: float


class BySplit(NamedTuple):
    """A data set as each of its splits knows it.

    Attributes:
      features: of each split, from the losses of the plain net there.
      changes: for each technique by how much the logarithm of the test loss fell in each split.
    """

    features: Sequence[tuple[float, ...]]
    changes: Mapping[str, Sequence[float] | np.ndarray]


def judged(
    known: Sequence[Known], own: Mapping[str, Own] | None = None, by_split: Mapping[str, BySplit] | None = None
) -> dict[str, Any]:
    """Judge the rules and the constant ones on families that they have not seen.

    Args:
      known: all data sets.
      own: what a comparison on the data set itself chooses, by name of the data set; it is judged beside the rules,
        but it has tried everything.
      by_split: the data sets by split, by name, for each of which the rules choose; None takes them as they are known.

    Returns:
      `choosers`: of each rule how often it chose what by data set, mean gain and regret with 95% intervals over
      families; `differences`: of each rule and each constant one, the gain of the rule beyond it with an interval and
      p-value of Student's t, and Holm's over all differences, those of the own choice included; `beats`: the rules that
      gain more than each constant one, by the corrected test; `own`, the differences of the own choice; and the number
      of families.

    Raises:
      ValueError: fewer than 6 families, with which no test can show anything.
    """
    families = sorted({one.family for one in known})
    if len(families) < 6:
        raise ValueError(f"judged: at least 6 families, got {len(families)}")
    by_split = by_split or {
        one.name: BySplit([one.features], {name: [effect] for name, effect in one.effects.items()}) for one in known
    }
    choices: dict[str, dict[str, list[str]]] = {name: {} for name in {**RULES, **CONSTANTS}}
    for one in known:
        others = [other for other in known if other.family != one.family]
        for name, rule in {**RULES, **CONSTANTS}.items():
            choices[name][one.name] = [rule(one._replace(features=own), others) for own in by_split[one.name].features]
    gains = {
        name: _of_families(known, families, [_gain(by_split[one.name], made[one.name]) for one in known])
        for name, made in choices.items()
    }
    best = _of_families(known, families, [max(one.effects.values()) for one in known])
    if own is not None:
        choices[OWN] = {one.name: list(own[one.name].choices) for one in known}
        gains[OWN] = _of_families(known, families, [own[one.name].gain for one in known])
    differences = _differences(gains, [*RULES, *([OWN] if own is not None else [])])
    beats = [
        rule
        for rule in RULES
        if all(one["p_holm"] <= LEVEL and one["mean"] > 0 for one in differences if one["rule"] == rule)
    ]
    return {
        "families": len(families),
        "choosers": {
            name: {
                "choices": {one: dict(Counter(chosen)) for one, chosen in made.items()},
                "gain": _interval(gains[name]),
                "regret": _interval(best - gains[name]),
            }
            for name, made in choices.items()
        },
        "differences": [one for one in differences if one["rule"] != OWN],
        "own": [one for one in differences if one["rule"] == OWN],
        "beats": beats,
    }


def _differences(gains: Mapping[str, np.ndarray], choosers: Sequence[str]) -> list[dict[str, Any]]:
    """What each chooser gains beyond each constant one, with Holm's correction over all of them."""
    compared = [(chooser, constant) for chooser in choosers for constant in CONSTANTS]
    p = [t_p(gains[chooser] - gains[constant]) for chooser, constant in compared]
    return [
        {
            "rule": chooser,
            "constant": constant,
            **_interval(gains[chooser] - gains[constant]),
            "p": raw,
            "p_holm": holms,
        }
        for (chooser, constant), raw, holms in zip(compared, p, holm(p), strict=True)
    ]


def t_p(values: np.ndarray) -> float:
    """The two-sided p-value of Student's t that the mean is 0; 1 if all values are 0."""
    error = float(values.std(ddof=1)) / math.sqrt(values.size)
    if error == 0:
        return 0.0 if values.any() else 1.0
    return float(2 * special.stdtr(values.size - 1, -abs(float(values.mean())) / error))


def _gain(one: BySplit, chosen: Sequence[str]) -> float:
    """What the choices of the splits gain, mean over these."""
    return float(np.mean([one.changes[name][split] for split, name in enumerate(chosen)]))


def _best(effects: Mapping[str, float]) -> str:
    return max(effects, key=lambda name: effects[name])


def _of_families(known: Sequence[Known], families: Sequence[str], values: Sequence[float]) -> np.ndarray:
    """The mean of a number of each data set over the members of each family."""
    pairs = list(zip(known, values, strict=True))
    return np.array([np.mean([value for one, value in pairs if one.family == family]) for family in families])


def _interval(values: np.ndarray) -> dict[str, Any]:
    mean, low, high = mean_interval(values.tolist())
    return {"mean": mean, "ci95": [low, high]}
