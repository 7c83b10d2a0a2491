"""Linear models at their exact minimum, in double precision, for tables that others published."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

import regjax as rj

P = ParamSpec("P")
R = TypeVar("R")
LOSSES: dict[str, Callable[..., Any]] = {
    "mse": rj.squared_error,
    "logistic": rj.cross_entropy,
    "binary": lambda logits, y: rj.binary_cross_entropy(logits, y[:, None]),
}
TOL, ITERATIONS, PATH_ITERATIONS = 1e-11, 200_000, 20_000
REACHED = 1e-7  # of the proximal gradient, where the precision of the numbers ends before `TOL`


def double_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Run a function in double precision. Penalties must be made inside too: they hold their strengths as arrays."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with jax.enable_x64(True):
            return function(*args, **kwargs)

    return wrapped


class Fit(NamedTuple):
    """A fitted linear model.

    Attributes:
      coefficients: `[P]`, or `[P, K]` for several outputs, in the units of the given columns.
      intercept: a number, or `[K]`.
      value: of the objective, in the units of the scaled problem.
    """

    coefficients: np.ndarray
    intercept: Any
    value: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Predictions `x w + c` (the linear predictor of a logistic model)."""
        return x @ self.coefficients + self.intercept


def centre_and_scale(x: np.ndarray, weight: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations (divided by `n`, as glmnet and scikit-learn do) of the columns of `x` `[N, P]`."""
    mean = np.average(x, axis=0, weights=weight)
    return mean, np.sqrt(np.average((x - mean) ** 2, axis=0, weights=weight))


def fitted(
    x: np.ndarray,
    y: np.ndarray,
    penalty: rj.Penalty | None = None,
    *,
    loss: str = "mse",
    standardize: bool = False,
    weight: np.ndarray | None = None,
) -> Fit:
    """Minimize `mean loss(x w + c, y) + penalty(w)` with `rj.proximal_gradient`; the intercept `c` is not penalized.

    Columns are centred, which changes nothing but the speed.

    Args:
      x: `[N, P]`.
      y: `[N]` or `[N, D]` numbers, or classes.
      penalty: on the coefficients of the (standardized) columns; None is least squares.
      loss: `"mse"` (of several outputs their mean) `"logistic"` (softmax over as many classes as there are) or
        `"binary"` (one logit for labels 0 and 1).
      standardize: whether to penalize the coefficients of columns with variance one.
      weight: `[N]`, weights of the mean; None weighs all alike.

    Raises:
      RuntimeError: outside of `double_precision`, or the minimum was not reached.
    """
    check_precision()
    mean, deviation = centre_and_scale(x, weight)
    scale = deviation if standardize else np.ones_like(mean)
    outputs = (int(y.max()) + 1) if loss == "logistic" else (1 if y.ndim == 1 else y.shape[1])
    share = np.full(len(y), 1 / len(y)) if weight is None else weight / weight.sum()
    columns, target, shares = jnp.asarray((x - mean) / scale), jnp.asarray(y), jnp.asarray(share)
    each = LOSSES[loss]

    def objective(params: dict[str, Any]) -> Any:
        predicted = columns @ params["w"] + params["bias"]
        return shares @ each(predicted[:, 0] if loss == "mse" and y.ndim == 1 else predicted, target)

    start = {"w": jnp.zeros((x.shape[1], outputs)), "bias": jnp.zeros(outputs)}
    solution = rj.proximal_gradient(objective, penalty or rj.l2(0.0), start, tol=TOL, max_iterations=ITERATIONS)
    if float(solution.residual) > REACHED * max(1.0, float(np.std(y))):
        raise RuntimeError(f"the minimum was not reached: proximal gradient {float(solution.residual):.2g}")
    w, c = np.asarray(solution.params["w"]), np.asarray(solution.params["bias"])
    w = w / scale[:, None]
    c = c - mean @ w
    value = float(solution.value)
    return Fit(w[:, 0], float(c[0]), value) if outputs == 1 else Fit(w, c, value)


def ridge_fits(x: np.ndarray, y: np.ndarray, strengths: Sequence[float] | np.ndarray) -> list[Fit]:
    """Minima of `mean (x w + c - y)^2 + s ||w||^2` for descending strengths `s`, by `rj.regularization_path`."""
    check_precision()
    mean = x.mean(axis=0)
    columns, target = jnp.asarray(x - mean), jnp.asarray(y - y.mean())

    def objective(params: dict[str, Any]) -> Any:
        return jnp.mean(rj.squared_error((columns @ params["w"])[:, 0], target))

    path = rj.regularization_path(
        objective,
        rj.l2(1.0),
        np.asarray(strengths),
        {"w": jnp.zeros((x.shape[1], 1))},
        tol=TOL,
        max_iterations=PATH_ITERATIONS,
    )
    worst = float(path.residual.max())
    if worst > REACHED * max(1.0, float(np.std(y))):
        raise RuntimeError(f"a minimum was not reached: proximal gradient {worst:.2g}")
    weights = np.asarray(path.params["w"])[..., 0]
    return [Fit(w, float(y.mean() - mean @ w), float(v)) for w, v in zip(weights, path.value, strict=True)]


def lasso_fits(x: np.ndarray, y: np.ndarray, alphas: Sequence[float] | np.ndarray) -> list[Fit]:
    """Lasso fits for scikit-learn's `alphas` (descending), by `rj.lasso_path`."""
    check_precision()
    path = rj.lasso_path(
        jnp.asarray(x), jnp.asarray(y), 2 * np.asarray(alphas), tol=1e-9, max_iterations=100_000, fit_intercept=True
    )
    if not bool(path.converged.all()):
        raise RuntimeError("lasso_path did not converge")
    parts = [np.asarray(part) for part in (path.coefficients, path.intercept, path.objective)]
    return [Fit(w, float(c), float(value)) for w, c, value in zip(*parts, strict=True)]


def check_precision() -> None:
    """Refuse single precision, in which printed digits would be missed."""
    if jnp.zeros(()).dtype != jnp.float64:
        raise RuntimeError("exact fits need double precision: decorate the caller with double_precision")


def r2(predicted: np.ndarray, y: np.ndarray) -> float:
    """Coefficient of determination, on the mean of the same examples."""
    return float(1 - np.sum((y - predicted) ** 2) / np.sum((y - y.mean()) ** 2))
