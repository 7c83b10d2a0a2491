"""Prediction intervals of a regression from the errors on examples that were not trained on."""

from __future__ import annotations

import math

import numpy as np

from regjax.core.checks import check_range


def conformal_quantile(errors: np.ndarray, share: float) -> np.ndarray:
    """Half the width of intervals that hold a share of new targets: split conformal prediction.

    q = the ceil((n + 1) share)-th smallest of n absolute errors. If these examples and a new one are exchangeable, its
    target is in prediction +- q with a probability of at least `share` (and, without ties, of at most
    share + 1 / (n + 1)), whatever the model is. For examples of one kind it may be lower.

    Args:
      errors: absolute errors, `[n]` or `[n, D]` for several targets, of examples that the model was not fitted to.
      share: between 0 and 1, such as 0.9.

    Returns:
      `float64[]` or `float64[D]`, in the units of the errors; infinite if there are fewer than share / (1 - share).

    Raises:
      ValueError: the share is not between 0 and 1.

    Example:
      >>> float(conformal_quantile(np.arange(1.0, 20.0), 0.9))
      18.0
      >>> float(conformal_quantile(np.ones(8), 0.9))
      inf

    Reference:
      Lei et al., Distribution-free predictive inference for regression, 2018. https://arxiv.org/abs/1604.04173
    """
    check_range("conformal_quantile: share", share, 0.0, 1.0)
    count = len(errors)
    rank = math.ceil((count + 1) * share - 1e-9)  # 0.9 is not a float64, so its multiples may lie above a whole number
    if rank > count:
        return np.full(np.shape(errors)[1:], np.inf)
    return np.asarray(np.sort(np.asarray(errors, np.float64), axis=0)[max(rank - 1, 0)])
