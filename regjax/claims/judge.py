"""Verdicts on claims: sign tests against a margin that was fixed beforehand, corrected for the number of claims."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from regjax.core.checks import check_choice
from regjax.core.errors import InputError

SUPPORTED, SMALLER, CONTRADICTED, DEPENDS, NOT_SHOWN = (
    "supported", "below the margin", "contradicted", "depends on", "not shown",
)  # fmt: skip
RELATIONS = ("above", "within")
LEVEL = 0.05


class Finding(NamedTuple):
    """The verdict in one circumstance.

    Attributes:
      verdict: `"supported"`, `"below the margin"`, `"contradicted"` or `"not shown"`.
      median: of the runs; NaN if one of them is not finite.
      low: lower end of an interval that covers the median with at least 95%, not corrected; NaN below 6 runs.
      high: upper end.
      p: of the nearer verdict, one-sided, not corrected; 1 if none can be reached.
      reason: why nothing is shown where the numbers are not the reason; else empty.
    """

    verdict: str
    median: float
    low: float
    high: float
    p: float
    reason: str = ""


def judge(effects: Sequence[float], margin: float, relation: str = "above", tests: int = 1) -> Finding:
    """Judge the effects of independent runs against a margin, by sign tests of their median.

    With R runs and B ~ Binomial(R, 1/2),

      above:   supported     if P(B >= number of runs above the margin) <= 0.05 / tests
               contradicted  if P(B >= number of runs below the margin) <= 0.05 / tests,
                             but below the margin if also P(B >= number of runs above 0) <= 0.05 / tests
      within:  supported     if P(B >= number above -margin) and P(B >= number below margin) <= 0.05 / tests
               contradicted  if P(B >= number above margin) or P(B >= number below -margin) <= 0.025 / tests

    and not shown otherwise. An effect that is shown to be there, and to be smaller than the margin, does not contradict
    the statement: it is below the margin. A run at the margin counts for neither side. Whatever the distribution of the
    effects, the verdicts that are false of their median have together a probability of at most `0.05 / tests`; so any
    of `tests` circumstances has a false verdict with at most 5% (Bonferroni). Student's test would not hold this: so
    far out in the tails it needs more runs for effects as skewed as these (study `claims`).

    Args:
      effects: `[runs]`, independent of each other.
      margin: fixed before the runs.
      relation: `"above"` or `"within"`.
      tests: how many circumstances are judged together.

    Returns:
      A `Finding`. If the runs are too few for a verdict even if they all agree, or if one of them is not finite,
      nothing is shown.

    Raises:
      InputError: there are no runs, `tests` is below 1, or the relation is unknown.

    Example:
      >>> judge([4.1, 3.9, 4.4, 4.0, 4.2], margin=1.0).verdict
      'supported'
      >>> judge([4.1, 3.9, 4.4, 4.0, 4.2], margin=5.0).verdict
      'below the margin'
      >>> judge([0.1, -0.2, 0.1, -0.1, 0.0], margin=5.0).verdict
      'contradicted'
      >>> judge([4.1, 3.9, 4.4, 4.0, 4.2], margin=1.0, tests=10).reason
      '5 runs are too few; at least 8 are needed'

    Reference:
      Dixon and Mood, The statistical sign test, 1946; Schuirmann, A comparison of the two one-sided tests procedure and
      the power approach, 1987.
    """
    check_choice("judge: relation", relation, RELATIONS)
    values = np.asarray(effects, np.float64)
    if values.ndim != 1 or not values.size or tests < 1:
        raise InputError(f"judge: needs runs [R] and tests >= 1, got {values.shape} and {tests}")
    if not np.all(np.isfinite(values)):
        count = int(np.sum(~np.isfinite(values)))
        return Finding(NOT_SHOWN, math.nan, math.nan, math.nan, 1.0, f"{count} of {values.size} runs have no number")
    median, (low, high) = float(np.median(values)), median_interval(values)
    fewest = fewest_runs(tests, relation)
    if values.size < fewest:
        runs = "1 run is" if values.size == 1 else f"{values.size} runs are"
        return Finding(NOT_SHOWN, median, low, high, 1.0, f"{runs} too few; at least {fewest} are needed")
    above, below = _sign_p(values > margin), _sign_p(values < margin)
    supported, contradicted = above, below
    if relation == "within":
        supported = max(_sign_p(values > -margin), below)
        contradicted = min(2 * min(above, _sign_p(values < -margin)), 1.0)
    limit = LEVEL / tests
    verdict = SUPPORTED if supported <= limit else CONTRADICTED if contradicted <= limit else NOT_SHOWN
    if verdict == CONTRADICTED and relation == "above" and margin > 0 and _sign_p(values > 0) <= limit:
        verdict = SMALLER
    return Finding(verdict, median, low, high, min(supported, contradicted))


def fewest_runs(tests: int, relation: str = "above") -> int:
    """The smallest number of runs that reach either verdict if all of them agree.

    Example:
      >>> fewest_runs(1), fewest_runs(142), fewest_runs(142, "within")
      (5, 12, 13)
    """
    sides = 2 if relation == "within" else 1
    return math.ceil(math.log2(sides * tests / LEVEL))


def median_interval(values: np.ndarray) -> tuple[float, float]:
    """The narrowest pair of order statistics, equally far from the ends, that covers the median with at least 95%.

    Example:
      >>> median_interval(np.arange(20.0))  # the 6th and the 15th value: coverage 95.9%
      (5.0, 14.0)
    """
    from scipy.special import bdtr  # SciPy is imported where it is needed

    ordered, size = np.sort(values), len(values)
    cut = int(np.sum(2 * bdtr(np.arange(size // 2), size, 0.5) <= 1 - 0.95))
    return (float(ordered[cut - 1]), float(ordered[size - cut])) if cut else (math.nan, math.nan)


def _sign_p(side: np.ndarray) -> float:
    """P(B >= number of runs on this side)."""
    from scipy.special import bdtr

    return float(bdtr(np.sum(~side), len(side), 0.5))


def verdict_of(findings: Sequence[Finding]) -> str:
    """The verdict of a claim from those of its circumstances.

    It has the verdict that all of them have. It depends on the circumstance if it is supported in one and contradicted
    in another, or if something else is shown in each, but not the same in all. Otherwise it is not shown.

    Example:
      >>> verdict_of([judge([2.0] * 5, 1.0), judge([0.0] * 5, 1.0)])
      'depends on'
    """
    verdicts = {finding.verdict for finding in findings}
    if len(verdicts) == 1:
        return verdicts.pop()
    return DEPENDS if verdicts >= {SUPPORTED, CONTRADICTED} or NOT_SHOWN not in verdicts else NOT_SHOWN
