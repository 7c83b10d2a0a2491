"""A small convolutional network."""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn

from regjax.conv import Conv, max_pool
from regjax.models.base import NoisyModel, Rates, check_input, hidden_init
from regjax.typing import Array


class CNN(NoisyModel):
    """Blocks of 3x3 convolution, ReLU and 2x2 max pooling, then one dense layer with ReLU.

    Noises: `input_dropout` on the pixels, `dropout` after the dense layer.

    Attributes:
      widths: channels of each convolution; each halves height and width.
      dense: units of the dense layer.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> model, x = CNN(num_outputs=3, widths=(4,), dense=8), jnp.ones((2, 8, 8, 1))
      >>> model.apply(model.init(jax.random.key(0), x), x).shape
      (2, 3)
    """

    widths: tuple[int, ...] = (32, 64)
    dense: int = 128

    cpu_micro_batch: ClassVar[int] = 16  # images at a time whose activations stay in a core's cache

    @nn.compact
    def __call__(self, x: Array, train: bool = False, rates: Rates | None = None) -> Array:
        """Logits or predictions of images `[B, H, W, C]`; see `NoisyModel`."""
        check_input("CNN", x, rank=4)
        smallest = 2 ** len(self.widths)
        if min(x.shape[1:3]) < smallest:
            raise ValueError(f"CNN: {len(self.widths)} poolings need {smallest}x{smallest} images, got {x.shape}")
        active = self.active_rates(rates, train)
        x = self.drop("input_dropout", x, active, "input_dropout")
        for i, width in enumerate(self.widths):
            x = max_pool(nn.relu(Conv(width, kernel_init=hidden_init, name=f"conv_{i}")(x)))
        x = x.reshape(x.shape[0], -1)
        x = nn.relu(nn.Dense(self.dense, kernel_init=hidden_init, name="dense")(x))
        return self.head(self.drop("dropout", x, active, "dropout_0"))
