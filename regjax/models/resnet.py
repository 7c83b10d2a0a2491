"""A wide residual network."""

from __future__ import annotations

from typing import ClassVar

import flax.linen as nn
import jax.numpy as jnp

from regjax.core.checks import check_choice
from regjax.core.typing import Array
from regjax.models.base import NoisyModel, Rates, check_input, check_sizes, hidden_init
from regjax.models.conv import Conv
from regjax.noise.linen import record_activation

NORMS = ("batch", "group", "none")


class ResNet(NoisyModel):
    """Residual blocks `x + conv(drop(relu(norm(conv(relu(norm(x)))))))` in stages, then the mean over positions.

    Each stage after the first halves height and width. Noises: `input_dropout` on the pixels; `dropout` and
    `spatial_dropout` between the two convolutions of a block; `drop_block` on the output of a branch; `drop_path` on
    the branch, its rate growing with depth.

    Attributes:
      widths: channels of each stage; a wide network has few stages with many channels.
      blocks: residual blocks in a stage.
      norm: `"batch"` (statistics in the collection `batch_stats`), `"group"` (of up to 8 groups; no statistics) or
        `"none"`.
      block_size: side of the squares of `drop_block`; at most the side of the feature map.

    Example:
      >>> import jax
      >>> model, x = ResNet(num_outputs=3, widths=(8, 16), blocks=1), jnp.ones((2, 8, 8, 1))
      >>> variables = model.init(jax.random.key(0), x)
      >>> model.apply(variables, x).shape, sorted(variables)
      ((2, 3), ['batch_stats', 'params'])

    Reference: Wide Residual Networks (Zagoruyko & Komodakis, 2016).
    """

    widths: tuple[int, ...] = (32, 64, 128)
    blocks: int = 2
    norm: str = "batch"
    block_size: int = 3

    unit_noises: ClassVar[tuple[str, ...]] = ("dropout", "spatial_dropout", "drop_block", "drop_path")

    def __post_init__(self) -> None:
        check_sizes(self, "widths", "blocks", "block_size")
        check_choice("ResNet: norm", self.norm, NORMS)
        super().__post_init__()

    @property
    def cpu_micro_batch(self) -> int | None:
        """Number of images whose activations fit into the cache of a core; None for batch statistics."""
        return None if self.norm == "batch" else 16

    @nn.compact
    def __call__(self, x: Array, train: bool = False, rates: Rates | None = None) -> Array:
        """Logits or predictions of images `[B, H, W, C]`; see `NoisyModel`."""
        check_input("ResNet", x, rank=4)
        active = self.active_rates(rates)
        x = self.noisy(x, active, ("input_dropout",), "")
        x = Conv(self.widths[0], kernel_init=hidden_init, use_bias=False, name="stem")(x)
        depth = len(self.widths) * self.blocks
        for block in range(depth):
            stage, first = divmod(block, self.blocks)
            strides = (2, 2) if stage and not first else (1, 1)
            x = self._block(x, self.widths[stage], strides, train, active, block, depth)
        return self.head(jnp.mean(nn.relu(self._norm(x, train, "norm")), axis=(1, 2)))

    def _block(
        self, x: Array, width: int, strides: tuple[int, int], train: bool, active: Rates, block: int, depth: int
    ) -> Array:
        name = f"block_{block}"
        before = nn.relu(self._norm(x, train, f"{name}_norm_0"))
        if x.shape[-1] != width or strides != (1, 1):
            shortcut = Conv(width, (1, 1), strides, use_bias=False, kernel_init=hidden_init, name=f"{name}_shortcut")
            x = shortcut(before)
        h = Conv(width, strides=strides, use_bias=False, kernel_init=hidden_init, name=f"{name}_conv_0")(before)
        h = nn.relu(self._norm(h, train, f"{name}_norm_1"))
        h = record_activation(self, f"activation_{block}", h)
        h = self.noisy(h, active, ("dropout", "spatial_dropout"), str(block))
        h = Conv(width, use_bias=False, kernel_init=hidden_init, name=f"{name}_conv_1")(h)
        h = self.noisy(h, active, ("drop_block",), str(block), block_size=min(self.block_size, *h.shape[1:3]))
        return self.residual(x, h, active, block, depth)

    def _norm(self, x: Array, train: bool, name: str) -> Array:
        if self.norm == "batch":
            return nn.BatchNorm(use_running_average=not train, momentum=0.9, name=name)(x)
        if self.norm == "group":
            groups = next(g for g in range(min(8, x.shape[-1]), 0, -1) if x.shape[-1] % g == 0)
            return nn.GroupNorm(num_groups=groups, name=name)(x)
        return x
