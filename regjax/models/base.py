"""What every model shares: how noise rates come in, and what shape goes out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import flax.linen as nn
import jax.numpy as jnp

from regjax.catalog import TASKS
from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.core.random_bits import fast_key
from regjax.core.typing import Array, ArrayLike
from regjax.noise import depth_rates
from regjax.noise.linen import (
    AlphaDropout,
    DropBlock,
    Dropout,
    DropPath,
    GaussianDropout,
    GaussianNoise,
    SpatialDropout,
)

Rates = Mapping[str, ArrayLike]

NOISE_LAYERS: dict[str, type[nn.Module]] = {
    "alpha_dropout": AlphaDropout,
    "drop_block": DropBlock,
    "gaussian_dropout": GaussianDropout,
    "gaussian_noise": GaussianNoise,
    "spatial_dropout": SpatialDropout,
}


def _light(init: nn.initializers.Initializer) -> nn.initializers.Initializer:
    """The same initializer, compiled faster."""
    return lambda key, *arguments: init(fast_key(key), *arguments)


# He et al. (2015) for layers that a ReLU follows; the last layer, which none follows, keeps the variance of
# its input (LeCun), so that the first predictions are small.
hidden_init = _light(nn.initializers.he_normal())
output_init = _light(nn.initializers.lecun_normal())


class NoisyModel(nn.Module):
    """Base of the models: `apply({"params": p}, x, train=True, rates={"dropout": r}, rngs={"dropout": key})`.

    Which noises a program contains is static: those that `rates` names. Their values are data and may be
    traced. Noise acts when a rate is given, whatever `train` says (so an ensemble of noisy passes is an evaluation
    with rates); for a name that is absent or None nothing is drawn. `train` decides about batch statistics alone.

    Attributes:
      num_outputs: number of classes K, or of regression targets D.
      task: `"classification"` (logits `[B, K]`) or `"regression"` (`[B]` for one output, else `[B, D]`).

    Reference: Delving Deep into Rectifiers (He et al., 2015), for the initialization of hidden layers.
    """

    num_outputs: int
    task: str = "classification"

    unit_noises: ClassVar[tuple[str, ...]] = ()  # after each hidden layer

    def __post_init__(self) -> None:
        check_choice(f"{type(self).__name__}: task", self.task, TASKS)
        if self.num_outputs < 1:
            raise InputError(f"{type(self).__name__}: num_outputs must be >= 1, got {self.num_outputs}")
        super().__post_init__()

    @property
    def accepted_rates(self) -> tuple[str, ...]:
        """The names of the noises that this model has."""
        return ("input_dropout", *self.unit_noises)

    def active_rates(self, rates: Rates | None) -> dict[str, ArrayLike]:
        """The rates that act in this call.

        Raises:
          ValueError: a name that this model does not have.
        """
        for name in rates or {}:
            if name not in self.accepted_rates:
                accepted = ", ".join(self.accepted_rates)
                raise ValueError(f"{type(self).__name__}: rates has no {name!r}; accepted: {accepted or 'none'}")
        return {name: rate for name, rate in (rates or {}).items() if rate is not None}

    def noisy(self, x: Array, active: Rates, names: tuple[str, ...], place: str, **fields: Any) -> Array:
        """`x` through a layer for each of `names` that acts; `place` tells the layers of a model apart."""
        for name in names:
            if name in active:
                # The layer has a name of its own, so adding one noise leaves the masks of the others alone.
                layer = f"{name}_{place}" if place else name
                x = NOISE_LAYERS.get(name, Dropout)(name=layer, **fields)(x, active[name])
        return x

    def residual(self, x: Array, branch: Array, active: Rates, block: int, depth: int) -> Array:
        """`x` plus a branch, which `drop_path` drops at the rate of its depth (`block` counts from 0)."""
        if "drop_path" in active:
            rate = depth_rates(active["drop_path"], depth)[block]
            branch = DropPath(name=f"drop_path_{block}")(branch, rate)
        return x + branch

    def head(self, x: Array) -> Array:
        """The last layer: features `[B, F]` to logits or predictions."""
        return self.squeezed(nn.Dense(self.num_outputs, kernel_init=output_init, name="output")(x))

    def squeezed(self, y: Array) -> Array:
        """Outputs `[B, D]`, as `[B]` for one number."""
        return y[:, 0] if self.task == "regression" and self.num_outputs == 1 else y


def check_sizes(model: nn.Module, *names: str) -> None:
    """Refuse fields that are not whole numbers >= 1.

    Raises:
      InputError: names the model, the field and the value.
    """
    for name in names:
        value = getattr(model, name)
        sizes = value if isinstance(value, tuple) else (value,)
        if any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in sizes):
            raise InputError(f"{type(model).__name__}: {name} must be whole and >= 1, got {value}")


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
