import dataclasses

import numpy as np
import pytest

from regjax.comparison import importance
from regjax.comparison.importance import importances, left_out, summarized
from regjax.comparison.procedure import choose, compare, make_runner, train
from regjax.data import keyed_random


def test_it_is_what_a_permuted_column_costs(stages):
    """Recomputed from the weights of a linear model."""
    found = importances(stages.plan, stages.rows)
    splits, row = stages.plan.splits, stages.rows["l2"]
    assert found["l2"].shape == (2, splits.x_test.shape[1])
    x = splits.x_test.copy()
    order = keyed_random.order(len(x), "importance", stages.plan.options.split_seed, "column 0")
    x[:, 0] = x[order, 0]
    for i, (result, own) in enumerate(zip(row.chosen.results, row.chosen.preprocessors, strict=True)):
        (layer,) = result.weights.params.values()
        accuracy = [
            np.mean((own.transform(part) @ layer["kernel"] + layer["bias"]).argmax(axis=1) == splits.y_test)
            for part in (splits.x_test, x)
        ]
        assert found["l2"][i, 0] == pytest.approx(accuracy[0] - accuracy[1], abs=1e-6)


@pytest.mark.slow
def test_columns_that_matter_stand_out(table):
    result = compare("linear", table, ["l2"], seeds=6, epochs=8, learning_rate=0.03)
    means = [column["mean"] for column in result.importance["rows"]["baseline"]]
    assert min(means[:2]) > 0.1 > 2 * max(np.abs(means[2:]))  # the target is made of the first two


def test_too_many_evaluations_are_left_out(stages, monkeypatch):
    monkeypatch.setattr(importance, "MOST_EVALUATIONS", 10)
    assert importances(stages.plan, stages.rows) == {}
    assert "3 rows and 2 runs are more than 10" in left_out(stages.plan, 3)
    monkeypatch.setattr(importance, "MOST_COLUMNS", 3)
    assert "columns, and at most 3" in left_out(stages.plan, 3)
    assert summarized([], {}) is None
    image = dataclasses.replace(stages.plan, splits=dataclasses.replace(stages.plan.splits, kind="image"))
    assert importances(image, stages.rows) == {}
    assert left_out(image, 3) == ""


def test_a_split_without_a_combination_is_left_out_like_one_with_it(stages, monkeypatch):
    """8 columns, 2 runs and 2 rows are 32 evaluations, with the combination 48: no split is to be alone in the sum."""
    plan = dataclasses.replace(stages.plan, with_combination=True)
    monkeypatch.setattr(importance, "MOST_EVALUATIONS", 40)
    assert importances(stages.plan, stages.rows)
    assert importances(plan, stages.rows) == {}


def test_a_diverged_run_relies_on_nothing(stages):
    plan = dataclasses.replace(stages.plan, options=dataclasses.replace(stages.plan.options, learning_rate=1e30))
    rows = choose(plan, train(plan, make_runner(plan)))
    assert not importances(plan, rows)["l2"].any()
