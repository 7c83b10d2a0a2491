"""Data losses by name."""

from __future__ import annotations

from collections.abc import Callable

from regjax.core.checks import check_choice
from regjax.core.typing import Array
from regjax.losses.classes import cross_entropy
from regjax.losses.numbers import absolute_error, squared_error

Loss = Callable[[Array, Array], Array]

LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "mse": squared_error, "mae": absolute_error}
"""The functions of the records of `regjax.catalog.LOSSES`."""


def get_loss(name_or_loss: str | Loss) -> Loss:
    """The loss of this name (a key of `LOSSES`); a callable is returned unchanged."""
    if callable(name_or_loss):
        return name_or_loss
    check_choice("data_loss", name_or_loss, LOSSES)
    return LOSSES[name_or_loss]
