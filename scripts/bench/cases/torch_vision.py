"""The residual net and the vision transformer of regjax in PyTorch, with the same weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from cases.torch_nets import linear


def resnet(shared: Mapping[str, Any], blocks: int) -> nn.Module:
    """`regjax.models.ResNet` with batch normalization; takes images `[B, C, H, W]`."""
    return _ResNet(shared, blocks)


def vit(shared: Mapping[str, Any], depth: int, heads: int, patch: int) -> nn.Module:
    """`regjax.models.ViT`; takes images `[B, C, H, W]`."""
    return _ViT(shared, depth, heads, patch)


def _tensor(shared: Mapping[str, Any], name: str) -> torch.Tensor:
    return torch.tensor(shared[name])


def _conv(shared: Mapping[str, Any], name: str, stride: int = 1) -> nn.Module:
    kernel = _tensor(shared, f"{name}/kernel").permute(3, 2, 0, 1).contiguous()
    out, channels, side, _ = kernel.shape
    layer = nn.Conv2d(channels, out, side, stride, padding=side // 2 if stride == 1 else 0, bias=False)
    layer.weight.data = kernel
    # Of an even size, regjax pads below and on the right alone.
    return nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), layer) if stride > 1 and side > 1 else layer


def _norm(shared: Mapping[str, Any], name: str, make: Callable[[int], Any]) -> Any:
    scale = _tensor(shared, f"{name}/scale")
    layer = make(len(scale))
    layer.weight.data, layer.bias.data = scale, _tensor(shared, f"{name}/bias")
    return layer


class _Block(nn.Module):
    def __init__(self, shared: Mapping[str, Any], name: str, stride: int):
        super().__init__()
        self.norms = nn.ModuleList(_norm(shared, f"{name}_norm_{i}", nn.BatchNorm2d) for i in (0, 1))
        self.convs = nn.ModuleList(_conv(shared, f"{name}_conv_{i}", (stride, 1)[i]) for i in (0, 1))
        has_shortcut = f"{name}_shortcut/kernel" in shared
        self.shortcut = _conv(shared, f"{name}_shortcut", stride) if has_shortcut else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        before = functional.relu(self.norms[0](x))
        x = x if self.shortcut is None else self.shortcut(before)
        return x + self.convs[1](functional.relu(self.norms[1](self.convs[0](before))))


class _ResNet(nn.Module):
    def __init__(self, shared: Mapping[str, Any], blocks: int):
        super().__init__()
        self.stem = _conv(shared, "stem")
        depth = sum(name.endswith("_conv_0/kernel") for name in shared)
        strides = [2 if i and i % blocks == 0 else 1 for i in range(depth)]
        self.blocks = nn.Sequential(*(_Block(shared, f"block_{i}", stride) for i, stride in enumerate(strides)))
        self.norm = _norm(shared, "norm", nn.BatchNorm2d)
        self.output = linear(shared, "output")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(functional.relu(self.norm(self.blocks(self.stem(x)))).mean((2, 3)))


class _TransformerBlock(nn.Module):
    def __init__(self, shared: Mapping[str, Any], name: str, heads: int):
        super().__init__()
        self.heads = heads
        self.norms = nn.ModuleList(
            _norm(shared, f"{name}_norm_{i}", lambda n: nn.LayerNorm(n, eps=1e-6)) for i in (0, 1)
        )
        self.query_key_value = linear(shared, f"{name}_query_key_value")
        self.project = linear(shared, f"{name}_project")
        self.expand, self.contract = linear(shared, f"{name}_expand"), linear(shared, f"{name}_contract")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, tokens, width = x.shape
        made = self.query_key_value(self.norms[0](x)).reshape(batch, tokens, 3, self.heads, width // self.heads)
        query, key, value = made.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.project(seen.transpose(1, 2).reshape(batch, tokens, width))
        hidden = functional.gelu(self.expand(self.norms[1](x)), approximate="tanh")
        return x + self.contract(hidden)


class _ViT(nn.Module):
    def __init__(self, shared: Mapping[str, Any], depth: int, heads: int, patch: int):
        super().__init__()
        self.patch = patch
        self.embed = linear(shared, "embed")
        self.position = nn.Parameter(_tensor(shared, "position/bias"))
        self.blocks = nn.Sequential(*(_TransformerBlock(shared, f"block_{i}", heads) for i in range(depth)))
        self.norm = _norm(shared, "norm", lambda n: nn.LayerNorm(n, eps=1e-6))
        self.output = linear(shared, "output")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, channels, height, width = x.shape
        side = self.patch
        x = x.reshape(batch, channels, height // side, side, width // side, side)
        x = x.permute(0, 2, 4, 3, 5, 1).reshape(batch, -1, side * side * channels)
        return self.output(self.norm(self.blocks(self.embed(x) + self.position)).mean(1))
