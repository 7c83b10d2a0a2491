"""Linear and logistic regression."""

from __future__ import annotations

import flax.linen as nn

from regjax.core.typing import Array
from regjax.models.base import NoisyModel, Rates, flatten


class Linear(NoisyModel):
    """One linear layer: `f(x) = x W + b`; images are flattened. Noise: `input_dropout`.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> model = Linear(num_outputs=3)
      >>> variables = model.init(jax.random.key(0), jnp.ones((2, 8, 8, 1)))
      >>> model.apply(variables, jnp.ones((2, 8, 8, 1))).shape
      (2, 3)
    """

    @nn.compact
    def __call__(self, x: Array, train: bool = False, rates: Rates | None = None) -> Array:
        """Logits or predictions of `x` `[B, ...]`; see `NoisyModel`."""
        del train
        active = self.active_rates(rates)
        return self.head(self.noisy(flatten("Linear", x), active, ("input_dropout",), ""))
