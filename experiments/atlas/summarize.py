"""The summary of the atlas: effects with their spread between data sets, ranks, wins and losses, and the rules."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from experiments.atlas import rule
from experiments.atlas.effects import FLOOR, changes_of, features_by_split, gains_on_validation, known_of, ratio
from experiments.atlas.protocol import strongest_settings
from experiments.atlas.rule import LEVEL, t_p
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
from regjax.comparison.atlas import FEATURES, NEAREST
from regjax.comparison.techniques import BASELINE

MARGIN = 0.02
"""The smallest change of a test loss that matters, a share: the default of `compare`."""
SHOWN = 0.95
"""A posterior probability from which a win, a tie or a loss on a data set counts as shown."""
FLOORS = (0.001, FLOOR, 0.1)
"""Shares of the loss of a constant guess with which the tests are repeated."""
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
    for pair in ranks.pairs:  # label smoothing, which is for classes alone, has none
        if BASELINE in (pair.a, pair.b):
            rows[pair.b if pair.a == BASELINE else pair.a]["p_ranks"] = pair.p_adjusted
    known = [known_of(one, changes[one["name"]]) for one in sets]
    by_split = {one["name"]: rule.BySplit(features_by_split(one), changes[one["name"]]) for one in sets}
    return {
        "margin": MARGIN,
        "data_sets": len(sets),
        "titles": titles,
        "techniques": rows,
        "ranks": ranks._replace(pairs=[])._asdict() | {"pairs": [pair._asdict() for pair in ranks.pairs]},
        "floors": {str(floor): _shown_at(sets, names, floor) for floor in FLOORS},
        "rule": rule.judged(known, {one["name"]: own_choice(one, changes[one["name"]]) for one in sets}, by_split),
    }


def _shown_at(sets: Sequence[Mapping[str, Any]], names: Sequence[str], floor: float) -> dict[str, Any]:
    """Which techniques are shown to help with another floor: on the mean, by Student's t, and by signed ranks.

    Both are corrected over all techniques by Holm.
    """
    changes = {one["name"]: changes_of(one, floor=floor) for one in sets}
    means = []
    for name in names:
        own = [one for one in sets if name in changes[one["name"]]]
        each = [float(np.mean(changes[one["name"]][name])) for one in own]
        means.append(np.array(over_families(each, [one["family"] for one in own])))
    tests = {
        "mean": [t_p(values) for values in means],
        "ranks": [float(stats.wilcoxon(values).pvalue) if values.any() else 1.0 for values in means],
    }
    return {
        test: [
            name
            for name, values, adjusted in zip(names, means, holm(p), strict=True)
            if values.mean() > 0 and adjusted is not None and adjusted <= LEVEL
        ]
        for test, p in tests.items()
    }


def posterior(one: Mapping[str, Any], changes: np.ndarray) -> Posterior:
    """The correlated Bayesian t-test on a data set, with the practical margin."""
    share = ratio(one) / (1 + ratio(one))
    return practical_posterior(changes, -math.log1p(-MARGIN), correlation=share)


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
    used, strongest = _use_of(name, sets)
    return {
        **whole._asdict(),
        "weighted": {"mean": weighted.mean, "ci95": weighted.ci95, "tau": weighted.tau},
        "range": [min(of_families), max(of_families)],
        "used": used,
        "strongest": strongest,
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


def _use_of(name: str, sets: Sequence[Mapping[str, Any]]) -> tuple[float, float]:
    """The share of splits that used a technique, and of these the share that chose its strongest setting.

    A split whose combination is a single technique, or the baseline, has none.
    """
    used, strongest, splits, last = 0, 0, 0, strongest_settings().get(name)
    for one in sets:
        row = one["techniques"].get(name)
        gains = gains_on_validation(one).get(name, [0.0] * len(one["techniques"][BASELINE]["test_loss"]))
        chosen = [None] * len(gains) if row is None else row["chosen"]
        own = [value for value, gain in zip(chosen, gains, strict=True) if value is not None and gain > 0]
        splits, used = splits + len(chosen), used + len(own)
        strongest += sum(value == last for value in own)
    return used / splits, strongest / used if used else 0.0


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
    constant: Counter[str] = Counter()
    for counts in judged["choosers"]["on average"]["choices"].values():
        constant.update(counts)
    titles = summary["titles"]
    return {
        "margin": summary["margin"],
        "features": list(FEATURES),
        "count": NEAREST,
        "techniques": titles,
        "rule": {
            "beats": "nearest" in judged["beats"],
            "families": judged["families"],
            "constant": titles[constant.most_common(1)[0][0]],
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
