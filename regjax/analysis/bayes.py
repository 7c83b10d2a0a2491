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


def signed_rank_posterior(
    differences: Sequence[float] | np.ndarray, practical: float, *, draws: int = 20_000, seed: int = 0
) -> Posterior:
    """The Bayesian signed-rank test over data sets: how likely a technique is worse, the same or better in general.

    With Dirichlet weights `w` over the differences `d_1, ..., d_n` and a pseudo observation `d_0 = 0` of weight 1/2,

      better = sum_ij w_i w_j [(d_i + d_j) / 2 > practical]

    is the posterior of the probability that the mean of two further differences is above the region of practical
    equivalence, and `worse` and `same` are those of below and within. Returned is how often each of the three is the
    largest.

    Args:
      differences: `[n]`, one for each data set; positive is better.
      practical: the smallest difference that matters.
      draws: of the weights; the standard error of a probability of 0.5 is 0.0035 with 20,000.
      seed: of the draws.

    Raises:
      ValueError: no difference, one that is not finite, or a number out of range.

    Example:
      >>> found = signed_rank_posterior([0.03, 0.05, 0.02, 0.06, 0.04, -0.01, 0.05, 0.03], 0.01)
      >>> round(found.better, 2)
      0.99

    Reference:
      Benavoli, Corani, Demsar and Zaffalon, Time for a change: a tutorial for comparing multiple classifiers through
      Bayesian analysis, 2017.
    """
    check_range("signed_rank_posterior: practical", practical, 0.0)
    d = np.asarray(differences, np.float64)
    if d.ndim != 1 or d.size < 1 or not np.isfinite(d).all():
        raise ValueError(f"signed_rank_posterior: differences must be finite numbers, got {d.tolist()}")
    d = np.concatenate([[0.0], d])
    middle = np.add.outer(d, d) / 2
    weights = np.random.default_rng(seed).dirichlet([0.5, *[1.0] * (d.size - 1)], draws)
    worse, better = (
        np.einsum("bi,ij,bj->b", weights, region.astype(np.float64), weights, optimize=True)
        for region in (middle < -practical, middle > practical)
    )
    largest = np.argmax([worse, 1 - worse - better, better], axis=0)
    return Posterior(*(float(np.mean(largest == which)) for which in range(3)))


def number_posterior(probabilities: Sequence[float] | np.ndarray) -> np.ndarray:
    """The distribution of how many of several independent events happen: the Poisson binomial.

    With the probabilities that a technique is better on each data set it is the posterior of the number of data sets on
    which it is.

    Args:
      probabilities: `[n]` in [0, 1].

    Returns:
      `[n + 1]`: the probability of each number from 0 to n.

    Raises:
      ValueError: a probability out of range.

    Example:
      >>> number_posterior([0.5, 1.0]).tolist()
      [0.0, 0.5, 0.5]

    Reference:
      Corani and Benavoli, A Bayesian approach for comparing cross-validated algorithms on multiple data sets, 2015.
    """
    found = np.ones(1)
    for p in probabilities:
        check_range("number_posterior: probability", p, 0.0, 1.0)
        found = np.convolve(found, [1 - p, p])
    return found
