"""The power of a verdict, which needs a corrected sign-flip test and an interval, for any number of runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from regjax.analysis.flips import FEWEST_RUNS, ROUNDING, as_table, sign_vectors
from regjax.analysis.statistics import RunVariance, normal_quantile, t_quantile
from regjax.core.checks import check_range

MOST_RUNS = 500
"""The search for a number of runs ends here."""
_NUMBERS = [*range(FEWEST_RUNS, 100), *range(100, MOST_RUNS + 1, 10)]  # a third digit would be noise
_EXACT_RUNS = 11
"""Up to this number of runs, all signs of each simulated comparison are flipped; beyond, one critical value is used."""
_FLIPS = 1_024
_COMPARISONS = 4_000  # simulated where each costs only two numbers


class _Simulated(NamedTuple):
    """Comparisons in which no technique has an effect, and their sign flips.

    Attributes:
      noise: the differences, `[draws, runs, techniques]`.
      signs: `[flips, runs]`, the observed signs first.
      largest, second: the two largest statistics of all techniques under each flip, `[draws, flips]`.
      of: the technique with the largest, `[draws, flips]`.
    """

    noise: np.ndarray
    signs: np.ndarray
    largest: np.ndarray
    second: np.ndarray
    of: np.ndarray


class VerdictPower:
    """How often a true effect gets its verdict: `p_adjusted <= level` by `joint_flips`, and an interval without 0.

    Comparisons are simulated. The differences of a run are normal with the covariance of those that were seen; one
    technique has the effect, all others have none. The variance of its differences is uncertain with few runs, so each
    simulated comparison has another one, `s^2 (n - 1) / chi^2_{n-1}`: the power is the mean over what the seen runs
    leave open. The mean of the technique also varies with the draw of the test
    examples, which all runs share. The interval is that of `run_interval`, whose parts change with the number of runs
    as their formulas say: `v_groups` is that of the simulated runs, the other parts are those that were seen. The first
    step of the correction alone counts; later steps would matter only after a false alarm. With more than 11 runs the
    largest statistic that flips give is taken to depend on the simulated comparison no more, but on the number of runs.

    Args:
      differences: `[n runs, m techniques]`, as in `joint_flips`; rows are independent observations.
      variances: of the mean of each technique (`run_variance`), in the units of `differences`; None asks for the test
        alone.
      population: the number of examples that further splits may test; None means those that were seen.
      level: of the family-wise error, in (0, 1); the interval is that of the same level.
      power: the share of comparisons in which an effect has to be found, in (0, 1).
      draws: simulated comparisons of at most 11 runs; the standard error of the power is
        `sqrt(power (1 - power) / draws)`. Of more runs, 4,000 are simulated.
      seed: of the draws.

    Raises:
      ValueError: as `joint_flips`, or a number out of range.

    Example:
      >>> d = np.random.default_rng(0).normal(size=(10, 1))
      >>> power = VerdictPower(d)
      >>> bool(0.8 < power.detectable(0) / d.std() < 1.3), power.runs_needed(0, 4 * d.std())
      (True, 6)
    """

    def __init__(
        self,
        differences: np.ndarray,
        variances: Sequence[RunVariance] | None = None,
        *,
        population: int | None = None,
        level: float = 0.05,
        power: float = 0.8,
        draws: int = 200,
        seed: int = 0,
    ):
        for name, value in (("level", level), ("power", power)):
            check_range(f"VerdictPower: {name}", value, 0.0, 1.0, low_open=True, high_open=True)
        self._differences = as_table(differences)
        self._variances, self._population = variances, population
        self._level, self._power, self._draws, self._seed = level, power, draws, seed
        values, vectors = np.linalg.eigh(np.atleast_2d(np.cov(self._differences, rowvar=False)))
        self._root = (vectors * np.sqrt(np.maximum(values, 0.0))).T
        self._simulated: dict[int, _Simulated] = {}
        self._critical: dict[int, float] = {}

    def found(self, technique: int, effect: float, runs: int) -> float:
        """The share of comparisons with `runs` runs that find an effect of this technique above 0."""
        rng = np.random.default_rng([self._seed, runs, 1])
        draws = self._draws if runs <= _EXACT_RUNS else _COMPARISONS
        degrees = len(self._differences) - 1
        scale = degrees / rng.chisquare(degrees, size=draws)
        shared = self._parts(technique).shared if self._variances else 0.0
        mean = effect + math.sqrt(shared) * rng.normal(size=(draws, 1))
        if runs <= _EXACT_RUNS:
            noise, signs, largest, second, of = self._simulate(runs)
            own, rest = noise[:, :, technique], np.where(of == technique, second, largest)
            x = np.sqrt(scale)[:, None] * own + mean
            mean, variance = x.mean(axis=1), x.var(axis=1, ddof=1)
            norm = np.maximum(np.square(x).sum(axis=1, keepdims=True), 1e-300)
            flipped = np.square(x @ signs.T) / norm
            reached = np.maximum(rest, flipped) >= flipped[:, :1] * (1 - ROUNDING)
            shown = reached.mean(axis=1) <= self._level
        else:
            variance = scale * float(np.var(self._differences[:, technique], ddof=1))
            mean = mean[:, 0] + np.sqrt(variance / runs) * rng.normal(size=draws)
            variance *= rng.chisquare(runs - 1, size=draws) / (runs - 1)
            norm = np.maximum(runs * np.square(mean) + (runs - 1) * variance, 1e-300)
            shown = np.square(runs * mean) / norm > self._critical_value(runs)
        return float((shown & (mean > self._half(technique, variance / runs, runs))).mean())

    def detectable(self, technique: int) -> float | None:
        """The smallest effect that is found with the requested power by as many runs as there are.

        It is never below half the width of the interval. None where no effect can be found, because the smallest p of
        so few runs is above the level, or where nothing is known, because the differences do not vary or are of
        a single example.
        """
        runs = len(self._differences)
        spread = float(self._differences[:, technique].std(ddof=1))
        least = float(self._half(technique, np.array([spread**2 / runs]), runs)[0])
        scale = max(spread, least)
        if 2.0 ** (1 - runs) > self._level or scale == 0 or not math.isfinite(least):
            return None
        low, high = least, 4.0 * scale
        while self.found(technique, high, runs) < self._power:
            low, high = high, 2.0 * high
        for _ in range(10):
            middle = 0.5 * (low + high)
            low, high = (middle, high) if self.found(technique, middle, runs) < self._power else (low, middle)
        return high

    def runs_needed(self, technique: int, effect: float) -> int | None:
        """The number of runs of a new comparison that finds an effect of this size with the requested power.

        It is rounded up to two digits. None if `MOST_RUNS` are too few.
        """
        effect = abs(effect)
        if effect < self.least(technique) or self.found(technique, effect, _NUMBERS[-1]) < self._power:
            return None
        low, high = -1, len(_NUMBERS) - 1
        while high - low > 1:
            middle = (low + high) // 2
            enough = self.found(technique, effect, _NUMBERS[middle]) >= self._power
            low, high = (low, middle) if enough else (middle, high)
        return _NUMBERS[high]

    def least(self, technique: int) -> float:
        """The effect that is found with the requested power by unlimited runs: the limit set by the examples."""
        if not self._variances:
            return 0.0
        shared = self._parts(technique).shared
        variance = shared + self._of_counts(technique, math.inf)
        quantile = normal_quantile(1 - self._level / 2)
        return quantile * math.sqrt(variance) + normal_quantile(self._power) * math.sqrt(shared)

    def _half(self, technique: int, of_groups: np.ndarray, runs: int) -> np.ndarray:
        """Half the width of the interval, given variances of the mean over runs; 0 if only the test decides."""
        if not self._variances:
            return np.zeros_like(of_groups)
        parts = self._parts(technique)
        more = parts.beyond_groups(runs) + self._of_counts(technique, runs)
        return float(t_quantile(parts.degrees(runs), 1 - self._level / 2)) * np.sqrt(of_groups + more)

    def _of_counts(self, technique: int, runs: float) -> float:
        """What the interval adds for answers, `(counted / m)^2` with the m examples that `runs` runs test."""
        parts = self._parts(technique)
        examples = parts.examples
        if self._population and runs > parts.groups:
            # Each run tests a share of the examples; this is the share that none of them has tested.
            missed = max(0.0, 1.0 - examples / self._population) ** (runs / parts.groups)
            examples = max(examples, self._population * (1.0 - missed))
        return (parts.counted / examples) ** 2

    def _parts(self, technique: int) -> RunVariance:
        assert self._variances is not None
        return self._variances[technique]

    def _noise(self, runs: int, draws: int) -> tuple[np.ndarray, np.random.Generator]:
        rng = np.random.default_rng([self._seed, runs])
        return rng.normal(size=(draws, runs, len(self._root))) @ self._root, rng

    def _simulate(self, runs: int) -> _Simulated:
        """Comparisons without effects and all their flips, the same in each call."""
        if runs not in self._simulated:
            noise, _ = self._noise(runs, self._draws)
            signs = np.concatenate(list(sign_vectors(runs, 0)))
            shape = self._draws, len(signs)
            largest, second, of = np.zeros(shape), np.zeros(shape), np.full(shape, -1, np.int16)
            for technique in range(noise.shape[2]):
                statistic = _statistics(noise[:, :, technique], signs)
                above = statistic > largest
                second = np.where(above, largest, np.maximum(second, statistic))
                of[above] = technique
                largest = np.where(above, statistic, largest)
            self._simulated[runs] = _Simulated(noise, signs, largest, second, of)
        return self._simulated[runs]

    def _critical_value(self, runs: int) -> float:
        """The value that the largest statistic of random flips exceeds with probability `level`, over comparisons."""
        if runs not in self._critical:
            draws = max(20, math.ceil(10.0 / self._level / _FLIPS))
            noise, rng = self._noise(runs, draws)
            signs = rng.integers(0, 2, (_FLIPS, runs)) * 2.0 - 1.0
            largest = np.zeros((draws, _FLIPS))
            for technique in range(noise.shape[2]):
                np.maximum(largest, _statistics(noise[:, :, technique], signs), out=largest)
            self._critical[runs] = float(np.quantile(largest, 1 - self._level, method="higher"))
        return self._critical[runs]


def _statistics(noise: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """The statistic of one technique under each flip, `[draws, flips]`, from its differences `[draws, runs]`."""
    norm = np.square(noise).sum(axis=1, keepdims=True)
    return np.square(noise @ signs.T) / np.where(norm > 0, norm, 1.0)


def detectable_effect(
    differences: np.ndarray, technique: int, *, level: float = 0.05, power: float = 0.8, draws: int = 200, seed: int = 0
) -> float | None:
    """The true mean difference that `joint_flips` finds with the given power, with these runs and techniques.

    It is `VerdictPower(...).detectable` of the test alone, without an interval.

    Args:
      differences: `[n runs, m techniques]`, as in `joint_flips`.
      technique: the column whose effect is sought.
      level: of the family-wise error, in (0, 1).
      power: in (0, 1).
      draws: simulated comparisons.
      seed: of the draws.

    Returns:
      The effect, in the units of `differences`; None where no effect can be found, because the smallest p of so few
      runs is above the level, or because the differences of this technique do not vary.

    Raises:
      ValueError: as `joint_flips`, or a number out of range.

    Example:
      >>> d = np.random.default_rng(0).normal(size=(10, 1))
      >>> bool(0.8 < detectable_effect(d, 0) / d.std() < 1.3)
      True
      >>> detectable_effect(d[:5], 0) is None
      True
    """
    return VerdictPower(differences, level=level, power=power, draws=draws, seed=seed).detectable(technique)
