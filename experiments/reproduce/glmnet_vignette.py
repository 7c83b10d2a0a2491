"""Paths of glmnet: the elastic net, lasso, several responses and logistic regression of its vignette.

Command: `python -m experiments.reproduce.glmnet_vignette --data=DIR` (45 seconds on two cores that other work shared);
it prints the record `experiments/records/reproduce/glmnet_vignette.json`. DIR is the folder `data` of the repository
https://github.com/bbalasub1/glmnet_python, which has the examples of the R package as text (`QuickStartExampleX.dat`
and others); its documentation has the vignette for Python, whose printed numbers are those of `PUBLICATION` below.

The expected ranges: coordinate descent of glmnet stops when a sweep changes the deviance by less than 1e-7 of that of
the null model, so coefficients (of up to 3) are expected within 0.005 and predictions within 0.02; explained deviances
within 1e-5; the largest penalty, which is arithmetic, within its printed digits. For penalties that are not on the
grid, glmnet interpolates linearly between the two neighbours, and so does this module.

The penalties that cross-validation chose stand in the vignette with folds drawn at random; the solutions at the printed
penalty are repeated, the choice is not. The Poisson and Cox families are not repeated: `rj.from_glmnet` has none.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np

import regjax as rj
from experiments.reproduce.command import command
from experiments.reproduce.convex import Fit, centre_and_scale, double_precision, fitted
from experiments.reproduce.published import Publication, around, printed, record, rounded
from regjax.core.errors import InputError

ALPHA, COUNT = 0.2, 20
WEIGHTS = np.repeat([1.0, 2.0], 50)
DEVIANCES = (
    (4.889231, 0.178852, 4),
    (3.011024, 0.444488, 7),
    (1.854334, 0.656716, 7),
    (1.141988, 0.784984, 8),
    (0.703291, 0.853935, 9),
    (0.433121, 0.886693, 10),
    (0.266737, 0.902462, 11),
    (0.164269, 0.910135, 14),
    (0.101165, 0.913833, 17),
    (0.062302, 0.915417, 17),
    (0.038369, 0.916037, 17),
)
AT_HALF = {0: 1.17465045, 2: 0.53193465, 4: -0.76095948, 5: 0.46820941, 6: 0.06192676, 7: 0.38030149, 10: 0.14326099}
AT_HALF |= {13: -0.91120737, 17: 0.00919663, 19: -0.86311705}
PREDICTED = (-0.98025907, 2.29924528, 0.60108862, 2.35726679, 1.75204208)
LASSO_LAMBDA = 0.07569327
LASSO = {0: 1.33377821, 2: 0.69787701, 4: -0.83726751, 5: 0.54334327, 6: 0.02668633, 7: 0.33741131, 10: 0.17105029}
LASSO |= {13: -1.0755268, 19: -1.05278699}
RESPONSES = (
    (-4.71062632, -1.16345744, 0.60276341, 3.74098912),
    (4.13017346, -3.05079679, -1.21226299, 4.97014084),
    (3.15952287, -0.57596208, 0.2607981, 2.05397555),
    (0.64592424, 2.12056049, -0.22520497, 3.14628582),
    (-1.17918903, 0.10562619, -7.33529649, 3.24836992),
)
LOGISTIC_LAMBDA = 0.00333032
LOGISTIC: tuple[float, ...] = (
    0.1834094,
    0.63979413,
    1.75552224,
    -1.01816297,
    -2.04021446,
    -0.3708456,
    -2.17833787,
    0.37214969,
)
LOGISTIC += (-1.11649964, 1.59942098, -3.00907083, -0.3709413, -0.50788757, -0.54759695, 0.37853469, 0.0)
LOGISTIC += (1.22026778, -0.00760482, -0.8171956, -0.4683986, -0.44077522, 0.0, 0.51053862, 1.06639664, -0.57196411)
LOGISTIC += (1.10470005, -0.529917, -0.67932357, 1.02441643, -0.49368737, 0.41948873)  # the first is the intercept
CELL = "glmnet_vignette.ipynb, cell {}".format

PUBLICATION = Publication(
    "Hastie, Qian, Balakumar and Han 2017, Glmnet Vignette (for python); Friedman, Hastie and Tibshirani 2010",
    "https://github.com/bbalasub1/glmnet_python, https://doi.org/10.18637/jss.v033.i01",
    "as named",
    "glmnet on the examples of its package, with its grids of penalties.",
    "the same data and grids; `rj.from_glmnet` converts `lambda` and `alpha`, `rj.lasso_path` and "
    "`rj.proximal_gradient` minimize in double precision. Cells count from 0, columns from 1.",
    (
        printed("elastic net, largest lambda", 7.939020, 6, CELL(11)),
        *(around(f"elastic net, lambda {lam}, explained deviance", dev, 1e-5, CELL(11)) for lam, dev, _ in DEVIANCES),
        *(printed(f"elastic net, lambda {lam}, non-zero", df, 0, CELL(11)) for lam, _, df in DEVIANCES),
        *(around(f"elastic net, lambda 0.5, column {j + 1}", AT_HALF.get(j, 0.0), 0.005, CELL(18)) for j in range(20)),
        *(
            around(f"elastic net, lambda 0.05, prediction {i + 1}", value, 0.02, CELL(20))
            for i, value in enumerate(PREDICTED)
        ),
        *(around(f"lasso, column {j + 1}", LASSO.get(j, 0.0), 0.005, CELL(26)) for j in range(20)),
        *(
            around(f"four responses, lambda 0.1, example {i + 1}, response {k + 1}", value, 0.02, CELL(50))
            for i, row in enumerate(RESPONSES)
            for k, value in enumerate(row)
        ),
        *(
            around(f"logistic, {f'column {j}' if j else 'intercept'}", value, 0.005, CELL(74))
            for j, value in enumerate(LOGISTIC)
        ),
    ),
)


def table(directory: Path, name: str) -> np.ndarray:
    """A matrix or vector of the examples; values are separated by commas or by spaces."""
    path = directory / f"{name}.dat"
    if not path.is_file():
        raise InputError(f"{path} is missing; --data is the folder data of github.com/bbalasub1/glmnet_python")
    return np.loadtxt(path.read_text().replace(",", " ").splitlines())


def elastic_net(x: np.ndarray, y: np.ndarray, lambdas: np.ndarray, alpha: float, weight: np.ndarray) -> list[Fit]:
    """Glmnet's solutions for the gaussian family and descending `lambdas`, in the units of the data."""
    mean, deviation = centre_and_scale(x, weight)
    y_std = float(centre_and_scale(y[:, None], weight)[1][0])
    terms = rj.from_glmnet(1.0, alpha, y_std=y_std).flat()  # for lambda 1, of which the others are multiples
    l1, l2 = (sum(float(term.strength) for term in terms if term.kind == kind) for kind in ("l1", "l2"))
    path = rj.lasso_path(
        jnp.asarray((x - mean) / deviation),
        jnp.asarray(y),
        (l1 + l2) * lambdas,
        l1_ratio=l1 / (l1 + l2),
        tol=1e-9,
        max_iterations=100_000,
        fit_intercept=True,
        sample_weight=jnp.asarray(weight),
    )
    coefficients = np.asarray(path.coefficients) / deviation
    intercepts = np.asarray(path.intercept) - coefficients @ mean
    return [Fit(w, float(c), float(v)) for w, c, v in zip(coefficients, intercepts, path.objective, strict=True)]


def grid(largest: float, count: int = 100, smallest: float = 1e-4) -> np.ndarray:
    """Glmnet's penalties for more examples than columns."""
    return largest * np.geomspace(1.0, smallest, count)


def largest_lambda(x: np.ndarray, y: np.ndarray, alpha: float, weight: np.ndarray) -> float:
    """The least penalty at which all coefficients are zero; of several responses by the norm over these."""
    share = weight / weight.sum()
    mean, deviation = centre_and_scale(x, weight)
    slopes = ((x - mean) / deviation).T @ (share[:, None] * (y - share @ y).reshape(len(y), -1))
    return float(np.linalg.norm(slopes, axis=1).max() / alpha)


def between(lambdas: np.ndarray, at: float) -> tuple[np.ndarray, float]:
    """The neighbours of a penalty on a grid, and the share of the larger one in a linear interpolation."""
    right = int(np.searchsorted(-lambdas, -at))
    pair = lambdas[right - 1 : right + 1]
    return pair, float((at - pair[1]) / (pair[0] - pair[1]))


def gaussian(directory: Path) -> dict[str, float]:
    """The rows of the elastic net and the lasso."""
    x, y = table(directory, "QuickStartExampleX"), table(directory, "QuickStartExampleY")
    share = WEIGHTS / WEIGHTS.sum()
    lambdas = grid(largest_lambda(x, y, ALPHA, WEIGHTS), COUNT)
    measured = {"elastic net, largest lambda": float(lambdas[0])}
    fits = elastic_net(x, y, lambdas, ALPHA, WEIGHTS)
    variance = share @ (y - share @ y) ** 2
    for (lam, _, _), fit in zip(DEVIANCES, fits[1:], strict=False):
        measured[f"elastic net, lambda {lam}, explained deviance"] = float(1 - share @ (y - fit(x)) ** 2 / variance)
        measured[f"elastic net, lambda {lam}, non-zero"] = float(np.count_nonzero(fit.coefficients))
    pair, left = between(lambdas, 0.5)
    larger, smaller = elastic_net(x, y, pair, ALPHA, WEIGHTS)
    for j, value in enumerate(left * larger.coefficients + (1 - left) * smaller.coefficients):
        measured[f"elastic net, lambda 0.5, column {j + 1}"] = float(value)
    pair, left = between(lambdas, 0.05)
    larger, smaller = elastic_net(x, y, pair, ALPHA, WEIGHTS)
    for i, value in enumerate(left * larger(x[:5]) + (1 - left) * smaller(x[:5])):
        measured[f"elastic net, lambda 0.05, prediction {i + 1}"] = float(value)
    lasso = elastic_net(x, y, np.array([LASSO_LAMBDA]), 1.0, np.ones(len(y)))[0]
    for j, value in enumerate(lasso.coefficients):
        measured[f"lasso, column {j + 1}"] = float(value)
    return measured


def responses(directory: Path) -> dict[str, float]:
    """The rows of the lasso that selects columns for four responses together."""
    x, y = table(directory, "MultiGaussianExampleX"), table(directory, "MultiGaussianExampleY")
    lambdas = grid(largest_lambda(x, y, 1.0, np.ones(len(y))))
    pair, left = between(lambdas, 0.1)
    # glmnet halves the sum over responses of the mean squared errors, which here is a mean over responses as well.
    penalties = [rj.from_sklearn("multitask_lasso", alpha=float(lam), outputs=y.shape[1]) for lam in pair]
    larger, smaller = (fitted(x, y, penalty, standardize=True) for penalty in penalties)
    predicted = left * larger(x[:5]) + (1 - left) * smaller(x[:5])
    return {
        f"four responses, lambda 0.1, example {i + 1}, response {k + 1}": float(predicted[i, k])
        for i in range(5)
        for k in range(y.shape[1])
    }


def logistic(directory: Path) -> tuple[dict[str, float], dict[str, Any]]:
    """The rows of logistic regression, and how far the printed and the own solution are from the minimum."""
    x, y = table(directory, "BinomialExampleX"), table(directory, "BinomialExampleY")
    fit = fitted(x, y, rj.from_glmnet(LOGISTIC_LAMBDA, family="binomial"), loss="binary", standardize=True)
    columns = {f"logistic, column {j + 1}": float(value) for j, value in enumerate(fit.coefficients)}
    mean, deviation = centre_and_scale(x)
    scaled = (x - mean) / deviation

    def of(coefficients: np.ndarray, intercept: float) -> tuple[float, float]:
        """The objective, and the largest violation of the conditions of its minimum, as a share of lambda."""
        w, margin = coefficients * deviation, x @ coefficients + intercept
        value = np.mean(np.logaddexp(0, margin) - y * margin) + LOGISTIC_LAMBDA * np.abs(w).sum()
        slopes = scaled.T @ (1 / (1 + np.exp(-margin)) - y) / len(y)
        beyond = np.where(
            w == 0, np.maximum(np.abs(slopes) - LOGISTIC_LAMBDA, 0), slopes + LOGISTIC_LAMBDA * np.sign(w)
        )
        return float(value), float(np.abs(beyond).max() / LOGISTIC_LAMBDA)

    own, printed_ones = of(fit.coefficients, fit.intercept), of(np.array(LOGISTIC[1:]), LOGISTIC[0])
    more = {
        "printed_above_the_minimum": rounded(printed_ones[0] - own[0]),
        "largest_violation_of_the_optimality_conditions": {
            "printed": rounded(printed_ones[1]),
            "measured": rounded(own[1]),
        },
    }
    return {"logistic, intercept": fit.intercept, **columns}, {"logistic_regression": more}


@double_precision
def run(data: Path) -> dict[str, Any]:
    """The record."""
    started = time.time()
    rows, more = logistic(data)
    measured = gaussian(data) | responses(data) | rows
    return record("glmnet_vignette", PUBLICATION, measured, started, **more)


if __name__ == "__main__":
    sys.exit(command(run, __doc__, {"data": "folder with the examples as text"}))
