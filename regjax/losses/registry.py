"""Data losses by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp

from regjax.catalog import LOSSES as RECORDS
from regjax.core.checks import check_choice
from regjax.core.dtypes import widened
from regjax.core.typing import Array
from regjax.losses.classes import cross_entropy, focal_loss
from regjax.losses.multilabel import binary_cross_entropy
from regjax.losses.numbers import absolute_error, huber_loss, pinball_loss, poisson_deviance, squared_error

Loss = Callable[..., Array]

LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "mse": squared_error,
    "mae": absolute_error,
    "huber": huber_loss,
    "quantile": pinball_loss,
    "poisson": poisson_deviance,
    "focal": focal_loss,
    "binary_cross_entropy": binary_cross_entropy,
}
"""The functions of the records of `regjax.catalog.LOSSES`; the third argument is the parameter, if there is one."""


class ChosenLoss(NamedTuple):
    """A data loss and its number.

    Attributes:
      name: a name of `LOSSES`.
      parameter: its third argument; None if it has none, or for the default.
    """

    name: str
    parameter: float | None = None


def get_loss(name_or_loss: str | Loss) -> Loss:
    """The loss of this name (a key of `LOSSES`); a callable is returned unchanged."""
    if callable(name_or_loss):
        return name_or_loss
    check_choice("data_loss", name_or_loss, LOSSES)
    return LOSSES[name_or_loss]


def predicted_numbers(loss: str | Loss | None, outputs: Array) -> Array:
    """What the outputs of a regression predict: `exp(outputs)` where they are logarithms, else `outputs`.

    Args:
      loss: the data loss with which the model was trained; only a name says that outputs are logarithms.
      outputs: of the model, `[B]` or `[B, D]`.

    Example:
      >>> import jax.numpy as jnp
      >>> predicted_numbers("poisson", jnp.zeros(1)), predicted_numbers("mse", jnp.zeros(1))
      (Array([1.], dtype=float32), Array([0.], dtype=float32))
    """
    is_log = isinstance(loss, str) and RECORDS[loss].link == "log"
    return jnp.exp(widened(outputs)) if is_log else outputs
