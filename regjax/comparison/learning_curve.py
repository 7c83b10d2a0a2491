"""The learning curve of the baseline: what fewer training examples give, and whether more would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from regjax.catalog import METRICS
from regjax.comparison.improvements import paired_statistics
from regjax.comparison.layout import Layout
from regjax.comparison.options import CompareOptions
from regjax.comparison.plan import Plan
from regjax.comparison.ranking import with_practical
from regjax.comparison.row import LearningCurve, Spread, TechniqueResult, spread
from regjax.comparison.scoring import Evaluation, Scorer
from regjax.comparison.summary import LOSS_RANGE, within
from regjax.comparison.techniques import BASELINE
from regjax.comparison.train import Outcome, Runner, Trial, diverged

NAME = "learning curve"  # of its runs, in progress


def train_curve(plan: Plan, runner: Runner) -> dict[int, Outcome]:
    """Train the baseline on fewer examples, with the same number of updates; the sizes are those of the plan."""
    trials = [Trial(NAME, float(size), {"n_train": size}) for size in plan.curve_sizes]
    return dict(zip(plan.curve_sizes, runner.run(trials, "curve"), strict=True)) if trials else {}


def curve_on_test(scorer: Scorer, curve: Mapping[int, Outcome]) -> dict[int, list[Evaluation]]:
    """Evaluate the runs of a learning curve on the test set. Nothing is chosen among them."""
    return {
        size: [
            scorer(result.weights, diverged(result), own)
            for result, own in zip(outcome.results, outcome.preprocessors, strict=True)
        ]
        for size, outcome in curve.items()
    }


def learning_curve(
    curve: Mapping[int, Sequence[Evaluation]],
    baseline: TechniqueResult,
    tests: Sequence[Evaluation],
    plan: Plan,
    layout: Layout,
) -> LearningCurve | None:
    """Summarize the learning curve over all splits; None without one.

    Args:
      curve: the evaluations of each smaller size, one for each run.
      baseline: the result of the baseline.
      tests: its evaluations.
      plan: of the first split.
      layout: of the runs.
    """
    if not curve:
        return None
    full = int(plan.options.train_examples or 0)
    by_size = {**curve, full: tests}
    step = _doubling(baseline, curve[max(curve)], tests, plan.options, layout)
    return LearningCurve(
        sizes=tuple(by_size),
        test=tuple(spread_of_score(runs, plan.metric, layout) for runs in by_size.values()),
        test_loss=tuple(spread_of_loss(runs, layout) for runs in by_size.values()),
        doubling=step.improvement,
        loss_doubling=step.loss_improvement,
    )


def spread_of_score(runs: Sequence[Evaluation], name: str, layout: Layout) -> Spread:
    """The metric of the runs with one size, with the interval of its mean."""
    metric = METRICS[name]
    reaches = [run.reach for run in runs]
    interval = within(layout.interval([metric.sign * run.scores for run in runs], reaches), metric.limits)
    return spread([metric.sign * run.score for run in runs], interval)


def spread_of_loss(runs: Sequence[Evaluation], layout: Layout) -> Spread:
    """The loss of the runs with one size, with the interval of its mean."""
    return spread([run.loss for run in runs], within(layout.interval([run.losses for run in runs]), LOSS_RANGE))


def _doubling(
    baseline: TechniqueResult,
    half: Sequence[Evaluation],
    full: Sequence[Evaluation],
    options: CompareOptions,
    layout: Layout,
) -> TechniqueResult:
    """The baseline with its improvement over itself on half of the examples."""
    rows = paired_statistics({"full": baseline}, {"full": full}, half, layout)
    return with_practical(rows, {BASELINE: half, "full": full}, options, layout)["full"]
