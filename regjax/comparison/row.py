"""One row of a comparison: the results of a technique with its chosen setting; and the baseline on fewer examples."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from regjax.analysis import Interval, Posterior
from regjax.core.typing import Json, Value


@dataclasses.dataclass(frozen=True)
class Spread:
    """A number over runs: mean, 95% confidence interval of the mean, and the values.

    The intervals of test scores and losses are over fresh splits, seeds and test examples; others are over these runs.
    """

    mean: float
    ci95: tuple[float, float]
    values: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Improvement:
    """The improvement of a technique over the baseline, paired over runs; positive is better, also for losses.

    Attributes:
      mean: mean over runs.
      ci95: 95% confidence interval of the mean over fresh splits, seeds and test examples
        (`regjax.analysis.run_interval`), which decides.
      ci95_runs: 95% confidence interval of the mean over the splits alone, or with one split over its runs.
      components: variances of the improvement of one run: between splits, and between the seeds of a split. The first
        is that of both together if no split has several seeds; the second is None then.
      p: p-value of the two-sided sign-flip test of this row alone; None with a single run. With one split it is
        conditional on its test examples, which all runs share; only `ci95` covers others, and a verdict needs both.
      p_holm: by Holm's correction over all rows of the table, for comparison.
      p_adjusted: by step-down maxT over jointly flipped splits, or with one split its runs
        (`regjax.analysis.joint_flips`), which decides.
      p_monte_carlo_error: standard error of `p_adjusted`; 0 where all flips are enumerated, up to 20 of them.
      minimum_detectable_effect: the true effect that gets its verdict with 80% power, with these rows and as many runs:
        a `p_adjusted` of at most 5% and a `ci95` without 0 (`regjax.analysis.VerdictPower`). None where no effect can
        be found, as with fewer than 6 splits, or with one split 6 runs; and where fewer than 10 answers differ, from
        which nobody can tell how much they vary (`Layout.differing`: of a metric by class, answers on the rarest ones).
        The same holds for the next two.
      runs_needed: the number of independent observations, splits or with one split runs, of a new comparison that would
        show a true change as large as `mean` with 80% power, rounded up to two digits; None where 500 are too few, or
        where nothing can be found.
      least_detectable: the true effect that would be shown with 80% power by runs without end, on this number of
        examples; None where nothing can be found.
      practical: the smallest change that matters, from the options; None if none was given.
      posterior: probabilities that the true change is worse, practically the same or better
        (`regjax.analysis.practical_posterior`); None with a single seed.
      observations: the number of independent observations: splits, or with one split runs. With fewer than 6 nothing is
        called better, worse or practically the same.
      resolution: `ln(40) r / m` with `m` test examples, of which one answer moves the metric by at most `r / m`: a true
        difference as large leaves no answer different in 2.5% of the draws. It is practically the same only beyond it.
        More where answers on a rare class differ (`Layout.resolution`).
        `r` is 1 for accuracy, and large where a class is rare (`regjax.analysis.metrics.reaches`); None for metrics
        that answers do not decide, and for losses.
      both_diverged: the number of runs that diverged with the technique as without it. If they are more than half,
        nothing is tested, because two constant guesses are compared.
    """

    mean: float
    ci95: tuple[float, float]
    ci95_runs: tuple[float, float]
    components: dict[str, float | None]
    p: float | None
    p_holm: float | None
    p_adjusted: float | None
    p_monte_carlo_error: float | None
    minimum_detectable_effect: float | None
    runs_needed: int | None = None
    least_detectable: float | None = None
    practical: float | None = None
    posterior: Posterior | None = None
    observations: int | None = None
    resolution: float | None = None
    both_diverged: int = 0


@dataclasses.dataclass(frozen=True)
class GridPoint:
    """The result of one setting on the selection split."""

    value: float
    select_score: Spread
    select_loss: float
    diverged: int


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The calibration of the class probabilities on the test examples.

    Attributes:
      ece: expected calibration error, over 15 bins of equal mass (`regjax.analysis.expected_calibration_error`).
      brier: Brier score, summed over classes.
      log_loss: negative logarithm of the probability of the label; the mean is that of the test loss, except that a
        probability that float32 rounds to 0 has an upper bound.
      reliability: `confidence`, `accuracy` and `counts` of the bins of all runs together.
    """

    ece: Spread
    brier: Spread
    log_loss: Spread
    reliability: dict[str, Json]


@dataclasses.dataclass(frozen=True)
class TechniqueResult:
    """One row of the comparison; the test results are those of the chosen setting."""

    name: str
    title: str
    chosen: dict[str, Json]  # parameter, value, edge ("low", "high" or None), selected_by, ...
    grid: tuple[GridPoint, ...]
    test: Spread  # the metric of the comparison
    test_loss: Spread
    test_mse: Spread | None  # regression, in the units of the target; None for several, which have different ones
    train: Spread  # the metric on the training examples
    train_loss: Spread
    generalization_gap: Spread  # by how much the metric is better on the training examples than on the test examples
    improvement: Improvement | None  # None for the baseline
    loss_improvement: Improvement | None
    zero_fraction: float  # fraction of the penalizable weights that are exactly zero, mean over runs
    epochs: Spread
    diverged: int  # runs of the chosen setting that diverged; they score at chance
    lanes: int  # number of runs of this row, its tuning budget
    seconds: float  # compute time of those runs, summed over workers
    curves: dict[str, Json]  # means and confidence intervals over runs, by epoch
    weights: dict[str, Json]  # histogram of the weights
    kept_epochs: tuple[int, ...] = ()  # after how many epochs each run's weights were taken
    params_sha256: tuple[str, ...] = ()  # of the final parameters of each seed
    flags: tuple[dict[str, Value], ...] | None = None  # of the command `train` for the chosen setting, by run
    calibration: Calibration | None = None  # classification


@dataclasses.dataclass(frozen=True)
class LearningCurve:
    """The baseline on fractions of the training examples, and on all of them.

    Attributes:
      sizes: numbers of training examples, rising; the last one is that of the baseline.
      test: the metric on the test examples for each size.
      test_loss: the loss on the test examples for each size.
      doubling: the improvement of the metric by the last step, from half of the examples to all of them, paired over
        runs like that of a technique, tested alone.
      loss_doubling: that of the loss.
    """

    sizes: tuple[int, ...]
    test: tuple[Spread, ...]
    test_loss: tuple[Spread, ...]
    doubling: Improvement | None
    loss_doubling: Improvement | None


def spread(values: Iterable[float], interval: Interval) -> Spread:
    """Make a `Spread` from values and their confidence interval."""
    return Spread(interval.mean, (interval.low, interval.high), tuple(float(v) for v in values))
