"""The numbers of scikit-learn's documentation: the repetition itself takes seconds."""

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso, Ridge

from experiments.reproduce import sklearn_diabetes as module
from experiments.reproduce.convex import double_precision

RECORD = Path(__file__).resolve().parents[3] / "experiments/records/reproduce/sklearn_diabetes.json"


def test_digits_that_are_cut_off_leave_a_range_away_from_zero():
    positive, negative = module.begins("a", "2004.5", "x"), module.begins("b", "-160.8", "x")
    assert (positive.low, positive.high) == pytest.approx((2004.5, 2004.6))
    assert (negative.low, negative.high) == pytest.approx((-160.9, -160.8))
    assert module.coefficient("age", "-0.") == module.Published("lasso, coefficient of age", 0, 0, 0, module.TUTORIAL)


def test_the_toys_are_those_of_scikit_learn():
    ridge, lasso = double_precision(module.toys)()
    theirs = Ridge(alpha=0.5).fit([[0, 0], [0, 0], [1, 1]], [0, 0.1, 1])
    np.testing.assert_allclose(ridge.coefficients, theirs.coef_, atol=1e-10)
    assert ridge.intercept == pytest.approx(theirs.intercept_, abs=1e-10)
    # The lasso's coefficients are not unique, because both columns are the same; its prediction is.
    prediction = Lasso(alpha=0.1).fit([[0, 0], [1, 1]], [0, 1]).predict([[1, 1]])[0]
    assert lasso(np.ones((1, 2)))[0] == pytest.approx(prediction, abs=1e-8)


def test_the_repetition_gives_the_record_again():
    again, kept = module.run(), json.loads(RECORD.read_text())
    for new, old in zip(again["rows"], kept["rows"], strict=True):
        assert new["measured"] == pytest.approx(old["measured"], rel=1e-6, abs=1e-7), new["row"]
        assert new["repeated"] == old["repeated"]
    assert sum(row["repeated"] for row in again["rows"]) == 18


def test_rows_that_fail_are_those_of_a_solver_that_stopped():
    """The printed coefficients are scikit-learn's at its default tolerance, and the minimum is elsewhere."""
    data = load_diabetes()
    default = Lasso(alpha=0.025118864315095794).fit(data.data[:-20], data.target[:-20])
    for number in module.PUBLICATION.numbers:
        if number.row.startswith("lasso, coefficient of"):
            value = default.coef_[module.FEATURES.index(number.row.split()[-1])]
            assert number.low <= value <= number.high
    kept = json.loads(RECORD.read_text())["stopped"]
    assert kept["tol 0.0001"]["above_the_minimum"] > 1e-5
    assert abs(kept["tol 1e-12"]["above_the_minimum"]) < 1e-9
