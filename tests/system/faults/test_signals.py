"""SIGTERM and SIGINT inside a long epoch: an answer within a block, a save at that very update, the same bits later."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

# One epoch of 900 updates, a few seconds long.
LONG = (
    "--dataset=digits", "--train_examples=900", "--model=mlp(widths=(512, 512))", "--batch_size=1", "--epochs=1",
    "--dropout=0.2", "--optimizer=adam",
)  # fmt: skip


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_inside_an_epoch_saves_there(run, tmp_path, environment, number):
    command = [sys.executable, "-m", "experiments.train", *LONG, "--workdir=part"]
    process = subprocess.Popen(
        command, cwd=tmp_path, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    while not (tmp_path / "part/metrics.jsonl").exists():  # the first block is compiled now
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(number)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75, errors
    assert f"{number.name}: saving after this block of updates" in errors
    [step] = [int(path.name) for path in (tmp_path / "part/checkpoints/latest").iterdir()]
    assert 0 < step < 900
    assert json.loads((tmp_path / "part/summary.json").read_text())["epochs_run"] == 0
    assert not (tmp_path / "part/metrics.jsonl").read_text()
    if number == signal.SIGTERM:
        run("train", *LONG, "--workdir=part", "--resume")
        run("train", *LONG, "--workdir=whole", "--checkpoint_seconds=0.05")
        whole, part = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("whole", "part"))
        assert part["params_sha256"] == whole["params_sha256"]
        assert part["best_val_loss"] == whole["best_val_loss"]
