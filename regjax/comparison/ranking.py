"""How large an improvement is in practice, and which rows are shown to be better than which."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from regjax.analysis import FEWEST_RUNS, Best, Pair, all_pairs, best_row, differ, letters, practical_posterior
from regjax.analysis.statistics import t_quantile
from regjax.catalog import METRICS
from regjax.comparison.layout import Layout
from regjax.comparison.options import CompareOptions
from regjax.comparison.row import Improvement, TechniqueResult
from regjax.comparison.scoring import Evaluation
from regjax.comparison.techniques import BASELINE

POINT = 0.01  # the unit of `CompareOptions.practical` where a higher value is better


class Ranking(NamedTuple):
    """All rows against each other, by the score; empty with a single run, or where no pair can be tested.

    Attributes:
      pairs: the differences of all pairs.
      groups: the letters of each row, best row first. Empty where no difference could have been shown, however large:
        one letter for all rows would look like a finding.
      best: the best row; None without letters.
    """

    pairs: tuple[Pair, ...] = ()
    groups: dict[str, str] = {}
    best: Best | None = None


def rank(tests: Mapping[str, Sequence[Evaluation]], layout: Layout) -> Ranking:
    """Compare every row with every other, the baseline included, over the same runs.

    Args:
      tests: the evaluations of each row on the test set, one per run.
      layout: of the runs.
    """
    if len(tests) < 2 or layout.groups < 2 or not layout.tells(next(iter(tests.values()))[0].losses[None]):
        return Ranking()
    if not any(_compared(*pair) for pair in combinations(tests.values(), 2)):
        return Ranking()
    scores, unit = _scores(tests, layout)
    # The signs of splits that share examples are not quite independent, so a difference needs the interval too.
    pairs = tuple(
        pair._replace(ci95=_interval(tests[pair.a], tests[pair.b], layout)) for pair in all_pairs(scores, unit)
    )
    if layout.groups < FEWEST_RUNS:
        return Ranking(pairs)
    names = sorted(scores, key=lambda name: -float(np.mean(scores[name])))  # ties stay in the order of the table
    shown = letters(names, [(pair.a, pair.b) for pair in pairs if differ(pair)])
    return Ranking(pairs, shown, best_row(names, pairs))


def with_practical(
    rows: Mapping[str, TechniqueResult],
    tests: Mapping[str, Sequence[Evaluation]],
    options: CompareOptions,
    layout: Layout,
) -> dict[str, TechniqueResult]:
    """Add to each improvement the smallest change that matters, and how likely the true change is larger.

    Args:
      rows: the techniques, with their improvements.
      tests: the evaluations of each row on the test set, the baseline included.
      options: with the sizes; that of the loss, and of a metric of which less is better, is relative to the mean of the
        baseline.
      layout: of the runs.
    """
    scores, unit = _scores(tests, layout)
    losses = {name: layout.unit * layout.grouped([run.loss for run in runs]) for name, runs in tests.items()}
    of_loss = options.practical_loss / 100 * abs(float(losses[BASELINE].mean()))
    lower = options.metric is not None and not METRICS[options.metric].higher
    of_score = options.practical * POINT * (unit * abs(float(scores[BASELINE].mean())) if lower else 1.0)

    def judged(gain: Improvement | None, differences: np.ndarray, practical: float) -> Improvement | None:
        if gain is None:
            return None
        posterior = None
        if differences.size > 1 and np.isfinite(gain.ci95).all():
            # The standard error of the interval, which knows of other splits and test examples.
            error = 0.5 * (gain.ci95[1] - gain.ci95[0]) / float(t_quantile(differences.size - 1, 0.975))
            posterior = practical_posterior(differences, practical, error=error)
        return dataclasses.replace(gain, practical=practical, posterior=posterior)

    return {
        name: dataclasses.replace(
            row,
            improvement=judged(row.improvement, unit * (scores[name] - scores[BASELINE]), of_score),
            loss_improvement=judged(row.loss_improvement, losses[BASELINE] - losses[name], of_loss),
        )
        for name, row in rows.items()
    }


def _compared(a: Sequence[Evaluation], b: Sequence[Evaluation]) -> bool:
    """Whether two rows are more than two constant guesses: not both of them diverged in most runs."""
    return 2 * sum(one.diverged and other.diverged for one, other in zip(a, b, strict=True)) <= len(a)


def _interval(a: Sequence[Evaluation], b: Sequence[Evaluation], layout: Layout) -> tuple[float, float]:
    """The interval of the mean difference of two rows, over fresh splits, seeds and test examples."""
    differences = [one.scores - other.scores for one, other in zip(a, b, strict=True)]
    reaches = [np.maximum(one.reach, other.reach) for one, other in zip(a, b, strict=True)]
    interval = layout.interval(differences, reaches)
    return interval.low, interval.high


def _scores(tests: Mapping[str, Sequence[Evaluation]], layout: Layout) -> tuple[dict[str, np.ndarray], float]:
    """The scores of each row, and the unit that they are in: hits where these are counted, whose ties are exact."""
    if all(run.hits.size for runs in tests.values() for run in runs):
        first = next(iter(tests.values()))[0]
        size = first.hits.size * first.answers
        hits = {name: layout.grouped([run.hits.sum() for run in runs]) for name, runs in tests.items()}
        return hits, layout.unit / size
    return {name: layout.grouped([run.score for run in runs]) for name, runs in tests.items()}, layout.unit
