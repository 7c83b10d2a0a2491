"""The learning rate of a comparison, searched for the baseline so that no technique wins because it was a bad one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from regjax.analysis import choose
from regjax.catalog import METRICS
from regjax.comparison.plan import Plan, plan_of_split
from regjax.comparison.train import Outcome, Runner, Trial
from regjax.core.typing import Json

NAME = "learning rate"  # of its runs, in progress
SEARCH_RUNS = 3  # of each learning rate: one on each of so many splits, or with one split of so many seeds


class Search(NamedTuple):
    """The search for a learning rate: the baseline with each of them.

    Attributes:
      rates: the learning rates, rising.
      scores: the mean metric of each on the selection part.
      runs: the number of runs of each.
      chosen: the best one.
    """

    rates: tuple[float, ...]
    scores: tuple[float, ...]
    runs: int
    chosen: float

    def entry(self) -> dict[str, Json]:
        """Return the entry of the settings."""
        return {"rates": list(self.rates), "scores": list(self.scores), "runs": self.runs}


def searched(plan: Plan, make: Callable[[Plan], Runner]) -> Plan:
    """Return the plan with a learning rate; the plan itself if it has one.

    The baseline is trained with each of the plan's learning rates on the first splits, and the one with the best mean
    score on the selection part is taken for all rows; the lower loss decides ties. Test examples have no say.

    Args:
      plan: the plan on the first split.
      make: makes the runner of a plan, whose seeds are those of the search.
    """
    if len(plan.rates) == 1:
        return plan
    found: list[list[Outcome]] = []
    several = (plan.options.splits or 1) > 1
    for number in range(min(SEARCH_RUNS, plan.options.splits or 1)):
        of_split = plan_of_split(plan, number)
        runner = make(of_split)
        runner.seeds = runner.seeds[:1] if several else runner.seeds[:SEARCH_RUNS]
        runner.done = sum(len(plan.rates) * len(of_split[0].results) for of_split in found)
        runner.total = len(plan.rates) * min(SEARCH_RUNS, plan.options.seeds)
        found.append(runner.run([Trial(NAME, rate, {"learning_rate": rate}) for rate in plan.rates], "search"))
    runs = [[run for of_split in found for run in of_split[i].select] for i in range(len(plan.rates))]
    scores, losses = (np.array([[getattr(run, name) for run in each] for each in runs]) for name in ("score", "loss"))
    position = choose(scores, losses, plan.rates, "best").position
    means = tuple(float(value) for value in METRICS[plan.metric].sign * scores.mean(axis=1))
    search = Search(plan.rates, means, len(runs[0]), plan.rates[position])
    options = dataclasses.replace(plan.options, learning_rate=search.chosen)
    return dataclasses.replace(plan, options=options, search=search.entry())
