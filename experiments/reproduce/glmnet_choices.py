"""What cross-validation chooses in glmnet's vignette: `lambda_min` and `lambda_1se` over random folds.

Command: `python -m experiments.reproduce.glmnet_choices --data=DIR` (about 20 minutes on two cores that other work
shared); it prints the record `experiments/records/reproduce/glmnet_choices.json`. DIR is
that of `experiments.reproduce.glmnet_vignette`.

The vignette draws its folds at random and does not print them, so its choices cannot be repeated digit by digit. Here
folds of equal size are drawn 100 times. A printed choice is repeated if it lies within the middle 95% of what these
draws choose: the share of draws that choose a larger penalty, ties counted half, is expected from 0.025 to 0.975.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import regjax as rj
from experiments.reproduce.command import command
from experiments.reproduce.convex import double_precision
from experiments.reproduce.glmnet_vignette import CELL, grid, largest_lambda, table
from experiments.reproduce.published import Publication, around, record, rounded

DRAWS, TOL, ITERATIONS = 100, 1e-6, 2_000
MIDDLE = (0.5, 0.475)  # a share within the middle 95%


class Case(NamedTuple):
    """A cross-validation of the vignette.

    Attributes:
      title: what is fitted.
      file: the prefix of its examples.
      folds: number of folds.
      printed: the penalties that it chose, by name.
      cells: where they are printed.
    """

    title: str
    file: str
    folds: int
    printed: dict[str, float]
    cells: dict[str, int]


CASES = (
    Case("lasso", "QuickStartExample", 20, {"lambda_min": 0.07569327}, {"lambda_min": 25}),
    Case(
        "four responses", "MultiGaussianExample", 10, {"lambda_min": 0.04731812, "lambda_1se": 0.1445027},
        {"lambda_min": 56, "lambda_1se": 57},
    ),
    Case(
        "logistic, by the error rate", "BinomialExample", 10, {"lambda_min": 0.00333032, "lambda_1se": 0.00638726},
        {"lambda_min": 71, "lambda_1se": 72},
    ),
)  # fmt: skip


def row_of(case: Case, name: str) -> str:
    """The name of a row of the record."""
    return f"{case.title}, {name} {case.printed[name]}: share of draws that choose a larger one"


PUBLICATION = Publication(
    "Hastie, Qian, Balakumar and Han 2017, Glmnet Vignette (for python)",
    "https://github.com/bbalasub1/glmnet_python",
    "share of draws of the folds",
    "one draw of random folds, which is not printed.",
    "100 draws of folds of equal size; paths by `rj.regularization_path` in double precision, standardized inside each "
    "fold, at the penalties of all examples (glmnet interpolates between those of the fold).",
    tuple(around(row_of(case, name), *MIDDLE, CELL(case.cells[name])) for case in CASES for name in case.printed),
)


def penalty_of(outputs: int, *, binary: bool) -> rj.Penalty:
    """Glmnet's lasso for lambda 1, over columns whose weights for all outputs leave together."""
    if binary:
        return rj.from_glmnet(1.0, family="binomial")
    return rj.from_sklearn("multitask_lasso" if outputs > 1 else "lasso", alpha=1.0, outputs=outputs)


def path_of(outputs: int, *, binary: bool) -> Callable[..., Any]:
    """A compiled function from training examples, penalties and further rows to predictions `[penalties, rows, D]`."""
    penalty = penalty_of(outputs, binary=binary)

    @jax.jit
    def predicted(x: Any, y: Any, lambdas: Any, rows: Any) -> Any:
        mean, deviation = x.mean(axis=0), x.std(axis=0)
        columns = (x - mean) / deviation

        def objective(params: dict[str, Any]) -> Any:
            out = columns @ params["w"] + params["bias"]
            return jnp.mean(rj.binary_cross_entropy(out, y) if binary else rj.squared_error(out, y))

        start = {"w": jnp.zeros((x.shape[1], outputs)), "bias": y.mean(axis=0) * (not binary)}
        found = rj.regularization_path(objective, penalty, lambdas, start, tol=TOL, max_iterations=ITERATIONS)
        return ((rows - mean) / deviation) @ found.params["w"] + found.params["bias"][:, None]

    return predicted


def chosen(errors: np.ndarray, lambdas: np.ndarray) -> dict[str, float]:
    """The penalties that glmnet chooses by the mean errors of folds of equal size, `[folds, penalties]`.

    lambda_min: the largest of those with the lowest mean
    lambda_1se: the largest whose mean is at most that plus its standard error, s / sqrt(folds)
    """
    means, error = errors.mean(axis=0), errors.std(axis=0, ddof=1) / np.sqrt(len(errors))
    best = int(np.flatnonzero(means <= means.min() + 1e-12)[0])  # penalties descend
    within = int(np.flatnonzero(means <= means[best] + error[best])[0])
    return {"lambda_min": float(lambdas[best]), "lambda_1se": float(lambdas[within])}


def draws_of(case: Case, directory: Path, draws: int) -> list[dict[str, float]]:
    """What each draw of folds chooses."""
    x, y = table(directory, f"{case.file}X"), table(directory, f"{case.file}Y")
    binary, y = case.file.startswith("Binomial"), y.reshape(len(y), -1)
    lambdas = grid(largest_lambda(x, y, 1.0, np.ones(len(y))))
    predicted, out = path_of(y.shape[1], binary=binary), []
    for draw in range(draws):
        folds = np.random.default_rng(draw).permutation(len(y)).reshape(case.folds, -1)
        errors = []
        for fold in folds:
            others = np.setdiff1d(np.arange(len(y)), fold)
            values = np.asarray(predicted(x[others], y[others], lambdas, x[fold]))
            each = ((values > 0) != y[fold]) if binary else (values - y[fold]) ** 2
            errors.append(each.sum(axis=2).mean(axis=1))
        out.append(chosen(np.array(errors), lambdas))
    return out


def share_larger(values: np.ndarray, printed: float) -> float:
    """The share of values above a printed one, ties counted half; 7 digits are printed."""
    tied = np.abs(values - printed) < 1e-5 * printed
    return float(np.mean(np.where(tied, 0.5, values > printed)))


@double_precision
def run(data: Path, draws: int = DRAWS) -> dict[str, Any]:
    """The record."""
    started, measured, more = time.time(), {}, {}
    for case in CASES:
        found = draws_of(case, data, draws)
        for name, printed in case.printed.items():
            values = np.array([one[name] for one in found])
            measured[row_of(case, name)] = share_larger(values, printed)
            low, middle, high = np.quantile(values, [0.025, 0.5, 0.975])
            more[f"{case.title}, {name}"] = {
                "printed": printed, "median": rounded(middle), "middle_95_percent": [rounded(low), rounded(high)],
                "same_as_printed": rounded(float(np.mean(np.abs(values - printed) < 1e-5 * printed))),
            }  # fmt: skip
    return record("glmnet_choices", PUBLICATION, measured, started, draws=draws, chosen=more)


if __name__ == "__main__":
    sys.exit(command(run, __doc__, {"data": "folder with the examples as text"}))
