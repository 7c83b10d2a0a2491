"""Data losses and metrics for each example (or token), label smoothing and label noise.

Losses are functions `(outputs, targets) -> [B]`, or `[B, T]` for sequences; their callers (`build_loss`, `evaluate`)
apply the weights and average. As in torch, the mean is over all tokens of a batch that count, not sequence by sequence:
see `squared_error`, `cross_entropy` and `weighted_mean`.
"""

from regjax.losses.classes import class_weights, correct, cross_entropy
from regjax.losses.constants import best_constant, constant_losses
from regjax.losses.labels import corrupt_labels, smooth_labels
from regjax.losses.means import weighted_mean
from regjax.losses.numbers import absolute_error, squared_error
from regjax.losses.registry import LOSSES, Loss, get_loss

__all__ = [
    "LOSSES",
    "Loss",
    "absolute_error",
    "best_constant",
    "class_weights",
    "constant_losses",
    "correct",
    "corrupt_labels",
    "cross_entropy",
    "get_loss",
    "smooth_labels",
    "squared_error",
    "weighted_mean",
]
