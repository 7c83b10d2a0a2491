"""A small convolutional network."""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn

from regjax.core.typing import Array
from regjax.models.base import NoisyModel, Rates, check_input, check_sizes, hidden_init
from regjax.models.conv import Conv, max_pool
from regjax.noise.linen import record_activation


class CNN(NoisyModel):
    """Blocks of 3x3 convolution, ReLU and 2x2 max pooling, then one dense layer with ReLU.

    Noises: `input_dropout` on the pixels, `spatial_dropout` and `drop_block` after each convolution, `dropout`,
    `gaussian_dropout` and `gaussian_noise` after the dense layer.

    Attributes:
      widths: channels of each convolution; each halves height and width.
      dense: units of the dense layer.
      block_size: side of the squares of `drop_block`; at most the side of the feature map.

    Example:
      >>> import jax, jax.numpy as jnp
      >>> model, x = CNN(num_outputs=3, widths=(4,), dense=8), jnp.ones((2, 8, 8, 1))
      >>> model.apply(model.init(jax.random.key(0), x), x).shape
      (2, 3)
    """

    widths: tuple[int, ...] = (32, 64)
    dense: int = 128
    block_size: int = 3

    unit_noises: ClassVar[tuple[str, ...]] = ("dropout", "gaussian_dropout", "gaussian_noise")
    cpu_micro_batch: ClassVar[int] = 16  # number of images whose activations fit into the cache of a core

    def __post_init__(self) -> None:
        check_sizes(self, "widths", "dense", "block_size")
        super().__post_init__()

    @property
    def accepted_rates(self) -> tuple[str, ...]:
        """The names of the noises that this model has."""
        return (*super().accepted_rates, "spatial_dropout", "drop_block")

    @nn.compact
    def __call__(self, x: Array, train: bool = False, rates: Rates | None = None) -> Array:
        """Logits or predictions of images `[B, H, W, C]`; see `NoisyModel`."""
        check_input("CNN", x, rank=4)
        smallest = 2 ** len(self.widths)
        if min(x.shape[1:3]) < smallest:
            raise ValueError(f"CNN: {len(self.widths)} poolings need {smallest}x{smallest} images, got {x.shape}")
        del train
        active = self.active_rates(rates)
        x = self.noisy(x, active, ("input_dropout",), "")
        for i, width in enumerate(self.widths):
            x = nn.relu(Conv(width, kernel_init=hidden_init, name=f"conv_{i}")(x))
            x = self.noisy(x, active, ("spatial_dropout",), str(i))
            x = self.noisy(x, active, ("drop_block",), str(i), block_size=min(self.block_size, *x.shape[1:3]))
            x = max_pool(record_activation(self, f"activation_{i}", x))
        x = x.reshape(x.shape[0], -1)
        x = nn.relu(nn.Dense(self.dense, kernel_init=hidden_init, name="dense")(x))
        x = record_activation(self, f"activation_{len(self.widths)}", x)
        return self.head(self.noisy(x, active, self.unit_noises, "0"))
