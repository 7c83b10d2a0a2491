"""Logs for other tools, read back by these tools; also of a run that was interrupted."""

import csv
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.cli import train
from regjax.cli.logs import LOGS, CsvLog, MlflowLog, TensorboardLog, WandbLog
from regjax.training.checkpoint import Checkpoints
from regjax.training.fit import history_row

pytestmark = pytest.mark.slow

EPOCHS, STEPS = 4, 2
X, Y = jnp.eye(8), jnp.arange(8) % 2
SPEC = rj.Spec(
    rj.models.make_model("linear", num_outputs=2), num_classes=2, batch_size=4, steps_per_epoch=STEPS, epochs=EPOCHS
)
HPARAMS = rj.make_hparams(learning_rate=0.1, n_train=8)
FLAGS = {"dropout": 0.5, "dataset": "a|b", "widths": [8, 4], "final": False, "patience": None}


def trained(folder, logs, interrupted=lambda: False):
    data = rj.TrainData(X, Y, jnp.arange(8), X, Y)
    store = Checkpoints(folder / "checkpoints")
    return rj.fit(SPEC, HPARAMS, jax.random.key(0), data, checkpoints=store, callbacks=logs, interrupted=interrupted)


def twice(kind, folder, **options):
    """A log of a run that was interrupted after its second epoch and went on; returns its history."""
    asked = iter([False] * 3 + [True])
    trained(folder, [kind(folder, FLAGS, STEPS, **options)], lambda: next(asked, False))
    state = trained(folder, [kind(folder, FLAGS, STEPS, **options)]).state
    return [history_row(state, epoch) for epoch in range(EPOCHS)]


def test_the_names_are_those_of_the_flag():
    assert list(LOGS) == list(train.LOGS)


def test_a_table_has_a_row_for_each_epoch(tmp_path):
    rows = twice(CsvLog, tmp_path)
    with (tmp_path / "logs/metrics.csv").open(newline="") as file:
        found = list(csv.DictReader(file))
    assert [(row["epoch"], row["step"]) for row in found] == [("0", "2"), ("1", "4"), ("2", "6"), ("3", "8")]
    for row, expected in zip(found, rows, strict=True):
        assert {name: float(row[name]) for name in expected} == expected


def test_what_is_left_out_and_what_is_not_finite_has_no_number(tmp_path):
    log = CsvLog(tmp_path, FLAGS, STEPS, ("val/",))
    data = rj.TrainData(X * np.inf, Y, jnp.arange(8), X, Y)
    rj.fit(SPEC, HPARAMS, jax.random.key(0), data, callbacks=[log])
    with (tmp_path / "logs/metrics.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["train/running_loss"] == ""
    assert not [name for name in row if name.startswith("val/")]


def test_tensorboard_reads_its_files(tmp_path):
    pytest.importorskip("tensorboardX")
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    rows = twice(TensorboardLog, tmp_path)
    found = reader.EventAccumulator(str(tmp_path / "logs/tensorboard")).Reload()
    events = found.Scalars("val/loss")
    assert [event.step for event in events] == [2, 4, 6, 8]
    np.testing.assert_allclose([event.value for event in events], [row["val/loss"] for row in rows], rtol=1e-6)
    assert set(found.Tags()["scalars"]) == set(rows[0])


def test_mlflow_reads_its_store(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    rows = twice(MlflowLog, tmp_path)
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'logs/mlflow.db'}")
    (run,) = client.search_runs([client.get_experiment_by_name("regjax").experiment_id])
    assert run.info.status == "FINISHED"
    assert run.data.params["dropout"] == "0.5"
    history = client.get_metric_history(run.info.run_id, "val/loss")
    assert [metric.step for metric in history] == [2, 4, 6, 8]
    np.testing.assert_allclose([metric.value for metric in history], [row["val/loss"] for row in rows], rtol=1e-6)


def test_weights_and_biases_keeps_an_offline_run(tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    twice(WandbLog, tmp_path)
    name = json.loads((tmp_path / "logs/wandb.json").read_text())["run"]
    folders = [path.name for path in (tmp_path / "logs/wandb").glob("offline-run-*")]
    assert folders
    assert all(folder.endswith(name) for folder in folders)


@pytest.mark.parametrize("kind", LOGS.values(), ids=list(LOGS))
def test_a_log_changes_no_bit(kind, tmp_path, monkeypatch):
    for package in train.LOGS[next(name for name, own in LOGS.items() if own is kind)]:
        pytest.importorskip(package)
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    logged = trained(tmp_path / "logged", [kind(tmp_path, FLAGS, STEPS)])
    alone = trained(tmp_path / "alone", [])
    jax.tree.map(np.testing.assert_array_equal, logged.state, alone.state)
