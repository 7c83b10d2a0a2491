"""What every model shares: how noise rates come in, and what shape goes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp

from regjax.checks import InputError, check_choice
from regjax.layers import Dropout
from regjax.typing import Array, ArrayLike

TASKS = ("classification", "regression")

Rates = Mapping[str, ArrayLike]

# He et al. (2015) for layers that a ReLU follows; the last layer, which none follows, keeps the variance of
# its input (LeCun), so that the first predictions are small.
hidden_init = nn.initializers.he_normal()
output_init = nn.initializers.lecun_normal()


class NoisyModel(nn.Module):
    """Base of the models: `apply({"params": p}, x, train=True, rates={"dropout": r}, rngs={"dropout": key})`.

    Which noises a program contains is static: those that `rates` names. Their values are data and may be
    traced. Without `train`, or for a name that is absent or None, nothing is drawn.

    Attributes:
      num_outputs: number of classes K, or of regression targets D.
      task: `"classification"` (logits `[B, K]`) or `"regression"` (`[B]` for one output, else `[B, D]`).

    Reference: Delving Deep into Rectifiers (He et al., 2015), for the initialization of hidden layers.
    """

    num_outputs: int
    task: str = "classification"

    accepted_rates: ClassVar[tuple[str, ...]] = ("input_dropout", "dropout")

    def __post_init__(self) -> None:
        check_choice(f"{type(self).__name__}: task", self.task, TASKS)
        if self.num_outputs < 1:
            raise InputError(f"{type(self).__name__}: num_outputs must be >= 1, got {self.num_outputs}")
        super().__post_init__()

    def active_rates(self, rates: Rates | None, train: bool) -> dict[str, ArrayLike]:
        """The rates that act in this call; names are checked whether or not they act.

        Raises:
          ValueError: a name that this model does not have.
        """
        for name in rates or {}:
            if name not in self.accepted_rates:
                accepted = ", ".join(self.accepted_rates)
                raise ValueError(f"{type(self).__name__}: rates has no {name!r}; accepted: {accepted or 'none'}")
        return {name: rate for name, rate in (rates or {}).items() if train and rate is not None}

    def drop(self, name: str, x: Array, active: Rates, layer: str) -> Array:
        """`x` through a dropout layer called `layer` if the noise `name` acts, else `x`."""
        # The layer has a name of its own, so adding one noise leaves the masks of the others alone.
        return Dropout(name=layer)(x, active[name]) if name in active else x

    def head(self, x: Array) -> Array:
        """The last layer: features `[B, F]` to logits or predictions."""
        y = nn.Dense(self.num_outputs, kernel_init=output_init, name="output")(x)
        return y[:, 0] if self.task == "regression" and self.num_outputs == 1 else y


def flatten(name: str, x: Array) -> Array:
    """`[B, ...]` to `[B, F]`; refuses inputs without a batch axis and integers."""
    check_input(name, x)
    return x.reshape(x.shape[0], -1)


def check_input(name: str, x: Array, rank: int | None = None) -> None:
    """Refuses inputs of the wrong rank or of a dtype that is not floating point.

    Raises:
      ValueError: names the model, what it got and what it accepts.
    """
    wanted = "[B, ...]" if rank is None else "[B, H, W, C]"
    if x.ndim < 2 or (rank is not None and x.ndim != rank):
        raise ValueError(f"{name}: x must be {wanted}, got shape {x.shape}")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"{name}: x must be floating point (standardize it first), got {x.dtype}")
