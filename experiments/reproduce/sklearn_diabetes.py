"""Linear models of scikit-learn's documentation: least squares, ridge and lasso of the diabetes data, and two toys.

Command: `python -m experiments.reproduce.sklearn_diabetes` (20 seconds on two cores that other work shared); it
prints the record `experiments/records/reproduce/sklearn_diabetes.json`.

The published numbers are `PUBLICATION` below. The documentation prints them cut off after some digits, as
`-212.4...`, so the expected range is that of all numbers that begin with these digits. Nothing is random. The lasso of
the documentation is scikit-learn's with `tol=1e-4`, which stops at a duality gap of `1e-4 ||y||^2`; the record says
how far that is from the minimum, by the same solver with a small `tol` and by the value of the objective (`stopped`).
"""

from __future__ import annotations

import math
import sys
import time
from typing import Any

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Lasso

import regjax as rj
from experiments.reproduce.command import command
from experiments.reproduce.convex import Fit, double_precision, fitted, lasso_fits, r2
from experiments.reproduce.published import Publication, Published, printed, record, rounded

TEST = 20  # the last rows
ALPHAS = np.logspace(-4, -1, 6)
RIDGE_R2 = ("0.585", "0.585", "0.5854", "0.5855", "0.583", "0.570")
COEFFICIENTS = ("0.", "-212.4", "517.2", "313.7", "-160.8", "-0.", "-187.1", "69.3", "508.6", "71.8")
TUTORIAL = "supervised learning tutorial"
GUIDE = "user guide, 1.1"


def begins(row: str, digits: str, where: str) -> Published:
    """A number that is printed as these digits and `...`: it may go on in any way, away from zero."""
    value, unit = float(digits), 10.0 ** -len(digits.partition(".")[2])
    beyond = value + math.copysign(unit, value)
    return Published(row, value, min(value, beyond), max(value, beyond), where)


def coefficient(name: str, digits: str) -> Published:
    """A coefficient of the lasso; those that are printed as `0.` are exactly zero."""
    row = f"lasso, coefficient of {name}"
    return begins(row, digits, TUTORIAL) if float(digits) else Published(row, 0.0, 0.0, 0.0, TUTORIAL)


FEATURES = tuple(load_diabetes().feature_names)
PUBLICATION = Publication(
    "scikit-learn developers, documentation of version 1.4.2 (2024)",
    "https://scikit-learn.org/1.4/tutorial/statistical_inference/supervised_learning.html",
    "as named",
    "422 patients train, the last 20 test; penalties as scikit-learn defines them.",
    "the same rows; `rj.from_sklearn` converts the penalty, `rj.proximal_gradient` and `rj.lasso_path` minimize in "
    "double precision. The numbers were read in the source archive of version 1.4.2.",
    (
        begins("least squares, test MSE", "2004.5", TUTORIAL),
        begins("least squares, test R2", "0.585", TUTORIAL),
        *(
            begins(f"ridge, alpha {alpha:.3g}, test R2", digits, TUTORIAL)
            for alpha, digits in zip(ALPHAS, RIDGE_R2, strict=True)
        ),
        printed("lasso, best of the six alphas", 0.025118864315095794, 15, TUTORIAL),
        *(coefficient(name, digits) for name, digits in zip(FEATURES, COEFFICIENTS, strict=True)),
        printed("toy ridge, both coefficients", 0.34545455, 8, GUIDE + ".2"),
        begins("toy ridge, intercept", "0.13636", GUIDE + ".2"),
        printed("toy lasso, prediction at (1, 1)", 0.8, 8, GUIDE + ".3"),
    ),
)


def toys() -> tuple[Fit, Fit]:
    """The ridge and the lasso of the user guide, on three and two examples."""
    x, y = np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]]), np.array([0.0, 0.1, 1.0])
    ridge = fitted(x, y, rj.from_sklearn("ridge", alpha=0.5, n=3))
    lasso = fitted(x[1:], y[[0, 2]], rj.from_sklearn("lasso", alpha=0.1))
    return ridge, lasso


def stopped(x: np.ndarray, y: np.ndarray, alpha: float, ours: Fit) -> dict[str, Any]:
    """How far scikit-learn's lasso is from the minimum at its default tolerance, and at a small one."""

    def objective(coefficients: np.ndarray, intercept: float) -> float:
        return float(np.mean((y - x @ coefficients - intercept) ** 2) + 2 * alpha * np.abs(coefficients).sum())

    least = objective(ours.coefficients, ours.intercept)
    out = {}
    for tol in (1e-4, 1e-12):
        theirs = Lasso(alpha=alpha, tol=tol, max_iter=1_000_000).fit(x, y)
        out[f"tol {tol:g}"] = {
            "above_the_minimum": rounded(objective(theirs.coef_, theirs.intercept_) - least),
            "largest_difference_of_a_coefficient": rounded(float(np.abs(theirs.coef_ - ours.coefficients).max())),
            "coefficients": [rounded(float(value)) for value in theirs.coef_],
        }
    return out


@double_precision
def run() -> dict[str, Any]:
    """The record."""
    started = time.time()
    data = load_diabetes()
    x, y, x_test, y_test = data.data[:-TEST], data.target[:-TEST], data.data[-TEST:], data.target[-TEST:]
    least_squares = fitted(x, y)
    measured: dict[str, float] = {
        "least squares, test MSE": float(np.mean((least_squares(x_test) - y_test) ** 2)),
        "least squares, test R2": r2(least_squares(x_test), y_test),
    }
    for alpha in ALPHAS:
        ridge = fitted(x, y, rj.from_sklearn("ridge", alpha=float(alpha), n=len(y)))
        measured[f"ridge, alpha {alpha:.3g}, test R2"] = r2(ridge(x_test), y_test)
    lassos = lasso_fits(x, y, ALPHAS[::-1])[::-1]
    best = int(np.argmax([r2(fit(x_test), y_test) for fit in lassos]))
    measured["lasso, best of the six alphas"] = float(ALPHAS[best])
    for name, value in zip(FEATURES, lassos[best].coefficients, strict=True):
        measured[f"lasso, coefficient of {name}"] = float(value)
    ridge, lasso = toys()
    low, high = sorted(ridge.coefficients)
    measured["toy ridge, both coefficients"] = float(low if abs(low - 0.34545455) > abs(high - 0.34545455) else high)
    measured["toy ridge, intercept"] = ridge.intercept
    measured["toy lasso, prediction at (1, 1)"] = float(lasso(np.ones((1, 2)))[0])
    more = {
        "stopped": stopped(x, y, float(ALPHAS[best]), lassos[best]),
        "two_solvers": rounded(
            float(
                np.abs(
                    fitted(x, y, rj.from_sklearn("lasso", alpha=float(ALPHAS[best]))).coefficients
                    - lassos[best].coefficients
                ).max()
            )
        ),
    }
    return record("sklearn_diabetes", PUBLICATION, measured, started, **more)


if __name__ == "__main__":
    sys.exit(command(run, __doc__))
