"""The commands that confirm the best setting of a sweep are the right ones, and they run."""

import html
import json
import re
import shlex

import numpy as np
import pytest

from regjax.cli import sweep
from regjax.cli.compare import Config as CompareConfig
from regjax.cli.confirm import Setting, confirmation
from regjax.cli.grid import Point, off_values
from regjax.cli.setup import Facts
from regjax.cli.sweep import Config

FACTS = Facts("classification", 3, 3, 1000)


def confirmed(best, other, facts=FACTS, seeds=range(3), **options):
    config, off = Config(**options), off_values(best, 50)

    def setting(values):
        return Setting(values, sweep._train_options(config, Point(values, False), 5))

    return confirmation(config, seeds, setting(best), other and setting(other), off, facts)


def words(text):
    return shlex.split(text)[3:]


def test_one_regularizer_is_compared_with_none_on_the_same_data():
    found = confirmed(
        {"l2": 0.1}, {"l2": 0.0}, dataset="wine", split_seed=4, model="linear", l2=7.0, dropout=0.2, train_examples=64,
        sweep=("l2=0.1",), seed=1, workdir="s",
    )  # fmt: skip
    assert found["command"] == "compare"
    [line] = found["commands"]
    assert set(words(line)) == {
        "--dataset=wine", "--split_seed=4", "--model=linear", "--dropout=0.2", "--train_examples=64", "--epochs=50",
        "--label_noise=0.0", "--techniques=l2", "--grid=l2=0.1", "--seed=3", "--splits=1",
        "--batch_size=32", "--learning_rate=0.003", "--workdir=runs/confirm",
    }  # fmt: skip


def test_the_defaults_of_compare_on_the_digits_are_not_used():
    [line] = confirmed({"dropout": 0.5}, {"dropout": 0.0})["commands"]
    assert {"--train_examples=1000", "--label_noise=0.0"} <= set(words(line))
    regression = Facts("regression", 0, 1, 300)
    [line] = confirmed({"dropout": 0.5}, {"dropout": 0.0}, facts=regression)["commands"]
    assert "label_noise" not in line
    [line] = confirmed({"dropout": 0.5}, {"dropout": 0.0}, label_noise=0.2)["commands"]
    assert "--label_noise=0.2" in words(line)


def test_the_seeds_are_new_ones():
    [line] = confirmed({"sam": 0.5}, {"sam": 0.0}, seeds=range(5, 25))["commands"]
    assert {"--seed=25", "--seeds=20"} <= set(words(line))
    [line] = confirmed({"sam": 0.5}, {"sam": 0.0}, seeds=range(5, 7))["commands"]
    assert "--seed=7" in words(line)
    assert CompareConfig().seeds == 10  # so many where no flag says


@pytest.mark.parametrize(
    ("best", "options", "technique"),
    [
        ({"l2": 0.5}, {"penalty_mode": "decoupled"}, "decoupled"),
        ({"l1": 0.5}, {"penalty_mode": "proximal"}, "l1"),
        ({"l1": 0.5}, {}, None),
        ({"l2": 0.5}, {"penalty_mode": "proximal"}, None),
        ({"augment": 0.5}, {"augment": "noise=1"}, "augmentation"),
        ({"l2": 0.5}, {"augment": "noise=1"}, None),
        ({"l2": 0.5}, {"patience": 3}, None),
        ({"l2": 0.5}, {"stop_criterion": "gl"}, None),
        ({"mixup": 0.5, "l1": 0.0}, {}, "mixup"),
        ({"mixup": 0.5, "l1": 0.1}, {}, None),
        ({"mixup": 0.5, "augment": 0.0}, {"augment": "noise=1"}, "mixup"),
        ({"mixup": 0.5, "penalty": 0.0}, {"penalty": "l1(0.1)"}, "mixup"),
        ({"penalty": 0.5}, {"penalty": "l1(0.1)"}, None),
        ({"mixup": 0.5, "train_examples": 20.0}, {}, None),
        ({"patience": 5.0}, {}, None),
        ({"concrete_dropout": 0.5}, {}, None),
    ],
)
def test_compare_is_used_where_it_trains_the_same_runs(best, options, technique):
    other = best | off_values(best, 50)
    found = confirmed(best, other, **options)
    assert found["command"] == ("compare" if technique else "train")
    if technique:
        [line] = found["commands"]
        assert {f"--techniques={technique}", f"--grid={technique}=0.5"} <= set(words(line))
        assert "penalty=" not in line
        assert ("--augment=noise=1" in words(line)) == ("augment" in best and best["augment"] > 0)
    else:
        assert [re.findall("(best|other)-", line) for line in found["commands"]] == [["best"], ["other"]]


def test_the_learning_rate_of_both_is_kept():
    [line] = confirmed({"l2": 0.1, "learning_rate": 0.5}, {"l2": 0.0, "learning_rate": 0.5})["commands"]
    assert "--learning_rate=0.5" in words(line)
    tuned = confirmed({"l2": 0.1, "learning_rate": 0.5}, {"l2": 0.0, "learning_rate": 0.25})
    assert ["--learning_rate=0.5" in line for line in tuned["commands"]] == [True, False]
    assert ["--learning_rate=0.25" in line for line in tuned["commands"]] == [False, True]


def test_a_loop_over_new_seeds_of_a_setting_without_another():
    [loop] = confirmed({"learning_rate": 0.5}, None, seeds=range(1))["commands"]
    line = "python -m experiments.train --learning_rate=0.5 --seed=$seed --workdir=runs/confirm/best-$seed"
    assert loop == f"for seed in 1 2 3 4 5 6 7 8 9 10; do {line}; done"


@pytest.mark.slow
def test_the_command_of_compare_confirms_on_the_test_examples(run, tmp_path):
    """One of 40 features decides, so that a linear model of 60 examples is better with L1 than without."""
    x = np.random.default_rng(0).normal(size=(200, 40))
    np.savez(tmp_path / "one.npz", x=x, y=(x[:, 0] > 0).astype(int))
    flags = (
        "--dataset=one.npz", "--split_seed=2", "--model=linear", "--train_examples=60", "--learning_rate=0.03",
        "--epochs=20", "--penalty_mode=proximal", "--sweep=l1=0.03,0.1", "--norestore_best", "--seeds=2",
    )  # fmt: skip
    out = run("sweep", *flags, "--workdir=s").stdout
    results = json.loads((tmp_path / "s/results.json").read_text())
    best, [line] = results["settings"][results["best"]["setting"]], results["confirm"]["commands"]
    assert best["over_reference"]["mean"] > 0.05
    assert line in out
    assert line in html.unescape(re.sub("<[^>]+>", "", (tmp_path / "s/report.html").read_text()))
    assert shlex.split(line)[:3] == ["python", "-m", "experiments.compare"]
    run("compare", *words(line))
    found = json.loads((tmp_path / "runs/confirm/results.json").read_text())
    assert list(found["techniques"]) == ["l1"]
    assert found["techniques"]["l1"]["chosen"]["value"] == best["values"]["l1"]
    assert found["techniques"]["l1"]["improvement"]["mean"] > 0
    settings = found["settings"]
    assert (settings["train_examples"], settings["epochs"], settings["learning_rate"]) == (60, 20, 0.03)
    assert (settings["split_seed"], settings["seed"], found["seeds"]) == (2, 2, 10)
    assert (settings["test_examples"], results["validation_examples"]) == (40, 40)


@pytest.mark.slow
def test_the_loops_run_with_each_of_their_seeds(run, tmp_path):
    run("sweep", "--dataset=wine", "--model=linear", "--sweep=learning_rate=0.1,0.00001", "--epochs=2", "--workdir=s")
    results = json.loads((tmp_path / "s/results.json").read_text())
    rates = [0.1, 0.00001]
    for line, part in zip(results["confirm"]["commands"], ("best", "other"), strict=True):
        seeds, body = re.fullmatch(r"for seed in ([\d ]+); do (.+); done", line).groups()
        seed = seeds.split()[-1]
        assert "test accuracy" in run("train", *words(body.replace("$seed", seed))).stdout
        trained = json.loads((tmp_path / f"runs/confirm/{part}-{seed}/config.json").read_text())["flags"]
        assert (trained["learning_rate"], trained["seed"]) == (rates[part == "other"], int(seed))
