"""The columns that `predict` writes: one row for each example."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

    from regjax.data import Preprocessor

MOST_CLASSES = 100  # with more, only the probability of the predicted class is written
DIGITS = 6


def probabilities(outputs: np.ndarray) -> np.ndarray:
    """Return the probabilities `float64[N, K]` of logits, or of logarithms of probabilities, `[N, K]`."""
    import numpy as np

    shifted = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    return (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float64)


def class_columns(
    outputs: np.ndarray, classes: tuple[str, ...] | None, threshold: float | None = None
) -> dict[str, list[Any]]:
    """Return the columns of a classification: the predicted class, its probability, and that of each class.

    Args:
      outputs: logits, or logarithms of probabilities, `[N, K]`.
      classes: names of the classes; None numbers them.
      threshold: of two classes, the probability of the second one from which on it is predicted; None is one half.
    """
    import numpy as np

    probability = probabilities(outputs)
    names = classes or tuple(str(k) for k in range(outputs.shape[1]))
    best = np.argmax(outputs, axis=1) if threshold is None else (probability[:, 1] >= threshold).astype(int)
    of_best = probability[np.arange(len(best)), best]
    columns: dict[str, list[Any]] = {"prediction": np.array(names, object)[best].tolist()}
    columns["probability"] = of_best.round(DIGITS).tolist()
    if len(names) <= MOST_CLASSES:
        columns |= {f"probability_{name}": probability[:, k].round(DIGITS).tolist() for k, name in enumerate(names)}
    return columns


def label_columns(outputs: np.ndarray, labels: tuple[str, ...] | None) -> dict[str, list[Any]]:
    """Return the columns of several labels: for each whether it is predicted, 0 or 1, and its probability.

    A label is predicted where its probability is above one half. Of the label wet, the columns are `wet` and
    `wet_probability`.

    Args:
      outputs: logits `[N, K]`.
      labels: names of the labels; None numbers them.
    """
    import numpy as np
    from scipy.special import expit

    logits = np.asarray(outputs, np.float64)
    probability = expit(logits).round(DIGITS)
    return target_columns("prediction", (logits > 0).astype(int), labels) | target_columns(
        "probability", probability, labels
    )


def number_columns(
    outputs: np.ndarray, preprocessor: Preprocessor, half_width: np.ndarray | None = None
) -> dict[str, list[Any]]:
    """Return the columns of a regression, in the units of the targets: one for each target, and its interval.

    Args:
      outputs: of the model, standardized numbers or logarithms, `[N]` or `[N, D]`.
      preprocessor: that of the model.
      half_width: half the width of the interval of each target, `[D]`; None leaves intervals out.
    """
    import numpy as np

    predicted = np.asarray(preprocessor.target_inverse(outputs)).reshape(len(outputs), -1)
    columns = target_columns("prediction", predicted, preprocessor.target_names)
    if half_width is not None:
        for name, sign in (("low", -1), ("high", 1)):
            end = (predicted + sign * half_width).astype(predicted.dtype)
            end = np.maximum(end, 0) if preprocessor.link == "log" else end  # no count is below 0
            columns |= target_columns(name, end, preprocessor.target_names)
    return columns


def target_columns(name: str, values: np.ndarray, targets: tuple[str, ...] | None = None) -> dict[str, list[Any]]:
    """Return a column `[N, 1]` under its name, or the columns `[N, D]` under the names of the targets.

    Of the targets price and weight, the predictions are `price` and `weight`, and what is `low` of them `price_low` and
    `weight_low`. Without names, or if these would not be distinct, they are numbered, as `low_0` and `low_1`.

    Args:
      name: `"prediction"`, or what else the values are.
      values: of each target.
      targets: names of the D targets.
    """
    if values.shape[1] == 1 and targets is None:
        return {name: values[:, 0].tolist()}
    names = [f"{name}_{i}" for i in range(values.shape[1])]
    if targets is not None and are_distinct(targets):
        names = [target if name == "prediction" else f"{target}_{name}" for target in targets]
    return {column: values[:, i].tolist() for i, column in enumerate(names)}


SUFFIXES = ("low", "high", "target", "std", "probability")


def are_distinct(targets: tuple[str, ...]) -> bool:
    """Whether the columns named after targets differ from each other, and from the ids.

    Example:
      >>> are_distinct(("price", "weight")), are_distinct(("price", "price_low")), are_distinct(("id", "price"))
      (True, False, False)
    """
    every = ["id", *targets, *(f"{target}_{suffix}" for target in targets for suffix in SUFFIXES)]
    return len(set(every)) == len(every)
