"""`--loader=stream` as a user runs it: the files of a run in memory, and one line for what cannot be read."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

SMALL = ["--epochs=3", "--batch_size=16"]
UNLIKE = {"seconds", "compilations", "compile_seconds"}


def both(run, tmp_path, *flags):
    """The summaries of the same run with both loaders; their other files must agree."""
    summaries = []
    for loader in ("memory", "stream"):
        out = run("train", f"--workdir={loader}", f"--loader={loader}", *SMALL, *flags)
        assert ("in memory, for evaluations" in out.stdout) == (loader == "stream")
        summary = json.loads((tmp_path / loader / "summary.json").read_text())
        summaries.append({name: value for name, value in summary.items() if name not in UNLIKE})
    memory, stream = (tmp_path / "memory", tmp_path / "stream")
    assert {path.name for path in memory.iterdir()} == {path.name for path in stream.iterdir()}
    assert (memory / "preprocess.json").read_text() == (stream / "preprocess.json").read_text()
    rows = [
        [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines.read_text().splitlines()]
        for lines in (memory / "metrics.jsonl", stream / "metrics.jsonl")
    ]
    assert rows[0] == rows[1]
    assert len(rows[0]) == 3
    assert summaries[0] == summaries[1]
    return summaries[0]


def test_digits(run, tmp_path):
    flags = ["--dropout=0.2", "--augment=default", "--label_noise=0.1", "--train_examples=200", "--read_threads=1"]
    summary = both(run, tmp_path, "--dataset=digits", "--widths=16", *flags)
    out = run("predict", "--workdir=stream", "--input=test", "--output=p.csv").stdout
    assert out.endswith(f"accuracy {summary['test/accuracy']:.4f}\n")
    assert "nothing to do" in run("train", "--workdir=stream", "--loader=stream", "--resume", *SMALL, "--widths=16",
 "--dataset=digits", *flags[:-1]).stdout  # fmt: skip


@pytest.fixture
def pets(tmp_path):
    rng = np.random.default_rng(0)
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(40):
            pixels = rng.integers(40 * label, 200 + 40 * label, (8, 8), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{i:02}.png")
    return tmp_path / "pets"


def test_a_folder_of_images(run, tmp_path, pets):
    both(run, tmp_path, "--dataset=pets", "--widths=16", "--augment=flip=0.5")


def test_npz_regression(run, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 4))
    np.savez(tmp_path / "d.npz", x=x, y=(x[:, 0] + 0.1 * rng.normal(size=200)).astype(np.float32))
    assert both(run, tmp_path, "--dataset=d.npz", "--model=linear", "--learning_rate=0.1")["test/r2"] > 0.5


def test_what_cannot_be_read_is_one_line(run, tmp_path, pets):
    bad = pets / "dog" / "21.png"
    bad.write_bytes(bad.read_bytes()[:70])
    done = run("train", "--workdir=w", "--dataset=pets", "--loader=stream", *SMALL, code=2)
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: --dataset=pets: pets: dog/21.png is ")
    assert not (tmp_path / "w").exists()
    np.savez_compressed(tmp_path / "d.npz", x=np.zeros((40, 3)), y=np.arange(40) % 2)
    (line,) = run("train", "--workdir=w", "--dataset=d.npz", "--loader=stream", code=2).stderr.splitlines()
    assert "--dataset=d.npz: d.npz: 'x' is compressed" in line


def test_a_record_that_breaks_during_the_training(run, tmp_path, pets, environment):
    """Everything was sound when the run began; the message names the file and the run can be resumed."""
    flags = ["--dataset=pets", "--loader=stream", "--widths=16", "--batch_size=16", "--epochs=100000"]
    command = [sys.executable, "-m", "experiments.train", "--workdir=w", *flags]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, **environment}, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    metrics = tmp_path / "w" / "metrics.jsonl"
    ends = time.monotonic() + 60
    while time.monotonic() < ends and not (metrics.exists() and len(metrics.read_text().splitlines()) > 2):
        time.sleep(0.05)
    for path in (pets / "cat").iterdir():
        path.write_bytes(b"")
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 2, errors
    assert "error: pets: cat/" in errors.splitlines()[-1]


def test_an_interruption_inside_an_epoch_is_resumed_there(run, tmp_path, environment):
    rng = np.random.default_rng(0)  # 68 updates an epoch, in two blocks of 34
    np.savez(tmp_path / "d.npz", x=rng.normal(size=(900, 16384)).astype(np.float32), y=rng.integers(0, 2, 900))
    flags = ["--dataset=d.npz", "--loader=stream", "--widths=16", "--batch_size=8", "--epochs=2"]
    command = [sys.executable, "-m", "experiments.train", "--workdir=part", *flags]
    process = subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, **environment}, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
        text=True,
    )  # fmt: skip
    ends = time.monotonic() + 60
    while time.monotonic() < ends and not (tmp_path / "part" / "config.json").exists():
        time.sleep(0.01)  # the first block is compiled now
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 75, errors
    summary = json.loads((tmp_path / "part/summary.json").read_text())
    assert (summary["status"], summary["epochs_run"]) == ("interrupted", 0)
    [step] = [int(path.name) for path in (tmp_path / "part/checkpoints/latest").iterdir()]
    assert step == 34  # between the blocks of the first epoch
    run("train", "--workdir=part", "--resume", *flags)
    run("train", "--workdir=whole", *flags)
    whole, part = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("whole", "part"))
    assert part["params_sha256"] == whole["params_sha256"]
    assert part["epochs_run"] == 2
