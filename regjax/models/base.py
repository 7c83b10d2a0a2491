"""Base class of the models: how noise rates are passed, and the shape of the outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp

from regjax.catalog import TASKS
from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.core.random_bits import fast_key
from regjax.core.typing import Array, ArrayLike, Value
from regjax.models.dense import dot_general
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
    """The same initializer, which compiles faster."""
    return lambda key, *arguments: init(fast_key(key), *arguments)


# He et al. (2015) for layers followed by a ReLU; the last layer preserves the variance of its input (LeCun), so that
# the initial predictions are small.
hidden_init = _light(nn.initializers.he_normal())
output_init = _light(nn.initializers.lecun_normal())


class NoisyModel(nn.Module):
    """Base of the models: `apply({"params": p}, x, train=True, rates={"dropout": r}, rngs={"dropout": key})`.

    The keys of `rates` are static and decide which noises the program contains; the rates are data and may be traced.
    Noise acts if a rate is given, whatever `train` is, so an ensemble of noisy passes is an evaluation with rates. If a
    rate is absent or None, nothing is drawn. `train` affects only batch statistics.

    Attributes:
      num_outputs: number of classes K or of regression targets D.
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
          ValueError: this model has no noise of that name.
        """
        for name in rates or {}:
            if name not in self.accepted_rates:
                accepted = ", ".join(self.accepted_rates)
                raise ValueError(f"{type(self).__name__}: rates has no {name!r}; accepted: {accepted or 'none'}")
        return {name: rate for name, rate in (rates or {}).items() if rate is not None}

    def noisy(self, x: Array, active: Rates, names: tuple[str, ...], place: str, **fields: Value) -> Array:
        """Apply those of the noises `names` that are active; `place` makes the names of their layers unique."""
        for name in names:
            if name in active:
                # Each layer has its own name, so that adding a noise does not change the masks of the others.
                layer = f"{name}_{place}" if place else name
                x = NOISE_LAYERS.get(name, Dropout)(name=layer, **fields)(x, active[name])
        return x

    def residual(self, x: Array, branch: Array, active: Rates, block: int, depth: int) -> Array:
        """`x` plus a branch, to which `drop_path` applies at the rate of its depth (`block` counts from 0)."""
        if "drop_path" in active:
            rate = depth_rates(active["drop_path"], depth)[block]
            branch = DropPath(name=f"drop_path_{block}")(branch, rate)
        return x + branch

    def head(self, x: Array) -> Array:
        """The last layer, from features `[B, F]` to logits or predictions."""
        layer = nn.Dense(self.num_outputs, kernel_init=output_init, dot_general=dot_general, name="output")
        return self.squeezed(layer(x))

    def squeezed(self, y: Array) -> Array:
        """Outputs `[B, D]`, or `[B]` for regression with one target."""
        return y[:, 0] if self.task == "regression" and self.num_outputs == 1 else y


def check_sizes(model: nn.Module, *names: str) -> None:
    """Refuse fields that are not positive integers.

    Raises:
      InputError: names the model, the field and the value.
    """
    for name in names:
        value = getattr(model, name)
        sizes = value if isinstance(value, tuple) else (value,)
        if any(isinstance(size, bool) or not isinstance(size, int) or size < 1 for size in sizes):
            raise InputError(f"{type(model).__name__}: {name} must be whole and >= 1, got {value}")


def flatten(name: str, x: Array) -> Array:
    """Flatten `[B, ...]` to `[B, F]`; refuses integers and inputs without a batch axis."""
    check_input(name, x)
    return x.reshape(x.shape[0], -1)


def check_input(name: str, x: Array, rank: int | None = None) -> None:
    """Refuses inputs of the wrong rank or of a dtype that is not floating point.

    Raises:
      ValueError: names the model, what it got and what it accepts.
    """
    accepted = "[B, ...]" if rank is None else "[B, H, W, C]"
    if x.ndim < 2 or (rank is not None and x.ndim != rank):
        raise ValueError(f"{name}: x must be {accepted}, got shape {x.shape}")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"{name}: x must be floating point (standardize it first), got {x.dtype}")
