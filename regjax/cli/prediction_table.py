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
    columns = numbered("prediction", predicted)
    if half_width is not None:
        for name, sign in (("low", -1), ("high", 1)):
            end = (predicted + sign * half_width).astype(predicted.dtype)
            columns |= numbered(name, np.maximum(end, 0) if preprocessor.link == "log" else end)  # no count is below 0
    return columns


def numbered(name: str, values: np.ndarray) -> dict[str, list[Any]]:
    """Return a column `[N, 1]` under its name, or the columns `[N, D]` under numbered names."""
    if values.shape[1] == 1:
        return {name: values[:, 0].tolist()}
    return {f"{name}_{i}": values[:, i].tolist() for i in range(values.shape[1])}
