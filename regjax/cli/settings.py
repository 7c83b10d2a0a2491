"""The settings of a sweep over their runs: scores with intervals, differences from the reference, best and second."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from regjax.analysis.flips import joint_flips
from regjax.analysis.selection import choose
from regjax.analysis.settings import (
    paired_difference,
    rank_settings,
    score_interval,
    standard_error,
    whole_hits,
)
from regjax.analysis.statistics import holm
from regjax.cli.grid import CONDITION, Point, references_of
from regjax.cli.sweep_table import mean_of, number_in, or_none, score_in

if TYPE_CHECKING:
    from regjax.cli.sweep_runs import CrossValidation

Row = Mapping[str, Any]


def settings_of(
    table: Sequence[Row],
    points: Sequence[Point],
    off: Mapping[str, float],
    examples: Sequence[int] | None,
    folds: CrossValidation | None = None,
    finished: Collection[int] | None = None,
) -> dict[str, Any]:
    """Return what `results.json` says of the settings.

    Args:
      table: one row for each run, the runs of a point one after another.
      points: the points of the sweep.
      off: the values at which the swept regularizers are off.
      examples: number of validation examples of each run of a point, for an accuracy; None for R2.
      folds: the cross-validation; None if the runs of a point are seeds on the same validation examples.
      finished: positions of the points that trained to the end; None is all. The others are not ranked, because a score
        after fewer epochs cannot be compared.

    Returns:
      `settings` in the order of `points`, whose differences from the reference have the `p` of this setting alone and
      `p_adjusted`, corrected for all settings with the same reference; `best`, with its difference from the second,
      None if every setting has a run without a score; `reference`, what it is, None without a swept regularizer; and
      `one_standard_error`, the choice by that rule, None without an order of strength.
    """
    runs = len(table) // len(points)
    rows = [table[i * runs : (i + 1) * runs] for i in range(len(points))]
    ratio = None if folds is None else folds.ratio
    validated = None if examples is None else examples[0] if folds is None else folds.examples
    scores = np.array([[score_in(row) for row in of_point] for of_point in rows])
    if examples is not None:
        scores = whole_hits(scores, examples)
    # In order of time there is one way to cut: other seeds are other nets on the same folds, which count once.
    once = scores
    if folds is not None and folds.order == "time":
        once = scores.reshape(len(points), folds.repeats, folds.folds).mean(axis=1)
    losses = np.array([[number_in(row, "val_loss") for row in of_point] for of_point in rows])
    whole = range(len(points)) if finished is None else finished
    ranking = [i for i in rank_settings(scores, losses) if np.isfinite(scores[i]).all() and i in whole]
    references = references_of(points, ranking)

    def difference(i: int, other: int | None) -> dict[str, Any] | None:
        if other is None or other == i or i not in ranking:
            return None
        mean, low, high, p = paired_difference(once[i], once[other], ratio)
        return {"setting": other, "mean": mean, "ci95": [or_none(low), or_none(high)], "p": p}

    settings = []
    for i, (point, reference) in enumerate(zip(points, references, strict=True)):
        mean, low, high = score_interval(once[i], validated, ratio)
        settings.append(
            {
                "values": point.values,
                "reference": point.reference,
                "finished": i in whole,
                "runs": runs,
                "failed": int(np.isnan(scores[i]).sum()),
                "score": {"mean": or_none(mean), "ci95": [or_none(low), or_none(high)]},
                "train_score": mean_of(row["train_score"] for row in rows[i]),
                "val_loss": mean_of(row["val_loss"] for row in rows[i]),
                "epochs": mean_of(row["epochs"] for row in rows[i]),
                "over_reference": difference(i, reference),
            }
        )
    # A reference is its own, and not compared with itself.
    tests = {reference: references.count(reference) - 1 for reference in references if reference is not None}
    _correct(settings, once, ratio, tests, halted=len(whole) < len(points))
    best = None
    if ranking:
        second = ranking[1] if len(ranking) > 1 else None
        best = {"setting": ranking[0], "over_second": difference(ranking[0], second)}
    error = None if best is None else standard_error(once[ranking[0]], validated, folds and folds.folds)
    return {
        "reference": _described(off, points),
        "settings": settings,
        "ranking": ranking,
        "best": best,
        "one_standard_error": _one_standard_error(scores, losses, points, off, ranking, error),
    }


def _correct(
    settings: Sequence[dict[str, Any]],
    once: np.ndarray,
    ratio: float | None,
    tests: Mapping[int, int],
    *,
    halted: bool,
) -> None:
    """Add `p_adjusted` to the differences from the reference: the best of many settings is above it by chance alone.

    Seeds flip their signs jointly over all settings; folds are not exchangeable, and Holm's correction is used. Where
    some were halted, the others were chosen by what are their scores too: then all that were begun count (Bonferroni).

    Args:
      settings: those of the result.
      once: their scores.
      ratio: of folds.
      tests: by reference, how many settings were begun that are compared with it.
      halted: whether some did not train to the end.
    """
    compared = {i: setting["over_reference"] for i, setting in enumerate(settings) if setting["over_reference"]}
    for reference in {found["setting"] for found in compared.values()}:
        same = [i for i, found in compared.items() if found["setting"] == reference]
        if halted:
            alone = [compared[i]["p"] for i in same]
            adjusted = [None if p is None else min(1.0, p * tests[reference]) for p in alone]
        elif ratio is not None:
            adjusted = holm([compared[i]["p"] for i in same])
        elif once.shape[1] < 2:
            adjusted = [None] * len(same)
        else:
            adjusted = [test.p_adjusted for test in joint_flips((once[same] - once[reference]).T)]
        for i, p in zip(same, adjusted, strict=True):
            compared[i] |= {"p_adjusted": p, "tests": tests[reference] if halted else len(same)}


def _one_standard_error(
    scores: np.ndarray,
    losses: np.ndarray,
    points: Sequence[Point],
    off: Mapping[str, float],
    ranking: Sequence[int],
    error: float | None,
) -> dict[str, Any] | None:
    """Return the strongest setting within one standard error of the best, of those that differ in one regularizer.

    None where there is no order of strength, as with two swept regularizers, or no error.
    """
    if len(off) != 1 or error is None or not math.isfinite(error):
        return None
    [name] = off
    best = points[ranking[0]].values
    same = [i for i in ranking if all(points[i].values[other] == best[other] for other in best if other != name)]
    if len(same) < 2:  # as in a search, where no two settings differ in one value
        return None
    # Less patience stops earlier.
    strengths = [points[i].values[name] * (-1.0 if name == "patience" else 1.0) for i in same]
    chosen = choose(scores[same], losses[same], strengths, "1se", errors=[error] * len(same))
    return {"setting": same[chosen.position], "parameter": name, "error": error}


def _described(off: Mapping[str, float], points: Sequence[Point]) -> dict[str, Any] | None:
    """Describe the reference: what is off, what was chosen for it, and which name has a reference for each value."""
    if not off:
        return None
    free = [name for name in points[0].values if name not in off and name != CONDITION]
    return {"off": dict(off), "chosen": free, "each": [CONDITION] if CONDITION in points[0].values else []}
