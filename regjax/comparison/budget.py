"""How long a comparison takes, and how a budget of time cuts it to fit."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax

from regjax.comparison.options import seconds_of
from regjax.comparison.plan import Plan
from regjax.comparison.techniques import baseline, merge
from regjax.comparison.train import Runner, Trial
from regjax.core.errors import InputError
from regjax.report.words import duration
from regjax.stopping import EarlyStopping
from regjax.sweeps.share import process_share
from regjax.training.spec import make_hparams

FEWEST_SEEDS = 6
"""A budget leaves at least so many runs of each setting: with fewer, no exact test can find anything."""

SURE_SECONDS = 1.0
"""A measurement of this length is long enough."""

BESIDE = 1.25
"""A comparison takes so many times its training: evaluations, references and the report, and more programs to compile.

It was 1.16 to 1.39 times on digits, wine, breast cancer and diabetes, on two cores, with nothing compiled before.
"""

FILE = "budget.json"


class Timing(NamedTuple):
    """What the parts of a comparison take on this machine.

    Attributes:
      compile_seconds: for one program.
      run_seconds: for one run of all epochs, when all workers are busy: two workers that need 2 s each make it 1 s.

    Both include `BESIDE`.
    """

    compile_seconds: float
    run_seconds: float


class Cut(NamedTuple):
    """What is left of a comparison within its budget.

    Attributes:
      seeds: number of runs of each setting.
      every: of each grid, the last strength is kept and every one so many places before it.
    """

    seeds: int
    every: int = 1


class Forecast(NamedTuple):
    """What will be trained.

    Attributes:
      seconds: about how long it takes.
      runs: number of runs.
      epochs: of each run.
      programs: number of programs that are compiled.
      cut: what the budget left, if there is one.
    """

    seconds: float
    runs: int
    epochs: int
    programs: int
    cut: Cut | None


def measure(plan: Plan, make: Callable[[Plan], Runner]) -> Timing:
    """Time the compilation of the baseline, and some epochs of it on all workers at once.

    Args:
      plan: the plan on the first split.
      make: makes the runner of a plan, without a directory.
    """
    runner = make(plan)
    workers = len(process_share(1, None, runner.workers).worker_devices)

    def train(epochs: int, count: int) -> float:
        # Every loss reaches this target, so the run stops once it has had the least number of epochs.
        stopping = EarlyStopping(target=1e30, min_epochs=epochs)
        started = time.perf_counter()
        runner.seeds = plan.seeds[:1]
        runner.run([Trial("timing", i, {"stopping": stopping}) for i in range(count)], "timing")
        return time.perf_counter() - started

    first, epochs, total = train(1, 1), 1, plan.spec.epochs
    took = train(epochs, workers)
    while epochs < total and took < SURE_SECONDS:
        epochs = min(total, 8 * epochs)
        took = train(epochs, workers)
    return Timing(BESIDE * max(first - took / workers, 0.0), BESIDE * took / workers * total / epochs)


def expected_seconds(plan: Plan, timing: Timing) -> float:
    """Return how long a comparison will take, if all of its runs last as long as the baseline's.

    Runs of early stopping end sooner, those of augmentation, noise or SAM take longer.
    """
    return programs(plan) * timing.compile_seconds + runs(plan) * timing.run_seconds


def runs(plan: Plan) -> int:
    """Return the number of runs on all splits, with the least that the searches for a learning rate take."""
    return plan.runs_of_split * (plan.options.splits or 1)


def programs(plan: Plan) -> int:
    """Return the number of programs that are compiled: one for each structure of hyperparameters."""
    found = set()
    for technique in [baseline(), *plan.techniques]:
        arguments = merge([dict(plan.always), technique.arguments(technique.values[0])])
        found.add(jax.tree.structure(make_hparams(**{"n_train": 1, **arguments})))
    return len(found) + plan.with_combination


def cut_to_fit(plan: Plan, timing: Timing) -> Cut:
    """Return as many runs of each setting, up to those that are wanted, as the budget allows.

    There remain at least `FEWEST_SEEDS`, evenly spread over the splits; if those take too long, each grid keeps every
    second strength, then every fourth, and so on.

    Raises:
      InputError: the least takes longer than the budget; says how long.
    """
    budget = seconds_of(plan.options.budget or "0")
    wanted, splits = plan.options.seeds, plan.options.splits or 1
    step = 1 if splits == wanted else splits
    least = min(wanted, math.ceil(FEWEST_SEEDS / step) * step)
    longest = max(len(technique.values) for technique in [baseline(), *plan.techniques])
    for every in [2**k for k in range(longest.bit_length() + 1)]:
        for seeds in range(wanted, least - 1, -step):
            cut = Cut(seeds, every)
            needed = expected_seconds(with_cut(plan, cut), timing)
            if needed <= budget:
                return cut
    smaller = ", fewer epochs or smaller images" if len(plan.splits.x_train.shape) == 4 else " or fewer epochs"
    raise InputError(
        f"budget {plan.options.budget}: {least} runs of one strength of each technique already take about "
        f"{duration(needed)}; give more time, fewer techniques{smaller}"
    )


def with_cut(plan: Plan, cut: Cut) -> Plan:
    """Return the plan with fewer runs and shorter grids."""
    options, techniques = plan.options, plan.techniques
    splits = cut.seeds if options.splits == options.seeds else options.splits
    if cut.every > 1:
        techniques = tuple(dataclasses.replace(each, values=each.values[:: -cut.every][::-1]) for each in techniques)
    options = dataclasses.replace(options, seeds=cut.seeds, splits=splits)
    described = {"budget": options.budget, "wanted_seeds": plan.options.seeds, **cut._asdict()}
    return dataclasses.replace(plan, options=options, techniques=techniques, cut=described)


def within_budget(
    plan: Plan,
    make: Callable[[Plan], Runner],
    directory: str | os.PathLike[str] | None,
    announce: Callable[[Forecast], None] | None,
) -> Plan:
    """Cut a comparison to its budget, if it has one, and say how long it will take.

    A comparison that is resumed keeps the cut that was made when it began, which is in the file `FILE`, and nothing is
    said, because some of its runs are there already. Nor is it of several processes, whose times differ.

    Args:
      plan: the plan on the first split.
      make: makes the runner of a plan, without a directory.
      directory: of the runs, or None.
      announce: is told, before the first run.

    Raises:
      InputError: the budget is too small, or is that of several processes.
    """
    several = jax.process_count() > 1
    if several and plan.options.budget is not None:
        raise InputError(
            f"budget {plan.options.budget}: each of {jax.process_count()} processes would cut to its own times; "
            "accepted: one process, or fewer seeds"
        )
    file = None if directory is None else Path(directory, FILE)
    if plan.options.budget is not None and file is not None and file.exists():
        return with_cut(plan, Cut(**json.loads(file.read_text())))
    begun = file is not None and file.parent.exists() and any(file.parent.iterdir())
    announce = None if several or begun else announce
    if plan.options.budget is None and announce is None:
        return plan
    timing, cut = measure(plan, make), None
    if plan.options.budget is not None:
        cut = cut_to_fit(plan, timing)
        plan = with_cut(plan, cut)
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            partial = file.with_name(f"{FILE}.partial")
            partial.write_text(json.dumps(cut._asdict()))
            partial.rename(file)
    if announce is not None:
        announce(Forecast(expected_seconds(plan, timing), runs(plan), plan.spec.epochs, programs(plan), cut))
    return plan
