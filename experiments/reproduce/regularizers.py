"""What a published comparison of SAM, mixup, CutMix or Cutout would cost here: the time of an update of ResNet-18.

Command: `python -m experiments.reproduce.regularizers` (two minutes on two cores); it prints the record
`experiments/records/regularizers_cost.json`.

Published comparisons of these regularizers train residual nets on CIFAR for hundreds of epochs. None of them is
repeated; this measures the reason. A net of the size of ResNet-18 (`rj.models`, stages of 64 to 512 channels, two
blocks each) is trained on random images of 32 x 32 x 3 in batches of 16, where published runs have 128, and the time of
an update is the difference of a longer and a shorter run of one compiled program each, over the difference of their
updates. An epoch of CIFAR has 50,000 images; `RUNS` has the epochs of the publications' repositories.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import jax
import jax.numpy as jnp

import regjax as rj
from experiments.reproduce.command import command
from experiments.reproduce.published import rounded
from regjax.cli.app import reproduce
from regjax.core.rng import run_key
from regjax.models import make_model

BATCH, UPDATES_PER_EPOCH, SHORT, LONG = 16, 3125, 1, 3
WIDTHS = (64, 128, 256, 512)
RUNS: dict[str, dict[str, Any]] = {
    "Cutout, github.com/uoguelph-mlrg/Cutout": {"net": "ResNet-18", "epochs": 200, "gradients": 1},
    "SAM, github.com/davda54/sam (not by the authors)": {"net": "WRN 16-8", "epochs": 200, "gradients": 2},
    "CutMix and mixup, github.com/clovaai/CutMix-PyTorch": {"net": "PyramidNet-200", "epochs": 300, "gradients": 1},
}


def seconds(steps: int, widths: tuple[int, ...] = WIDTHS, size: int = 32, batch: int = BATCH) -> float:
    """Time of a compiled run of one epoch with this many updates; its second call."""
    net = make_model("resnet", num_outputs=10, widths=widths, norm="batch")
    spec = rj.Spec(
        net,
        num_classes=10,
        batch_size=batch,
        steps_per_epoch=steps,
        optimizer="momentum",
        eval_batch_size=8,
        eval_train_examples=8,
    )
    x = jax.random.normal(jax.random.key(0), (batch, size, size, 3))
    y = jnp.arange(batch) % 10
    data = rj.TrainData(x, y, jnp.arange(batch), x[:8], y[:8])
    hparams, run = rj.make_hparams(learning_rate=1e-3, n_train=batch), jax.jit(rj.make_run(spec))
    jax.block_until_ready(run(hparams, run_key(0), data))
    started = time.perf_counter()
    jax.block_until_ready(run(hparams, run_key(1), data))
    return time.perf_counter() - started


def summary(update: float) -> dict[str, Any]:
    """Hours of an epoch and of the published runs, one seed and one setting each."""
    epoch = update * UPDATES_PER_EPOCH / 3600
    runs = {
        name: own | {"hours_with_resnet_18": rounded(epoch * own["epochs"] * own["gradients"])}
        for name, own in RUNS.items()
    }
    return {"seconds_per_update": rounded(update), "hours_per_epoch": rounded(epoch), "runs": runs}


def measured() -> dict[str, Any]:
    """The record."""
    started = time.time()
    update = (seconds(LONG) - seconds(SHORT)) / (LONG - SHORT)
    return {**summary(update), "reproduce": reproduce("reproduce.regularizers", started)}


if __name__ == "__main__":
    sys.exit(command(measured, __doc__))
