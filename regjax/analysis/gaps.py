"""What the number of examples leaves open: limits of a metric, of a gap between two parts, and of a rise of a loss."""

from __future__ import annotations

import math

from regjax.analysis.statistics import normal_quantile, t_quantile, wilson_limits

_TAIL = 0.975  # of intervals at 95%
Limits = tuple[float, float]


def gap_interval(name: str, train: float, val: float, n_train: int, n_val: int) -> Limits | None:
    """95% interval of training minus validation accuracy or R2, for other draws of both sets of examples.

      low  = gap - sqrt((train - train_low)^2  + (val_high - val)^2)
      high = gap + sqrt((train_high - train)^2 + (val - val_low)^2)

    This is Newcombe's interval, of the limits of each part alone: Wilson's for an accuracy, `r2_limits` for R2.

    Args:
      name: `"accuracy"` or `"r2"`.
      train: the metric on training examples, and `val` that on validation examples.
      val: see `train`.
      n_train: how many training examples, and `n_val` how many validation examples.
      n_val: see `n_train`.

    Returns:
      The two ends; None where R2 has no limits.

    Example:
      >>> [round(end, 2) for end in gap_interval("accuracy", 0.6, 0.0, 1000, 3)]
      [0.04, 0.63]

    Reference:
      Newcombe, Interval estimation for the difference between independent proportions, 1998 (method 10).
    """
    limits = r2_limits if name == "r2" else accuracy_limits
    of_train, of_val = limits(train, n_train), limits(val, n_val)
    if of_train is None or of_val is None:
        return None
    low = math.hypot(train - of_train[0], of_val[1] - val)
    high = math.hypot(of_train[1] - train, val - of_val[0])
    return train - val - low, train - val + high


def accuracy_limits(accuracy: float, examples: int) -> Limits | None:
    """Wilson's 95% limits of an accuracy."""
    return wilson_limits(min(max(accuracy, 0.0), 1.0), normal_quantile(_TAIL) ** 2 / examples)


def r2_limits(r2: float, examples: int) -> Limits | None:
    """95% limits of an R2 of a given model, `1 - mse / variance` on these examples.

      1 - (1 - R2) exp(+-t_{n-1} 2 / sqrt(n))

    For normal errors and targets, the delta method gives R2 the standard error
    `2 (1 - R2) sqrt(1 - c^2 / (1 - R2)) / sqrt(n)`, where `c` is the covariance of error and target over the variance
    of the target. A right model has `c = 1 - R2`, which gives `2 (1 - R2) sqrt(R2 / n)` (Olkin and Finn). The `c` of a
    model that may be wrong is unknown, so the formula takes the largest error, that of `c = 0`. It is used on the scale
    of `log(1 - R2)`, where it also holds for few examples.

    Returns:
      The limits; None for fewer than 2 examples.

    Example:
      >>> [round(end, 2) for end in r2_limits(0.5, 100)]
      [0.26, 0.66]

    Reference:
      Olkin and Finn, Correlations redux, 1995.
    """
    if examples < 2:
        return None
    reach = float(t_quantile(examples - 1, _TAIL)) * 2.0 / math.sqrt(examples)
    left = max(1.0 - r2, 0.0)
    return 1.0 - left * _exp(reach), 1.0 - left * _exp(-reach)


def lowest_loss(loss: float, examples: int | None) -> float:
    """The lower 95% limit of a mean loss: `loss exp(-z sqrt(2 / n))`; a loss at 0 or below is taken as it is.

    Squares of normal errors deviate by `sqrt(2)` times their mean.
    """
    if examples is None or loss <= 0:
        return loss
    return loss * _exp(-normal_quantile(_TAIL) * math.sqrt(2.0 / examples))


def highest_loss(loss: float, examples: int | None) -> float:
    """The upper 95% limit of a mean loss: `loss exp(z sqrt(2 / n))`, as `lowest_loss`."""
    if examples is None or loss <= 0:
        return loss
    return loss * _exp(normal_quantile(_TAIL) * math.sqrt(2.0 / examples))


def least_rise(lowest: float, examples: int | None, squares: bool) -> float:
    """How far a loss must rise above its lowest value before another draw of the examples cannot explain it.

    The epoch of the lowest loss is chosen by these examples, and even the true function is not the one that fits them
    best. Twice the gain in log-likelihood of one chosen parameter has a chi-squared distribution:

      cross entropy: 2 n rise           > z^2
      squares:       (n - 1) rise / low > t_{n-1}^2, the F test of one parameter

    Args:
      lowest: the lowest loss.
      examples: how many it is the mean over; None asks for nothing.
      squares: whether it is a mean of squares, rather than a negative log-likelihood.

    Example:
      >>> round(least_rise(0.5, 100, squares=False), 4), round(least_rise(0.5, 100, squares=True), 4)
      (0.0192, 0.0199)
    """
    if examples is None:
        return 0.0
    if not squares or lowest <= 0:
        return normal_quantile(_TAIL) ** 2 / (2.0 * examples)
    return math.inf if examples < 2 else lowest * float(t_quantile(examples - 1, _TAIL)) ** 2 / (examples - 1)


def _exp(power: float) -> float:
    """`exp`, without an overflow: two examples have a quantile of 12.7."""
    return math.exp(min(power, 700.0))
