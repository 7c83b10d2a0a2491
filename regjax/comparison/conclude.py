"""Computes the result of a comparison: spreads over seeds, paired statistics and the diagnosis."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import time
from collections.abc import Mapping, Sequence

import numpy as np

from regjax.analysis import Predictions
from regjax.comparison.choose import Row
from regjax.comparison.plan import Plan
from regjax.comparison.ranking import rank, with_practical
from regjax.comparison.result import CompareResult, GridPoint, TechniqueResult, Trained
from regjax.comparison.scoring import (
    Chance,
    Evaluation,
    Scorer,
    calibration_of,
    chance_of,
    diagnose_all,
    in_unit,
    paired_statistics,
    spread_of,
    summarize_row,
)
from regjax.comparison.techniques import BASELINE
from regjax.models.interface import as_model
from regjax.training.evaluate import SCORE


def conclude(
    plan: Plan, rows: Mapping[str, Row], scorer: Scorer, tests: Mapping[str, Sequence[Evaluation]], started: float
) -> CompareResult:
    """Build the result of a comparison from its trained and evaluated rows.

    Args:
      plan: the plan of the comparison.
      rows: the rows by name, including the baseline.
      scorer: the scorer of the test set.
      tests: the evaluations of each row on the test set, one per seed.
      started: the value of `time.perf_counter` when the comparison started.
    """
    on_train = chance_of(plan.splits, plan.preprocessor, plan.splits.y_train)
    results = {name: _row_of_table(plan, row, tests[name], on_train) for name, row in rows.items()}
    predictions = _predictions(plan, tests)
    if predictions.task == "classification":
        for name, outputs in predictions.outputs.items():
            calibration = calibration_of(outputs, predictions.y)
            results[name] = dataclasses.replace(results[name], calibration=calibration)
    plain = results.pop(BASELINE)
    baseline_runs = rows[BASELINE].chosen.results
    weights = {name: tuple(result.weights for result in row.chosen.results) for name, row in rows.items()}
    preprocessors = {name: tuple(row.chosen.preprocessors) for name, row in rows.items()}
    techniques = paired_statistics(results, tests, tests[BASELINE], plan.splits.task)
    return CompareResult(
        dataset=plan.splits.name,
        task=plan.splits.task,
        metric=SCORE[plan.splits.task],
        seeds=plan.options.seeds,
        select=plan.options.select,
        settings=plan.settings(),
        baseline=plain,
        techniques=with_practical(techniques, tests, plan.options),
        diagnosis=diagnose_all(baseline_runs, on_train.loss, plan.data.x_val.shape[0]),
        chance={"score": scorer.chance.score, "loss": scorer.chance.loss},
        seconds=time.perf_counter() - started,
        versions={name: importlib.metadata.version(name) for name in ("jax", "jaxlib", "flax", "optax", "numpy")},
        **rank(tests)._asdict(),
        trained=Trained(as_model(plan.spec.model).apply, preprocessors, weights),
        predictions=predictions,
    )


def _predictions(plan: Plan, tests: Mapping[str, Sequence[Evaluation]]) -> Predictions:
    """Collect the predictions of all runs, which share their test examples."""
    seeds, splits = plan.options.all_seeds(), plan.splits
    rows = splits.indices.get("test")

    def for_each_run(array: np.ndarray) -> np.ndarray:
        return np.broadcast_to(array, (len(seeds), *array.shape))

    return Predictions(
        task=splits.task,
        seeds=np.asarray(seeds, np.int64),
        y=for_each_run(splits.y_test),
        rows=None if rows is None else for_each_run(rows.astype(np.int64)),
        outputs={name: np.stack([run.outputs for run in runs]) for name, runs in tests.items()},
    )


def _row_of_table(plan: Plan, row: Row, tests: Sequence[Evaluation], chance: Chance) -> TechniqueResult:
    """Summarize one row, without its paired statistics."""
    grid = tuple(
        GridPoint(
            outcome.trial.value,
            spread_of([evaluation.score for evaluation in outcome.select]),
            float(np.mean([evaluation.loss for evaluation in outcome.select])),
            outcome.diverged,
        )
        for outcome in row.outcomes
    )
    whole = plan.preprocessor
    scale = whole.y_scale
    results = [
        in_unit(result, own.loss_unit(whole))
        for result, own in zip(row.chosen.results, row.chosen.preprocessors, strict=True)
    ]
    return summarize_row(
        row.technique,
        row.pick.entry(),
        grid,
        results,
        tests,
        plan.splits.task,
        chance=chance,
        mse_unit=1.0 if scale is None else float(np.mean(np.square(scale))),
        diverged=row.chosen.diverged,
        lanes=len(row.outcomes) * plan.options.seeds,
        seconds=sum(outcome.seconds for outcome in row.outcomes),
    )
