"""The command train: what it writes, how it ends and goes on, and what it refuses."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from regjax.cli import train
from regjax.cli.flags import FlagError
from regjax.cli.train import Config
from tests.cli.shared import SMALL, read_csv


@pytest.mark.slow
def test_train_writes_the_contract_and_predict_reads_it(run, tmp_path):
    out = run("train", "--workdir=w", "--dropout=0.2", "--l2=0.001", "--augment=default", *SMALL)
    assert "epochs 4/4  epoch 3: " in out.stderr  # plain lines without a terminal
    files = {p.name for p in (tmp_path / "w").iterdir()}
    assert files >= {
        "config.json", "metrics.jsonl", "summary.json", "curves.png", "preprocess.json", "checkpoints",
    }  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "w/metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [0, 1, 2, 3]
    assert [line["step"] for line in lines] == [2, 4, 6, 8]
    assert {
        "train/loss", "train/data_loss", "train/penalty", "train/accuracy", "train/running_loss", "val/loss",
        "val/accuracy", "learning_rate", "seconds",
    } <= set(lines[0])  # fmt: skip
    summary = json.loads((tmp_path / "w/summary.json").read_text())
    assert summary["status"] == "completed"
    assert summary["best_epoch"] == min(lines, key=lambda line: line["val/loss"])["epoch"]
    assert {
        "stop_reason", "epochs_run", "best_epoch", "best_val_loss", "test/loss", "test/accuracy", "diagnosis",
        "generalization_gap", "onset_epoch", "zero_fraction", "params_sha256", "compilations", "seconds",
    } <= set(summary)  # fmt: skip

    run("predict", "--workdir=w", "--input=test", "--output=p.csv")
    rows = read_csv(tmp_path / "p.csv")
    right = np.mean([row["prediction"] == row["target"] for row in rows])
    assert right == pytest.approx(summary["test/accuracy"], abs=1e-6)
    hits = [row["prediction"] == row["target"] for row in rows]
    confidence = np.array([float(row["probability"]) for row in rows])
    in_bins = calibration_curve(hits, confidence, n_bins=15, strategy="quantile")  # 360 examples, 24 in each bin
    assert summary["test/ece"] == pytest.approx(np.mean(np.abs(np.subtract(*in_bins))), abs=1e-5)
    assert np.square(hits - confidence).mean() < summary["test/brier"] < 2  # the other classes add to it
    np.savez(tmp_path / "some.npz", x=np.zeros((3, 8, 8, 1), np.uint8))
    run("predict", "--workdir=w", "--input=some.npz", "--output=q.csv")
    assert len((tmp_path / "q.csv").read_text().splitlines()) == 4
    os.mkfifo(tmp_path / "pipe.csv")  # as /dev/null, which is no file to be replaced either
    out = run("predict", "--workdir=w", "--input=test", "--output=pipe.csv", "--overwrite", code=2)
    assert "--output=pipe.csv" in out.stderr
    assert (tmp_path / "pipe.csv").is_fifo()


@pytest.mark.slow
def test_same_flags_same_weights_and_resume_is_bitwise(run, tmp_path):
    for name in ("a", "b"):
        run("train", f"--workdir={name}", "--dropout=0.2", *SMALL)
    digests = [json.loads((tmp_path / name / "summary.json").read_text())["params_sha256"] for name in "ab"]
    assert digests[0] == digests[1]
    # A finished run resumes to itself.
    before = (tmp_path / "a/summary.json").read_bytes()
    assert "finished" in run("train", "--workdir=a", "--resume", "--dropout=0.2", *SMALL).stdout
    assert (tmp_path / "a/summary.json").read_bytes() == before
    # Other flags are refused with the difference.
    refused = run("train", "--workdir=a", "--resume", "--dropout=0.3", *SMALL, code=2)
    assert "--dropout was 0.2 and is 0.3" in refused.stderr


@pytest.mark.slow
def test_terminated_run_resumes_to_the_same_weights(run, environment, tmp_path):
    flags = ["--dropout=0.2", "--epochs=300", "--train_examples=64", "--widths=16", "--seed=3"]
    run("train", "--workdir=whole", *flags)
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments.train", "--workdir=part", *flags],
        cwd=tmp_path, env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    metrics = tmp_path / "part/metrics.jsonl"
    while not (metrics.exists() and metrics.read_text().count("\n") >= 3):
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 75, errors
    assert json.loads((tmp_path / "part/summary.json").read_text())["status"] == "interrupted"
    run("train", "--workdir=part", "--resume", *flags)
    whole, part = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("whole", "part"))
    assert part["params_sha256"] == whole["params_sha256"]
    epochs = [json.loads(line)["epoch"] for line in metrics.read_text().splitlines()]
    assert epochs == list(range(300))


@pytest.mark.slow
def test_divergence_exits_3_with_what_was_measured(run, tmp_path):
    run("train", "--workdir=w", "--optimizer=sgd", "--learning_rate=1e30", *SMALL, code=3)
    summary = json.loads((tmp_path / "w/summary.json").read_text())
    assert (summary["status"], summary["stop_reason"]) == ("diverged", "diverged")
    assert summary["test/loss"] is summary["test/ece"] is summary["test/brier"] is None
    assert len((tmp_path / "w/metrics.jsonl").read_text().splitlines()) == summary["epochs_run"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"checkpoint_steps": 5, "checkpoint_seconds": 1.0}, "checkpoint_steps: and --checkpoint_seconds exclude"),
        ({"augment_strength": 0.5}, "augment_strength: is of no use without --augment"),
        ({"validation": "stop", "loader": "stream"}, "validation: is for --loader=memory"),
        ({"workdir": ""}, "workdir.*must name a directory"),
    ],
)
def test_flags_that_do_not_fit_together_are_refused_before_any_work(options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FlagError, match=message):
        train.main(Config(**options))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ({"status": "completed", "epochs_run": 5}, "completed"),
        ({"status": "completed", "epochs_run": 4}, None),  # it has more epochs now
        ({"status": "stopped", "epochs_run": 3}, "stopped"),
        ({"status": "diverged", "epochs_run": 1}, "diverged"),
        ({"status": "interrupted", "epochs_run": 5}, None),
        ({"status": "completed"}, None),
        ([], None),
        (None, None),
    ],
)
def test_how_a_run_ended(tmp_path, summary, expected):
    if summary is not None:
        (tmp_path / "summary.json").write_text(json.dumps(summary))
    assert train._finished(tmp_path, epochs=5) == expected


def test_a_resumed_run_may_have_more_epochs_unless_schedules_end_with_them():
    assert train._free(Config()) == {"epochs"}
    assert train._free(Config(schedule="cosine")) == train._free(Config(rate_schedule="up")) == set()
    plain, cosine = train._identity(Config()), train._identity(Config(schedule="cosine"))
    assert "epochs" in cosine.keys() - plain.keys()
    assert {"l2", "seed", "dataset"} <= plain.keys()
    assert {"workdir", "resume", "overwrite", "checkpoint_every"}.isdisjoint(cosine)


@pytest.mark.slow
def test_a_log_for_other_tools_stands_beside_the_metrics(run, tmp_path):
    run("train", "--workdir=w", "--log=csv", *SMALL)
    lines = (tmp_path / "w/metrics.jsonl").read_text().splitlines()
    rows = read_csv(tmp_path / "w/logs/metrics.csv")
    assert [float(row["val/loss"]) for row in rows] == [json.loads(line)["val/loss"] for line in lines]


def test_a_log_that_is_not_known_is_refused():
    with pytest.raises(FlagError, match="did you mean 'tensorboard'"):
        train._check_flags(Config(log="csv,tensorbord"))
