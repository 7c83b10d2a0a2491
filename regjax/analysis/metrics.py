"""Metrics of predictions, each as the mean of what every example contributes to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from regjax.catalog import METRICS
from regjax.core.checks import check_choice

LEAST = float(np.finfo(np.float32).tiny)  # a probability of a label that float32 rounds to 0 counts as this one


def metrics_of(task: str, outputs: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Compute all metrics of predictions.

    - Classification: `accuracy`; `balanced_accuracy`, the mean recall of the classes; `roc_auc`; `average_precision`;
      `f1`; `log_loss`; `brier`, summed over classes. The middle three are those of the second class if there are two,
      otherwise the mean over classes, each against the rest; classes without an example are left out.
    - Multilabel: the first six of these for each label as one of two classes, and of them the mean over labels; labels
      for which a metric is not defined are left out of its mean.
    - Regression: `r2`, `mae` and `rmse`, in the units of the target; the mean over several targets. D² is computed
      where the data loss is known (`regjax.comparison.explained`).

    Args:
      task: `"classification"`, `"regression"` or `"multilabel"`.
      outputs: probabilities of the classes or labels `[N, K]`, or numbers `[N]` or `[N, D]`.
      y: classes `int[N]`, labels `[N, K]` that are 0 or 1, or numbers like `outputs`.

    Returns:
      The metrics by name; NaN where one is not defined.

    Example:
      >>> found = metrics_of("classification", np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]]), np.array([0, 1, 1]))
      >>> {name: round(found[name], 3) for name in ("accuracy", "balanced_accuracy", "roc_auc")}
      {'accuracy': 0.667, 'balanced_accuracy': 0.75, 'roc_auc': 1.0}

    Reference: the functions of the same names in `sklearn.metrics`.
    """
    names = [name for name, metric in METRICS.items() if metric.serves(task) and not metric.of_loss]
    return {name: float(np.mean(contributions(name, outputs, y))) for name in names}


def contributions(metric: str, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return what each example contributes to a metric; their mean is the metric.

    Of a metric that is a mean over examples (accuracy, log loss, Brier score, mean absolute error), it is the term of
    the example. Of any other metric `m` it is `m` plus the influence of the example: `N` times the derivative of `m` by
    the weight of the example. The variance of the mean of these contributions is the linear approximation to the
    variance of `m` over other test examples, and of ROC AUC it is that of DeLong et al. R2 takes the variance of the
    targets as known.

    Args:
      metric: a name of `regjax.catalog.METRICS`; not D², which needs the data loss.
      outputs: as in `metrics_of`.
      y: as in `metrics_of`.

    Returns:
      `float64[N]`; NaN where the metric is not defined.

    Raises:
      InputError: the metric is unknown.

    Example:
      >>> contributions("balanced_accuracy", np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]]), np.array([0, 1, 1]))
      array([0.75 , 1.125, 0.375])

    Reference:
      Hampel, The influence curve and its role in robust estimation, 1974; DeLong, DeLong and Clarke-Pearson, Comparing
      the areas under two or more correlated receiver operating characteristic curves, 1988.
    """
    check_choice("metric", metric, [name for name, one in METRICS.items() if not one.of_loss])
    outputs, y = np.asarray(outputs, np.float64), np.asarray(y)
    if METRICS[metric].task == "regression":
        targets = np.reshape(y, (len(y), -1)).astype(np.float64)
        return _OF_NUMBERS[metric](np.reshape(outputs, targets.shape) - targets, targets)
    if y.ndim == 2:
        return _over_labels([contributions(metric, *of_label) for of_label in each_label(outputs, y)])
    if metric in _OF_CLASSES:
        return _OF_CLASSES[metric](outputs, y)
    classes = [1] if outputs.shape[1] == 2 else range(outputs.shape[1])
    present = [k for k in classes if 0 < np.sum(y == k) < len(y)]
    if not present:
        return np.full(len(y), np.nan)
    return np.mean([_OF_ONE_CLASS[metric](outputs, y == k, k) for k in present], axis=0)


def reaches(metric: str, outputs: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return how far one answer can move what its example contributes to a metric, `float64[N]`.

    For `N` examples, `n` of them of the class of the example:

    - accuracy: 1, from wrong to right;
    - balanced accuracy: `N / (K n)` with `K` classes;
    - ROC AUC: `N / (2 n)`, from the right side of all others to a rank at random;
    - average precision: `N / n`, from precision 1 to 0, of the examples of the class; 0 of the others;
    - F1: `N (2 - F1) / (predicted + true)` of the examples of the class, `N F1 / (predicted + true)` of the others.

    Of several labels, it is the mean over labels: all answers for an example may change together. Of a mean over
    classes, it is the part of the own class and the largest of another one, over the number of classes. A single
    example of a rare class moves such a metric far, and how far it does is not seen in the variance where none of the
    few has moved. Other metrics are no counts of answers: 0.

    Args:
      metric: a name of `regjax.catalog.METRICS`.
      outputs: as in `metrics_of`.
      y: as in `metrics_of`.

    Raises:
      InputError: the metric is unknown.

    Example:
      >>> reaches("roc_auc", np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.6, 0.4], [0.8, 0.2]]), [0, 1, 0, 0, 0])
      array([0.625, 2.5  , 0.625, 0.625, 0.625])
    """
    check_choice("metric", metric, METRICS)
    y, size = np.asarray(y), len(y)
    if y.ndim == 2 and METRICS[metric].of_labels:
        return _over_labels([reaches(metric, *of_label) for of_label in each_label(np.asarray(outputs), y)])
    if metric == "accuracy":
        return np.ones(size)
    if metric == "balanced_accuracy":
        counts = np.bincount(y)
        return size / (np.count_nonzero(counts) * counts[y])
    if metric not in _OF_ONE_CLASS:
        return np.zeros(size)
    outputs = np.asarray(outputs)
    classes = [1] if outputs.shape[1] == 2 else range(outputs.shape[1])
    present = [k for k in classes if 0 < np.sum(y == k) < size]
    guess, own, other = outputs.argmax(axis=1), np.zeros(size), np.zeros(size)
    for k in present:
        truth = y == k
        within, beyond = _REACHES[metric](guess == k, truth)
        own[truth] = within
        other[~truth] = np.maximum(other[~truth], beyond)
    return size * (own + other) / max(len(present), 1)


def each_label(q: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """For each of several labels its probabilities `[N, 2]` of being 0 and 1, and its values as classes.

    Args:
      q: probabilities of the labels `[N, K]`.
      y: the labels `[N, K]`, 0 or 1.

    Example:
      >>> ((p, y),) = each_label(np.array([[0.25]]), np.array([[1.0]]))
      >>> p.tolist(), y.tolist()
      ([[0.75, 0.25]], [1])
    """
    return [(np.stack([1.0 - q[:, k], q[:, k]], axis=1), y[:, k].astype(np.int64)) for k in range(y.shape[1])]


def _over_labels(of_labels: list[np.ndarray]) -> np.ndarray:
    """The mean over the labels for which a metric is defined; NaN if there is none."""
    known = [values for values in of_labels if not np.isnan(values).any()]
    return np.mean(known, axis=0) if known else np.full(len(of_labels[0]), np.nan)


def _accuracy(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (p.argmax(axis=1) == y).astype(np.float64)


def _balanced_accuracy(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The mean recall plus the influences: how far the answer is from the recall of its class."""
    right, counts = _accuracy(p, y), np.bincount(y)
    recall, classes = np.bincount(y, right) / np.maximum(counts, 1), np.count_nonzero(counts)
    return recall.sum() / classes + (right - recall[y]) * len(y) / (classes * counts[y])


def _log_loss(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return -np.log(np.maximum(p[np.arange(len(y)), y], LEAST))


def _brier(p: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.sum(np.square(p - np.eye(p.shape[1])[y]), axis=1)


def _roc_auc(p: np.ndarray, truth: np.ndarray, k: int) -> np.ndarray:
    """AUC plus the influences: the share of the other side that an example is ranked right against, less the AUC."""
    score = p[:, k]
    placement = np.empty(len(score))
    placement[truth] = _share_below(np.sort(score[~truth]), score[truth])
    placement[~truth] = 1.0 - _share_below(np.sort(score[truth]), score[~truth])
    auc = float(placement[truth].mean())
    return auc + (placement - auc) * len(score) / np.where(truth, truth.sum(), (~truth).sum())


def _share_below(ordered: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The share of the ordered numbers that is below each value; equal ones count half."""
    below, up_to = (np.searchsorted(ordered, values, side) for side in ("left", "right"))
    return (below + up_to) / (2.0 * len(ordered))


def _average_precision(p: np.ndarray, truth: np.ndarray, k: int) -> np.ndarray:
    """The mean precision at the scores of the positive examples, plus the influences on it.

    An example changes the precision at its own score and at all lower ones: by `(truth - precision) / M`, where `M` is
    the number of examples with at least that score.
    """
    score, place, counts = np.unique(-p[:, k], return_inverse=True, return_counts=True)  # highest score first
    hits = np.bincount(place, truth, len(score))
    at_least = np.cumsum(counts)
    precision = np.cumsum(hits) / at_least
    number = hits.sum()
    average = float(np.sum(hits * precision) / number)
    # Sums over the positive examples with at most the score of each threshold, of 1 / M and of precision / M.
    later = [np.cumsum((hits * term / at_least)[::-1])[::-1][place] for term in (np.ones(len(score)), precision)]
    own = truth * (precision[place] - average)
    return average + len(truth) / number * (own + truth * later[0] - later[1])


def _f1(p: np.ndarray, truth: np.ndarray, k: int) -> np.ndarray:
    """F1 = 2 TP / (predicted + true), plus the influences on numerator and denominator."""
    guess = p.argmax(axis=1) == k
    parts = guess.astype(np.float64) + truth
    f1 = 2.0 * np.sum(guess & truth) / parts.sum()
    return f1 + (2.0 * (guess & truth) - f1 * parts) / parts.mean()


def _reach_of_auc(guess: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """The reach over `N` of an example of the class, and of one of another; as are the next two."""
    del guess
    return 0.5 / truth.sum(), 0.5 / (~truth).sum()


def _reach_of_precision(guess: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    del guess
    return 1.0 / truth.sum(), 0.0


def _reach_of_f1(guess: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    total = guess.sum() + truth.sum()
    f1 = 2.0 * np.sum(guess & truth) / total
    return (2.0 - f1) / total, f1 / total


def _r2(error: np.ndarray, y: np.ndarray) -> np.ndarray:
    spread = np.var(y, axis=0)
    if len(y) < 2:
        return np.full(len(y), np.nan)
    return np.mean(1.0 - np.square(error) / np.where(spread > 0, spread, 1.0), axis=1)


def _mae(error: np.ndarray, y: np.ndarray) -> np.ndarray:
    del y
    return np.mean(np.abs(error), axis=1)


def _rmse(error: np.ndarray, y: np.ndarray) -> np.ndarray:
    del y
    squares = np.square(error)
    root = np.sqrt(squares.mean(axis=0))
    return np.mean(root + (squares - np.square(root)) / (2.0 * np.where(root > 0, root, 1.0)), axis=1)


_OF_CLASSES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "log_loss": _log_loss,
    "brier": _brier,
}
_OF_ONE_CLASS: dict[str, Callable[[np.ndarray, np.ndarray, int], np.ndarray]] = {
    "roc_auc": _roc_auc,
    "average_precision": _average_precision,
    "f1": _f1,
}
_REACHES: dict[str, Callable[[np.ndarray, np.ndarray], tuple[float, float]]] = {
    "roc_auc": _reach_of_auc,
    "average_precision": _reach_of_precision,
    "f1": _reach_of_f1,
}
_OF_NUMBERS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"r2": _r2, "mae": _mae, "rmse": _rmse}
