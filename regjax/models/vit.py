"""A small vision transformer."""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from regjax.core.errors import InputError
from regjax.core.typing import Array
from regjax.models.attention import attention
from regjax.models.base import NoisyModel, Rates, check_input, check_sizes
from regjax.noise.linen import Dropout, record_activation


class ViT(NoisyModel):
    """Patches as tokens, `depth` blocks of self-attention and MLP on normalized inputs, then the mean over tokens.

    Noises: `input_dropout` on the pixels; `dropout` on the embedded tokens and on the output of each attention and MLP;
    `attention_dropout` on the attention weights; `drop_path` on both branches of a block, its rate growing with depth.

    Attributes:
      patch: side of a patch in pixels; it divides height and width.
      width: features of a token.
      depth: blocks.
      heads: attention heads; they divide `width`.
      expansion: hidden units of the MLP for each feature.

    Example:
      >>> import jax
      >>> model, x = ViT(num_outputs=3, patch=4, width=8, depth=1, heads=2), jnp.ones((2, 8, 8, 1))
      >>> model.apply(model.init(jax.random.key(0), x), x).shape
      (2, 3)

    Reference: An Image is Worth 16x16 Words (Dosovitskiy et al., 2021); mean pooling and the training of small ones:
      Better plain ViT baselines for ImageNet-1k (Beyer, Zhai & Kolesnikov, 2022).
    """

    patch: int = 4
    width: int = 64
    depth: int = 4
    heads: int = 4
    expansion: int = 2

    unit_noises: ClassVar[tuple[str, ...]] = ("dropout", "attention_dropout", "drop_path")

    def __post_init__(self) -> None:
        check_sizes(self, "patch", "width", "depth", "heads", "expansion")
        if self.width % self.heads:
            raise InputError(f"ViT: heads must divide width {self.width}, got {self.heads}")
        super().__post_init__()

    @nn.compact
    def __call__(self, x: Array, train: bool = False, rates: Rates | None = None) -> Array:
        """Logits or predictions of images `[B, H, W, C]`; see `NoisyModel`."""
        del train
        check_input("ViT", x, rank=4)
        active = self.active_rates(rates)
        x = nn.Dense(self.width, name="embed")(self._patches(self.noisy(x, active, ("input_dropout",), "")))
        x = self.noisy(_Position(name="position")(x), active, ("dropout",), "embed")
        for block in range(self.depth):
            x = self._attention(x, active, block)
            x = self._mlp(x, active, block)
            x = record_activation(self, f"activation_{block}", x)
        return self.head(jnp.mean(nn.LayerNorm(name="norm")(x), axis=1))

    def _patches(self, x: Array) -> Array:
        """`[B, H, W, C]` to tokens `[B, T, patch * patch * C]`."""
        batch, height, width, channels = x.shape
        if height % self.patch or width % self.patch:
            raise ValueError(f"ViT: patch {self.patch} must divide height and width, got images {height}x{width}")
        x = x.reshape(batch, height // self.patch, self.patch, width // self.patch, self.patch, channels)
        return x.transpose(0, 1, 3, 2, 4, 5).reshape(batch, -1, self.patch * self.patch * channels)

    def _attention(self, x: Array, active: Rates, block: int) -> Array:
        name, size = f"block_{block}", self.width // self.heads
        h = nn.LayerNorm(name=f"{name}_norm_0")(x)
        h = nn.Dense(3 * self.width, name=f"{name}_query_key_value")(h)
        projected = h.reshape(*h.shape[:2], 3, self.heads, size)
        if "attention_dropout" in active:
            query, key, value = jnp.moveaxis(projected, 2, 0)
            scores = jnp.einsum("bqhd,bkhd->bhqk", query, key).astype(jnp.float32) / np.sqrt(size)
            weights = nn.softmax(scores).astype(h.dtype)
            weights = Dropout(name=f"attention_dropout_{block}")(weights, active["attention_dropout"])
            h = jnp.einsum("bhqk,bkhd->bqhd", weights, value)
        else:
            h = attention(projected)
        h = h.reshape(x.shape)
        h = self.noisy(nn.Dense(self.width, name=f"{name}_project")(h), active, ("dropout",), f"{block}_attention")
        return self.residual(x, h, active, 2 * block, 2 * self.depth)

    def _mlp(self, x: Array, active: Rates, block: int) -> Array:
        name = f"block_{block}"
        h = nn.LayerNorm(name=f"{name}_norm_1")(x)
        h = nn.gelu(nn.Dense(self.expansion * self.width, name=f"{name}_expand")(h))
        h = self.noisy(nn.Dense(self.width, name=f"{name}_contract")(h), active, ("dropout",), f"{block}_mlp")
        return self.residual(x, h, active, 2 * block + 1, 2 * self.depth)


class _Position(nn.Module):
    """Adds a learned offset to each token; named bias, so that penalties do not act on it."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return x + self.param("bias", nn.initializers.normal(0.02), x.shape[1:])
