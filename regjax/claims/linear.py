"""Linear regression with known coefficients: data, ridge in closed form, lasso by `rj.lasso_path`, and choices."""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from regjax.solvers import lasso_path

LINEAR_RUNS = 40
"""Independent samples for each seed, which cost next to nothing."""
RIDGE_STRENGTHS = np.logspace(2, -4, 31)


class Linear(NamedTuple):
    """A sample of a linear regression, `y = x w + noise`, with validation examples of the same distribution.

    Attributes:
      x: `[n, p]`.
      y: `[n]`.
      x_validation: `[v, p]`.
      y_validation: `[v]`.
      coefficients: `[p]`, the true w.
      covariance: `[p, p]`, the true covariance of the columns.
    """

    x: np.ndarray
    y: np.ndarray
    x_validation: np.ndarray
    y_validation: np.ndarray
    coefficients: np.ndarray
    covariance: np.ndarray

    def excess(self, coefficients: np.ndarray) -> np.ndarray:
        """The expected squared error on new examples beyond the noise, `(w - w*)' C (w - w*)`, for `[..., p]`."""
        off = coefficients - self.coefficients
        found: np.ndarray = np.einsum("...i,ij,...j->...", off, self.covariance, off)
        return found


@dataclasses.dataclass(frozen=True)
class Design:
    """What a sample is drawn from.

    Attributes:
      coefficients: the true ones, `[p]`.
      n: number of training examples.
      validation: number of validation examples.
      noise: standard deviation of the noise.
      correlation: between any two columns.
      scales: standard deviations of the columns, `[p]`; empty is 1 for all.
      outliers: fraction of the rows, of both parts, whose noise has 20 times the standard deviation.
    """

    coefficients: tuple[float, ...]
    n: int = 60
    validation: int = 60
    noise: float = 1.0
    correlation: float = 0.0
    scales: tuple[float, ...] = ()
    outliers: float = 0.0

    def draw(self, run: int) -> Linear:
        """Draw the sample of a run; the same number gives the same rows whatever the coefficients."""
        rng = np.random.default_rng([run, 13])
        p, total = len(self.coefficients), self.n + self.validation
        scales = np.array(self.scales or (1.0,) * p)
        common, own = rng.normal(size=(total, 1)), rng.normal(size=(total, p))
        x = (np.sqrt(self.correlation) * common + np.sqrt(1 - self.correlation) * own) * scales
        covariance = (self.correlation + (1 - self.correlation) * np.eye(p)) * np.outer(scales, scales)
        wild = np.where(rng.random(total) < self.outliers, 20.0, 1.0)
        w = np.array(self.coefficients)
        y = x @ w + self.noise * wild * rng.normal(size=total)
        return Linear(x[: self.n], y[: self.n], x[self.n :], y[self.n :], w, covariance)


def ridge(x: np.ndarray, y: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """The minimizers of `mean (y - x w)^2 + s sum w^2` for strengths `[K]`, `[K, p]`; s = 0 is least squares.

    Example:
      >>> ridge(np.eye(2), np.array([3.0, 1.0]), np.array([0.5])).round(3).tolist()
      [[1.5, 0.5]]
    """
    u, d, vt = np.linalg.svd(x, full_matrices=False)
    shrunk = d * (u.T @ y) / (d**2 + len(x) * np.asarray(strengths)[:, None])
    found: np.ndarray = shrunk @ vt
    return found


def lasso(sample: Linear) -> np.ndarray:
    """The coefficients of the lasso along its path, strongest first, `[K, p]`."""
    x, y = jnp.asarray(sample.x, jnp.float32), jnp.asarray(sample.y, jnp.float32)
    return np.asarray(lasso_path(x, y).coefficients, np.float64)


def best(sample: Linear, candidates: np.ndarray, one_standard_error: bool = False) -> int:
    """The position of the candidate of the lowest validation error.

    Args:
      sample: with the validation examples.
      candidates: `[K, p]`, the most regularized first.
      one_standard_error: whether to take the first whose error is within one standard error of the lowest.
    """
    squares = np.square(sample.y_validation[:, None] - sample.x_validation @ candidates.T)
    means = squares.mean(axis=0)
    lowest = int(np.argmin(means))
    if not one_standard_error:
        return lowest
    error = squares[:, lowest].std(ddof=1) / np.sqrt(len(squares))
    return int(np.argmax(means <= means[lowest] + error))
