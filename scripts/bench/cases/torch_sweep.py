"""Sweeps in PyTorch, as functions for a pool of processes: a loop over runs, and all runs at once by `vmap`."""

from __future__ import annotations

import itertools
from typing import Any

from cases import torch_nets

Problem = dict[str, Any]


def loop(problem: Problem, lanes: list[int]) -> float:
    """Train lanes one after the other in one thread; returns the sum of their validation accuracies."""
    torch = torch_nets.setting(threads=1)
    functional = torch.nn.functional
    x, y, x_val, y_val = (torch.tensor(problem[name]) for name in ("x", "y", "x_val", "y_val"))
    batch, total, seen = problem["batch"], 0.0, problem["evaluated"]
    everything = torch.cat([x[:seen], x_val])
    for lane in lanes:
        torch.manual_seed(lane)
        model = _net(problem["sizes"], float(problem["rates"][lane]))
        optimizer = torch.optim.Adam(model.parameters(), lr=problem["learning_rate"], **problem.get("adam", {}))
        for _ in range(problem["epochs"]):
            model.train()
            order = torch.randperm(len(x))
            for rows in order.split(batch):
                loss = functional.cross_entropy(model(x[rows]), y[rows])
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
            model.eval()
            with torch.no_grad():
                outputs = model(everything)
                train_loss = functional.cross_entropy(outputs[:seen], y[:seen])
                val_loss = functional.cross_entropy(outputs[seen:], y_val)
                accuracy = (outputs[seen:].argmax(1) == y_val).float().mean()
                history = (float(train_loss), float(val_loss), float(accuracy))
        total += history[2]
    return total


def ensemble(problem: Problem, lanes: list[int], threads: int = 1) -> float:
    """Train lanes all at once: stacked weights, `vmap` of the gradient; returns the sum of validation accuracies."""
    torch = torch_nets.setting(threads)
    functional = torch.nn.functional
    x, y, x_val, y_val = (torch.tensor(problem[name]) for name in ("x", "y", "x_val", "y_val"))
    batch, sizes, count, seen = problem["batch"], problem["sizes"], len(lanes), problem["evaluated"]
    torch.manual_seed(lanes[0])
    nets = [_net(sizes, 0.0) for _ in lanes]
    params = [
        torch.stack(leaves).detach().requires_grad_() for leaves in zip(*(n.parameters() for n in nets), strict=True)
    ]
    rates = torch.tensor(problem["rates"])[lanes]
    optimizer = torch.optim.Adam(params, lr=problem["learning_rate"], **problem.get("adam", {}))

    def outputs(params: Any, x: Any, rate: Any = None) -> Any:
        for i in range(0, len(params) - 2, 2):
            x = torch.relu(functional.linear(x, params[i], params[i + 1]))
            if rate is not None:
                x = torch.where(torch.rand_like(x) >= rate, x / (1 - rate), 0.0)
        return functional.linear(x, params[-2], params[-1])

    def loss_of(params: Any, x: Any, y: Any, rate: Any) -> Any:
        return functional.cross_entropy(outputs(params, x, rate), y)

    gradients = torch.func.vmap(torch.func.grad(loss_of), in_dims=(0, 0, 0, 0), randomness="different")
    predict = torch.func.vmap(outputs, in_dims=(0, None))
    everything = torch.cat([x[:seen], x_val])
    accuracy = torch.zeros(count)
    for _ in range(problem["epochs"]):
        order = torch.rand(count, len(x)).argsort(1)
        for rows in order.split(batch, 1):
            detached = [leaf.detach() for leaf in params]
            for leaf, gradient in zip(params, gradients(detached, x[rows], y[rows], rates), strict=True):
                leaf.grad = gradient
            optimizer.step()
        with torch.no_grad():
            both = predict(params, everything)
            flat = both.reshape(-1, sizes[-1])
            losses = functional.cross_entropy(flat, torch.cat([y[:seen], y_val]).repeat(count), reduction="none")
            losses = losses.reshape(count, -1)
            history = (losses[:, :seen].mean(1), losses[:, seen:].mean(1))
            accuracy = (both[:, seen:].argmax(2) == y_val).float().mean(1)
    assert all(bool(part.isfinite().all()) for part in history)
    return float(accuracy.sum())


def _net(sizes: tuple[int, ...], rate: float) -> Any:
    from torch import nn

    layers: list[Any] = []
    for inputs, units in itertools.pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, units), nn.ReLU()]
        layers += [nn.Dropout(rate)] if rate else []
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))
