"""One seed, one run: a row of a table is what the command beside it trains."""

import dataclasses
import json
import shlex

import jax
import numpy as np
import pytest

from regjax.catalog import COMBINATION, DEFAULT_TECHNIQUES, NOISES, TECHNIQUES
from regjax.cli import setup
from regjax.cli.options import RunOptions
from regjax.cli.repeat import command_of, comparison_runs, train_command
from regjax.cli.train import Config as TrainConfig
from regjax.comparison.registry import TechniqueContext, resolve
from regjax.comparison.techniques import combination
from regjax.training.spec import make_hparams

FACTS = setup.Facts("classification", 3, 3, 1000)
SETTINGS = {
    "train_examples": 128, "label_noise": 0.1, "epochs": 6, "steps_per_epoch": 4, "batch_size": 32,
    "learning_rate": 3e-3,
}  # fmt: skip


def commands_of(*arguments):
    return {name: [command_of(run) for run in runs] for name, runs in comparison_runs(*arguments).items()}


def techniques_of(*names, **changes):
    context = TechniqueContext(128, 1000, noises=tuple(NOISES), **changes)
    return resolve(list(names), context)[0]


def assert_same_run(flags, arguments):
    """The flags give the numbers that the arguments give, in the same places of the program."""
    flags = dict(flags)
    augment = flags.pop("augment_strength", None)
    config = TrainConfig(train_examples=128, restore_best=False, **({"augment": "noise=1"} if augment else {}))
    config = dataclasses.replace(config, **flags)
    given = setup.hparams_of(
        config, FACTS, restore_best=config.restore_best, standardization=None, augment=augment or 0.0
    )
    wanted = make_hparams(**{"learning_rate": 3e-3, "n_train": 128, **arguments})
    assert jax.tree.structure(given) == jax.tree.structure(wanted)
    for a, b in zip(jax.tree.leaves(given), jax.tree.leaves(wanted), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("name", [name for name in TECHNIQUES if name != COMBINATION])
def test_the_flags_of_a_technique_are_its_arguments(name):
    [technique] = techniques_of(name)
    for value in technique.values:
        assert_same_run(technique.flags(value), technique.arguments(value))


@pytest.mark.parametrize("criterion", ["gl", "pq", "up"])
def test_early_stopping_by_another_criterion_too(criterion):
    [technique] = techniques_of("early_stopping", criterion=criterion)
    flags, arguments = technique.flags(1.0), technique.arguments(1.0)
    # The numbers that this criterion does not read are free.
    config = TrainConfig(**flags)
    assert (config.stop_criterion, config.restore_best) == (arguments["stopping"].criterion, True)
    assert config.patience is None


def test_the_flags_of_a_combination_are_its_arguments():
    parts = techniques_of("l2", "l1", "dropout", "early_stopping", "confidence", "jacobian")
    params = {"dense": {"kernel": np.ones((2, 2))}}
    made, names = combination([(part, part.values[0], 0.5) for part in parts], {}, params)
    assert len(names) == len(parts)
    for scale in made.values:
        assert_same_run(made.flags(scale), made.arguments(scale))


def parsed(command):
    """The options of a command `train`."""
    found = {}
    for argument in shlex.split(command)[3:]:
        name, equals, value = argument.removeprefix("--").partition("=")
        found[name.removeprefix("no")] = value if equals else not name.startswith("no")
    return found


def test_what_always_acts_comes_first_as_in_the_comparison():
    config = RunOptions(l2=0.1, penalty="mcp(0.2)", output_penalty="confidence(0.3)", dropout=0.4)
    rows = {"l1": [{"penalty": "l1(0.5, mode='proximal')"}], "jacobian": [{"output_penalty": "jacobian(0.6)"}]}
    commands = commands_of(config, SETTINGS, rows, [(7, 3)])
    l1, jacobian = parsed(commands["l1"][0]), parsed(commands["jacobian"][0])
    assert (l1["l2"], l1["penalty"], l1["dropout"]) == ("0.1", "mcp(0.2) + l1(0.5, mode='proximal')", "0.4")
    assert jacobian["output_penalty"] == "confidence(0.3) + jacobian(0.6)"
    assert (l1["seed"], l1["split_seed"], l1["validation"], l1["restore_best"]) == ("3", "7", "stop", False)


def test_early_stopping_and_augmentation_of_the_comparison_act_in_their_own_rows_alone():
    config = RunOptions(patience=7, augment="shift=1")
    rows = {"baseline": [{}, {}], "augmentation": [{"augment_strength": 0.5}, {"augment_strength": 1.0}]}
    commands = commands_of(config, SETTINGS, rows, [(0, 0), (1, 1)])
    plain, (moved, other) = parsed(commands["baseline"][0]), map(parsed, commands["augmentation"])
    assert {"patience", "augment"}.isdisjoint(plain)
    assert (moved["augment"], moved["augment_strength"]) == ("shift=1", "0.5")
    assert (other["split_seed"], other["seed"]) == ("1", "1")  # of its own split, with what was chosen there
    assert "augment_strength" not in other  # 1 is the default


def test_more_data_keeps_the_number_of_updates():
    commands = commands_of(RunOptions(), SETTINGS, {"more_data": [{"train_examples": 512}]}, [(0, 0)])
    assert parsed(commands["more_data"][0])["steps_per_epoch"] == "4"


@pytest.mark.parametrize("text", ["l1(1, where='a')", "a b", "l1(1, where='$x')", "it's", 'say "hi"', "`ls`", "a!'b"])
def test_a_shell_gives_back_what_was_written(text):
    command = train_command(RunOptions(penalty=text), {}, 0, "w")
    assert parsed(command)["penalty"] == text


def test_a_name_that_is_no_word_names_no_folder():
    name = "l1(1, where='../../..')"
    commands = commands_of(RunOptions(), SETTINGS, {"baseline": [{}], name: [{"penalty": name}]}, [(0, 4)])
    assert parsed(commands[name][0])["workdir"] == "runs/repeat/row_1-4"
    assert parsed(commands["baseline"][0])["workdir"] == "runs/repeat/baseline-4"


def repeated(run, folder, command):
    """The parameters that a command of results.json ends with."""
    arguments = shlex.split(command)
    assert arguments[:3] == ["python", "-m", "experiments.train"]
    run("train", *arguments[3:])
    workdir = next(a for a in arguments if a.startswith("--workdir=")).partition("=")[2]
    return json.loads((folder / workdir / "summary.json").read_text())["params_sha256"]


@pytest.mark.slow
def test_every_row_of_a_comparison_is_repeated_bit_for_bit(run, tmp_path):
    grids = ("more_data=512", "augmentation=0.25", "l2=0.003", "l1=0.001", "dropout=0.2")
    run("compare", *(f"--grid={grid}" for grid in grids), "--seeds=2", "--seed=5", "--split_seed=1", "--epochs=30",
        "--learning_rate=0.01", "--patience=1", "--gradient_noise=0.0001", "--rate_schedule=up",
        "--workdir=c")  # fmt: skip
    results = json.loads((tmp_path / "c/results.json").read_text())
    rows = {"baseline": results["baseline"], **results["techniques"]}
    assert set(rows) == {"baseline", *DEFAULT_TECHNIQUES}
    assert rows["early_stopping"]["epochs"]["mean"] < 30
    for name, row in rows.items():
        assert len(set(row["params_sha256"])) == 2
        seed = 1 if name in ("baseline", COMBINATION) else 0
        assert repeated(run, tmp_path, row["commands"][seed]) == row["params_sha256"][seed], row["commands"][seed]


@pytest.mark.slow
def test_a_penalty_that_was_tried_is_repeated_too(run, tmp_path):
    text = "group_lasso(1e-3, axis=0) + l1(1e-4)"
    run("compare", "--dataset=wine", "--model=linear", "--techniques=", f"--try_penalty={text}", "--l2=0.01",
        "--penalty_mode=proximal", "--seeds=1", "--epochs=3", "--workdir=c")  # fmt: skip
    row = json.loads((tmp_path / "c/results.json").read_text())["techniques"][text]
    assert repeated(run, tmp_path, row["commands"][0]) == row["params_sha256"][0]


@pytest.mark.slow
def test_a_run_of_a_sweep_has_its_command_with_its_numbers(run, tmp_path):
    run("sweep", "--dataset=wine", "--model=linear", "--sweep=penalty=0.5,2", "--penalty=l1(0.01)",
        "--penalty_mode=proximal", "--sweep=train_examples=20,60", "--epochs=4", "--seed=3", "--workdir=s")  # fmt: skip
    lanes = json.loads((tmp_path / "s/results.json").read_text())["lanes"]
    lane = lanes[1]
    assert parsed(lane["command"])["penalty"] == "0.5 * (l1(0.01))"
    arguments = shlex.split(lane["command"])[3:]
    run("train", *arguments)
    summary = json.loads((tmp_path / "runs/repeat/run-1/summary.json").read_text())
    assert summary["best_epoch"] == lane["best_epoch"]
    last = [json.loads(line) for line in (tmp_path / "runs/repeat/run-1/metrics.jsonl").read_text().splitlines()]
    assert last[summary["best_epoch"]]["val/loss"] == pytest.approx(lane["val_loss"], rel=1e-6)
