"""Runs a comparison: tunes each technique on the validation set and evaluates it once on the test set."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from regjax.comparison.budget import Forecast, within_budget
from regjax.comparison.choose import Row, pick
from regjax.comparison.conclude import SplitResult, conclude
from regjax.comparison.importance import importances
from regjax.comparison.learning_curve import curve_on_test, train_curve
from regjax.comparison.learning_rate import searched
from regjax.comparison.options import CompareOptions, with_changes
from regjax.comparison.plan import Data, Plan, Wanted, make_plan, plan_of_split, training_arrays
from regjax.comparison.result import CompareResult
from regjax.comparison.row_curves import train_row_curves
from regjax.comparison.scoring import Evaluation, Scorer
from regjax.comparison.techniques import BASELINE, Technique, baseline, combination
from regjax.comparison.train import Outcome, Progress, Runner, Trial, diverged
from regjax.comparison.training_score import training_scores
from regjax.core.typing import ModelLike, Value
from regjax.data import Preprocessors
from regjax.models.interface import as_model
from regjax.training.run import make_run


def compare(
    model: ModelLike,
    data: Data,
    techniques: Wanted = None,
    config: CompareOptions | None = None,
    *,
    workers: int | None = None,
    directory: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    announce: Callable[[Forecast], None] | None = None,
    **options: Value,
) -> CompareResult:
    """Compare regularizers on a model and a dataset.

    The runs are spread over splits of the data, by default one split for each; settings are chosen and tested within
    each split. There every setting of every technique trains with the same seeds, number of updates and learning rate;
    where none is given, each split takes the best for the baseline on its validation examples.
    The validation set has two parts: one decides when early stopping stops, the other chooses the setting of each
    technique. The chosen setting is evaluated once on the test set. The weights after the last epoch are evaluated,
    except for early stopping and combinations that include it, which restore the best weights: to restore them
    everywhere would give every technique early stopping for free. The combination consists of the techniques that
    improved on the baseline on the selection part, with their strengths scaled by 1/4, 1/2 or 1; where only one or
    none did, that one or the baseline stands in.

    Args:
      model: a name from `regjax.models`, a Flax Linen module, or a pair `(init, apply)`. Dropout is compared if
        the model takes `rates` (see `regjax.models`).
      data: a dataset, its splits, or arrays `(x, y)`. The task is inferred from `y` in the same way as for files; see
        `regjax.data.targets.infer_task`. Integer targets that could be either need `task`.
      techniques: names, `Technique`s or `{name: grid}`; None compares more data, augmentation, early stopping,
        L2, L1, dropout and the combination.
      config: the options.
      workers: number of host threads; None is one per core.
      directory: where to save each finished run, including its weights; runs that are saved there are not repeated.
      progress: a callback `(finished runs, total runs, name of the technique)`.
      announce: is told before the first run what will be trained, and about how long it takes, a `Forecast`. For it,
        and for a `budget`, some epochs of the baseline are timed.
      **options: options by name, which replace those of `config`: `seeds=10`, `select="1se"`, `epochs=50`,
        `learning_rate=1e-3`, ...; `rj.CompareOptions` lists and explains them.

    Returns:
      A `CompareResult`; `print` shows its table, `dumps()` is its JSON, `trained` holds the weights and `predictions`
      those of each run for the test examples.

    Raises:
      InputError: the data or an option cannot be used, or the directory contains runs of another comparison.
      TypeError: a keyword is not an option.
      OSError: the directory cannot be written to, or the disk is full; finished runs stay saved.

    Example:
      >>> import numpy as np
      >>> x = np.random.default_rng(0).normal(size=(200, 4)).astype(np.float32)
      >>> y = (x[:, 0] > 0).astype(np.int32)
      >>> result = compare("linear", (x, y), {"l2": [0.01, 0.1]}, seeds=2, epochs=2)
      >>> sorted(result.techniques)
      ['l2']
    """
    started = time.perf_counter()
    first = make_plan(model, data, techniques, with_changes(config, options))
    first = within_budget(first, lambda plan: make_runner(plan, workers), directory, announce)
    parts, done = [], 0
    for number in range(first.options.splits or 1):
        plan = plan_of_split(first, number)
        runner = make_runner(plan, workers, _folder(directory, number), progress, done)
        plan, runner = searched(plan, runner)
        rows = choose(plan, train(plan, runner))
        rows |= combine(plan, rows, runner)
        rows, runner = train_anew(plan, rows, runner)
        curve, curves = train_curve(plan, runner), train_row_curves(plan, rows, runner)
        on_train = training_scores(plan, rows, runner)
        scorer, tests = evaluate_on_test(plan, rows)
        part = SplitResult.of(
            plan, rows, scorer, tests, on_train, curve_on_test(scorer, curve), importances(plan, rows)
        )
        parts.append(part._replace(row_curves={name: curve_on_test(scorer, own) for name, own in curves.items()}))
        done = runner.done
    return conclude(first, parts, started)


def _folder(directory: str | os.PathLike[str] | None, number: int) -> Path | None:
    """The directory of the runs on a split; that of the first one has no name of its own."""
    return None if directory is None else Path(directory, *([f"split_{number}"] if number else []))


def make_runner(
    plan: Plan,
    workers: int | None = None,
    directory: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    done: int = 0,
) -> Runner:
    """Make the runner that trains and scores on the selection part. It has no access to the test set.

    Args:
      plan: the plan on a split.
      workers: as in `compare`.
      directory: as in `compare`, for this split.
      progress: as in `compare`.
      done: number of runs on earlier splits.
    """
    scorer = Scorer(as_model(plan.spec.model).apply, plan.splits, plan.unit, "select", plan.metric, plan.loss)
    runner = Runner(
        run_fn=make_run(plan.spec),
        defaults={
            "learning_rate": plan.options.learning_rate or plan.rates[0],
            "n_train": plan.options.train_examples,
        },
        always=plan.always,
        preprocessors=Preprocessors(plan.splits, plan.preprocessor, standardize=plan.options.standardize),
        seeds=plan.seeds,
        data=training_arrays(plan),
        scorer=scorer,
        workers=workers,
        directory=directory,
        progress=progress,
        done=done,
        later=((plan.options.splits or 1) - plan.number - 1) * plan.runs_of_split,
    )
    runner.expect(plan.runs_of_split)
    return runner


def train(plan: Plan, runner: Runner) -> dict[str, tuple[Technique, list[Outcome]]]:
    """Train every setting of every technique with all seeds; return the outcomes by row, the baseline first."""
    techniques = [baseline(), *plan.techniques]
    trials = [Trial(t.name, value, t.arguments(value)) for t in techniques for value in t.values]
    outcomes = runner.run(trials, "settings")
    return {t.name: (t, [outcome for outcome in outcomes if outcome.trial.technique == t.name]) for t in techniques}


def choose(plan: Plan, trained: Mapping[str, tuple[Technique, list[Outcome]]]) -> dict[str, Row]:
    """Choose the setting of each row by its scores on the selection part."""
    rule = plan.options.select
    return {name: Row(technique, found, pick(technique, found, rule)) for name, (technique, found) in trained.items()}


def combine(plan: Plan, rows: Mapping[str, Row], runner: Runner) -> dict[str, Row]:
    """Train the combination if at least two techniques beat the baseline on the selection part and fit together."""
    if not plan.with_combination:
        return {}
    to_beat = rows[BASELINE].pick.select_score
    gained = [
        (row.technique, row.pick.value, row.pick.select_score)
        for row in rows.values()
        if row.technique.combines and row.pick.select_score > to_beat
    ]
    united, parts = combination(gained, dict(plan.always), plan.params)
    if united is None:
        points = len(plan.curve_sizes) + len(plan.sizes_of_rows) * len(rows)
        runner.expect((points + (len(rows) if plan.options.fresh_seeds else 0)) * len(plan.seeds))
        return {}
    outcomes = runner.run([Trial(united.name, c, united.arguments(c)) for c in united.values], "combination")
    chosen = pick(united, outcomes, plan.options.select)._replace(parts=parts)
    return {united.name: Row(united, outcomes, chosen)}


def train_anew(plan: Plan, rows: Mapping[str, Row], runner: Runner) -> tuple[dict[str, Row], Runner]:
    """Train the chosen setting of each row with seeds that the choice has not seen, if the options ask for it."""
    seeds = plan.options.tested_seeds(plan.seeds)
    if seeds == plan.seeds:
        return dict(rows), runner
    fresh = dataclasses.replace(runner, seeds=seeds, data=training_arrays(plan, seeds))
    outcomes = fresh.run([row.chosen.trial for row in rows.values()], "fresh")
    return {
        name: row._replace(fresh=outcome) for (name, row), outcome in zip(rows.items(), outcomes, strict=True)
    }, fresh


def evaluate_on_test(plan: Plan, rows: Mapping[str, Row]) -> tuple[Scorer, dict[str, list[Evaluation]]]:
    """Evaluate the chosen setting of each row once on the test set, for each seed."""
    # The scorer of the test set is made only here, so that no earlier step can use it.
    scorer = Scorer(as_model(plan.spec.model).apply, plan.splits, plan.unit, "test", plan.metric, plan.loss)
    tests = {
        name: [
            scorer(result.weights, diverged(result), own)
            for result, own in zip(row.chosen.results, row.chosen.preprocessors, strict=True)
        ]
        for name, row in rows.items()
    }
    return scorer, tests
