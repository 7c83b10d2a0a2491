"""Verdicts on claims: intervals and tests against a margin that was fixed beforehand, corrected for their number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from regjax.analysis import mean_interval
from regjax.core.checks import check_choice
from regjax.core.errors import InputError

SUPPORTED, CONTRADICTED, DEPENDS, NOT_SHOWN = "supported", "contradicted", "depends on", "not shown"
RELATIONS = ("above", "within")
FEWEST_RUNS = 5
LEVEL = 0.05


class Finding(NamedTuple):
    """The verdict in one circumstance.

    Attributes:
      verdict: `"supported"`, `"contradicted"` or `"not shown"`.
      mean: of the runs; NaN if one of them is not finite.
      low: lower end of the 95% interval of the mean, not corrected.
      high: upper end.
      p: of the verdict that the mean points to, one-sided, not corrected; 1 if none can be reached.
      reason: why nothing is shown where the numbers are not the reason; else empty.
    """

    verdict: str
    mean: float
    low: float
    high: float
    p: float
    reason: str = ""


def judge(effects: Sequence[float], margin: float, relation: str = "above", tests: int = 1) -> Finding:
    """Judge the effects of independent runs against a margin.

    With the mean m of R runs, its standard error s, and Student's T with R - 1 degrees of freedom,

      above:   supported     if P(T >= (m - margin) / s) <= 0.05 / tests
               contradicted  if P(T <= (m - margin) / s) <= 0.05 / tests
      within:  supported     if both P(T >= (m + margin) / s) and P(T <= (m - margin) / s) are at most 0.05 / tests
               contradicted  if P(T >= (|m| - margin) / s) <= 0.025 / tests

    and not shown otherwise. One of the two verdicts is false for any true mean, so a circumstance has a false verdict
    with probability at most `0.05 / tests`, and any of `tests` circumstances with at most 5% (Bonferroni). Runs that
    all give the same number need no test.

    Args:
      effects: `[runs]`, independent of each other.
      margin: fixed before the runs.
      relation: `"above"` or `"within"`.
      tests: how many circumstances are judged together.

    Returns:
      A `Finding`. With fewer than 5 runs, or if one of them is not finite, nothing is shown.

    Raises:
      InputError: there are no runs, `tests` is below 1, or the relation is unknown.

    Example:
      >>> judge([4.1, 3.9, 4.4, 4.0, 4.2], margin=1.0, tests=10).verdict
      'supported'
      >>> judge([4.1, 3.9, 4.4, 4.0, 4.2], margin=5.0).verdict
      'contradicted'
      >>> judge([4.1, 3.9], margin=1.0).reason
      '2 runs are too few; at least 5 are needed'

    Reference:
      Schuirmann, A comparison of the two one-sided tests procedure and the power approach, 1987.
    """
    from scipy.special import stdtr  # SciPy is imported where it is needed

    check_choice("judge: relation", relation, RELATIONS)
    values = np.asarray(effects, np.float64)
    if values.ndim != 1 or not values.size or tests < 1:
        raise InputError(f"judge: needs runs [R] and tests >= 1, got {values.shape} and {tests}")
    if not np.all(np.isfinite(values)):
        count = int(np.sum(~np.isfinite(values)))
        return Finding(NOT_SHOWN, math.nan, math.nan, math.nan, 1.0, f"{count} of {values.size} runs have no number")
    mean, low, high = mean_interval(values.tolist())
    if values.size < FEWEST_RUNS:
        reason = (
            f"{values.size} {'runs are' if values.size > 1 else 'run is'} too few; at least {FEWEST_RUNS} are needed"
        )
        return Finding(NOT_SHOWN, mean, low, high, 1.0, reason)
    deviation = float(values.std(ddof=1))
    error = deviation / math.sqrt(values.size)

    def beyond(distance: float) -> float:
        """P(T >= distance / error); without spread, it is known on which side the mean lies."""
        return float(stdtr(values.size - 1, -distance / error)) if error > 0 else float(distance <= 0)

    if relation == "above":
        supported, contradicted = beyond(mean - margin), beyond(margin - mean)
        limit = LEVEL / tests
    else:
        supported = max(beyond(mean + margin), beyond(margin - mean))
        contradicted = min(2 * beyond(abs(mean) - margin), 1.0)
        limit = LEVEL / tests
    p = min(supported, contradicted)
    verdict = SUPPORTED if supported <= limit else CONTRADICTED if contradicted <= limit else NOT_SHOWN
    return Finding(verdict, mean, low, high, p)


def verdict_of(findings: Sequence[Finding]) -> str:
    """The verdict of a claim from those of its circumstances.

    It is supported or contradicted if all of them are, it depends on the circumstance if it is supported in one and
    contradicted in another, and otherwise it is not shown.

    Example:
      >>> verdict_of([judge([2.0] * 5, 1.0), judge([0.0] * 5, 1.0)])
      'depends on'
    """
    verdicts = {finding.verdict for finding in findings}
    if verdicts >= {SUPPORTED, CONTRADICTED}:
        return DEPENDS
    return verdicts.pop() if len(verdicts) == 1 else NOT_SHOWN
