"""What a trained model predicts for validation examples; prediction intervals and thresholds come from it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import jax
import numpy as np

from regjax import data
from regjax.analysis.weights import params_sha256
from regjax.cli import setup
from regjax.cli.predictor import TrainedModel, predictor

FILE = "validation.npz"
MAX_EXAMPLES = 20_000
"""Of more validation examples, so many are taken at equal distances."""

_BATCH = 1024


class HeldOut(NamedTuple):
    """Validation examples of a run.

    Attributes:
      outputs: of the model, `[N, K]` logits or `[N, D]` standardized numbers (with a log link, logarithms).
      targets: class indices `[N]`, or numbers in their units, `[N]` or `[N, D]`.
    """

    outputs: np.ndarray
    targets: np.ndarray

    def errors(self, preprocessor: data.Preprocessor) -> np.ndarray:
        """Return the absolute errors of a regression in the units of the targets, `[N, D]`."""
        predicted = np.asarray(preprocessor.target_inverse(self.outputs), np.float64)
        return np.abs(predicted.reshape(len(predicted), -1) - self.targets.reshape(len(predicted), -1))


def write(workdir: Path, model: TrainedModel, splits: data.Splits) -> None:
    """Predict the validation examples, and keep what the model says; nothing if it is not finite.

    Args:
      workdir: directory of the run.
      model: its model.
      splits: its data.
    """
    (workdir / FILE).unlink(missing_ok=True)
    x, y = setup.validation_part(splits)
    if len(x) > MAX_EXAMPLES:
        rows = np.linspace(0, len(x) - 1, MAX_EXAMPLES).astype(np.int64)
        x, y = x[rows], y[rows]
    model = model._replace(weights=jax.device_get(model.weights))
    outputs_of = predictor(model, _BATCH)
    outputs = np.concatenate([outputs_of(x[i : i + _BATCH], i)[0] for i in range(0, len(x), _BATCH)])
    if outputs.ndim <= 2 and np.isfinite(outputs).all():
        np.savez(workdir / FILE, outputs=outputs, targets=y, params_sha256=params_sha256(model.weights.params))


def read(workdir: Path, model: TrainedModel) -> HeldOut | None:
    """Read what `write` wrote; None if there is none, or if it is of other weights, as after an interrupt."""
    try:
        with (workdir / FILE).open("rb") as file, np.load(file, allow_pickle=False) as stored:
            same = str(stored["params_sha256"]) == params_sha256(jax.device_get(model.weights.params))
            return HeldOut(stored["outputs"], stored["targets"]) if same else None
    except Exception:  # of a damaged file, whose errors have no common base class
        return None
