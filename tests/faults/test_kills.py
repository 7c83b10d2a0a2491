"""Runs killed by SIGKILL at random moments, resumed until they are done, end in the bits of a run left alone."""

import json
import random

import pytest

# Forty kills in all; scripts/faults.py does more of the same. The seeds fix the moments, the machine the rest.
TRAIN = ("--dataset=digits", "--train_examples=64", "--batch_size=32", "--widths=16", "--epochs=150")
RUNS = {
    "stopping": ("--dropout=0.2", "--patience=140"),
    "averaged": ("--average=ema(0.9)", "--l1=0.001", "--penalty_mode=proximal"),
    "batch statistics": ("--model=mlp(batch_norm=True, widths=(16,))", "--widths=", "--checkpoint_every=7"),
    "inside epochs": ("--train_examples=1000", "--batch_size=2", "--epochs=40", "--checkpoint_steps=70"),
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
        # Early ones hit the start, later ones training and saving; after so many, the run may end.
        after = moments.uniform(0.05, 1.5) if kills < KILLS else None
        done = run("train", "--workdir=part", "--resume", *flags, code=None, kill_after=after)
        assert done.code in (0, -9), f"exit {done.code}\n{done.stderr}"
        kills, finished = kills + (done.code == -9), done.code == 0
    assert kills >= KILLS // 2  # a fast machine may finish the run before a kill hits it
    whole, part = (tmp_path / folder for folder in ("whole", "part"))
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (whole, part)]
    for key in ("params_sha256", "epochs_run", "best_epoch", "best_val_loss", "test/loss", "stop_reason"):
        assert summaries[0][key] == summaries[1][key], key
    rows = without_time(part / "metrics.jsonl")
    assert [row["epoch"] for row in rows] == list(range(len(rows)))
    assert rows == without_time(whole / "metrics.jsonl")
    assert not list(part.rglob(".tmp-*"))


def test_a_killed_sweep_goes_on_and_repeats_nothing(run, tmp_path):
    flags = ("--sweep=l2=logspace(-4,-1,12)", "--seeds=2", "--epochs=20", "--train_examples=128", "--widths=16")
    run("sweep", "--workdir=whole", *flags)
    moments, kept = random.Random(1), {}
    for _ in range(6):
        done = run("sweep", "--workdir=part", "--resume", *flags, code=None, kill_after=moments.uniform(0.3, 1.5))
        assert done.code in (0, -9), done.stderr
        now = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "part/lanes").glob("lane-*.npz")}
        if done.code == -9:
            assert kept.items() <= now.items()  # what was done is not done again
            kept = now
    run("sweep", "--workdir=part", "--resume", *flags)
    assert (tmp_path / "part/lanes.csv").read_bytes() == (tmp_path / "whole/lanes.csv").read_bytes()


def test_a_killed_compare_leaves_the_old_results(run, tmp_path):
    flags = ("--techniques=l2", "--seeds=2", "--epochs=3", "--train_examples=64", "--widths=16", "--workdir=w")
    run("compare", *flags)

    def test_scores():
        return json.loads((tmp_path / "w/results.json").read_text())["techniques"]["l2"]["test"]

    before = test_scores()
    for after in (0.2, 0.6, 1.0, 1.4):
        run("compare", *flags, "--overwrite", code=None, kill_after=after)
        assert test_scores() == before  # the old ones, or the same again
    run("compare", *flags, "--overwrite")
