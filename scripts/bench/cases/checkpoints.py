"""What checkpoints cost: after each epoch of a training, when they are verified, and at the start of a resumed run."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from cases import problems, torch_nets
from cases.base import Case, Contender, Context, Measured, Round, overheads, seconds
from cases.starts import started

WIDTHS, BATCH, REPEATS = (1024, 1024), 128, 1


def mlp() -> Any:
    """The model of ours."""
    from regjax.models import make_model

    return make_model("mlp", num_outputs=10, widths=WIDTHS)


def prepare(context: Context) -> dict[str, Any]:
    """Arrays for all contenders; `index` is of one epoch."""
    return problems.training_problem(mlp(), (784,), BATCH, context.size(240, 4), held_out=256)


def ours(context: Context) -> Round:
    """`regjax.training.fit` with `checkpoint_every=1`, which writes beside the training, against none."""
    import jax

    import regjax as rj
    from regjax.training.checkpoint import Checkpoints

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


def verified(context: Context) -> Round:
    """The SHA-256 of every file of a checkpoint and its manifest, the files not in memory before."""
    path = _checkpoint(context)

    def one_round() -> Measured:
        from regjax.core.files import verify_manifest

        _forget(path)
        return Measured({"verify": 1e3 * seconds(lambda: verify_manifest(path))}, _size(path))

    return one_round


def sha256sum(context: Context) -> Round:
    """The command of the same name on the same files."""
    path = _checkpoint(context)
    command = ["sha256sum", *map(str, _files(path))]

    def one_round() -> Measured:
        _forget(path)
        taken = seconds(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL))
        return Measured({"verify": 1e3 * taken}, _size(path))

    return one_round


def only_read(context: Context) -> Round:
    """The floor: the bytes of the same files, read without being parsed."""
    path = _checkpoint(context)

    def read() -> None:
        block = bytearray(2**20)
        for file in _files(path):
            with file.open("rb", buffering=0) as stream:
                while stream.readinto(block):  # type: ignore[attr-defined]
                    pass

    def one_round() -> Measured:
        _forget(path)
        return Measured({"verify": 1e3 * seconds(read)}, _size(path))

    return one_round


def _checkpoint(context: Context) -> Path:
    """A checkpoint of a net of twenty million parameters with Adam, of 320 MB."""
    import jax
    import jax.numpy as jnp

    import regjax as rj
    from regjax.training.checkpoint import Checkpoints
    from regjax.training.program import make_program

    width = context.size(4096, 64)
    x = jnp.ones((1, 784))
    model = rj.models.make_model("mlp", num_outputs=10, widths=(width, width))
    init = jax.jit(make_program(rj.Spec(model, num_classes=10, batch_size=2, steps_per_epoch=1)).init)
    store = Checkpoints(os.path.join(context.scratch, f"checkpoint{os.getpid()}"))
    store.save(init(rj.make_hparams(n_train=2), jax.random.key(0), x), wait=True)
    return store.directory / "latest" / "0"


def _files(path: Path) -> list[Path]:
    return sorted(file for file in path.rglob("*") if file.is_file())


def _size(path: Path) -> float:
    """Megabytes, the same for all."""
    return round(sum(file.stat().st_size for file in _files(path)) / 1e6)


def _forget(path: Path) -> None:
    """Have the system drop the files from memory, so that they are read from the disk."""
    for file in _files(path):
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
            os.posix_fadvise(stream.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def next_epoch(context: Context, directory: str, epochs: int) -> Round:
    """Import, digits, a net of 1.1 million parameters with Adam, and the first epoch after its checkpoint, if any."""
    cache, saved, data = (os.path.join(context.scratch, name) for name in ("xla", directory, "data"))
    return started("regjax_next_epoch", f"{cache}|{saved}|{epochs}", REGJAX_CACHE=data)


def resumed(context: Context) -> Round:
    """Goes on after the first epoch."""
    next_epoch(context, "saved", 1)()
    return next_epoch(context, "saved", 3)


def not_resumed(context: Context) -> Round:
    """The floor: the same start without a checkpoint."""
    return next_epoch(context, "nothing", 3)


def torch_resumed(context: Context) -> Round:
    """The same in PyTorch, with `torch.load`."""
    path = os.path.join(context.scratch, "resume.pt")
    started("torch_epoch", f"1024|{path}|save")()
    return started("torch_epoch", f"1024|{path}|load")


CASES = {
    "checkpoint": Case(
        name="checkpoint",
        summary="what a checkpoint after each of 4 epochs adds to a fit of the net of dense_step",
        unit="% of the time",
        quality="validation loss",
        prepare=prepare,
        rounds=5,
        contenders={"ours": Contender(ours), "torch": Contender(torch, ("torch",))},
    ),
    "verify": Case(
        name="verify",
        summary="the checksums of a checkpoint of 320 MB that is not in memory; the floor reads it",
        unit="ms",
        quality="megabytes",
        rounds=5,
        contenders={
            "ours": Contender(verified),
            "sha256sum": Contender(sha256sum),
            "floor": Contender(only_read),
        },
    ),
    "resume": Case(
        name="resume",
        summary="a fresh process until the first epoch after a checkpoint; the floor starts without one",
        unit="s",
        quality="validation accuracy",
        rounds=5,
        contenders={
            "ours": Contender(resumed),
            "torch": Contender(torch_resumed, ("torch",)),
            "floor": Contender(not_resumed),
        },
    ),
}
