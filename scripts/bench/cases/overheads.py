"""What a penalty and what dropout add to the update of `cases.dense`, in percent of the time without.

Variants take turns within a process and the faster of two calls counts, so that a difference of a percent can be seen.
"""

from __future__ import annotations

from typing import Any

from cases import dense, problems, torch_nets
from cases.base import Case, Contender, Context, Measured, Round, overheads

STRENGTH = 1e-5


def prepare(context: Context) -> dict[str, Any]:
    """As in `cases.dense`, in short epochs: differences of a percent want many turns rather than long ones."""
    return dense.prepare(context, steps=60)


def ours_penalties(context: Context) -> Round:
    """Penalties in every mode under Adam, and the proximal group lasso under momentum, against no penalty."""
    from regjax.penalties import elastic_net, group_lasso, l1, l2, mcp

    def train(optimizer: str = "adam", **penalties: Any) -> Any:
        return problems.ours_epoch(
            context,
            dense.mlp(context),
            dense.BATCH,
            rates={"dropout": dense.RATE},
            penalties=penalties,
            optimizer=optimizer,
        )

    base = train()
    variants = {
        "l2 in the loss": train(loss=l2(STRENGTH)),
        "coupled l2": train(coupled=l2(STRENGTH)),
        "decoupled l2": train(decoupled=l2(STRENGTH)),
        "group_lasso in the loss": train(loss=group_lasso(STRENGTH)),
        "proximal l1": train(proximal=l1(STRENGTH)),
        "proximal elastic_net": train(proximal=elastic_net(STRENGTH)),
        "proximal mcp": train(proximal=mcp(STRENGTH)),
    }
    momentum = train("momentum")
    groups = {"proximal group_lasso, momentum": train("momentum", proximal=group_lasso(STRENGTH))}
    for function in (base, momentum, *variants.values(), *groups.values()):
        function()

    def one_round() -> Measured:
        measured = overheads(base, variants) | overheads(momentum, groups)
        return Measured(measured, float(variants["l2 in the loss"]().history.values["val/loss"][0]))

    return one_round


def torch_penalties(context: Context) -> Round:
    """Coupled and decoupled weight decay inside the optimizer, and L1 in the loss."""
    torch, data = _tuned_torch(context)

    def train(optimizer_name: str, with_l1: bool = False, **options: Any) -> Any:
        model = torch_nets.mlp(context.shared, dense.RATE)
        kernels = [p for p in model.parameters() if p.ndim == 2]
        optimizer = getattr(torch.optim, optimizer_name)(model.parameters(), lr=1e-3, fused=True, **options)
        penalty = (lambda: STRENGTH * sum(w.abs().sum() for w in kernels)) if with_l1 else None
        return lambda: torch_nets.epoch(model, optimizer, data["x"], data["y"], data["index"], penalty)

    base = train("Adam")
    variants = {
        "weight_decay": train("Adam", weight_decay=2 * STRENGTH),
        "AdamW": train("AdamW", weight_decay=2 * STRENGTH),
        "l1 in the loss": train("Adam", with_l1=True),
    }
    return lambda: Measured(overheads(base, variants))


def _tuned_torch(context: Context) -> tuple[Any, dict[str, Any]]:
    """PyTorch with the better number of threads for the update without any extra, and the data."""
    torch = torch_nets.setting()
    data = torch_nets.tensors(context.shared)

    def trial(options: dict[str, Any]) -> Any:
        model = torch_nets.mlp(context.shared, 0.0)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, **options)
        return lambda: torch_nets.epoch(model, optimizer, data["x"], data["y"], data["index"][:10])

    torch_nets.tuned(trial, {"fused": torch_nets.ADAMS["fused"]})
    return torch, data


def ours_dropout(context: Context) -> Round:
    """Dropout 0.5 after both hidden layers against none."""
    base = problems.ours_epoch(context, dense.mlp(context), dense.BATCH)
    dropped = problems.ours_epoch(context, dense.mlp(context), dense.BATCH, rates={"dropout": dense.RATE})
    for function in (base, dropped):
        function()

    def one_round() -> Measured:
        measured = overheads(base, {"dropout": dropped})
        return Measured(measured, float(dropped().history.values["val/loss"][0]))

    return one_round


def flax_dropout(context: Context) -> Round:
    """`flax.linen.Dropout` in the same compiled run."""
    import flax.linen as nn

    rate, units = dense.RATE, dense.widths(context)

    class Net(nn.Module):
        """The net of ours with the layers of Flax."""

        @nn.compact
        def __call__(self, x: Any, train: bool = False) -> Any:
            for i, width in enumerate(units):
                x = nn.relu(nn.Dense(width, name=f"hidden_{i}")(x))
                x = nn.Dropout(rate, deterministic=not train)(x)
            return nn.Dense(10, name="output")(x)

    base = problems.ours_epoch(context, dense.mlp(context), dense.BATCH)
    dropped = problems.ours_epoch(context, Net(), dense.BATCH)
    for function in (base, dropped):
        function()

    def one_round() -> Measured:
        measured = overheads(base, {"dropout": dropped})
        return Measured(measured, float(dropped().history.values["val/loss"][0]))

    return one_round


def torch_dropout(context: Context) -> Round:
    """`nn.Dropout` in eager PyTorch."""
    torch, data = _tuned_torch(context)

    def train(rate: float) -> tuple[Any, Any]:
        model = torch_nets.mlp(context.shared, rate)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        return model, lambda: torch_nets.epoch(model, optimizer, data["x"], data["y"], data["index"])

    (_, base), (_, dropped) = train(0.0), train(dense.RATE)
    return lambda: Measured(overheads(base, {"dropout": dropped}))


CASES = {
    "penalties": Case(
        name="penalties",
        summary="what a penalty adds to the update of dense_step; the costliest way to apply one",
        unit="% of a step",
        quality="validation loss",
        prepare=prepare,
        rounds=7,
        headline="max",
        contenders={"ours": Contender(ours_penalties, warmups=0), "torch": Contender(torch_penalties, ("torch",))},
    ),
    "dropout": Case(
        name="dropout",
        summary="what dropout adds to the update of dense_step",
        unit="% of a step",
        quality="validation loss",
        prepare=prepare,
        rounds=7,
        headline="max",
        contenders={
            "ours": Contender(ours_dropout, warmups=0),
            "flax": Contender(flax_dropout, warmups=0),
            "torch": Contender(torch_dropout, ("torch",)),
        },
    ),
}
