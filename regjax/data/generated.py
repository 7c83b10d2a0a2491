"""Generated problems with known answers: interleaved spirals and sparse linear regression."""

from __future__ import annotations

from typing import Any

import numpy as np

from regjax.core.checks import check_range
from regjax.core.errors import InputError

SPIRALS: dict[str, Any] = {"seed": 0, "n": 1000, "noise": 0.06}
"""Arguments of `spirals_problem` for the embedded dataset `spirals`."""

SPARSE_REGRESSION: dict[str, Any] = {"seed": 0, "n": 500, "p": 200, "k": 10, "noise": 3.0}
"""Arguments of `sparse_regression_problem` for the embedded dataset `sparse_regression`."""


def spirals_problem(seed: int, n: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    """Generate two interleaved spirals in the plane, one for each class.

    With t in [0, 1], class c lies at radius t and angle 3*pi*t + pi*c, plus Gaussian noise.

    Args:
      seed: seed of the generator.
      n: number of points; the two classes differ by at most one.
      noise: standard deviation of the noise, in units of the outer radius; the arms are 1/3 apart.

    Returns:
      `(x, y)`: `float32[n, 2]` and `int32[n]`.

    Example:
      >>> x, y = spirals_problem(0, 10, noise=0.0)
      >>> x.shape, y.tolist()
      ((10, 2), [0, 1, 0, 1, 0, 1, 0, 1, 0, 1])
    """
    check_range("spirals: n", n, 2)
    check_range("spirals: noise", noise, 0.0)
    rng = np.random.default_rng([seed, 1])
    y = np.arange(n) % 2
    t = np.sqrt(rng.uniform(0.0, 1.0, n))  # the square root spreads points evenly over the arm's length
    angle = 3 * np.pi * t + np.pi * y
    x = t[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x = x + noise * rng.standard_normal((n, 2))
    return x.astype(np.float32), y.astype(np.int32)


def sparse_regression_problem(
    seed: int,
    n: int,
    p: int,
    k: int,
    noise: float,
    outliers: float = 0.0,
    feature_scales: bool = False,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Generate a linear regression problem with `k` nonzero coefficients out of `p`: y = x @ coef + noise.

    Columns are independent standard normal; the nonzero coefficients are +-uniform(1, 3).

    Args:
      seed: seed of the generator. x, coef and the base noise do not depend on `outliers`.
      n: number of rows.
      p: number of columns.
      k: number of nonzero coefficients.
      noise: standard deviation of the noise.
      outliers: fraction of rows whose noise has 20 times the standard deviation (at least that of the signal).
      feature_scales: whether to multiply each column by 10**uniform(-2, 2) and divide its coefficient by the same
        factor. The signal is unchanged, but a penalty without standardization treats the columns unequally.

    Returns:
      `(x, y, coef)`: `float32[n, p]`, `float32[n]`, `float32[p]`; coef is in the units of the returned x.

    Example:
      >>> x, y, coef = sparse_regression_problem(0, n=50, p=20, k=3, noise=0.0)
      >>> int((coef != 0).sum()), bool(np.allclose(x @ coef, y, atol=1e-4))
      (3, True)
    """
    check_range("sparse_regression: n", n, 1)
    check_range("sparse_regression: p", p, 1)
    check_range("sparse_regression: noise", noise, 0.0)
    check_range("sparse_regression: outliers", outliers, 0.0, 1.0)
    if not 0 <= k <= p:
        raise InputError(f"sparse_regression: k must be in [0, p] = [0, {p}], got {k}")
    # Each part of the problem has its own generator, so that it can change without changing the others.
    rows, truth, error, wild, units = (np.random.default_rng([seed, 2, part]) for part in range(5))
    x = rows.standard_normal((n, p))
    coef = np.zeros(p)
    support = np.sort(truth.permutation(p)[:k])
    coef[support] = truth.choice([-1.0, 1.0], k) * truth.uniform(1.0, 3.0, k)
    signal = x @ coef
    y = signal + noise * error.standard_normal(n)
    count = round(outliers * n)
    if count:
        hit = wild.permutation(n)[:count]
        y[hit] += 20 * max(noise, float(np.std(signal)) / 20) * wild.standard_normal(count)
    if feature_scales:
        scale = 10.0 ** units.uniform(-2, 2, p)
        x, coef = x * scale, coef / scale
    return x.astype(np.float32), y.astype(np.float32), coef.astype(np.float32)
