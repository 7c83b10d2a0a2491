"""One update of a small convolutional net: 28x28x1, 3x3 convolutions of 32 and 64 channels, dense 128, batch 64."""

from __future__ import annotations

from typing import Any

from cases import keras_nets, problems, torch_nets
from cases.base import Case, Contender, Context, Measured, Round, seconds

BATCH, SIDE, CHANNELS, DENSE = 64, 28, (32, 64), 128


def cnn() -> Any:
    """The model of ours."""
    from regjax.models import make_model

    return make_model("cnn", num_outputs=10, widths=CHANNELS, dense=DENSE)


def prepare(context: Context) -> dict[str, Any]:
    """Arrays for all contenders."""
    return problems.training_problem(cnn(), (SIDE, SIDE, 1), BATCH, context.size(240, 3), held_out=256)


def ours(context: Context) -> Round:
    """A compiled run of one epoch, an evaluation of 320 images included."""
    train = problems.ours_epoch(context, cnn(), BATCH)
    steps = len(context.shared["index"])

    return problems.timed_epoch(train, steps)


def torch(context: Context) -> Round:
    """Eager updates with the faster memory format and the fastest Adam."""
    module = torch_nets.setting()
    data = torch_nets.tensors(context.shared)
    start = torch_nets.cnn(context.shared).state_dict()
    formats = {"channels_last": module.channels_last, "contiguous": module.contiguous_format}

    def placed(name: str) -> tuple[Any, Any]:
        images = data["x"].permute(0, 3, 1, 2).contiguous(memory_format=formats[name])
        return torch_nets.cnn(context.shared).to(memory_format=formats[name]), images

    def trial(options: dict[str, Any]) -> Any:
        model, images = placed(options["format"])
        optimizer = module.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        return lambda: torch_nets.epoch(model, optimizer, images, data["y"], data["index"][:5])

    chosen = torch_nets.tuned(trial, {name: {"format": name} for name in formats})
    model, images = placed(chosen)
    held_out = data["x_val"].permute(0, 3, 1, 2)

    def one_round() -> Measured:
        model.load_state_dict(start)
        optimizer = module.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        taken = seconds(lambda: torch_nets.epoch(model, optimizer, images, data["y"], data["index"]))
        loss = torch_nets.loss_of(model, held_out, data["y_val"])
        return Measured({f"{chosen}, {module.get_num_threads()} threads": 1e3 * taken / len(data["index"])}, loss)

    return one_round


def keras(context: Context) -> Round:
    """`model.fit` of Keras on JAX."""

    def layers(keras: Any) -> list[Any]:
        made: list[Any] = []
        for channels in CHANNELS:
            made += [keras.layers.Conv2D(channels, 3, padding="same", activation="relu"), keras.layers.MaxPool2D()]
        return [*made, keras.layers.Flatten(), keras.layers.Dense(DENSE, "relu"), keras.layers.Dense(10)]

    return keras_nets.epoch_round(layers, context.shared, ["conv_0", "conv_1", "dense", "output"])


def floor(context: Context) -> Round:
    """The matrix products of an update alone, convolutions as products of patches and kernels."""
    del context
    rows = [BATCH * SIDE * SIDE, BATCH * (SIDE // 2) ** 2]
    layers = [(rows[0], 9, CHANNELS[0]), (rows[1], 9 * CHANNELS[0], CHANNELS[1])]
    layers += [(BATCH, CHANNELS[1] * (SIDE // 4) ** 2, DENSE), (BATCH, DENSE, 10)]
    products: list[tuple[tuple[int, ...], tuple[int, ...], str]] = []
    for i, (m, k, n) in enumerate(layers):
        products += [((m, k), (k, n), "ab"), ((m, k), (m, n), "atb")]
        products += [((m, n), (k, n), "abt")] if i else []
    return problems.matmul_floor(products)


CASES = {
    "conv_step": Case(
        name="conv_step",
        summary="one update of a small convolutional net on 28x28 images, batch 64, Adam",
        unit="ms/step",
        quality="validation loss",
        prepare=prepare,
        program=lambda context: problems.epoch_program(context, cnn(), BATCH),
        contenders={
            "ours": Contender(ours),
            "torch": Contender(torch, ("torch",)),
            "keras_jax": Contender(keras, ("keras",)),
            "floor": Contender(floor),
        },
    )
}
