"""Verifies on a few numbers that an optimizer and its penalties fit together.

`step`: does an optimizer take the step that a `StepSize` computes? `surroundings`: do the transforms around a penalty
leave its effect unchanged?
"""

from regjax.optim.verify.step import WAY_OUT, check_follows, check_moves, generic
from regjax.optim.verify.surroundings import PROBE, answer, check_optimizer
from regjax.optim.verify.trial import CannotJudge, ignored, initial_state, small_like

__all__ = [
    "PROBE",
    "WAY_OUT",
    "CannotJudge",
    "answer",
    "check_follows",
    "check_moves",
    "check_optimizer",
    "generic",
    "ignored",
    "initial_state",
    "small_like",
]
