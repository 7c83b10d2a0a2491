"""The command sweep: which runs it makes of its flags, and what it writes."""

from types import SimpleNamespace

import numpy as np
import pytest

from regjax.cli import sweep
from regjax.cli.flags import FlagError
from regjax.cli.sweep import Config, parse_sweep
from regjax.stopping import REASONS
from regjax.training.state import History
from tests.cli.shared import SMALL, read_csv


def test_sweep_writes_one_line_a_run(run, tmp_path):
    run("sweep", "--workdir=w", "--sweep=l2=logspace(-4,-2,3)", "--sweep=dropout=0,0.5", "--seeds=2", *SMALL)
    rows = read_csv(tmp_path / "w/lanes.csv")
    assert len(rows) == 3 * 2 * 2
    assert sorted({float(row["l2"]) for row in rows}) == pytest.approx([1e-4, 1e-3, 1e-2])
    assert (tmp_path / "w/report.html").exists()


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("l2=logspace(-2,0,3)", "l2", [0.01, 0.1, 1.0]),
        ("dropout=linspace(0, 0.5, 3)", "dropout", [0.0, 0.25, 0.5]),
        ("l2=logspace(-3,5,1)", "l2", [1e-3]),
        (" l1 = 0.5, 2e-3", "l1", [0.5, 0.002]),
        ("patience=linspace(1,4,3)", "patience", [1.0, 2.0, 4.0]),  # 2.5 rounds to even
    ],
)
def test_sweeps_are_read(text, name, values):
    found, numbers = parse_sweep(text)
    assert found == name
    assert numbers == pytest.approx(values)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("l3=1", "'l3' cannot be swept; accepted: l1, l2"),
        ("l2", "'l2' cannot be swept"),
        ("l2=logspace(1,2)", "write logspace"),
        ("l2=logspace(0,1,0)", "write logspace"),
        ("l2=logspace(0,400,2)", "write logspace"),
        ("l2=__import__('os')", "write logspace"),
        ("l2=-1", "l2 must be >= 0, got -1"),
        ("l2=nan", "l2 must be >= 0, got nan"),
        ("dropout=1", r"dropout must be in \[0, 1\), got 1"),
        ("learning_rate=0", "learning_rate must be > 0, got 0"),
        ("train_examples=0.4", "train_examples must be >= 1, got 0"),
        ("patience=3,3.2", "patience has a value twice"),
    ],
)
def test_sweeps_that_are_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse_sweep(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "sweep: give at least one"),
        ({"sweep": ("l2=1", "l2=2")}, "sweep.*a name is given twice"),
        ({"sweep": ("penalty=1,2",)}, "sweep.*penalty multiplies the strengths of --penalty; give one"),
        ({"sweep": ("l2=logspace(-3,3,400)", "l1=logspace(-3,3,400)")}, "sweep.*160000 runs are too many"),
        ({"sweep": ("l2=1,2",), "seeds": 60_000}, "sweep.*120000 runs are too many"),
    ],
)
def test_sweeps_that_do_not_fit_together_are_refused(options, message):
    with pytest.raises(FlagError, match=message):
        sweep._swept(Config(**options))


def test_a_point_becomes_options():
    config = Config(penalty="l1(0.1) + l2(1)")
    point = {"penalty": 0.5, "patience": 3.0, "l2": 0.1, "augment": 2.0}
    assert sweep._as_options(config, point) == {"penalty": "0.5 * (l1(0.1) + l2(1))", "patience": 3, "l2": 0.1}


def test_the_command_that_repeats_a_run():
    config = Config(sweep=("l2=1",), dataset="wine")
    words = sweep._repeating(config, {"l2": 0.1, "train_examples": 40.0, "augment": 2.0}, 5, 3, "w").split()
    expected = {"--l2=0.1", "--train_examples=40", "--augment_strength=2.0", "--steps_per_epoch=5", "--seed=3"}
    assert expected | {"--dataset=wine", "--workdir=w"} <= set(words)
    assert not any(word.startswith("--sweep") for word in words)
    plain = sweep._repeating(config, {"l2": 0.1}, 5, 3, "w")
    assert "--steps_per_epoch" not in plain
    assert "--augment_strength" not in plain


def test_the_table_has_the_epoch_whose_weights_are_kept():
    names = ("val/accuracy", "val/loss", "train/accuracy", "train/data_loss")
    history = History(np.array([[0.5, 1.0, 0.6, 0.9], [0.75, 0.5, 0.8, np.nan]]), np.ones(2, bool), names)
    ended = SimpleNamespace(history=history, end_epoch=1, best_epoch=1, epochs=2, reason=REASONS.index("diverged"))
    other = SimpleNamespace(**vars(ended) | {"end_epoch": 0, "reason": 0})
    first, second = sweep._table([ended, other], [{"l2": 0.1}], [3, 4], "classification", [1.0, 2.0])
    assert first == {
        "l2": 0.1, "seed": 3, "val_score": 0.75, "val_loss": 0.5, "train_score": 0.8, "train_loss": None, "epochs": 2,
        "best_epoch": 1, "status": "diverged",
    }  # fmt: skip
    assert (second["seed"], second["val_score"], second["val_loss"], second["status"]) == (4, 0.5, 2.0, "completed")


def test_the_best_setting_is_that_of_the_best_mean_and_no_failed_one():
    points = [{"l2": 0.1}, {"l2": 1.0}, {"l2": 10.0}]
    table = [{"val_score": score} for score in (0.5, 0.7, 0.9, None, 0.6, 0.61)]
    assert sweep._best(points, table, 2) == "l2=10 with mean score 0.6050 over 2 seeds"
