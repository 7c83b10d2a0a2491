"""Makes the command that repeats one run of a sweep or a comparison."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from regjax.cli import app, flags
from regjax.cli.options import RunOptions
from regjax.cli.train import Config as TrainConfig
from regjax.comparison.techniques import Technique, merge_flags


def train_command(config: RunOptions, changes: Mapping[str, Any], seed: int, workdir: str) -> str:
    """Return the command `train` that repeats one run of a sweep or a comparison.

    Args:
      config: the options of the sweep or the comparison.
      changes: the options that differ in this run.
      seed: seed of the run.
      workdir: directory for the results of the command.

    Example:
      >>> line = train_command(RunOptions(dataset="wine", l2=0.1), {"epochs": 3}, 7, "runs/one")
      >>> line[line.index("--") :]
      '--dataset=wine --epochs=3 --l2=0.1 --seed=7 --workdir=runs/one'
    """
    return command_of(train_run(config, changes, seed, workdir))


def train_run(config: RunOptions, changes: Mapping[str, Any], seed: int, workdir: str) -> TrainConfig:
    """Return the options of the command that `train_command` returns."""
    same = shared_options(config, TrainConfig())
    return TrainConfig(**same | dict(changes) | {"seed": seed, "workdir": workdir})


def command_of(run: TrainConfig) -> str:
    """Return the command line of a run."""
    return command("train", run, last=("seed", "workdir"))  # options that distinguish runs come last


def shared_options(config: RunOptions, other: RunOptions) -> dict[str, Any]:
    """Return the options of a command that define a run and that another command has too."""
    names = [name for name, option in other.options().items() if option.fixed] + ["data_dir"]
    return {name: getattr(config, name) for name in names if getattr(config, name, None) is not None}


def command(name: str, options: RunOptions, last: Sequence[str] = ()) -> str:
    """Return a command line without the options that have their defaults, for a shell.

    Args:
      name: name of the command.
      options: its options.
      last: names of options that come last.
    """
    default = type(options)()
    differs = [option for option in options.options() if getattr(options, option) != getattr(default, option)]
    given = flags.arguments(options)
    differs.sort(key=lambda option: option in last)
    return " ".join([*app.program(name), *(_quoted(argument) for option in differs for argument in given[option])])


def _quoted(argument: str) -> str:
    """Quote an argument for a shell; double quotes are preferred, because penalties contain single quotes."""
    if "'" in argument and not set(argument) & set('"$`\\!'):
        name, equals, value = argument.partition("=")
        return f'{name}{equals}"{value}"'
    return shlex.quote(argument)


def check_flags(technique: Technique) -> None:
    """Check that `flags` of a custom technique are flags of `train`; an error after all runs would lose them.

    Raises:
      ValueError: names the technique, and the flag or the value.
    """
    if technique.flags is None:
        return
    for value in technique.values:
        options = technique.flags(value)
        unknown = sorted(set(options) - set(TrainConfig.options()))
        if unknown:
            raise ValueError(f"technique {technique.name!r}: flags: train has no --{unknown[0]}")
        try:
            TrainConfig(**options)
        except ValueError as error:
            raise ValueError(f"technique {technique.name!r}: flags: {error}") from None


def comparison_runs(
    config: RunOptions,
    settings: Mapping[str, Any],
    rows: Mapping[str, Sequence[Mapping[str, Any]] | None],
    runs: Sequence[tuple[int, int]],
) -> dict[str, list[TrainConfig]]:
    """Return, for each row of a comparison, the options of `train` that repeat its chosen setting, one per run.

    Args:
      config: the options of the comparison.
      settings: the settings of its result, which include the defaults that it chose.
      rows: the flags of the runs of each technique; None, which gives no runs, if there are no such flags.
      runs: the seed of the split and the seed of each run.
    """
    base: dict[str, Any] = {
        name: settings[name] for name in ("train_examples", "epochs", "batch_size", "learning_rate")
    }
    base |= {"label_noise": settings["label_noise"] or None, "validation": "stop", "restore_best": False}
    # Early stopping and augmentation are active only in their own rows.
    base |= {"patience": None, "min_delta": 0.0, "stop_criterion": "patience", "augment": ""}
    texts = {"penalty": config.penalty, "output_penalty": config.output_penalty}
    found: dict[str, list[TrainConfig]] = {}
    for number, (name, of_row) in enumerate(rows.items()):
        if of_row is None:
            continue
        folder = f"runs/repeat/{name if name.isidentifier() else f'row_{number}'}"
        found[name] = []
        for of_run, (split_seed, seed) in zip(of_row, runs, strict=True):
            changes = base | {"split_seed": split_seed} | merge_flags([texts, dict(of_run)])
            if changes["train_examples"] != settings["train_examples"]:
                changes["steps_per_epoch"] = settings["steps_per_epoch"]
            if "augment_strength" in changes:
                changes["augment"] = config.augment or "default"
            found[name].append(train_run(config, changes, seed, f"{folder}-{seed}"))
    return found
