"""Nets as the tables that others published have them: initialized as in PyTorch or Keras, a dropout rate per layer."""

from __future__ import annotations

import flax.linen as nn
import jax
import jax.numpy as jnp

import regjax as rj
from regjax.core.typing import Array, PRNGKey

PYTORCH, KERAS = "pytorch", "keras"


class Net(nn.Module):
    """Dense layers with ReLU, and dropout after each of them.

    Attributes:
      outputs: number of outputs; one is a number `[B]` for each example.
      widths: units of the hidden layers.
      dropout: rate after each hidden layer.
      library: whose defaults initialize: `"pytorch"` draws weights and biases from `U(-1/sqrt(n), 1/sqrt(n))` with `n`
        inputs, `"keras"` weights from `U(-sqrt(6/(n + m)), sqrt(6/(n + m)))` with `m` outputs, and biases are 0.
    """

    outputs: int
    widths: tuple[int, ...] = ()
    dropout: tuple[float, ...] = ()
    library: str = KERAS

    @nn.compact
    def __call__(self, x: Array, train: bool = False) -> Array:
        """Outputs `[B, K]` (`[B]` for one output) of `x` `[B, ...]`, which is flattened."""
        x = x.reshape(len(x), -1)
        for width, rate in zip(self.widths, self.dropout, strict=True):
            x = nn.relu(self._dense(width, x.shape[1])(x))
            x = rj.layers.Dropout()(x, rate, deterministic=not train)
        x = self._dense(self.outputs, x.shape[1])(x)
        return x[:, 0] if self.outputs == 1 else x

    def _dense(self, width: int, inputs: int) -> nn.Dense:
        if self.library == KERAS:
            return nn.Dense(width, kernel_init=nn.initializers.glorot_uniform())
        bound = inputs**-0.5

        def uniform(key: PRNGKey, shape: tuple[int, ...], dtype: jnp.dtype = jnp.float32) -> Array:
            return jax.random.uniform(key, shape, dtype, -bound, bound)

        return nn.Dense(width, kernel_init=uniform, bias_init=uniform)
