"""The commands as a user runs them: real processes, real files."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


def read_csv(path):
    with path.open() as file:
        return list(csv.DictReader(file))


SMALL = ["--epochs=4", "--train_examples=64", "--widths=16"]


@pytest.mark.parametrize("module", ["train", "predict", "compare", "sweep"])
def test_help_is_fast_and_complete(module):
    started = time.monotonic()
    command = [sys.executable, "-X", "importtime", "-m", f"experiments.{module}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert time.monotonic() - started < 3  # about 0.2 s on an idle machine
    assert "| jax\n" not in done.stderr
    assert f"python -m experiments.{module}" in done.stdout
    assert "--workdir" in done.stdout


def test_train_writes_the_contract_and_predict_reads_it(run, tmp_path):
    out = run("train", "--workdir=w", "--dropout=0.2", "--l2=0.001", "--augment=default", *SMALL)
    assert "epoch 4/4" in out.stderr  # plain lines without a terminal
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
    assert {
        "stop_reason", "epochs_run", "best_epoch", "best_val_loss", "test/loss", "test/accuracy", "diagnosis",
        "generalization_gap", "onset_epoch", "zero_fraction", "params_sha256", "compilations", "seconds",
    } <= set(summary)  # fmt: skip

    run("predict", "--workdir=w", "--input=test", "--output=p.csv")
    rows = read_csv(tmp_path / "p.csv")
    right = np.mean([row["prediction"] == row["target"] for row in rows])
    assert right == pytest.approx(summary["test/accuracy"], abs=1e-6)
    np.savez(tmp_path / "some.npz", x=np.zeros((3, 8, 8, 1), np.uint8))
    run("predict", "--workdir=w", "--input=some.npz", "--output=q.csv")
    assert len((tmp_path / "q.csv").read_text().splitlines()) == 4
    os.mkfifo(tmp_path / "pipe.csv")  # as /dev/null, which is no file to be replaced either
    out = run("predict", "--workdir=w", "--input=test", "--output=pipe.csv", "--overwrite", code=2)
    assert "--output=pipe.csv" in out.stderr
    assert (tmp_path / "pipe.csv").is_fifo()


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


def test_divergence_exits_3_with_what_was_measured(run, tmp_path):
    run("train", "--workdir=w", "--optimizer=sgd", "--learning_rate=1e30", *SMALL, code=3)
    summary = json.loads((tmp_path / "w/summary.json").read_text())
    assert (summary["status"], summary["stop_reason"]) == ("diverged", "diverged")
    assert len((tmp_path / "w/metrics.jsonl").read_text().splitlines()) == summary["epochs_run"]


def test_regression_and_csv(run, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3))
    rows = np.column_stack([x, 5 * x[:, 0] + 100 + 0.1 * rng.normal(size=200)])
    np.savetxt(tmp_path / "d.csv", rows, delimiter=",", header="a,b,c,price", comments="")
    flags = ["--dataset=d.csv", "--target=price", "--model=linear", "--epochs=60", "--learning_rate=0.05"]
    run("train", *flags, "--workdir=w")
    summary = json.loads((tmp_path / "w/summary.json").read_text())
    assert summary["test/r2"] > 0.98
    assert summary["test/mse"] < 1.0
    run("predict", "--workdir=w", "--input=d.csv", "--output=p.csv")
    predicted = [float(row["prediction"]) for row in read_csv(tmp_path / "p.csv")]
    assert np.corrcoef(predicted, rows[:, 3])[0, 1] > 0.99


def test_compare_writes_table_report_and_results(run, tmp_path):
    out = run(
        "compare", "--workdir=w", "--seeds=2", *SMALL, "--techniques=early_stopping,l2,l1,combination",
        "--grid=l2=0.01,0.1", "--grid=l1=0.01",
    )  # fmt: skip
    assert "technique" in out.stdout
    results = json.loads((tmp_path / "w/results.json").read_text())
    assert len(results["techniques"]["l2"]["grid"]) == 2
    assert results["reproduce"]["command"].startswith("python -m experiments.compare --workdir=w --seeds=2")
    page = (tmp_path / "w/report.html").read_text()
    assert "early stopping" in page
    assert (tmp_path / "w/figures").is_dir()
    # A second run there is refused, and replaces the first with --overwrite.
    assert "--workdir=w: holds another run" in run("compare", "--workdir=w", code=2).stderr
    run("compare", "--workdir=w", "--overwrite", "--seeds=2", *SMALL, "--techniques=l2", "--grid=l2=0.01")
    assert list(json.loads((tmp_path / "w/results.json").read_text())["techniques"]) == ["l2"]
    assert [p.name for p in tmp_path.iterdir()] == ["w"]


def test_sweep_writes_one_line_a_run(run, tmp_path):
    run("sweep", "--workdir=w", "--sweep=l2=logspace(-4,-2,3)", "--sweep=dropout=0,0.5", "--seeds=2", *SMALL)
    rows = read_csv(tmp_path / "w/lanes.csv")
    assert len(rows) == 3 * 2 * 2
    assert sorted({float(row["l2"]) for row in rows}) == pytest.approx([1e-4, 1e-3, 1e-2])
    assert (tmp_path / "w/report.html").exists()


@pytest.mark.parametrize("module", ["train", "compare", "sweep", "predict", "gallery"])
def test_what_print_config_prints_is_a_flagfile_that_changes_nothing(run, tmp_path, module):
    given = {
        "train": ("--l2=0.1", "--widths=8,4", "--norestore_best", "--penalty=l1(1, where='a b')", "--patience=3"),
        "compare": ("--grid=l2=0.1,1", "--grid=l1=0.1", "--techniques=l1,l2", "--epochs=3"),
        "sweep": ("--sweep=l2=0.1,1", "--nocompact"),
        "predict": ("--input=test", "--output=w.csv"),
        "gallery": ("--images=2",),
    }[module]
    printed = run(module, *given, "--print_config").stdout
    assert not list(tmp_path.iterdir())
    assert set(given) <= set(printed.splitlines())
    (tmp_path / "flags.txt").write_text(printed)
    assert run(module, "--flagfile=flags.txt", "--print_config").stdout == printed


def test_flagfile(run, tmp_path):
    (tmp_path / "flags.txt").write_text("--epochs=2\n--train_examples=64\n# a comment\n--widths=8\n")
    run("train", "--flagfile=flags.txt", "--workdir=w")
    assert len((tmp_path / "w/metrics.jsonl").read_text().splitlines()) == 2


def test_every_parameter_regularizer_from_flags(run, tmp_path):
    out = run(
        "train", "--workdir=w", "--penalty=group_lasso(0.02, axis=0) + l2(1e-4, where='output')",
        "--penalty_mode=proximal", "--constraint=max_norm(2)", "--average=ema(0.9)", "--sam=0.05", *SMALL,
    )  # fmt: skip
    assert "hidden_0/kernel  64x16  1,024  group_lasso(0.02, 64 units on axis 0)" in out.stdout  # the plan
    summary = json.loads((tmp_path / "w/summary.json").read_text())
    assert (summary["average"], summary["gradients_per_update"]) == ("ema", 2)
    run("predict", "--workdir=w", "--input=test", "--output=p.csv")
    rows = read_csv(tmp_path / "p.csv")
    right = np.mean([row["prediction"] == row["target"] for row in rows])
    assert right == pytest.approx(summary["test/accuracy"], abs=1e-6)  # the averaged weights were kept
    run("sweep", "--workdir=s", "--penalty=mcp(1e-3)", "--penalty_mode=proximal", "--sweep=penalty=0.1,1", *SMALL)
    lanes = read_csv(tmp_path / "s/lanes.csv")
    assert [float(lane["penalty"]) for lane in lanes] == [0.1, 1.0]
    run(
        "compare", "--workdir=c", "--techniques=l2", "--try_penalty=group_lasso(1e-2, axis=0)",
        "--penalty_mode=proximal", "--seeds=2", *SMALL,
    )  # fmt: skip
    row = json.loads((tmp_path / "c/results.json").read_text())["techniques"]["group_lasso(1e-2, axis=0)"]
    assert row["chosen"]["parameter"] == "factor"


def test_noise_outputs_and_models_from_flags(run, tmp_path):
    run(
        "train", "--workdir=w", "--model=mlp(widths=(16, 16), skip=True, batch_norm=True)", "--dropout=0.3",
        "--drop_path=0.1", "--weight_noise=0.01", "--rate_schedule=up", "--gradient_noise=0.01",
        "--output_penalty=confidence(0.1) + r_drop(0.5)", "--label_smoothing=0.1", "--smoothing=others",
        "--dataset=digits", "--train_examples=128", "--epochs=3",
    )  # fmt: skip
    out = run("predict", "--workdir=w", "--input=test", "--output=p.csv", "--mc_samples=5")
    assert "accuracy" in out.stdout
    rows = read_csv(tmp_path / "p.csv")
    assert all(0 <= float(row["mutual_information"]) <= float(row["predictive_entropy"]) + 1e-6 for row in rows)
    again = run("predict", "--workdir=w", "--input=test", "--output=q.csv", "--mc_samples=5")
    assert again.stdout.replace("q.csv", "p.csv") == out.stdout
    assert (tmp_path / "p.csv").read_bytes() == (tmp_path / "q.csv").read_bytes()  # the same seed, the same noise
    run(
        "sweep", "--workdir=s", "--sweep=gaussian_dropout=0,0.5", "--sweep=output_penalty=0,1",
        "--output_penalty=confidence(0.1)", *SMALL,
    )  # fmt: skip
    lanes = read_csv(tmp_path / "s/lanes.csv")
    assert len({lane["val_loss"] for lane in lanes}) == 4
    run("train", "--workdir=v", "--average=snapshots(size=2, period=4)", *SMALL)
    assert json.loads((tmp_path / "v/summary.json").read_text())["average"] == "snapshots"
    run("predict", "--workdir=v", "--input=test", "--output=v.csv")


def test_compare_has_the_defaults_of_the_library(run, tmp_path):
    x = np.random.default_rng(0).normal(size=(60, 3))
    np.savez(tmp_path / "digits.npz", x=x, y=(x[:, 0] > 0).astype(int))
    flags = ["--techniques=l2", "--grid=l2=0.01", "--seeds=1", "--epochs=1", "--model=linear"]
    for name, dataset, expected in (("own", "digits.npz", (36, 36, 0.0)), ("demo", "digits", (128, 1077, 0.1))):
        out = run("compare", f"--dataset={dataset}", f"--workdir={name}", *flags)
        settings = json.loads((tmp_path / name / "results.json").read_text())["settings"]
        assert (settings["train_examples"], settings["pool"], settings["label_noise"]) == expected
        assert ("128 of 1,077" in out.stdout.splitlines()[0]) == (name == "demo")
