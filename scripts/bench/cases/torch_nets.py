"""The same nets and the same training in PyTorch."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from cases.base import Measured, fastest, seconds

# Implementations of Adam in PyTorch; which is fastest depends on the machine and the sizes.
ADAMS: dict[str, dict[str, Any]] = {"default": {}, "foreach": {"foreach": True}, "fused": {"fused": True}}


def setting(threads: int | None = None) -> Any:
    """PyTorch with a number of threads; None is one for each core."""
    import os

    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(threads or cores)
    torch.manual_seed(0)
    return torch


def mlp(shared: Mapping[str, Any], dropout: float) -> Any:
    """The multilayer perceptron with the shared weights; `dropout` 0 leaves the layers out."""
    from torch import nn

    layers: list[Any] = []
    names = [name for name in shared if name.startswith("hidden_") and name.endswith("kernel")]
    for name in sorted(names):
        layers += [linear(shared, name.partition("/")[0]), nn.ReLU()]
        layers += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*layers, linear(shared, "output"))


def cnn(shared: Mapping[str, Any]) -> Any:
    """The convolutional net with the shared weights; takes images `[B, C, H, W]`."""
    import torch
    from torch import nn

    layers: list[Any] = []
    names = sorted(name.partition("/")[0] for name in shared if name.startswith("conv_") and name.endswith("kernel"))
    for name in names:
        kernel = torch.tensor(shared[f"{name}/kernel"]).permute(3, 2, 0, 1)
        layer = nn.Conv2d(kernel.shape[1], kernel.shape[0], kernel.shape[2], padding="same")
        layer.weight.data, layer.bias.data = kernel.contiguous(), torch.tensor(shared[f"{name}/bias"])
        layers += [layer, nn.ReLU(), nn.MaxPool2d(2)]
    # Features come channels first here and channels last in the shared weights.
    channels = shared[f"{names[-1]}/bias"].size
    kernel = shared["dense/kernel"]
    side = int((kernel.shape[0] // channels) ** 0.5)
    kernel = kernel.reshape(side, side, channels, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
    dense = linear({**shared, "dense/kernel": kernel}, "dense")
    return nn.Sequential(*layers, nn.Flatten(), dense, nn.ReLU(), linear(shared, "output"))


def epoch(model: Any, optimizer: Any, x: Any, y: Any, index: Any, penalty: Callable[[], Any] | None = None) -> None:
    """One epoch of updates in the order of `index`."""
    from torch.nn.functional import cross_entropy

    model.train()
    for rows in index:
        loss = cross_entropy(model(x[rows]), y[rows])
        if penalty is not None:
            loss = loss + penalty()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()


def loss_of(model: Any, x: Any, y: Any) -> float:
    """Cross-entropy in evaluation mode."""
    import torch

    model.eval()
    with torch.no_grad():
        return float(torch.nn.functional.cross_entropy(model(x), y))


def tensors(shared: Mapping[str, Any]) -> dict[str, Any]:
    """The shared data; labels and index as int64, which is what PyTorch indexes with."""
    import torch

    data = {name: torch.tensor(shared[name]) for name in ("x", "x_val")}
    return data | {name: torch.tensor(shared[name]).long() for name in ("y", "y_val", "index")}


def tuned(trial: Callable[[dict[str, Any]], Callable[[], Any]], variants: Mapping[str, dict[str, Any]] = ADAMS) -> str:
    """The fastest variant of a trial `variants[name] -> work`, each with one thread and with one for each core.

    The number of threads stays set. On a machine that others use as well, two threads that wait for each other can
    be far slower than one.
    """
    import torch

    cores = torch.get_num_threads()

    def candidate(threads: int, work: Callable[[], Any]) -> None:
        torch.set_num_threads(threads)
        work()

    candidates = {}
    for name, options in variants.items():
        work = trial(options)
        candidates |= {(name, n): functools.partial(candidate, n, work) for n in sorted({1, cores})}
    name, threads = fastest(candidates)
    torch.set_num_threads(threads)
    return name


def image_round(shared: Mapping[str, Any], net: Callable[[Mapping[str, Any]], Any]) -> Callable[[], Measured]:
    """A round that trains a net on images for an epoch, with the faster memory format and fused Adam; ms an update."""
    torch = setting()
    data = tensors(shared)
    formats = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}

    def placed(name: str) -> tuple[Any, Any]:
        images = data["x"].permute(0, 3, 1, 2).contiguous(memory_format=formats[name])
        return net(shared).to(memory_format=formats[name]), images

    def trial(options: dict[str, Any]) -> Any:
        model, images = placed(options["format"])
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        return lambda: epoch(model, optimizer, images, data["y"], data["index"][:5])

    chosen = tuned(trial, {name: {"format": name} for name in formats})
    model, images = placed(chosen)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    held_out = data["x_val"].permute(0, 3, 1, 2)

    def one_round() -> Measured:
        model.load_state_dict(start)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        taken = seconds(lambda: epoch(model, optimizer, images, data["y"], data["index"]))
        loss = loss_of(model, held_out, data["y_val"])
        return Measured({f"{chosen}, {torch.get_num_threads()} threads": 1e3 * taken / len(data["index"])}, loss)

    return one_round


def linear(shared: Mapping[str, Any], name: str) -> Any:
    """A dense layer with the shared weights."""
    import torch
    from torch import nn

    kernel = torch.tensor(shared[f"{name}/kernel"])
    layer = nn.Linear(*kernel.shape)
    layer.weight.data, layer.bias.data = kernel.T.contiguous(), torch.tensor(shared[f"{name}/bias"])
    return layer
