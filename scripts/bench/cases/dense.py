"""One update of a wide multilayer perceptron: 784-1024-1024-10, batches of 128, Adam, dropout 0.5."""

from __future__ import annotations

from typing import Any

from cases import keras_nets, problems, torch_nets
from cases.base import Case, Contender, Context, Measured, Round, seconds

BATCH, INPUTS, RATE = 128, 784, 0.5


def widths(context: Context) -> tuple[int, int]:
    """Units of the hidden layers."""
    return (context.size(1024, 32),) * 2


def mlp(context: Context) -> Any:
    """The model of ours."""
    from regjax.models import make_model

    return make_model("mlp", num_outputs=10, widths=widths(context))


def prepare(context: Context, steps: int = 240) -> dict[str, Any]:
    """Arrays for all contenders."""
    return problems.training_problem(mlp(context), (INPUTS,), BATCH, context.size(steps, 4), held_out=256)


def ours(context: Context) -> Round:
    """A compiled run of one epoch: drawing the batches, updates, an evaluation of 384 examples, bookkeeping.

    An epoch of 240 updates, about half of MNIST's: what a run does once (copies of the weights, the evaluation) takes
    some 50 ms, which would weigh 0.8 ms an update in an epoch of 60.
    """
    train = problems.ours_epoch(context, mlp(context), BATCH, rates={"dropout": RATE})
    steps = len(context.shared["index"])

    return problems.timed_epoch(train, steps)


def torch_round(context: Context, compiled: bool, adam: str | None = None) -> Round:
    """Eager updates, with the fastest of PyTorch's Adams or a given one; or the model through `torch.compile`."""
    torch = torch_nets.setting()
    data = torch_nets.tensors(context.shared)

    def trial(options: dict[str, Any]) -> Any:
        net = torch_nets.mlp(context.shared, RATE)
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3, **options)
        return lambda: torch_nets.epoch(net, optimizer, data["x"], data["y"], data["index"][:10])

    name = torch_nets.tuned(trial, torch_nets.ADAMS if adam is None else {adam: torch_nets.ADAMS[adam]})
    described = f"{name} Adam, {torch.get_num_threads()} threads"
    model = torch_nets.mlp(context.shared, RATE)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    called = torch.compile(model) if compiled else model

    def one_round() -> Measured:
        model.load_state_dict(start)
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, **torch_nets.ADAMS[name])
        taken = seconds(lambda: torch_nets.epoch(called, optimizer, data["x"], data["y"], data["index"]))
        loss = torch_nets.loss_of(model, data["x_val"], data["y_val"])
        return Measured({described: 1e3 * taken / len(data["index"])}, loss)

    return one_round


def keras(context: Context) -> Round:
    """`model.fit` of Keras on JAX."""

    def layers(keras: Any) -> list[Any]:
        hidden = [[keras.layers.Dense(n, "relu"), keras.layers.Dropout(RATE)] for n in widths(context)]
        return [*(layer for pair in hidden for layer in pair), keras.layers.Dense(10)]

    return keras_nets.epoch_round(layers, context.shared, ["hidden_0", "hidden_1", "output"])


def floor(context: Context) -> Round:
    """The matrix products of an update alone."""
    return problems.dense_floor(BATCH, (INPUTS, *widths(context), 10))


CASES = {
    "dense_step": Case(
        name="dense_step",
        summary="one update of a 784-1024-1024-10 net with dropout, batch 128, Adam",
        unit="ms/step",
        quality="validation loss",
        prepare=prepare,
        program=lambda context: problems.epoch_program(context, mlp(context), BATCH, rates={"dropout": RATE}),
        contenders={
            "ours": Contender(ours),
            "torch": Contender(lambda context: torch_round(context, False), ("torch",)),
            "torch (as it comes)": Contender(lambda context: torch_round(context, False, "default"), ("torch",)),
            "torch_compile": Contender(lambda context: torch_round(context, True), ("torch",), warmups=2),
            "keras_jax": Contender(keras, ("keras",)),
            "floor": Contender(floor),
        },
    )
}
