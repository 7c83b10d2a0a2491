"""The paired improvements over the baseline, with their intervals and tests."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

import numpy as np

from regjax.analysis import FEWEST_RUNS, VerdictPower, holm, joint_flips, mean_interval, variance_components
from regjax.comparison.layout import Layout
from regjax.comparison.row import Improvement, TechniqueResult
from regjax.comparison.scoring import Evaluation

FEWEST_DIFFERENT = 10
"""With fewer answers that differ, their number alone varies by a third, and no power is computed."""


def paired_statistics(
    rows: Mapping[str, TechniqueResult],
    tests: Mapping[str, Sequence[Evaluation]],
    baseline: Sequence[Evaluation],
    layout: Layout,
) -> dict[str, TechniqueResult]:
    """Add the paired improvements over the baseline to the rows; score and loss are corrected separately."""
    pairs = {n: list(zip(tests[n], baseline, strict=True)) for n in rows}
    scores = {n: np.stack([a.scores - b.scores for a, b in pairs[n]]) for n in rows}
    losses = {n: np.stack([b.losses - a.losses for a, b in pairs[n]]) for n in rows}
    reaches = {n: np.stack([np.maximum(a.reach, b.reach) for a, b in pairs[n]]) for n in rows}
    if all(len(run.hits) for run in baseline):  # counts, whose sums and ties are exact
        size = len(baseline[0].hits) * baseline[0].answers
        counts = {n: np.array([a.hits.sum() - b.hits.sum() for a, b in pairs[n]]) for n in rows}
        by_score = improvements(scores, counts, layout, 1.0 / size, reaches)
    else:
        by_run = {n: np.array([a.score - b.score for a, b in pairs[n]]) for n in rows}
        by_score = improvements(scores, by_run, layout, reaches=reaches)
    by_loss = improvements(losses, {n: np.array([b.loss - a.loss for a, b in pairs[n]]) for n in rows}, layout)
    lost = {n: sum(a.diverged and b.diverged for a, b in pairs[n]) for n in rows}
    tells = layout.tells(baseline[0].losses[None])
    return {
        n: dataclasses.replace(
            row,
            improvement=_tested(by_score[n], lost[n], len(baseline), tells),
            loss_improvement=_tested(by_loss[n], lost[n], len(baseline), tells),
        )
        for n, row in rows.items()
    }


def _tested(gain: Improvement, lost: int, runs: int, tells: bool) -> Improvement:
    """The improvement with the number of runs that diverged in both rows.

    If most did, or if too few examples were tested, it has neither interval nor test.
    """
    if 2 * lost <= runs and tells:
        return dataclasses.replace(gain, both_diverged=lost)
    return dataclasses.replace(
        gain,
        ci95=(math.nan, math.nan),
        ci95_runs=(math.nan, math.nan),
        p=None,
        p_holm=None,
        p_adjusted=None,
        p_monte_carlo_error=None,
        minimum_detectable_effect=None,
        runs_needed=None,
        least_detectable=None,
        both_diverged=lost,
    )


def improvements(
    by_example: Mapping[str, np.ndarray],
    by_run: Mapping[str, np.ndarray],
    layout: Layout,
    unit: float = 1.0,
    reaches: Mapping[str, np.ndarray] | None = None,
) -> dict[str, Improvement]:
    """The improvement of each row.

    Args:
      by_example: the differences of the metric, `[runs, N]`.
      by_run: the difference of each run, `[runs]`; for counts an exact one.
      layout: of the runs.
      unit: the factor that brings `by_run` to the unit of the metric.
      reaches: how far one answer moves each of `by_example`, `[runs, N]`: 1 for right answers, see
        `regjax.analysis.metrics.reaches`. None, or 0, where nothing is answered, as of losses.
    """
    if not by_run:
        return {}
    reach = {name: of_row for name, of_row in (reaches or {}).items() if of_row.any()}
    table = np.stack([layout.grouped(differences) for differences in by_run.values()], axis=1)
    scale = unit * layout.unit
    tests = joint_flips(table) if len(table) > 1 else None
    corrected = holm([test.p for test in tests]) if tests else None
    power = None
    if len(table) >= FEWEST_RUNS and all(layout.tells(values) for values in by_example.values()):
        variances = [layout.variance(by_example[name], reach.get(name)) for name in by_run]
        power = VerdictPower(scale * table, variances, population=layout.population)
    out = {}
    for i, name in enumerate(by_run):
        values, own = by_example[name], reach.get(name)
        interval = layout.interval(values, own)
        known = power if own is None or layout.differing(values, own) >= FEWEST_DIFFERENT else None
        of_runs = mean_interval((scale * table[:, i]).tolist())
        out[name] = Improvement(
            mean=of_runs.mean,
            ci95=(interval.low, interval.high),
            ci95_runs=(of_runs.low, of_runs.high),
            components=variance_components(unit * np.asarray(by_run[name]), layout.splits),
            p=tests[i].p if tests else None,
            p_holm=corrected[i] if corrected else None,
            p_adjusted=tests[i].p_adjusted if tests else None,
            p_monte_carlo_error=tests[i].monte_carlo_error if tests else None,
            minimum_detectable_effect=known.detectable(i) if known else None,
            runs_needed=known.runs_needed(i, of_runs.mean) if known else None,
            least_detectable=known.least(i) if known else None,
            observations=len(table),
            resolution=None if own is None else layout.resolution(values, own),
        )
    return out
