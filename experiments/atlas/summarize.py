"""The summary of the atlas: effects with their spread between data sets, ranks, wins and losses, and the rules.

The unit is the logarithm of the test loss, baseline minus technique on the same split: 0.1 is a loss that is 10% lower;
a hundredth of the loss of a constant guess is added to both, so that a loss of 0 has one.
It has no unit of the data, so that cross entropies and squared errors can stand side by side; a technique that halves a
loss weighs as much as one that doubles it; and what makes a split hard for both cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from experiments.atlas import protocol, rule
from regjax.analysis import (
    Posterior,
    equal_effects,
    holm,
    number_posterior,
    practical_posterior,
    random_effects,
    rank_rows,
    resampled_variance,
    signed_rank_posterior,
)
from regjax.catalog import COMBINATION, METRICS
from regjax.comparison.atlas import FEATURES, NEAREST, Known, features
from regjax.comparison.techniques import BASELINE

MARGIN = 0.02
"""The smallest change of a test loss that matters, a share: the default of `compare`."""
FLOOR = 0.01
"""What is added to each test loss, a share of that of a constant guess: far below it losses count as alike.

Cross entropies on a few test examples may be 0 in float32, whose logarithm is none.
"""
SHOWN = 0.95
"""A posterior probability from which a win, a tie or a loss on a data set counts as shown."""
TOO_FEW = 6  # data sets


def summarized(sets: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the summary of the measured data sets.

    Args:
      sets: from `experiments.atlas.run.measure`, at least 6 of different families.
    """
    changes, forced = ({one["name"]: changes_of(one, off=off) for one in sets} for off in (True, False))
    titles = {name: row["title"] for one in sets for name, row in one["techniques"].items() if name != BASELINE}
    names = [name for name in titles if sum(name in changes[one["name"]] for one in sets) >= TOO_FEW]
    rows = {name: _row(name, [one for one in sets if name in changes[one["name"]]], changes, forced) for name in names}
    for one, adjusted in zip(rows.values(), holm([row["p"] for row in rows.values()]), strict=True):
        one["p_holm"] = adjusted
    whole = [name for name in names if all(name in changes[one["name"]] for one in sets)]
    families = [one["family"] for one in sets]
    means = {
        name: over_families([float(np.mean(changes[one["name"]][name])) for one in sets], families) for name in whole
    }
    ranks = rank_rows({BASELINE: [0.0] * len(set(families)), **means})
    known = [known_of(one, changes[one["name"]]) for one in sets]
    return {
        "margin": MARGIN,
        "data_sets": len(sets),
        "titles": titles,
        "techniques": rows,
        "ranks": ranks._replace(pairs=[])._asdict() | {"pairs": [pair._asdict() for pair in ranks.pairs]},
        "rule": rule.judged(known, {one["name"]: own_choice(one, changes[one["name"]]) for one in sets}),
    }


def changes_of(one: Mapping[str, Any], *, off: bool = True) -> dict[str, np.ndarray]:
    """By how much the logarithm of the test loss fell in each run, by technique.

    A data set on which no split had two techniques to combine has no combination; the baseline stands in for it.

    Args:
      one: what was measured.
      off: whether none is a strength too: in a split where no strength has a better validation score than the
        baseline, the technique is left out, and changes nothing.
    """
    floor = FLOOR * one["chance"]["loss"]
    logs = {name: np.log(np.array(row["test_loss"]) + floor) for name, row in one["techniques"].items()}
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


def posterior(one: Mapping[str, Any], changes: np.ndarray) -> Posterior:
    """The correlated Bayesian t-test on a data set, with the practical margin."""
    share = ratio(one) / (1 + ratio(one))
    return practical_posterior(changes, -math.log1p(-MARGIN), correlation=share)


def known_of(one: Mapping[str, Any], changes: Mapping[str, np.ndarray]) -> Known:
    """What the rules know of a data set, and the mean effects."""
    train = float(np.mean(one["techniques"][BASELINE]["train_loss"]))
    own = features(
        one["settings"]["train_examples"], one["columns"], one["classes"], one["chance"]["select_loss"], train,
        one["select_loss"],
    )  # fmt: skip
    return Known(one["name"], one["family"], one["task"], own, {n: float(np.mean(d)) for n, d in changes.items()})


def own_choice(one: Mapping[str, Any], changes: Mapping[str, np.ndarray]) -> rule.Own:
    """The technique that does best on the validation examples of each split, or none, and what that gains."""
    gains = gains_on_validation(one)
    names = list(gains)
    best = np.argmax([gains[name] for name in names], axis=0)
    chosen = [names[i] if gains[names[i]][split] > 0 else BASELINE for split, i in enumerate(best)]
    gained = [0.0 if name == BASELINE else changes[name][split] for split, name in enumerate(chosen)]
    return rule.Own(chosen, float(np.mean(gained)))


def _row(
    name: str,
    sets: Sequence[Mapping[str, Any]],
    changes: Mapping[str, Mapping[str, np.ndarray]],
    forced: Mapping[str, Mapping[str, np.ndarray]],
) -> dict[str, Any]:
    """The summary of a technique over the data sets that it was tried on.

    Members of a family are variants of each other, so means, tests, ranks and posteriors are over the means of
    families; wins, ties and losses count data sets.
    """
    own = [changes[one["name"]][name] for one in sets]
    means = np.array([d.mean() for d in own])
    variances = np.array([resampled_variance(d, ratio(one)) for d, one in zip(own, sets, strict=True)])
    # A data set on which nothing was changed is as certain as the most certain other one.
    variances = np.where(variances > 0, variances, variances[variances > 0].min() if variances.any() else 1.0)
    families = [one["family"] for one in sets]
    posteriors = [posterior(one, d) for d, one in zip(own, sets, strict=True)]
    of_families, uncertain = over_families(means, families), _variances_of_means(variances, families)
    whole, weighted = equal_effects(of_families, uncertain), random_effects(of_families, uncertain)
    edge = -math.log1p(-MARGIN)
    better = number_posterior([one.better for one in posteriors])
    without_off = np.array([forced[one["name"]][name].mean() for one in sets])
    left_out = [np.mean(gains_on_validation(one)[name] <= 0) for one in sets if name in one["techniques"]]
    return {
        **whole._asdict(),
        "weighted": {"mean": weighted.mean, "ci95": weighted.ci95, "tau": weighted.tau},
        "left_out": float(np.mean(left_out)),
        "forced": {
            "mean": float(np.mean(over_families(without_off, families))),
            "helped": int(np.sum(without_off > edge)),
            "hurt": int(np.sum(without_off < -edge)),
        },
        "each": {one["name"]: float(mean) for one, mean in zip(sets, means, strict=True)},
        "helped": int(np.sum(means > edge)),
        "hurt": int(np.sum(means < -edge)),
        "win": sum(one.better >= SHOWN for one in posteriors),
        "tie": sum(one.same >= SHOWN for one in posteriors),
        "loss": sum(one.worse >= SHOWN for one in posteriors),
        "in_general": signed_rank_posterior(np.array(of_families), edge)._asdict(),
        "better_on_most": float(better[len(means) // 2 + 1 :].sum()),
    }


def over_families(values: Sequence[float] | np.ndarray, families: Sequence[str]) -> list[float]:
    """The mean of each family, in the order in which they come first."""
    return [
        float(np.mean([v for v, own in zip(values, families, strict=True) if own == f]))
        for f in dict.fromkeys(families)
    ]


def _variances_of_means(variances: np.ndarray, families: Sequence[str]) -> list[float]:
    """The variance of the mean of each family, as that of independent members."""
    groups = [[i for i, family in enumerate(families) if family == wanted] for wanted in dict.fromkeys(families)]
    return [float(variances[own].sum() / len(own) ** 2) for own in groups]


def table_for_package(sets: Sequence[Mapping[str, Any]], summary: Mapping[str, Any]) -> dict[str, Any]:
    """The small table that `compare` reads, of the summary and the features and effects of each data set."""
    known = [known_of(one, changes_of(one)) for one in sets]
    judged = summary["rule"]
    pair = ("nearest", "on average")
    against = next(one for one in judged["differences"] if (one["rule"], one["constant"]) == pair)
    constant = judged["choosers"]["on average"]["choices"].values()
    titles = summary["titles"]
    return {
        "margin": summary["margin"],
        "features": list(FEATURES),
        "count": NEAREST,
        "techniques": titles,
        "rule": {
            "beats": "nearest" in judged["beats"],
            "families": judged["families"],
            "constant": titles[max(set(constant), key=list(constant).count)],
            "mean": _short(against["mean"]),
            "ci95": [_short(end) for end in against["ci95"]],
        },
        "data_sets": [
            {
                "name": one.name,
                "family": one.family,
                "task": one.task,
                "features": [_short(value) for value in one.features],
                "effects": {name: _short(effect) for name, effect in one.effects.items()},
            }
            for one in known
        ],
    }


def _short(value: float) -> float:
    return float(f"{value:.4g}")
