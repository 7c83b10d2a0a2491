"""The multilayer perceptron."""

from __future__ import annotations

import flax.linen as nn

from regjax.models.base import NoisyModel, Rates, flatten, hidden_init
from regjax.typing import Array


class MLP(NoisyModel):
    """Dense layers with ReLU: `h_{i+1} = drop(relu(h_i W_i + b_i))`; images are flattened.

    Noises: `input_dropout` on the input, `dropout` after each hidden layer.

    Attributes:
      widths: units of each hidden layer.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> model, x = MLP(num_outputs=3, widths=(16,)), jnp.ones((2, 8, 8, 1))
      >>> variables = model.init(jax.random.key(0), x)
      >>> rngs = {"dropout": jax.random.key(1)}
      >>> model.apply(variables, x, train=True, rates={"dropout": 0.5}, rngs=rngs).shape
      (2, 3)
    """

    widths: tuple[int, ...] = (256,)

    @nn.compact
    def __call__(self, x: Array, train: bool = False, rates: Rates | None = None) -> Array:
        """Logits or predictions of `x` `[B, ...]`; see `NoisyModel`."""
        active = self.active_rates(rates, train)
        x = self.drop("input_dropout", flatten("MLP", x), active, "input_dropout")
        for i, width in enumerate(self.widths):
            x = nn.relu(nn.Dense(width, kernel_init=hidden_init, name=f"hidden_{i}")(x))
            x = self.drop("dropout", x, active, f"dropout_{i}")
        return self.head(x)
