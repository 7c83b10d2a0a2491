"""Permutation importance: which columns of a table the rows of a comparison rely on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax.numpy as jnp
import numpy as np

from regjax.analysis import mean_interval
from regjax.comparison.choose import Row
from regjax.comparison.details import column_places
from regjax.comparison.plan import Plan
from regjax.comparison.scoring import Scorer
from regjax.comparison.train import diverged
from regjax.core.typing import Json
from regjax.data import keyed_random
from regjax.models.interface import as_model

MOST_COLUMNS, MOST_EVALUATIONS = 60, 4_000
"""Tables with more columns, or more evaluations on all splits, are left out: each takes a few milliseconds."""
MOST_EXAMPLES = 2_000  # of a test set


def left_out(plan: Plan, rows: int) -> str:
    """Why there is no importance of the columns of a table, in words; empty if there is.

    Args:
      plan: the plan on a split.
      rows: the largest number of rows of a split, which is that of all: not every split has a combination.
    """
    columns = len(column_places(plan.splits)) if plan.splits.kind == "table" else 0
    evaluations = columns * rows * plan.options.seeds
    if columns > MOST_COLUMNS:
        return f"there are {columns} columns, and at most {MOST_COLUMNS} are permuted"
    if evaluations > MOST_EVALUATIONS:
        return (
            f"{columns} columns, {rows} rows and {plan.options.seeds} runs are more than {MOST_EVALUATIONS} evaluations"
        )
    return ""


def importances(plan: Plan, rows: Mapping[str, Row]) -> dict[str, np.ndarray]:
    """Return by how much the score of each run falls when a column of the test examples is permuted.

    All inputs of a column are permuted together, all rows of the comparison see the same permutation, and a column on
    which a model does not rely has about 0, as has one of two columns that say the same.

    Args:
      plan: the plan on a split.
      rows: the rows with their chosen settings.

    Returns:
      `float64[runs, columns]` by row; empty for other data than tables, and for too many columns.

    Reference:
      Breiman, Random forests, 2001; Fisher, Rudin and Dominici, All models are wrong, but many are useful, 2019.
    """
    if plan.splits.kind != "table" or left_out(plan, plan.rows_tested):
        return {}
    places = column_places(plan.splits)
    x, y = np.asarray(plan.splits.x_test[:MOST_EXAMPLES]), plan.splits.y_test[:MOST_EXAMPLES]
    scorer = Scorer.of_examples(as_model(plan.spec.model).apply, plan.splits, plan.unit, (x, y), plan.metric, plan.loss)
    runs = [
        (name, i, result.weights, own)
        for name, row in rows.items()
        for i, (result, own) in enumerate(zip(row.chosen.results, row.chosen.preprocessors, strict=True))
        if not diverged(result)
    ]
    whole = {(name, i): scorer(weights, False, own).score for name, i, weights, own in runs}
    out = {name: np.zeros((len(row.chosen.results), len(places))) for name, row in rows.items()}
    for j, (column, inputs) in enumerate(places.items()):
        permuted = x.copy()
        order = keyed_random.order(len(x), "importance", plan.options.split_seed + plan.number, column)
        permuted[:, inputs] = x[order][:, inputs]
        on_device = jnp.asarray(permuted)
        for name, i, weights, own in runs:
            out[name][i, j] = whole[name, i] - scorer(weights, False, own, on_device).score
    return out


def summarized(columns: Sequence[str], falls: Mapping[str, np.ndarray]) -> dict[str, Json] | None:
    """Return means and 95% intervals over the runs alone, `{"columns", "rows": {name: [{"mean", "ci95"}]}}`."""
    if not falls:
        return None

    def of(values: np.ndarray) -> dict[str, Json]:
        mean, low, high = mean_interval(values.tolist())
        return {"mean": float(f"{mean:.5g}"), "ci95": [float(f"{low:.5g}"), float(f"{high:.5g}")]}

    return {
        "columns": list(columns),
        "rows": {name: [of(column) for column in table.T] for name, table in falls.items()},
    }
