"""Data losses by name."""

from __future__ import annotations

from collections.abc import Callable

from regjax.core.checks import check_choice
from regjax.core.typing import Array
from regjax.losses.classes import cross_entropy
from regjax.losses.numbers import squared_error

Loss = Callable[[Array, Array], Array]

LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "mse": squared_error}
TASK_LOSSES = {"classification": "cross_entropy", "regression": "mse"}


def get_loss(name_or_loss: str | Loss) -> Loss:
    """The loss of this name (`"cross_entropy"`, `"mse"`); a callable is returned unchanged."""
    if callable(name_or_loss):
        return name_or_loss
    check_choice("data_loss", name_or_loss, LOSSES)
    return LOSSES[name_or_loss]
