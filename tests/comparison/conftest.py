from types import SimpleNamespace

import numpy as np
import pytest

from regjax.comparison import procedure
from regjax.comparison.options import CompareOptions
from regjax.comparison.plan import make_plan
from regjax.comparison.training_score import training_scores
from regjax.data import Dataset, split


@pytest.fixture(scope="session")
def table():
    """A classification table of 400 rows with 6 useless columns, easy to overfit with 40 of them."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 8)).astype(np.float32)
    y = (x[:, 0] + x[:, 1] + 0.5 * rng.normal(size=400) > 0).astype(np.int32)
    return split(Dataset("table", "classification", x, y))


@pytest.fixture(scope="session")
def stages(table):
    """The stages of a small comparison: its plan, what was trained and chosen, and its evaluation."""
    options = CompareOptions(seeds=2, epochs=3, train_examples=40, seed=5, learning_rate=3e-3)
    plan = make_plan("linear", table, {"l2": [0.01, 0.1]}, options)
    steps = []
    runner = procedure.make_runner(plan, None, None, lambda *step: steps.append(step))
    trained = procedure.train(plan, runner)
    rows, tested = procedure.train_anew(plan, procedure.choose(plan, trained), runner)
    scorer, tests = procedure.evaluate_on_test(plan, rows)
    on_train = training_scores(plan, rows, tested)
    return SimpleNamespace(
        plan=plan, runner=runner, steps=steps, trained=trained, rows=rows, scorer=scorer, tests=tests, on_train=on_train
    )
