"""Step sizes of optimizers: the update per unit of gradient, which scales proximal thresholds.

A proximal step of strength `s` after an update `w - T g` solves the penalized problem only if its threshold is `T s`
with the step size `T` of the optimizer. Any other threshold solves another problem: with momentum `mu`, `lr * s` solves
the problem of strength `s (1 - mu)`.
"""

from regjax.optim.stepsizes.adaptive import adagrad, adam, adamax, amsgrad, nadam, rmsprop
from regjax.optim.stepsizes.base import LearningRate, StepSize, at_step, current, states
from regjax.optim.stepsizes.uniform import frozen, partition, plain, sgd

__all__ = [
    "LearningRate",
    "StepSize",
    "adagrad",
    "adam",
    "adamax",
    "amsgrad",
    "at_step",
    "current",
    "frozen",
    "nadam",
    "partition",
    "plain",
    "rmsprop",
    "sgd",
    "states",
]
