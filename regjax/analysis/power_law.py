"""Learning curves: the power law by which an error falls with the number of training examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from regjax.analysis.statistics import Interval
from regjax.core.errors import InputError

_RATES = (1e-3, 10.0)
_GRID, _REFINEMENTS = 33, 6  # the last step of the logarithm of a rate is 3e-7

FEWEST_SIZES = {True: 4, False: 3}
"""With a floor there are three numbers to fit, without one there are two; one more size shows whether they fit."""


class PowerLaw(NamedTuple):
    """A fitted learning curve, `error(n) = floor + scale n^-rate`.

    Attributes:
      floor: the error that more examples do not take away, >= 0; 0 if it was not fitted.
      scale: > 0; the error above the floor with one example.
      rate: > 0; doubling the examples divides the error above the floor by `2^rate`.
      resampled: `[resamples, 3]`, the three numbers fitted to resampled runs.
      misfit: the largest distance of a mean error from the curve, in standard errors of that mean. With ten runs or
        more, values far above 3 say that it is no power law; of fewer runs, standard errors are known too badly.
      runs: number of runs behind it.

    Intervals are those of the percentiles over resampled runs, stretched around the estimate: a bootstrap of `n` runs
    varies too little by `sqrt(n / (n - 1))`, and Student's quantiles are further out than the normal ones. In
    simulations, those of 95% held the truth in 87 to 95%, those of the floor in 81 to 95%.
    """

    floor: float
    scale: float
    rate: float
    resampled: np.ndarray
    misfit: float
    runs: int

    def at(self, examples: float, level: float = 0.95) -> Interval:
        """Return the error with a number of training examples, with its interval.

        It is for other runs of the same kind, where the power law goes on; far beyond the largest size it need not.
        """
        value = float(_curve(examples, self.floor, self.scale, self.rate))
        return _stretched(value, _curve(examples, *self.resampled.T), self.runs, level)

    def interval(self, name: str, level: float = 0.95) -> Interval:
        """Return `"floor"`, `"scale"` or `"rate"` with its interval."""
        column = self.resampled[:, ("floor", "scale", "rate").index(name)]
        return _stretched(float(getattr(self, name)), column, self.runs, level, logs=name != "floor")


def equivalent_examples(law: PowerLaw, other: PowerLaw, examples: float, level: float = 0.95) -> Interval:
    """How many examples one learning curve needs for the error that another has with a number of examples.

      n such that   floor + scale n^-rate = error_other(examples)

    Both curves have to be fitted to the same runs in the same order, with the same seed: then the runs of both are
    resampled together, and the interval is paired.

    Args:
      law: the curve whose examples are counted, such as that of a baseline.
      other: the curve whose error is to be reached, such as that of a technique.
      examples: of `other`.
      level: of the interval, as those of `PowerLaw`.

    Returns:
      The number with its interval; infinite where the error is not above the floor, so that no number reaches it.

    Raises:
      InputError: the curves have different numbers of resamples.

    Example:
      >>> sizes = np.array([50, 100, 200, 400])
      >>> noise = np.random.default_rng(0).normal(0, 0.01, (10, 1))
      >>> base, half = (fit_power_law(sizes, f * sizes**-0.5 + noise * sizes**-0.5) for f in (2.0, 2.0 / 2**0.5))
      >>> [round(number / 10) * 10 for number in equivalent_examples(base, half, 200)]
      [400, 400, 400]
    """
    if len(law.resampled) != len(other.resampled):
        sizes = f"{len(law.resampled)} and {len(other.resampled)}"
        raise InputError(f"equivalent_examples: both curves need the same resamples, got {sizes}")

    def needed(curve: np.ndarray, reached: np.ndarray) -> np.ndarray:
        floor, scale, rate = curve.T
        above = _curve(examples, *reached.T) - floor
        with np.errstate(over="ignore"):
            return np.where(above > 0, (scale / np.where(above > 0, above, 1.0)) ** (1 / rate), np.inf)

    numbers = needed(law.resampled, other.resampled)
    own, reached = (np.array([[of.floor, of.scale, of.rate]]) for of in (law, other))
    return _stretched(float(needed(own, reached)[0]), numbers, law.runs, level)


def fit_power_law(
    sizes: Sequence[float], errors: np.ndarray, *, floor: bool = True, resamples: int = 400, seed: int = 0
) -> PowerLaw:
    """Fit `error(n) = floor + scale n^-rate` to errors at several numbers of training examples.

    Means over runs are fitted by least squares, each weighed by its standard error, in the logarithms of scale and
    rate. Runs are resampled as a whole (a bootstrap), so that sizes of one run stay together.

    Args:
      sizes: numbers of training examples, at least four different ones; three without a floor.
      errors: `[runs, sizes]`, at least three runs; an error rate or a loss > 0 where smaller is better.
      floor: whether there is an error that more examples do not take away.
      resamples: how often the runs are resampled.
      seed: of the resampling.

    Returns:
      A `PowerLaw`.

    Raises:
      InputError: there are too few sizes or runs, or an error is not a finite number > 0.

    Example:
      >>> sizes = [50, 100, 200, 400, 800]
      >>> runs = np.random.default_rng(0).normal(0.05 + 2.0 * np.array(sizes) ** -0.5, 0.002, (10, 5))
      >>> found = fit_power_law(sizes, runs)
      >>> 0.4 < found.rate < 0.6, 0.02 < found.floor < 0.08, found.misfit < 3
      (True, True, True)

    Reference: Hestness et al., Deep learning scaling is predictable, empirically, 2017; Mohr and van Rijn, Learning
      curves for decision making in supervised machine learning, 2022.
    """
    n, table = np.asarray(sizes, np.float64), np.asarray(errors, np.float64)
    if table.ndim != 2 or table.shape[1] != len(n) or len(table) < 3:
        raise InputError(f"fit_power_law: errors must be [runs, {len(n)}] with at least 3 runs, got {table.shape}")
    fewest = FEWEST_SIZES[floor]
    if len(np.unique(n)) < fewest or (n <= 0).any():
        way_out = "; floor=False needs 3" if floor else ""
        raise InputError(f"fit_power_law: it takes {fewest} different sizes > 0, got {sorted(set(sizes))}{way_out}")
    if not np.isfinite(table).all() or (table <= 0).any():
        raise InputError("fit_power_law: every error must be a finite number > 0")
    deviation = table.std(axis=0, ddof=1) / np.sqrt(len(table))
    weight = np.maximum(deviation, 1e-3 * max(float(deviation.max()), 1e-3 * float(table.mean())))
    [best] = _fitted(n, table.mean(axis=0)[None], weight, floor)
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, len(table), (resamples, len(table)))
    resampled = _fitted(n, table[rows].mean(axis=1), weight, floor)
    misfit = float(np.max(np.abs(table.mean(axis=0) - _curve(n, *best)) / weight))
    return PowerLaw(float(best[0]), float(best[1]), float(best[2]), resampled, misfit, len(table))


def _stretched(value: float, drawn: np.ndarray, runs: int, level: float, *, logs: bool = True) -> Interval:
    """The percentile interval, stretched around the value: in logarithms, or for what may be 0 without."""
    # Quantiles by position, as those between a finite and an infinite number are not defined.
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], method="nearest")
    if not math.isfinite(value):
        return Interval(value, float(drawn.min()), value)  # the widest that is known
    of_normal, of_student = stats.norm.ppf((1 + level) / 2), stats.t.ppf((1 + level) / 2, runs - 1)
    factor = of_student / of_normal * math.sqrt(runs / (runs - 1))
    if not logs:
        low, high = (value + factor * (end - value) for end in (min(low, value), max(high, value)))
        return Interval(value, max(float(low), 0.0), float(high))
    with np.errstate(over="ignore"):
        low, high = (value * (end / value) ** factor for end in (min(low, value), max(high, value)))
    return Interval(value, float(low), float(high))


def _curve(
    n: float | np.ndarray, floor: float | np.ndarray, scale: float | np.ndarray, rate: float | np.ndarray
) -> np.ndarray:
    return np.asarray(floor + scale * np.asarray(n, np.float64) ** -np.asarray(rate))


def _fitted(n: np.ndarray, means: np.ndarray, weight: np.ndarray, floor: bool) -> np.ndarray:
    """Return floor, scale and rate of the best fits to `means`, `[fits, sizes]`, as `[fits, 3]`.

    With a given rate, floor and scale are a line's; the rate is searched on a grid that is refined around its best.
    """
    reference = float(np.exp(np.log(n).mean()))  # scale and rate are least correlated there
    y, w, most = means[:, None, :], weight**-2.0, means.min(axis=1)[:, None]
    ends, every = np.log(_RATES), np.arange(len(means))
    low, high = np.full((2, len(means)), ends[:, None])
    for _ in range(_REFINEMENTS):
        rates = np.exp(np.linspace(low, high, _GRID, axis=1))
        basis = (n / reference) ** -rates[:, :, None]
        sw, sb, sbb = w.sum(), basis @ w, basis**2 @ w
        sy, sby = y @ w, (basis * y) @ w
        base = np.zeros_like(sb)
        if floor:
            with np.errstate(divide="ignore", invalid="ignore"):
                base = np.clip(np.nan_to_num((sbb * sy - sb * sby) / (sw * sbb - sb**2)), 0.0, most)
        height = np.maximum((sby - base * sb) / sbb, 1e-12 * most)
        cost = (base[:, :, None] + height[:, :, None] * basis - y) ** 2 @ w
        best = cost.argmin(axis=1)
        step = (high - low) / (_GRID - 1)
        found = np.stack([base[every, best], height[every, best], rates[every, best]], axis=1)
        low, high = (np.clip(np.log(found[:, 2]) + side * step, *ends) for side in (-1, 1))
    found[:, 1] *= reference ** found[:, 2]
    return found
