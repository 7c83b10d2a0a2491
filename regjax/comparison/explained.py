"""D², the share of the data loss that a model explains: what R² is for squares, for any loss of a regression.

  D² = 1 - mean loss / mean loss of the best constant for these examples

Reference: Koenker and Machado, Goodness of fit and related inference processes for quantile regression, 1999; the
functions `d2_pinball_score`, `d2_absolute_error_score` and `d2_tweedie_score` of `sklearn.metrics`.
"""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from regjax.catalog import LOSSES as RECORDS
from regjax.data import Preprocessor
from regjax.losses import LOSSES, ChosenLoss, best_constant, constant_losses

_LEAST_RATE = 1e-12  # a prediction of counts below it counts as this one, whose logarithm is finite


def least_loss(loss: ChosenLoss, targets: np.ndarray) -> float:
    """The mean loss of the best constant for these examples; 1 where it is 0, because all targets are the same.

    Args:
      loss: the data loss of a regression.
      targets: as the loss takes them, standardized if runs standardize them.

    Example:
      >>> least_loss(ChosenLoss("mae"), np.array([1.0, 2.0, 3.0, 4.0]))
      1.0
    """
    constant = best_constant(loss.name, targets, loss.parameter)
    found = float(constant_losses(loss.name, constant, targets, loss.parameter).mean())
    return found if found > 0 else 1.0


def explained(losses: np.ndarray, least: float) -> np.ndarray:
    """What each example contributes to D², which is their mean; the least loss is taken as known, as by R²."""
    return np.asarray(1.0 - losses / least)


def d2_of(loss: ChosenLoss, preprocessor: Preprocessor, predictions: np.ndarray, y: np.ndarray) -> float:
    """D² of predictions in the units of the targets.

    Args:
      loss: the data loss.
      preprocessor: gives the loss its unit.
      predictions: numbers like `y`.
      y: the targets, `[N]` or `[N, D]`.
    """
    predictions = np.reshape(np.asarray(predictions, np.float32), y.shape)
    is_log = RECORDS[loss.name].link == "log"
    outputs = np.log(np.maximum(predictions, _LEAST_RATE)) if is_log else preprocessor.target_transform(predictions)
    targets = preprocessor.target_transform(y)
    arguments = () if loss.parameter is None else (loss.parameter,)
    losses = LOSSES[loss.name](jnp.asarray(outputs), jnp.asarray(targets), *arguments)
    return 1.0 - float(np.mean(losses)) / least_loss(loss, targets)
