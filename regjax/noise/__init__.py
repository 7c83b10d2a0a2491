"""Noise as pure functions `(key, x, rate, ...) -> x`, in which the rate is data: no Python branch reads it.

One compiled program serves every rate, `jax.vmap` maps over rates and keys, and a rate may follow a schedule. A
concrete rate out of range is an error; a traced one is clipped: negative values and NaN act as 0, values above 1 as 1,
and standard deviations above 1e6 as 1e6. Rate 0 is the identity bit for bit (on CPU, subnormal numbers may become 0).
`NOISES` has the functions by name.
"""

from __future__ import annotations

from collections.abc import Callable

from regjax import catalog
from regjax.core.typing import Array
from regjax.noise.blocks import drop_block
from regjax.noise.concrete import concrete_dropout, concrete_penalty
from regjax.noise.dropout import alpha_dropout, depth_rates, drop_path, dropout, spatial_dropout
from regjax.noise.gaussian import gaussian_dropout, gaussian_noise
from regjax.noise.weights import WEIGHT_NOISES, drop_connect, perturb_weights, weight_noise

NOISES: dict[str, Callable[..., Array]] = {
    "dropout": dropout,
    "spatial_dropout": spatial_dropout,
    "gaussian_dropout": gaussian_dropout,
    "alpha_dropout": alpha_dropout,
    "concrete_dropout": concrete_dropout,
    "drop_block": drop_block,
    "drop_path": drop_path,
    "drop_connect": drop_connect,
    "gaussian_noise": gaussian_noise,
    "weight_noise": weight_noise,
}
# Standard deviations, and the strength of the regularizer of learned rates; all others are fractions.
UNBOUNDED = {name for name in NOISES if not catalog.NOISES[name].high_open}

__all__ = [
    "NOISES",
    "UNBOUNDED",
    "WEIGHT_NOISES",
    "alpha_dropout",
    "concrete_dropout",
    "concrete_penalty",
    "depth_rates",
    "drop_block",
    "drop_connect",
    "drop_path",
    "dropout",
    "gaussian_dropout",
    "gaussian_noise",
    "perturb_weights",
    "spatial_dropout",
    "weight_noise",
]
