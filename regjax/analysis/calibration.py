"""Calibration of class probabilities: whether a model is right as often as it says. NumPy in float64."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from regjax.analysis.metrics import LEAST
from regjax.core.checks import check_choice, check_range
from regjax.core.errors import InputError
from regjax.core.labels import check_labels, is_indices

BIN_RULES = ("mass", "width")


class ReliabilityCurve(NamedTuple):
    """Confidence against accuracy, one entry for each bin that is not empty, by rising confidence.

    Attributes:
      confidence: `float64[B]`, mean confidence of the examples of a bin.
      accuracy: `float64[B]`, the share of them that is classified correctly.
      counts: `int64[B]`, how many they are.
    """

    confidence: np.ndarray
    accuracy: np.ndarray
    counts: np.ndarray


def reliability_curve(
    probabilities: np.ndarray, labels: np.ndarray, *, bins: int = 15, rule: str = "mass"
) -> ReliabilityCurve:
    """Mean confidence and accuracy of the examples in each bin of confidence.

    The confidence of an example is the largest of its probabilities, `max_k p_k`, and the first class that has it is
    the prediction. Bins are open below and closed above. Examples of equal confidence share a bin, so the order of the
    examples does not matter.

    Args:
      probabilities: `[N, K]`, each row a distribution over the K classes.
      labels: class indices, `int[N]`.
      bins: number of bins, at least 1; empty ones are left out.
      rule: `"mass"`: bins between quantiles of the confidence, so that each has about as many examples. `"width"`: bins
        of equal width between 0 and 1.

    Raises:
      InputError: the rule or the number of bins is not accepted.
      ValueError: rows are not distributions, a label is not a class, or there are no examples.

    Example:
      >>> probabilities = np.array([[0.6, 0.4], [0.4, 0.6], [0.9, 0.1], [0.1, 0.9]])
      >>> curve = reliability_curve(probabilities, np.array([0, 0, 0, 1]), bins=2)
      >>> curve.confidence.tolist(), curve.accuracy.tolist(), curve.counts.tolist()
      ([0.6, 0.9], [0.5, 1.0], [2, 2])

    Reference:
      Guo et al., On calibration of modern neural networks, 2017 (equal width); Nixon et al., Measuring calibration in
      deep learning, 2019 (equal mass).
    """
    check_choice("reliability_curve: rule", rule, BIN_RULES)
    if bins < 1:
        raise InputError(f"reliability_curve: bins must be >= 1, got {bins}")
    p, y = _checked("reliability_curve", probabilities, labels)
    confidence = p.max(axis=1)
    hits = p.argmax(axis=1) == y
    ends = np.linspace(0.0, 1.0, bins + 1)
    if rule == "mass":
        ends = np.quantile(confidence, ends)
    place = np.searchsorted(ends[1:-1], confidence)
    counts = np.bincount(place, minlength=bins)
    filled = counts > 0
    means = [np.bincount(place, weights=of, minlength=bins)[filled] / counts[filled] for of in (confidence, hits)]
    return ReliabilityCurve(means[0], means[1], counts[filled])


def expected_calibration_error(
    probabilities: np.ndarray, labels: np.ndarray, *, bins: int = 15, rule: str = "mass"
) -> float:
    """Mean difference between confidence and accuracy over bins of confidence, in [0, 1]; 0 is best.

      ECE = sum_b n_b / N |accuracy_b - confidence_b|

    The accuracy of a bin of `n` examples has a standard error of up to `0.5 / sqrt(n)`, so a perfectly calibrated model
    has an ECE above 0, too: about 0.06 for 15 bins of 24 examples at 80% accuracy. Compare models on the same examples.

    Args:
      probabilities: `[N, K]`, each row a distribution over the K classes.
      labels: class indices, `int[N]`.
      bins: number of bins, at least 1.
      rule: `"mass"` or `"width"`, as in `reliability_curve`.

    Raises:
      InputError: the rule or the number of bins is not accepted.
      ValueError: rows are not distributions, a label is not a class, or there are no examples.

    Example:
      >>> probabilities = np.array([[0.75, 0.25]] * 4)
      >>> expected_calibration_error(probabilities, np.array([0, 0, 0, 1]))
      0.0
      >>> expected_calibration_error(probabilities, np.array([0, 0, 0, 0]))
      0.25

    Reference:
      Naeini et al., Obtaining well calibrated probabilities using Bayesian binning, 2015; Guo et al., On calibration of
      modern neural networks, 2017; Nixon et al., Measuring calibration in deep learning, 2019 (equal mass).
    """
    confidence, accuracy, counts = reliability_curve(probabilities, labels, bins=bins, rule=rule)
    return float(np.sum(counts * np.abs(accuracy - confidence)) / np.sum(counts))


def brier_score(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Squared error of the probabilities, summed over classes: `mean_i sum_k (p_ik - [y_i = k])^2`, in [0, 2].

    With two classes it is twice the score of the positive class alone, which others call the Brier score.

    Args:
      probabilities: `[N, K]`, each row a distribution over the K classes.
      labels: class indices, `int[N]`.

    Raises:
      ValueError: rows are not distributions, a label is not a class, or there are no examples.

    Example:
      >>> brier_score(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0, 1]))
      0.25

    Reference:
      Brier, Verification of forecasts expressed in terms of probability, 1950.
    """
    p, y = _checked("brier_score", probabilities, labels)
    p[np.arange(len(y)), y] -= 1.0
    return float(np.mean(np.sum(np.square(p), axis=1)))


def log_loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Mean negative logarithm of the probability of the label, `-mean_i log p_i,y_i`, in nats.

    Probabilities below 1.2e-38, the smallest normal number of float32, count as that, so an example costs at most 87.3.

    Args:
      probabilities: `[N, K]`, each row a distribution over the K classes.
      labels: class indices, `int[N]`.

    Raises:
      ValueError: rows are not distributions, a label is not a class, or there are no examples.

    Example:
      >>> round(log_loss(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0, 1])), 4)
      0.3466

    Reference:
      Good, Rational decisions, 1952.
    """
    return float(np.mean(label_losses(probabilities, labels)))


def label_losses(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The loss of each example, whose mean is `log_loss`: `float64[N]`, with the same arguments.

    Example:
      >>> label_losses(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0, 1])).round(4).tolist()
      [0.6931, 0.0]
    """
    p, y = _checked("log_loss", probabilities, labels)
    return -np.log(np.maximum(p[np.arange(len(y)), y], LEAST)) + 0.0  # + 0.0 turns -0.0 into 0.0


def _checked(name: str, probabilities: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a copy of the probabilities in float64, and labels as integers, after checking both."""
    p, y = np.asarray(probabilities), np.asarray(labels)
    if p.ndim != 2 or is_indices(p) or p.shape[1] < 2 or len(p) == 0:
        raise ValueError(
            f"{name}: probabilities must be floating point [N, K] of at least 1 example and 2 classes, "
            f"got {p.dtype}{list(p.shape)}"
        )
    check_labels(f"{name}: probabilities", p, p.shape[1])
    check_range(
        f"{name}: largest probability of each row", p.max(axis=1), 0.0, low_open=True
    )  # a row of zeros is not a distribution
    if not is_indices(y):
        raise ValueError(f"{name}: labels must be class indices int[{len(p)}], got {y.dtype}{list(y.shape)}")
    check_labels(f"{name}: labels", y, p.shape[1], shape=(len(p),))
    return p.astype(np.float64), y.astype(np.int64)
