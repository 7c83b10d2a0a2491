"""Runs killed by SIGKILL at random moments, resumed until they are done, end in the bits of a run left alone."""

import json
import os
import random
import shutil
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

# Forty kills in all; scripts/faults.py does more of the same. The seeds fix the moments, the machine the rest.
TRAIN = ("--dataset=digits", "--train_examples=64", "--batch_size=32", "--widths=16", "--epochs=150")
RUNS = {
    "stopping": ("--dropout=0.2", "--patience=140"),
    "averaged": ("--average=ema(0.9)", "--l1=0.001", "--penalty_mode=proximal"),
    "batch statistics": ("--model=mlp(batch_norm=True, widths=(16,))", "--widths=", "--checkpoint_every=7"),
    "inside epochs": ("--train_examples=1000", "--batch_size=2", "--epochs=120", "--checkpoint_steps=70"),
    "streamed": ("--loader=stream", "--augment=noise=0.1"),
}
KILLS = 8


def without_time(path):
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    return [{name: value for name, value in row.items() if name != "seconds"} for row in rows]


def flags_of(name):
    given = [flag for flag in TRAIN if not (name == "batch statistics" and flag.startswith("--widths"))]
    return [*given, *[flag for flag in RUNS[name] if flag != "--widths="]]


@pytest.mark.parametrize("name", RUNS)
def test_a_killed_run_resumes_to_the_same_bits(run, tmp_path, name):
    flags, moments = flags_of(name), random.Random(name)
    run("train", "--workdir=whole", *flags)
    kills = finished = 0
    while not finished:
        # In turn the start is hit, and training and saving; after so many, the run may end.
        if kills >= KILLS:
            when = {}
        elif kills % 2:
            when = {"kill_after": moments.uniform(0.0, 0.06), "once_written": "part/metrics.jsonl"}
        else:
            when = {"kill_after": moments.uniform(0.05, 0.45)}
        done = run("train", "--workdir=part", "--resume", *flags, code=None, **when)
        assert done.code in (0, -9), f"exit {done.code}\n{done.stderr}"
        kills, finished = kills + (done.code == -9), done.code == 0
    assert kills >= KILLS - 2  # a fast machine may finish the run before the last of them
    whole, part = (tmp_path / folder for folder in ("whole", "part"))
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (whole, part)]
    for key in ("params_sha256", "epochs_run", "best_epoch", "best_val_loss", "test/loss", "stop_reason"):
        assert summaries[0][key] == summaries[1][key], key
    rows = without_time(part / "metrics.jsonl")
    assert [row["epoch"] for row in rows] == list(range(len(rows)))
    assert rows == without_time(whole / "metrics.jsonl")
    assert not list(part.rglob(".tmp-*"))


@pytest.mark.parametrize("module", ["train", "sweep", "compare"])
def test_what_is_killed_as_it_writes_its_first_file_can_be_resumed(run, tmp_path, module):
    task = {"train": (), "sweep": ("--sweep=l2=0.01,0.1",), "compare": ("--techniques=l2",)}[module]
    flags = ("--workdir=w", "--resume", "--epochs=1", "--train_examples=64", "--widths=4", *task)
    for _ in range(5):
        run(module, *flags, code=-9, kill_after=0.0, once_written="w/**/*")
        assert list((tmp_path / "w").rglob("config.json"))
        shutil.rmtree(tmp_path / "w")
    run(module, *flags, code=-9, kill_after=0.0, once_written="w/**/*")
    run(module, *flags)


RESULTS = "unfinished/**/lane-*.npz"


def kept_lanes(workdir):
    """When the result of each lane was written; the states of paused lanes are replaced and removed as they go on."""
    paths = [path for path in workdir.glob(RESULTS) if path.parent.name != "states"]
    return {path: path.stat().st_mtime_ns for path in paths}


def kill_and_resume(run, workdir, moments, module, *flags):
    """Resume until done; says how many kills there were, and how many results outlived one."""
    kept, kills, outlived = {}, 0, 0
    while True:
        # In turn at some moment and soon after a result was written; after so many, the command may end.
        if kills >= KILLS:
            when = {}
        elif kills % 2:
            when = {"kill_after": moments.uniform(0.0, 0.1), "once_written": f"{workdir.name}/{RESULTS}"}
        else:
            when = {"kill_after": moments.uniform(0.2, 0.7)}
        done = run(module, f"--workdir={workdir.name}", "--resume", *flags, code=None, **when)
        assert done.code in (0, -9), done.stderr
        if done.code == 0:
            return kills, outlived
        now = kept_lanes(workdir)
        assert kept.items() <= now.items()  # what was done is not done again
        kept, kills, outlived = now, kills + 1, max(outlived, len(kept))


def test_a_killed_sweep_goes_on_and_repeats_nothing(run, tmp_path):
    flags = ("--sweep=l2=logspace(-4,-1,12)", "--seeds=2", "--epochs=20", "--train_examples=128", "--widths=16")
    run("sweep", "--workdir=whole", *flags)
    kills, outlived = kill_and_resume(run, tmp_path / "part", random.Random(1), "sweep", *flags)
    assert kills >= 2
    assert outlived
    assert (tmp_path / "part/lanes.csv").read_bytes() == (tmp_path / "whole/lanes.csv").read_bytes()
    assert not (tmp_path / "part/unfinished").exists()


@pytest.mark.parametrize("search", ["halving", "asha"])
def test_a_killed_search_goes_on_and_repeats_nothing(run, tmp_path, search):
    flags = (
        f"--search={search}", "--sweep=l2=loguniform(1e-4,1e-1)", "--sweep=dropout=uniform(0,0.8)", "--trials=18",
        "--seeds=2", "--epochs=18", "--train_examples=128", "--widths=16",
    )  # fmt: skip
    run("sweep", "--workdir=whole", *flags)
    kills, outlived = kill_and_resume(run, tmp_path / "part", random.Random(search), "sweep", *flags)
    assert kills >= 2
    assert outlived
    assert (tmp_path / "part/lanes.csv").read_bytes() == (tmp_path / "whole/lanes.csv").read_bytes()
    searches = [json.loads((tmp_path / name / "results.json").read_text())["search"] for name in ("part", "whole")]
    assert searches[0] == searches[1]
    assert not (tmp_path / "part/unfinished").exists()


def test_a_killed_compare_goes_on_and_repeats_nothing(run, tmp_path):
    flags = (
        "--techniques=early_stopping,l2,dropout,combination", "--seeds=3", "--epochs=20", "--train_examples=128",
        "--widths=16",
    )  # fmt: skip
    run("compare", "--workdir=whole", *flags)
    kills, outlived = kill_and_resume(run, tmp_path / "part", random.Random(2), "compare", *flags)
    assert kills >= 2
    assert outlived
    assert (tmp_path / "part/table.csv").read_bytes() == (tmp_path / "whole/table.csv").read_bytes()
    found, whole = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("part", "whole"))
    for name, row in whole["techniques"].items():
        assert found["techniques"][name]["test"] == row["test"]
    assert not (tmp_path / "part/unfinished").exists()
    assert "finished" in run("compare", "--workdir=part", "--resume", *flags).stdout
    other = run("compare", "--workdir=part", "--resume", *flags, "--seeds=4", code=2)
    assert "--seeds was 3 and is 4" in other.stderr


@pytest.mark.parametrize("module", ["compare", "sweep"])
def test_old_results_stay_until_there_are_new_ones(run, tmp_path, module):
    """Killed while it trains or while it writes its report, a command with --overwrite has replaced nothing, or all."""
    one = ("--techniques=l2", "--seeds=2") if module == "compare" else ("--sweep=l2=0.01,0.1", "--seeds=2")
    flags = (*one, "--epochs=3", "--train_examples=64", "--widths=16", "--workdir=w")

    def state():
        files = [path.name for path in (tmp_path / "w").iterdir() if path.name != "unfinished"]
        content = json.loads((tmp_path / "w/results.json").read_text())
        return sorted(files), content["techniques"]["l2"]["test"] if module == "compare" else content["lanes"]

    run(module, *flags)
    before = state()
    for after in (0.1, 0.3, 0.5, 0.7, 0.9, 1.1):
        run(module, *flags, "--overwrite", code=None, kill_after=after)
        assert state() == before  # the old ones, or the same again
    run(module, *flags, "--resume")
    assert state() == before
    assert not list(tmp_path.glob(".w*"))  # neither a lock nor a directory of a process that was killed


@pytest.mark.parametrize("module", ["compare", "sweep"])
def test_killed_while_it_writes_its_report(run, tmp_path, environment, module):
    """The kill comes when the directory with the new results is there and not yet in its place."""
    one = ("--techniques=l2", "--seeds=2") if module == "compare" else ("--sweep=l2=0.01,0.1", "--seeds=2")
    flags = (*one, "--epochs=3", "--train_examples=64", "--widths=16", "--workdir=w")
    command = [sys.executable, "-m", f"experiments.{module}", *flags]
    with subprocess.Popen(command, cwd=tmp_path, env=os.environ | environment, stdout=subprocess.DEVNULL) as process:
        while not any(path.name.startswith(".w.regjax-") and kept_lanes(tmp_path / "w") for path in tmp_path.iterdir()):
            assert process.poll() is None
            time.sleep(0.001)
        process.kill()
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["unfinished"]
    assert list(tmp_path.glob(".w.regjax-*"))  # half of a report, beside
    assert "holds an unfinished run; go on with --resume" in run(module, *flags, code=2).stderr
    kept = kept_lanes(tmp_path / "w")
    assert len(kept) >= 4
    run(module, *flags, "--resume")
    assert (tmp_path / "w/report.html").read_text().rstrip().endswith("</html>")
    assert not list(tmp_path.glob(".w*"))


def test_input_that_is_refused_late_leaves_nothing_unfinished(run, tmp_path):
    """Modes that clash are found out by the comparison itself, when its directory is there."""
    clash = ("--l2=0.01", "--penalty_mode=coupled", "--techniques=l2", "--workdir=w")
    assert "two modes" in run("compare", *clash, code=2).stderr
    assert not (tmp_path / "w").exists()
    run("train", "--dataset=wine", "--epochs=1", "--widths=4", "--workdir=w")
    run("compare", *clash, "--overwrite", code=2)
    assert (tmp_path / "w/summary.json").exists()
    assert not (tmp_path / "w/unfinished").exists()
