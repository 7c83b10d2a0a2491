"""The status of a training run on its bar."""

import jax
import jax.numpy as jnp

import regjax as rj
from regjax.cli.epoch_bar import EpochBar, epoch_status
from regjax.cli.progress import Bar
from regjax.stopping import NEVER


def test_a_run_shows_its_epochs_and_not_what_is_left_out(capsys):
    x, y = jnp.eye(4), jnp.arange(4) % 2
    spec = rj.Spec(rj.models.make_model("linear", num_outputs=2), num_classes=2, batch_size=4, epochs=3)
    data, hparams = rj.TrainData(x, y, jnp.arange(4), x, y), rj.make_hparams(n_train=4)
    with Bar("epochs", 3, every=0.0) as bar:
        rj.fit(spec, hparams, jax.random.key(0), data, callbacks=[EpochBar(bar, NEVER, ("val/",))])
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["1/3", "2/3", "3/3"]
    assert all("training accuracy" in line and " val " not in line for line in lines)


def test_the_status_has_the_metric_and_the_countdown():
    row = {"train/loss": 0.5, "val/loss": 0.25, "val/accuracy": 0.875}
    assert epoch_status(7, row, wait=2, patience=NEVER) == "epoch 7: loss 0.5000  val 0.2500  accuracy 0.875"
    assert epoch_status(7, row, wait=2, patience=5).endswith("stops in 3")
    assert epoch_status(7, row, wait=9, patience=5).endswith("stops in 0")
    regression = {"train/loss": 0.5, "val/loss": 0.25, "val/r2": -1.0}
    assert epoch_status(0, regression, wait=0, patience=NEVER).endswith("r2 -1.000")
