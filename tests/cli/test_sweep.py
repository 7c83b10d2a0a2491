"""The command sweep: which runs it makes of its flags, and what it writes."""

import json
import shlex

import numpy as np
import pytest

from regjax.cli import sweep
from regjax.cli.flags import FlagError
from regjax.cli.grid import Point
from regjax.cli.repeat import train_command
from regjax.cli.sweep import Config
from tests.cli.shared import SMALL, read_csv


@pytest.mark.slow
def test_sweep_writes_one_line_a_run(run, tmp_path):
    run("sweep", "--workdir=w", "--sweep=l2=logspace(-4,-2,3)", "--sweep=dropout=0,0.5", "--seeds=2", *SMALL)
    rows = read_csv(tmp_path / "w/lanes.csv")
    assert len(rows) == (3 * 2 + 1) * 2
    assert sorted({float(row["l2"]) for row in rows[:-2]}) == pytest.approx([1e-4, 1e-3, 1e-2])
    assert (tmp_path / "w/report.html").exists()
    told = "chosen on the validation examples that score it"
    assert told in " ".join((tmp_path / "w/report.html").read_text().split())
    gains = [float(row["val_score"]) - float(row["val_score_last"]) for row in rows]
    assert json.loads((tmp_path / "w/results.json").read_text())["over_last_epoch"] == pytest.approx(np.mean(gains))


@pytest.mark.slow
def test_the_reference_is_trained_like_the_others_in_the_same_program(run, tmp_path):
    run("sweep", "--workdir=w", "--sweep=l2=0.01", "--sweep=dropout=0.5", "--gaussian_noise=0.1", "--seeds=2", *SMALL)
    results = json.loads((tmp_path / "w/results.json").read_text())
    lanes = results["lanes"]
    assert [(lane["l2"], lane["dropout"], lane["reference"]) for lane in lanes[1:3]] == [
        (0.01, 0.5, False),
        (0, 0, True),
    ]
    assert [lane["seed"] for lane in lanes] == [0, 1, 0, 1]
    assert results["plan"]["programs"] == 1
    assert [row["reference"] for row in read_csv(tmp_path / "w/lanes.csv")] == ["False", "False", "True", "True"]
    difference = np.mean([lanes[i]["val_score"] - lanes[i + 2]["val_score"] for i in (0, 1)])
    assert results["settings"][0]["over_reference"]["mean"] == pytest.approx(difference, abs=1e-6)
    # The command beside it has no swept regularizer, and is that run.
    command = shlex.split(lanes[2]["command"])
    assert "--gaussian_noise=0.1" in command
    assert not [word for word in command if word.startswith(("--l2", "--dropout"))]
    run("train", *command[3:])
    alone = json.loads((tmp_path / "runs/repeat/run-2/summary.json").read_text())
    assert alone["best_epoch"] == lanes[2]["best_epoch"]
    assert alone["best_val_loss"] == pytest.approx(lanes[2]["val_loss"], rel=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["penalty", "output_penalty", "augment", "patience", "sam"])
def test_other_regularizers_are_off_in_the_reference(run, tmp_path, name):
    """Its scores are those of a run whose flags do not name the regularizer, to rounding."""
    flags = {"penalty": "--penalty=l1(0.05)", "output_penalty": "--output_penalty=confidence(1)"}.get(name)
    run("sweep", "--workdir=w", f"--sweep={name}=1", *([flags] if flags else []), *SMALL, "--norestore_best")
    changed, reference = json.loads((tmp_path / "w/results.json").read_text())["lanes"]
    run("sweep", "--workdir=v", "--sweep=learning_rate=0.003", *SMALL, "--norestore_best")
    [plain] = json.loads((tmp_path / "v/results.json").read_text())["lanes"]
    assert reference["train_loss"] == pytest.approx(plain["train_loss"], rel=1e-4)
    assert reference["val_loss"] == pytest.approx(plain["val_loss"], rel=1e-4)
    if name != "patience":  # in four epochs the loss need not rise
        assert changed["train_loss"] != pytest.approx(plain["train_loss"], rel=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "sweep: give at least one"),
        ({"sweep": ("l2=1", "l2=2")}, "sweep.*a name is given twice"),
        ({"sweep": ("penalty=1,2",)}, "sweep.*penalty multiplies the strengths of --penalty; give one"),
        ({"sweep": ("l2=logspace(-3,3,400)", "l1=logspace(-3,3,400)")}, "sweep.*160000 runs are too many"),
        ({"sweep": ("l2=1,2",), "seeds": 60_000}, "sweep.*120000 runs are too many"),
        ({"sweep": ("l2=1,2",), "seeds": 6_000, "cv": 10}, "sweep.*120000 runs are too many"),
    ],
)
def test_sweeps_that_do_not_fit_together_are_refused(options, message):
    with pytest.raises(FlagError, match=message):
        sweep._swept(Config(**options))


def test_the_command_that_repeats_a_run():
    config = Config(sweep=("l2=1",), dataset="wine")

    def words(values):
        options = sweep._train_options(config, Point(values, False), 5)
        return train_command(config, options, 3, "w").split()

    expected = {"--l2=0.1", "--train_examples=40", "--augment_strength=2.0", "--steps_per_epoch=5", "--seed=3"}
    found = words({"l2": 0.1, "train_examples": 40.0, "augment": 2.0})
    assert expected | {"--dataset=wine", "--workdir=w"} <= set(found)
    assert not any(word.startswith("--sweep") for word in found)
    assert set(words({"l2": 0.1})[3:]) == {"--dataset=wine", "--l2=0.1", "--seed=3", "--workdir=w"}
