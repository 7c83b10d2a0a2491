"""Updates of a small residual net and of a small vision transformer on 32x32 colour images, batch 64, Adam."""

from __future__ import annotations

import itertools
from typing import Any

from cases import problems, torch_nets
from cases.base import Case, Contender, Context, Round

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


def torch(context: Context) -> Round:
    """Eager updates with the faster memory format and fused Adam."""
    from cases import torch_vision

    if context.case == "resnet_step":
        return torch_nets.image_round(context.shared, lambda shared: torch_vision.resnet(shared, blocks=1))
    return torch_nets.image_round(context.shared, lambda shared: torch_vision.vit(shared, DEPTH, HEADS, PATCH))


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
            "torch": Contender(torch, ("torch",)),
            "floor": Contender(floor),
        },
    )


CASES = {
    "resnet_step": _case("resnet_step", "residual net"),
    "vit_step": _case("vit_step", "vision transformer"),
}
