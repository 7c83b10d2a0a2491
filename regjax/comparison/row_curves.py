"""Learning curves of the rows of a comparison: the chosen setting of each on fewer training examples."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from regjax.analysis import PowerLaw, equivalent_examples, fit_power_law
from regjax.analysis.power_law import FEWEST_SIZES
from regjax.comparison.choose import Row
from regjax.comparison.layout import Layout
from regjax.comparison.learning_curve import spread_of_loss, spread_of_score
from regjax.comparison.plan import Plan
from regjax.comparison.scoring import Evaluation
from regjax.comparison.techniques import BASELINE
from regjax.comparison.train import Outcome, Runner, Trial
from regjax.core.typing import Json

NAME = "learning curves"  # of its runs, in progress
SIZES = "n_train"  # the argument of "more data", which has no curve of its own


def train_row_curves(plan: Plan, rows: Mapping[str, Row], runner: Runner) -> dict[str, dict[int, Outcome]]:
    """Train the chosen setting of each row on fewer examples, with the same updates; nothing is chosen anew.

    Args:
      plan: of the split; its `sizes_of_rows` are trained.
      rows: the rows with their chosen settings.
      runner: of the seeds that are tested.
    """
    sizes = plan.sizes_of_rows
    names = [name for name, row in rows.items() if SIZES not in row.chosen.trial.arguments]
    trials = [
        Trial(NAME, float(size), {**rows[name].chosen.trial.arguments, SIZES: size}) for name in names for size in sizes
    ]
    if not trials:
        return {}
    outcomes = iter(runner.run(trials, "row_curves"))
    return {name: {size: next(outcomes) for size in sizes} for name in names}


def row_curves(
    curves: Mapping[str, Sequence[Mapping[int, Sequence[Evaluation]]]],
    tests: Mapping[str, Sequence[Sequence[Evaluation]]],
    titles: Mapping[str, str],
    plan: Plan,
    layout: Layout,
) -> dict[str, Json] | None:
    """Summarize the learning curves of the rows; None without any.

    The power law is fitted to the test loss, because an accuracy may be 100%, where a logarithm has no place.

    Args:
      curves: by row and split, the evaluations of each smaller size.
      tests: by row and split, those of all examples.
      titles: of the rows.
      plan: of the first split.
      layout: of the runs.

    Returns:
      `sizes`, and for each row `title`, `test` and `test_loss` by size, `law` (`floor`, `scale` and `rate` with their
      intervals, and `misfit`), None where none can be fitted, and `equivalent`, how many examples the baseline needs
      for the loss of the row with all of its examples, None without a law of both.
    """
    if not curves:
        return None
    full = int(plan.options.train_examples or 0)
    sizes = [*plan.sizes_of_rows, full]
    by_row = {
        name: {
            **{size: [run for split in splits for run in split[size]] for size in plan.sizes_of_rows},
            full: [run for split in tests[name] for run in split],
        }
        for name, splits in curves.items()
    }
    laws = {name: _law(sizes, of_sizes) for name, of_sizes in by_row.items()}
    return {
        "sizes": sizes,
        "rows": {
            name: {
                "title": titles[name],
                "test": [spread_of_score(of_sizes[size], plan.metric, layout) for size in sizes],
                "test_loss": [spread_of_loss(of_sizes[size], layout) for size in sizes],
                "law": _entry(laws[name]),
                "equivalent": None if name == BASELINE else _equivalent(laws[BASELINE], laws[name], full),
            }
            for name, of_sizes in by_row.items()
        },
    }


def _law(sizes: Sequence[int], runs: Mapping[int, Sequence[Evaluation]]) -> PowerLaw | None:
    """The power law of the losses; None with too few sizes or runs, or a loss that is not a finite number above 0."""
    losses = np.array([[run.loss for run in runs[size]] for size in sizes], np.float64).T
    usable = np.isfinite(losses).all() and (losses > 0).all()
    if len(sizes) < FEWEST_SIZES[False] or len(losses) < 3 or not usable:
        return None
    return fit_power_law(sizes, losses, floor=len(sizes) >= FEWEST_SIZES[True])


def _equivalent(base: PowerLaw | None, own: PowerLaw | None, full: int) -> dict[str, Json] | None:
    if base is None or own is None:
        return None
    number, low, high = equivalent_examples(base, own, full)
    return {"examples": _known(number), "ci95": [_known(low), _known(high)]}


def _known(number: float) -> float | None:
    """The number; None stands for more than any."""
    return number if math.isfinite(number) else None


def _entry(law: PowerLaw | None) -> dict[str, Json] | None:
    if law is None:
        return None
    named = {name: law.interval(name) for name in ("floor", "scale", "rate")}
    return {name: {"value": own.mean, "ci95": [own.low, own.high]} for name, own in named.items()} | {
        "misfit": law.misfit
    }
