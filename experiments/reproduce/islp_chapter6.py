"""Ridge and lasso of the salaries of baseball players: the lab of chapter 6 of a textbook (Hitters).

Command: `python -m experiments.reproduce.islp_chapter6 --packages=DIR` (75 seconds on two cores that other work
shared); it prints the record `experiments/records/reproduce/islp_chapter6.json`. DIR
holds the archive of ISLP 0.4.0, which has the table: `pip download --no-deps --dest=DIR ISLP==0.4.0`.

The published numbers are those of `PUBLICATION` below. The lab uses scikit-learn's coordinate descent, which stops
at a duality gap of `1e-4 ||y||^2` or after 1,000 sweeps, and it hides the warnings that ridge did not converge. So
the expected ranges are:

- the penalties of the grid and the null model: the printed digits, of which the arithmetic is exact;
- ridge at the strong penalty 25.5: within 1e-3 of a coefficient (of some 5), as it converges in a few sweeps;
- ridge at weak penalties, and all that depends on it: 1% of a norm or of a mean squared error;
- the choice by cross-validation: the same penalty of the grid; the lasso: within 0.5% of the penalty, because the grid
  is computed from the data, 1% of the error, and within 2 of a coefficient (of up to 240).

What the lab prints for columns that are not standardized (cell 65), and the figures of Credit, which show no numbers,
are not repeated.
"""

from __future__ import annotations

import csv
import io
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, ShuffleSplit

from experiments.atlas.packages import read_member
from experiments.reproduce.command import PACKAGES, command
from experiments.reproduce.convex import Fit, centre_and_scale, double_precision, fitted, lasso_fits, ridge_fits
from experiments.reproduce.published import Publication, Published, around, printed, record, rounded

LEVELS = {"League": "N", "Division": "W", "NewLeague": "N"}  # the level that the column of a factor is 1 for
STRONG, WEAK = 39, 59  # positions on the grid
RIDGE = (
    ("AtBat", 5.433750),
    ("Hits", 6.223582),
    ("HmRun", 4.585498),
    ("Runs", 5.880855),
    ("RBI", 6.195921),
    ("Walks", 6.277975),
    ("Years", 5.299767),
    ("CAtBat", 7.147501),
    ("CHits", 7.539495),
    ("CHmRun", 7.182344),
    ("CRuns", 7.728649),
    ("CRBI", 7.790702),
    ("CWalks", 6.592901),
    ("League[N]", 0.042445),
    ("Division[W]", -3.107159),
    ("PutOuts", 4.605263),
    ("Assists", 0.378371),
    ("Errors", -0.135196),
    ("NewLeague[N]", 0.150323),
)
_LASSO_OF = (-210.01, 243.455, 0, 0, 0, 97.694, -41.523, 0, 0, 39.623, 205.753, 124.555, -126.3)
LASSO = (*_LASSO_OF, 15.703, -59.502, 75.246, 21.627, -12.044, 0)  # in the order of RIDGE
CELL = "Ch06-varselect-lab.ipynb, cell {}".format


def share(row: str, value: float, fraction: float, where: str) -> Published:
    """A number that is expected within a fraction of itself."""
    return around(row, value, fraction * abs(value), where)


PUBLICATION = Publication(
    "James, Witten, Hastie, Tibshirani and Taylor 2023, An Introduction to Statistical Learning with Python, chapter 6",
    "https://github.com/intro-stat-learning/ISLP_labs",
    "as named",
    "263 players, 19 columns with variance one; scikit-learn's ElasticNet with l1_ratio 0 or 1.",
    "the same table, grids and folds (scikit-learn's KFold and ShuffleSplit with the seeds of the lab); minima by "
    "`rj.regularization_path` and `rj.lasso_path` in double precision. The numbers were read in the notebook; cells "
    "count from 0.",
    (
        printed("ridge, penalty of position 39", 25.535389, 6, CELL(55)),
        *(around(f"ridge at 25.5, {name}", value, 1e-3, CELL(55)) for name, value in RIDGE),
        around("ridge at 25.5, norm", 24.170617, 1e-3, CELL(57)),
        share("ridge at 0.244, norm", 160.423710, 0.01, CELL(59)),
        share("null model, test MSE", 231788.32155285, 1e-6, CELL(67)),
        share("ridge, penalty by half split", 0.005899006, 1e-6, CELL(69)),
        share("ridge, penalty by 5 folds", 0.011852478, 1e-6, CELL(71)),
        share("ridge, least MSE of 5 folds", 115526.706, 0.01, CELL(83)),
        share("ridge, norm at that penalty", 494.2464, 0.01, CELL(85) + " (of the printed coefficients)"),
        share("ridge, nested test MSE", 132393.84, 0.01, CELL(89)),
        share("lasso, penalty by 5 folds", 3.147237, 0.005, CELL(92)),
        share("lasso, least MSE of 5 folds", 114690.731, 0.01, CELL(97)),
        printed("lasso, non-zero coefficients", 13, 0, CELL(100)),
        *(
            around(f"lasso, {name}", value, 2.0 if value else 0.0, CELL(101))
            for (name, _), value in zip(RIDGE, LASSO, strict=True)
        ),
    ),
)


def hitters(packages: Path) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Inputs `[263, 19]`, salaries `[263]` and names of the columns, in the order of the table."""
    text = read_member(packages, "ISLP", "ISLP/data/Hitters.csv").decode()
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["Salary"]]
    names = [name for name in rows[0] if name != "Salary"]
    columns = [[float(r[n] == LEVELS[n]) if n in LEVELS else float(r[n]) for r in rows] for n in names]
    labels = [f"{name}[{LEVELS[name]}]" if name in LEVELS else name for name in names]
    return np.array(columns).T, np.array([float(row["Salary"]) for row in rows]), labels


def standardized(x: np.ndarray, fit_on: np.ndarray | None = None) -> np.ndarray:
    """Columns with mean zero and variance one on the rows `fit_on`; None is all."""
    mean, deviation = centre_and_scale(x if fit_on is None else x[fit_on])
    return (x - mean) / deviation


def mse(fits: list[Fit], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean squared error of each fit."""
    return np.array([np.mean((fit(x) - y) ** 2) for fit in fits])


def lasso_grid(x: np.ndarray, y: np.ndarray, count: int = 100, smallest: float = 1e-3) -> np.ndarray:
    """The default grid of scikit-learn: from the least penalty with a zero solution, evenly in the logarithm."""
    largest = np.abs(x.T @ (y - y.mean())).max() / len(y)
    return largest * np.geomspace(1.0, smallest, count)


def ridge_rows(x: np.ndarray, y: np.ndarray, labels: list[str]) -> tuple[dict[str, float], dict[str, Any]]:
    """All rows of ridge, and further results."""
    grid = 10 ** np.linspace(8, -2, 100) / y.std()
    fits = ridge_fits(standardized(x), y, grid)
    measured = {"ridge, penalty of position 39": float(grid[STRONG])}
    for name, value in zip(labels, fits[STRONG].coefficients, strict=True):
        measured[f"ridge at 25.5, {name}"] = float(value)
    measured["ridge at 25.5, norm"] = float(np.linalg.norm(fits[STRONG].coefficients))
    measured["ridge at 0.244, norm"] = float(np.linalg.norm(fits[WEAK].coefficients))
    train_half, test_half = next(ShuffleSplit(n_splits=1, test_size=0.5, random_state=0).split(x))
    train, test = train_half, test_half
    # The lab's null model is ridge with penalty 1e10 on columns as they are, of which the largest has variance 5e6.
    null = ridge_fits(x[train], y[train], [1e10])[0]
    measured["null model, test MSE"] = float(np.mean((null(x[test]) - y[test]) ** 2))
    inside = standardized(x, train)
    half = mse(ridge_fits(inside[train], y[train], grid), inside[test], y[test])
    measured["ridge, penalty by half split"] = float(grid[half.argmin()])
    folds = list(KFold(5, shuffle=True, random_state=0).split(x))
    errors = []
    for train, test in folds:
        inside = standardized(x, train)
        errors.append(mse(ridge_fits(inside[train], y[train], grid), inside[test], y[test]))
    measured["ridge, penalty by 5 folds"] = float(grid[np.mean(errors, axis=0).argmin()])
    outside = standardized(x)
    means = np.mean([mse(ridge_fits(outside[a], y[a], grid), outside[b], y[b]) for a, b in folds], axis=0)
    measured["ridge, least MSE of 5 folds"] = float(means.min())
    chosen = fits[int(means.argmin())]
    measured["ridge, norm at that penalty"] = float(np.linalg.norm(chosen.coefficients))
    measured["ridge, nested test MSE"] = nested(x, y, grid)
    least_squares = fitted(standardized(x), y)
    return measured, {
        "null_model_of_the_mean": rounded(float(np.mean((y[test_half] - y[train_half].mean()) ** 2))),
        "ridge_coefficients_at_the_choice": [rounded(float(value)) for value in chosen.coefficients],
        "least_squares_norm": rounded(float(np.linalg.norm(least_squares.coefficients))),
    }


def nested(x: np.ndarray, y: np.ndarray, grid: np.ndarray) -> float:
    """Test error of ridge whose penalty five folds of the training part choose (cell 89)."""
    [(train, test)] = ShuffleSplit(n_splits=1, test_size=0.25, random_state=1).split(x)
    scaled = standardized(x, train)
    inner, y_inner = scaled[train], y[train]
    folds = KFold(5, shuffle=True, random_state=2).split(inner)
    means = np.mean([mse(ridge_fits(inner[a], y_inner[a], grid), inner[b], y_inner[b]) for a, b in folds], axis=0)
    best = ridge_fits(inner, y_inner, grid[: int(means.argmin()) + 1])[-1]
    return float(np.mean((best(scaled[test]) - y[test]) ** 2))


def lasso_rows(x: np.ndarray, y: np.ndarray, labels: list[str]) -> dict[str, float]:
    """All rows of the lasso."""
    scaled = standardized(x)
    grid = lasso_grid(scaled, y)
    folds = KFold(5, shuffle=True, random_state=0).split(x)
    means = np.mean([mse(lasso_fits(scaled[a], y[a], grid), scaled[b], y[b]) for a, b in folds], axis=0)
    best = lasso_fits(scaled, y, grid)[int(means.argmin())]
    return {
        "lasso, penalty by 5 folds": float(grid[means.argmin()]),
        "lasso, least MSE of 5 folds": float(means.min()),
        "lasso, non-zero coefficients": float(np.count_nonzero(best.coefficients)),
        **{f"lasso, {name}": float(value) for name, value in zip(labels, best.coefficients, strict=True)},
    }


@double_precision
def run(packages: Path) -> dict[str, Any]:
    """The record."""
    started = time.time()
    x, y, labels = hitters(packages)
    measured, more = ridge_rows(x, y, labels)
    measured |= lasso_rows(x, y, labels)
    return record("islp_chapter6", PUBLICATION, measured, started, **more)


if __name__ == "__main__":
    sys.exit(command(run, __doc__, PACKAGES))
