"""The probability that a difference matters: a Bayesian t-test with a region of practical equivalence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from regjax.core.checks import check_range


class Posterior(NamedTuple):
    """Probabilities that the mean difference is below, within and above the region of practical equivalence."""

    worse: float
    same: float
    better: float


def practical_posterior(
    differences: Sequence[float] | np.ndarray,
    practical: float,
    *,
    correlation: float = 0.0,
    error: float | None = None,
) -> Posterior:
    """The correlated Bayesian t-test of paired differences.

    With a flat prior, the posterior of the mean difference is Student's t with `n - 1` degrees of freedom, location
    `mean(d)` and

      scale^2 = (1/n + correlation / (1 - correlation)) var(d, ddof=1)

    It answers how likely the difference is large enough to matter, which a p-value does not: a p-value falls with the
    number of runs even if the difference is of no use.

    Args:
      differences: technique minus baseline, one for each run; positive is better.
      practical: the smallest difference that matters, in the units of `differences`. Differences from `-practical` to
        `practical` count as the same.
      correlation: between two runs, in [0, 1): 0 for independent runs, `n_test / (n_test + n_train)` for splits of one
        dataset.
      error: the scale itself, such as the standard error of `regjax.analysis.run_interval`; None computes it.

    Returns:
      The three probabilities, whose sum is 1. Equal differences are taken as known exactly.

    Raises:
      ValueError: fewer than 2 differences, one that is not finite, or a number out of range.

    Example:
      >>> [round(p, 3) for p in practical_posterior([0.03, 0.01, 0.02, 0.02], 0.01)]
      [0.003, 0.043, 0.954]

    Reference:
      Benavoli, Corani, Demsar and Zaffalon, Time for a change: a tutorial for comparing multiple classifiers through
      Bayesian analysis, 2017; Nadeau and Bengio, Inference for the generalization error, 2003.
    """
    check_range("practical_posterior: practical", practical, 0.0)
    check_range("practical_posterior: correlation", correlation, 0.0, 1.0, high_open=True)
    d = np.asarray(differences, np.float64)
    if d.ndim != 1 or d.size < 2 or not np.isfinite(d).all():
        raise ValueError(f"practical_posterior: differences must be at least 2 finite numbers, got {d.tolist()}")
    mean = float(d.mean())
    if np.ptp(d) == 0 and not error:  # the mean of equal numbers may be rounded
        mean = float(d[0])
        return Posterior(float(mean < -practical), float(abs(mean) <= practical), float(mean > practical))
    scale = error or math.sqrt((1 / d.size + correlation / (1 - correlation)) * float(d.var(ddof=1)))
    # Imported here, because importing SciPy takes a tenth of a second, and scipy.stats seconds.
    from scipy.special import stdtr

    worse = float(stdtr(d.size - 1, (-practical - mean) / scale))
    better = float(stdtr(d.size - 1, (mean - practical) / scale))
    return Posterior(worse, max(0.0, 1.0 - worse - better), better)
