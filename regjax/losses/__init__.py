"""Data losses and metrics for each example (or token), label smoothing and label noise.

Losses are functions `(outputs, targets) -> [B]`, or `[B, T]` for sequences; their callers (`build_loss`, `evaluate`)
apply the weights and average. As in torch, the mean is over all tokens of a batch that count, not sequence by sequence:
see `squared_error`, `cross_entropy` and `weighted_mean`.
"""

from regjax.losses.classes import class_weights, correct, cross_entropy, focal_loss
from regjax.losses.constants import best_constant, constant_losses
from regjax.losses.labels import corrupt_labels, smooth_labels
from regjax.losses.means import weighted_mean
from regjax.losses.multilabel import binary_cross_entropy, labels_correct, probabilities, smooth_binary
from regjax.losses.numbers import absolute_error, huber_loss, pinball_loss, poisson_deviance, squared_error
from regjax.losses.registry import LOSSES, ChosenLoss, Loss, get_loss, predicted_numbers

__all__ = [
    "LOSSES",
    "ChosenLoss",
    "Loss",
    "absolute_error",
    "best_constant",
    "binary_cross_entropy",
    "class_weights",
    "constant_losses",
    "correct",
    "corrupt_labels",
    "cross_entropy",
    "focal_loss",
    "get_loss",
    "huber_loss",
    "labels_correct",
    "pinball_loss",
    "poisson_deviance",
    "predicted_numbers",
    "probabilities",
    "smooth_binary",
    "smooth_labels",
    "squared_error",
    "weighted_mean",
]
