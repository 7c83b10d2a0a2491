"""What a checkpoint after each epoch adds to a training of several seconds, in percent."""

from __future__ import annotations

import os
import shutil
from typing import Any

from cases import problems, torch_nets
from cases.base import Case, Contender, Context, Measured, Round, overheads

WIDTHS, BATCH, REPEATS = (1024, 1024), 128, 1


def mlp() -> Any:
    """The model of ours."""
    from regjax.models import make_model

    return make_model("mlp", num_outputs=10, widths=WIDTHS)


def prepare(context: Context) -> dict[str, Any]:
    """Arrays for all contenders; `index` is of one epoch."""
    return problems.training_problem(mlp(), (784,), BATCH, context.size(240, 4), held_out=256)


def ours(context: Context) -> Round:
    """`regjax.fit` with `checkpoint_every=1`, which writes beside the training, against none."""
    import jax

    import regjax as rj
    from regjax.checkpoint import Checkpoints

    shared = context.shared
    spec = rj.Spec(
        mlp(), num_classes=10, batch_size=BATCH, steps_per_epoch=len(shared["index"]), epochs=_epochs(context)
    )
    hparams, data, key = rj.make_hparams(n_train=len(shared["x"])), problems.jax_data(shared), jax.random.key(0)
    directory = os.path.join(context.scratch, "ours")
    losses: list[float] = []

    def train(saving: bool) -> None:
        shutil.rmtree(directory, ignore_errors=True)
        checkpoints = Checkpoints(directory) if saving else None
        result = rj.fit(spec, hparams, key, data, checkpoints=checkpoints)
        losses[:] = [float(result.state.history.values["val/loss"][-1])]

    def one_round() -> Measured:
        return Measured(overheads(lambda: train(False), {"every epoch": lambda: train(True)}, REPEATS), losses[0])

    return one_round


def torch(context: Context) -> Round:
    """`torch.save` of model and optimizer after each epoch."""
    module = torch_nets.setting()
    data = torch_nets.tensors(context.shared)

    def trial(options: dict[str, Any]) -> Any:
        model = torch_nets.mlp(context.shared, 0.0)
        optimizer = module.optim.Adam(model.parameters(), lr=1e-3, **options)
        return lambda: torch_nets.epoch(model, optimizer, data["x"], data["y"], data["index"][:20])

    torch_nets.tuned(trial, {"fused": torch_nets.ADAMS["fused"]})
    path = os.path.join(context.scratch, "torch.pt")
    losses: list[float] = []

    def train(saving: bool) -> None:
        model = torch_nets.mlp(context.shared, 0.0)
        optimizer = module.optim.Adam(model.parameters(), lr=1e-3, fused=True)
        for _ in range(_epochs(context)):
            torch_nets.epoch(model, optimizer, data["x"], data["y"], data["index"])
            losses[:] = [torch_nets.loss_of(model, data["x_val"], data["y_val"])]
            if saving:
                module.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)

    def one_round() -> Measured:
        return Measured(overheads(lambda: train(False), {"every epoch": lambda: train(True)}, REPEATS), losses[0])

    return one_round


def _epochs(context: Context) -> int:
    return context.size(4, 2)


CASES = {
    "checkpoint": Case(
        name="checkpoint",
        summary="what a checkpoint after each of 4 epochs adds to a fit of the net of dense_step",
        unit="% of the time",
        quality="validation loss",
        prepare=prepare,
        rounds=5,
        contenders={"ours": Contender(ours), "torch": Contender(torch, ("torch",))},
    )
}
