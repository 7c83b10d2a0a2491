"""The lab of chapter 10 on a table of its own: least squares, the choice of the lasso, and the net."""

import numpy as np
import pytest
from sklearn.linear_model import Lasso, LinearRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from experiments.reproduce import islp_chapter10 as module

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4)) * [1.0, 5.0, 0.5, 2.0] + 3.0
Y = X @ [2.0, 0.0, -1.0, 0.5] + RNG.normal(size=60)
PARTS = (X[:40], Y[:40], X[40:], Y[40:])


def test_the_linear_models_are_those_of_scikit_learn():
    found = module.linear(*PARTS)
    assert found["least squares"] == pytest.approx(
        module.mae(LinearRegression().fit(*PARTS[:2]).predict(PARTS[2]), PARTS[3]), abs=1e-7
    )
    scaled = StandardScaler().fit_transform(PARTS[0])
    largest = np.abs(scaled.T @ (PARTS[1] - PARTS[1].mean())).max() / 40
    grid = GridSearchCV(
        Pipeline([("scaler", StandardScaler()), ("lasso", Lasso(tol=1e-10, max_iter=100_000))]),
        {"lasso__alpha": largest * np.exp(np.linspace(0, np.log(0.01), 100))},
        cv=KFold(10, shuffle=True, random_state=1),
        scoring="neg_mean_absolute_error",
    ).fit(*PARTS[:2])
    assert found["lasso"] == pytest.approx(module.mae(grid.predict(PARTS[2]), PARTS[3]), abs=1e-6)


def test_the_net_learns_and_its_seeds_differ(monkeypatch):
    monkeypatch.setattr(module, "EPOCHS", 100)
    errors = module.nets(PARTS, seeds=2, rate=0.0)
    constant = module.mae(np.full(20, PARTS[1].mean()), PARTS[3])
    assert errors[0] != errors[1]
    assert max(errors) < 0.7 * constant


def test_differences_are_paired_by_seed():
    found = module.compared_pairs([3.0, 5.0, 7.0], [1.0, 2.0, 3.0])
    assert found["mean"] == 3.0
    assert found["ci95"] == pytest.approx([3 - 4.30265 / 3**0.5, 3 + 4.30265 / 3**0.5], abs=1e-4)
