"""Metrics of predictions beside the score and the loss by which a comparison chooses and tests."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np

CONSTANT, LINEAR, BOOSTING = "constant guess", "linear model", "gradient boosting"
"""Names of the models of another kind beside a comparison, see `regjax.comparison.references`."""

RARE = 0.2
"""With a class rarer than this, accuracy says little: the constant guess is hard to beat."""


def metrics_of(task: str, outputs: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Compute the metrics of predictions.

    - Classification: `accuracy`; `balanced_accuracy`, the mean recall of the classes; `roc_auc`; `average_precision`;
      `f1`; `log_loss`; `brier`, summed over classes. The middle three are those of the second class if there are two,
      otherwise the mean over classes, each against the rest; classes without an example are left out.
    - Regression: `r2`, `mae` and `rmse`, in the units of the target; the mean over several targets.

    Args:
      task: `"classification"` or `"regression"`.
      outputs: probabilities of the classes `[N, K]`, or numbers `[N]` or `[N, D]`.
      y: labels `int[N]`, or numbers like `outputs`.

    Returns:
      The metrics by name; NaN where one is not defined.

    Example:
      >>> found = metrics_of("classification", np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3]]), np.array([0, 1, 1]))
      >>> {name: round(found[name], 3) for name in ("accuracy", "balanced_accuracy", "roc_auc")}
      {'accuracy': 0.667, 'balanced_accuracy': 0.75, 'roc_auc': 1.0}

    Reference: the functions of the same names in `sklearn.metrics`.
    """
    return _of_classes(outputs, y) if task == "classification" else _of_numbers(outputs, y)


def reference_notes(
    task: str,
    metric: str,
    titles: Mapping[str, str],
    metrics: Mapping[str, Mapping[str, float]],
    references: Mapping[str, Mapping[str, float]],
) -> list[str]:
    """Say how models of another kind do on the same test examples, and what accuracy hides if a class is rare.

    Args:
      task: `"classification"` or `"regression"`.
      metric: name of the score of the comparison.
      titles: those of the rows, by name.
      metrics: the metrics of each row.
      references: the metrics of each reference; without any, nothing is said.
    """
    if not references:
        return []
    scale, unit = (100.0, " in %") if task == "classification" else (1.0, "")

    def listed(name: str, of: Mapping[str, str], values: Mapping[str, Mapping[str, float]]) -> str:
        return ", ".join(f"{title} {scale * values[row][name]:.3g}" for row, title in of.items())

    notes = [
        f"For reference, test {metric}{unit} on the same splits, with the defaults of scikit-learn: "
        f"{listed(metric, {name: name for name in references}, references)}."
    ]
    constant = references[CONSTANT][metric]
    if task == "classification" and constant > 1 - RARE:
        notes.append(
            f"A class is rare: always the same guess has {scale * constant:.3g}% accuracy. Balanced accuracy{unit}: "
            f"{listed('balanced_accuracy', titles, metrics)}. Average precision{unit}: "
            f"{listed('average_precision', titles, metrics)}."
        )
    return notes


def _of_classes(probability: np.ndarray, y: np.ndarray) -> dict[str, float]:
    from sklearn import metrics

    best = probability.argmax(axis=1)
    present = np.unique(y)
    ranked = [1] if probability.shape[1] == 2 else list(range(probability.shape[1]))
    ranked = [k for k in ranked if 0 < np.sum(y == k) < len(y)]

    def mean(score: object) -> float:
        assert callable(score)
        return float(np.mean([score(k) for k in ranked])) if ranked else float("nan")

    truth = np.eye(probability.shape[1])[y]
    of_label = np.maximum(probability[np.arange(len(y)), y].astype(np.float64), 1e-12)
    return {
        "accuracy": float(np.mean(best == y)),
        "balanced_accuracy": float(np.mean([np.mean(best[y == k] == k) for k in present])),
        "roc_auc": mean(lambda k: metrics.roc_auc_score(y == k, probability[:, k])),
        "average_precision": mean(lambda k: metrics.average_precision_score(y == k, probability[:, k])),
        "f1": mean(lambda k: metrics.f1_score(y == k, best == k, zero_division=0.0)),
        "log_loss": float(-np.mean(np.log(of_label))),
        "brier": float(np.mean(np.sum(np.square(probability - truth), axis=1))),
    }


def _of_numbers(predicted: np.ndarray, y: np.ndarray) -> dict[str, float]:
    from sklearn import metrics

    predicted, y = np.reshape(predicted, (len(y), -1)), np.reshape(y, (len(y), -1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # R2 of a single example is NaN
        r2 = float(metrics.r2_score(y, predicted)) if len(y) > 1 else float("nan")
    return {
        "r2": r2,
        "mae": float(metrics.mean_absolute_error(y, predicted)),
        "rmse": float(np.mean(np.sqrt(np.mean(np.square(y - predicted), axis=0)))),
    }
