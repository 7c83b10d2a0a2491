"""The metric of finished runs on their own training examples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from regjax.catalog import METRICS
from regjax.comparison.choose import Row
from regjax.comparison.plan import Plan
from regjax.comparison.scoring import Scorer, chance_of
from regjax.comparison.summary import at_end
from regjax.comparison.train import Runner, diverged
from regjax.models.interface import as_model
from regjax.training.evaluate import SCORE
from regjax.training.run import RunResult
from regjax.training.spec import make_hparams


def training_scores(plan: Plan, rows: Mapping[str, Row], runner: Runner) -> dict[str, list[float]]:
    """Return the metric of the comparison on the training examples of each run, with their labels as the run saw them.

    The default metric of the task is in the history of a run. Any other is computed from the predictions of the final
    weights, on as many training examples as the history looks at. A diverged run gets that of a constant guess.

    Args:
      plan: the plan on a split.
      rows: the rows with their chosen settings.
      runner: the runner of these runs.
    """
    guess = (
        chance_of(plan.splits, plan.unit, plan.splits.y_train, plan.metric, plan.loss).score * METRICS[plan.metric].sign
    )
    if plan.metric == SCORE[plan.splits.task]:
        return {
            name: [
                guess if diverged(result) else at_end(result, f"train/{plan.metric}", guess)
                for result in row.chosen.results
            ]
            for name, row in rows.items()
        }
    return {
        name: [_score(plan, row, i, result, runner, guess) for i, result in enumerate(row.chosen.results)]
        for name, row in rows.items()
    }


def _score(plan: Plan, row: Row, run: int, result: RunResult, runner: Runner, guess: float) -> float:
    if diverged(result):
        return guess
    arguments = {"n_train": runner.defaults["n_train"], **row.chosen.trial.arguments}
    size = min(int(np.asarray(make_hparams(**arguments).n_train)), plan.spec.eval_train_examples)
    examples = np.asarray(runner.data.order[run][:size])
    scorer = Scorer.of_examples(
        as_model(plan.spec.model).apply,
        plan.splits,
        plan.unit,
        (runner.data.x[examples], np.asarray(runner.data.y[run])[examples]),
        plan.metric,
        plan.loss,
    )
    found = scorer(result.weights, False, row.chosen.preprocessors[run])
    return METRICS[plan.metric].sign * found.score
