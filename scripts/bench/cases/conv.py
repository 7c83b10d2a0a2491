"""One update of a small convolutional net: 28x28x1, 3x3 convolutions of 32 and 64 channels, dense 128, batch 64."""

from __future__ import annotations

from typing import Any

from cases import keras_nets, problems, torch_nets
from cases.base import Case, Contender, Context, Round

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
    return torch_nets.image_round(context.shared, torch_nets.cnn)


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
