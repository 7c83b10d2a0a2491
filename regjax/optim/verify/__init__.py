"""Whether an optimizer and the penalties in it fit together, tried out on a few numbers.

`step`: does an optimizer take the step that it is said to take? `surroundings`: is a penalty left alone by what
stands around it?
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
