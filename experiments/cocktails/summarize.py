"""The summary of the record: cocktails against every other learner, and what each part contributes."""

from __future__ import annotations

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.atlas.packages import VERSIONS
from experiments.cocktails.learners import LEARNERS
from experiments.cocktails.measure import protocol
from experiments.cocktails.parts import PARTS
from regjax.analysis import fold_interval, fold_p, holm, mean_interval, rank_rows
from regjax.cli.app import reproduce
from regjax.core.errors import InputError

FEWEST = 5
"""Data sets that a summary over data sets takes."""
BASE = "cocktail"


def record_of(paths: Sequence[Path], started: float) -> dict[str, Any]:
    """The record of the data sets that are measured.

    Raises:
      InputError: one of them is not.
    """
    missing = [path.stem for path in paths if not path.exists()]
    if missing:
        raise InputError(f"not measured yet: {', '.join(missing)}")
    found = [json.loads(path.read_text()) for path in paths]
    return {
        "protocol": protocol(),
        "parts": {name: {"title": part.title, "strengths": part.strengths, "group": part.group}
                  for name, part in PARTS.items()},
        "spaces": {name: {key: list(values) for key, values in one.space.items()} for name, one in LEARNERS.items()},
        "packages": VERSIONS | _versions(),
        "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "reproduce": reproduce("cocktails", started),
        "summary": summarized(found),
        "data_sets": found,
    }  # fmt: skip


def summarized(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The summary of what was measured on the data sets."""
    return {"rows": rows(found), "over_data_sets": over_data_sets(found), "parts": parts(found)}


def scores(one: Mapping[str, Any], metric: str = "accuracy") -> dict[str, np.ndarray]:
    """Of a data set the test scores of each learner on each split; accuracies in percent."""
    scale = 1.0 if metric == "log_loss" else 100.0
    own = {name: search["test"] for name, search in one["searches"].items()}
    own |= {name: [split["test"] for split in splits] for name, splits in one["learners"].items()}
    return {name: scale * np.array([split[metric] for split in tests]) for name, tests in own.items()}


def rows(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """For each data set and learner the mean accuracy, and how much higher that of the cocktail is.

    The intervals and p-values are those of Nadeau and Bengio for splits that share examples; `holm` is corrected for
    all comparisons of the record.
    """
    out: dict[str, Any] = {}
    tests: list[tuple[str, str, float | None]] = []
    for one in found:
        accuracy = scores(one)
        own: dict[str, Any] = {}
        for name, values in accuracy.items():
            own[name] = {"accuracy": _round(values.mean())}
            if name != BASE:
                gain, low, high = fold_interval(accuracy[BASE] - values, one["ratio"])
                own[name] |= {"cocktail_over": _round(gain), "ci95": [_round(low), _round(high)]}
                tests.append((one["name"], name, fold_p(accuracy[BASE] - values, one["ratio"])))
        out[one["name"]] = own
    for (data, name, p), corrected in zip(tests, holm([p for *_, p in tests]), strict=True):
        out[data][name] |= {"p": _round(p, 4), "holm": _round(corrected, 4)}
    return out


def over_data_sets(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The cocktail against each learner over the data sets, each of which counts alike.

    `higher`, `equal` and `lower` count data sets by the mean accuracy, as the published comparison does; the mean
    difference has Student's interval over data sets, and `holm` is the p-value of the signed-rank test of the ranks,
    corrected for these learners.
    """
    common = [name for name in scores(found[0]) if all(name in scores(one) for one in found)]
    out: dict[str, Any] = {"data_sets": len(found), "learners": {}}
    for metric in ("accuracy", "balanced_accuracy", "log_loss"):
        means = {name: np.array([scores(one, metric)[name].mean() for one in found]) for name in common}
        for name in common:
            if name == BASE:
                continue
            gain = means[BASE] - means[name]
            mean, low, high = mean_interval(gain.tolist()) if len(found) > 1 else (float(gain[0]), math.nan, math.nan)
            entry = {"cocktail_over": _round(mean, 4), "ci95": [_round(low, 4), _round(high, 4)]}
            if metric == "accuracy":
                entry |= {
                    "each": [_round(value) for value in gain],
                    "higher": int((gain > 1e-9).sum()),
                    "equal": int((np.abs(gain) <= 1e-9).sum()),
                    "lower": int((gain < -1e-9).sum()),
                }
            out["learners"].setdefault(name, {})[metric] = entry
    if len(found) >= FEWEST:
        means = {name: np.array([scores(one)[name].mean() for one in found]) for name in common}
        ranks = rank_rows(means)
        out |= {"ranks": {name: _round(rank) for name, rank in ranks.ranks.items()}, "groups": ranks.groups}
        out["p_of_ranks"] = _round(ranks.p, 4)
        pairs = {(pair.a, pair.b): pair.p for pair in ranks.pairs}
        own = {name: pairs.get((BASE, name), pairs.get((name, BASE))) for name in common if name != BASE}
        for (name, p), corrected in zip(own.items(), holm(list(own.values())), strict=True):
            out["learners"][name] |= {"p": _round(p, 4), "holm": _round(corrected, 4)}
    return out


def parts(found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What each part contributes to the test accuracy of cocktails, in points.

    `contribution` is the mean over data sets of the means over splits, where a part that a cocktail does not have
    contributes 0; its interval is Student's over the data sets, and `holm` its p-value, corrected
    for all parts. `chosen` is the share of cocktails with it, and `where_chosen` the mean over these.
    """
    from scipy import stats

    out: dict[str, Any] = {}
    p_values: list[float | None] = []
    for name, part in PARTS.items():
        each = [[100 * split["parts"].get(name, 0.0) for split in one["ablation"]] for one in found]
        chosen = [100 * split["parts"][name] for one in found for split in one["ablation"] if name in split["parts"]]
        splits = sum(map(len, each))
        means = [float(np.mean(values)) for values in each]
        entry: dict[str, Any] = {"title": part.title, "chosen": _round(len(chosen) / splits, 3)}
        entry["each"] = [_round(value) for value in means]
        entry["where_chosen"] = _round(np.mean(chosen)) if chosen else None
        p: float | None = None
        if len(found) >= FEWEST and any(means):
            mean, low, high = mean_interval(means)
            entry |= {"contribution": _round(mean), "ci95": [_round(low), _round(high)]}
            p = float(stats.ttest_1samp(means, 0.0).pvalue)
        else:
            entry["contribution"] = _round(np.mean(means))
        p_values.append(p)
        out[name] = entry
    for entry, p, corrected in zip(out.values(), p_values, holm(p_values), strict=True):
        if p is not None:
            entry |= {"p": _round(p, 4), "holm": _round(corrected, 4)}
    return out


def _versions() -> dict[str, str]:
    import importlib.metadata

    names = ("scikit-learn", "xgboost", "pytabkit", "torch")
    found = {}
    for name in names:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _round(value: Any, digits: int = 2) -> float | None:
    return None if value is None or not math.isfinite(value) else round(float(value), digits)
