"""The learning rate of a comparison, searched for the baseline so that no technique wins because it was a bad one.

It is searched within each split, like every other choice: with the validation examples of another split it would be
chosen by examples that this one tests.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from regjax.analysis import choose
from regjax.catalog import METRICS
from regjax.comparison.data_defaults import WIDER
from regjax.comparison.plan import Plan, Search
from regjax.comparison.train import Outcome, Runner, Trial
from regjax.core.typing import Json

NAME = "learning rate"  # of its runs, in progress


def searched(plan: Plan, runner: Runner) -> tuple[Plan, Runner]:
    """Return the plan of a split with a learning rate, and its runner; the same ones if the plan has it.

    The baseline is trained with each of the learning rates in the middle of `plan.rates`, and while the best one is the
    last in its direction, with the next one there too. The one with the best mean score on the selection part is taken
    for all rows of this split; the lower loss decides ties, and then the one nearer to the middle, so that
    the search does not go on where several have a validation loss of 0. Test examples have no say.

    Args:
      plan: the plan on a split.
      runner: its runner; at most `SEARCH_RUNS` of its seeds train each learning rate.
    """
    if len(plan.rates) == 1:
        return plan, runner
    own = dataclasses.replace(runner, seeds=plan.seeds[: plan.search_runs])
    low, high = WIDER, len(plan.rates) - WIDER
    outcomes = _trained(own, plan.rates[low:high], "search")
    while True:
        position = _best(outcomes, plan.rates[len(plan.rates) // 2])
        if position == 0 and low > 0:
            low -= 1
            outcomes = [*_trained(own, plan.rates[low : low + 1], f"search_low_{low}"), *outcomes]
        elif position == len(outcomes) - 1 and high < len(plan.rates):
            high += 1
            outcomes += _trained(own, plan.rates[high - 1 : high], f"search_high_{high}")
        else:
            break
    sign = METRICS[plan.metric].sign
    means = tuple(float(sign * np.mean([run.score for run in outcome.select])) for outcome in outcomes)
    search = Search(plan.rates[low:high], means, plan.search_runs, plan.rates[low + position])
    options = dataclasses.replace(plan.options, learning_rate=search.chosen)
    defaults = {**runner.defaults, "learning_rate": search.chosen}
    found = dataclasses.replace(runner, defaults=defaults, done=own.done)
    found.expect(plan.runs_of_rows)
    return dataclasses.replace(plan, options=options, search=search), found


def _trained(runner: Runner, rates: Sequence[float], part: str) -> list[Outcome]:
    """The outcome of each learning rate; more than were announced move the end of the progress."""
    runner.total = max(runner.total, runner.done + len(rates) * len(runner.seeds))
    return runner.run([Trial(NAME, rate, {"learning_rate": rate}) for rate in rates], part)


def _best(outcomes: Sequence[Outcome], middle: float) -> int:
    """The position of the best one on the selection part."""
    scores, losses = (
        np.array([[getattr(run, name) for run in outcome.select] for outcome in outcomes]) for name in ("score", "loss")
    )
    nearness = [-abs(math.log(outcome.trial.value / middle)) for outcome in outcomes]
    return choose(scores, losses, nearness, "best").position


def entry(searches: Sequence[Search]) -> dict[str, Json]:
    """Return the entry `learning_rate_search` of the settings, over all splits.

    `rates` are those that any split tried, `scores` their means over the splits that tried them, `tried` the number of
    these, `runs` the runs of each on a split, `chosen` the choices by split, and `at_end` how many of them are the
    lowest or the highest rate that was tried.
    """
    scores: dict[float, list[float]] = {}
    for search in searches:
        for rate, score in zip(search.rates, search.scores, strict=True):
            scores.setdefault(rate, []).append(score)
    rates = sorted(scores)
    return {
        "rates": rates,
        "scores": [float(np.mean(scores[rate])) for rate in rates],
        "tried": [len(scores[rate]) for rate in rates],
        "runs": searches[0].runs,
        "chosen": [search.chosen for search in searches],
        "at_end": sum(search.at_end for search in searches),
    }
