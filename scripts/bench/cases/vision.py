"""Updates of a small residual net and of a small vision transformer on 32x32 colour images, batch 64, Adam."""

from __future__ import annotations

import itertools
from typing import Any

from cases import problems, torch_nets
from cases.base import Case, Contender, Context, Measured, Round, fastest, seconds

BATCH, SIDE, COLOURS = 64, 32, 3
WIDTHS = (32, 64, 128)
PATCH, FEATURES, DEPTH, HEADS, EXPANSION = 4, 64, 4, 4, 2


def model(context: Context) -> Any:
    """The model of ours in a case."""
    from regjax.models import make_model

    if context.case == "resnet_step":
        return make_model("resnet", num_outputs=10, widths=WIDTHS, blocks=1)
    return make_model("vit", num_outputs=10, patch=PATCH, width=FEATURES, depth=DEPTH, heads=HEADS, expansion=EXPANSION)


def prepare(context: Context) -> dict[str, Any]:
    """Arrays for all contenders."""
    return problems.training_problem(model(context), (SIDE, SIDE, COLOURS), BATCH, context.size(24, 3), held_out=256)


def ours(context: Context) -> Round:
    """A compiled run of one epoch, an evaluation of 320 images included."""
    train = problems.ours_epoch(context, model(context), BATCH)
    steps = len(context.shared["index"])

    return problems.timed_epoch(train, steps)


def torch_round(context: Context, compiled: bool) -> Round:
    """Eager updates, or the model through `torch.compile`; the faster memory format and fused Adam."""
    torch = torch_nets.setting()
    from cases import torch_vision

    data = torch_nets.tensors(context.shared)
    formats = {"channels_last": torch.channels_last, "contiguous": torch.contiguous_format}

    def net() -> Any:
        if context.case == "resnet_step":
            return torch_vision.resnet(context.shared, blocks=1)
        return torch_vision.vit(context.shared, DEPTH, HEADS, PATCH)

    def trial(layout: str) -> Any:
        images = data["x"].permute(0, 3, 1, 2).contiguous(memory_format=formats[layout])
        made = net().to(memory_format=formats[layout])
        optimizer = torch.optim.Adam(made.parameters(), lr=1e-3, fused=True)
        called = torch.compile(made) if compiled else made
        return made, lambda rows: torch_nets.epoch(called, optimizer, images, data["y"], rows), images, called

    tried = {layout: trial(layout)[1] for layout in formats}
    few = data["index"][:3]
    layout = fastest({name: lambda run=run: run(few) for name, run in tried.items()})
    made, _, images, called = trial(layout)
    start = {name: value.clone() for name, value in made.state_dict().items()}
    held_out = data["x_val"].permute(0, 3, 1, 2)

    def one_round() -> Measured:
        made.load_state_dict(start)
        optimizer = torch.optim.Adam(made.parameters(), lr=1e-3, fused=True)
        taken = seconds(lambda: torch_nets.epoch(called, optimizer, images, data["y"], data["index"]))
        return Measured({layout: 1e3 * taken / len(data["index"])}, torch_nets.loss_of(made, held_out, data["y_val"]))

    return one_round


def floor(context: Context) -> Round:
    """The matrix products of an update alone, convolutions as products of patches and kernels."""
    layers = _resnet_products() if context.case == "resnet_step" else _vit_products()
    products: list[tuple[tuple[int, ...], tuple[int, ...], str]] = []
    for i, (m, k, n) in enumerate(layers):
        products += [((m, k), (k, n), "ab"), ((m, k), (m, n), "atb")]
        products += [((m, n), (k, n), "abt")] if i else []
    return problems.matmul_floor(products)


def _resnet_products() -> list[tuple[int, int, int]]:
    layers = [(BATCH * SIDE**2, 9 * COLOURS, WIDTHS[0]), *[(BATCH * SIDE**2, 9 * WIDTHS[0], WIDTHS[0])] * 2]
    for stage, (before, after) in enumerate(itertools.pairwise(WIDTHS), 1):
        rows = BATCH * (SIDE // 2**stage) ** 2
        layers += [(rows, before, after), (rows, 9 * before, after), (rows, 9 * after, after)]
    return [*layers, (BATCH, WIDTHS[-1], 10)]


def _vit_products() -> list[tuple[int, int, int]]:
    tokens = (SIDE // PATCH) ** 2
    rows = BATCH * tokens
    linear = [
        (rows, FEATURES, 3 * FEATURES),
        (rows, FEATURES, FEATURES),
        (rows, FEATURES, EXPANSION * FEATURES),
        (rows, EXPANSION * FEATURES, FEATURES),
    ]
    # The products of attention, of which the machine does as many in one large product or in many small ones.
    attention = [(rows, FEATURES, tokens), (rows, tokens, FEATURES)]
    return [(rows, PATCH**2 * COLOURS, FEATURES), *[*linear, *attention] * DEPTH, (BATCH, FEATURES, 10)]


def _case(name: str, summary: str) -> Case:
    return Case(
        name=name,
        summary=f"one update of a small {summary} on 32x32 colour images, batch 64, Adam",
        unit="ms/step",
        quality="validation loss",
        rounds=5,
        prepare=prepare,
        program=lambda context: problems.epoch_program(context, model(context), BATCH),
        contenders={
            "ours": Contender(ours),
            "torch": Contender(lambda context: torch_round(context, False), ("torch",)),
            "floor": Contender(floor),
        },
    )


CASES = {
    "resnet_step": _case("resnet_step", "residual net"),
    "vit_step": _case("vit_step", "vision transformer"),
}
