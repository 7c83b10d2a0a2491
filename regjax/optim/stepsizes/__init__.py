"""The step that an optimizer takes for a unit of gradient: what a proximal threshold must be multiplied with.

A proximal step of strength `s` after an update `w - T g` solves the penalized problem only if its threshold is
`T s` with the optimizer's own `T`. Any other threshold solves another problem: `lr * s` under momentum `mu`
solves strength `s (1 - mu)`.
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
