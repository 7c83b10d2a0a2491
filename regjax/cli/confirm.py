"""Makes the command that confirms the best setting of a sweep on the test examples, which no run of it has seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from regjax.catalog import TECHNIQUES
from regjax.cli.compare import Config as CompareConfig
from regjax.cli.grid import CONDITION
from regjax.cli.options import RunOptions
from regjax.cli.repeat import command, shared_options, train_command
from regjax.cli.train import Config as TrainConfig

if TYPE_CHECKING:
    from regjax.cli.setup import Facts

SEEDS = 10
"""The fewest seeds of a confirmation; with fewer than 6 no test can show a difference."""
FOLDER = "runs/confirm"


@dataclasses.dataclass(frozen=True)
class Setting:
    """A setting of a sweep: its values by name, and the options of `train` that these are."""

    values: Mapping[str, float]
    options: Mapping[str, Any]


def confirmation(
    config: RunOptions, seeds: range, best: Setting, other: Setting | None, off: Mapping[str, float], facts: Facts
) -> dict[str, Any]:
    """Return the commands that compare the best setting with another one, with new seeds, on the test examples.

    Where they differ by one regularizer that is a technique of `compare`, this is one command; else there is a loop of
    `train` over the seeds for each.

    Args:
      config: the options of the sweep.
      seeds: the seeds of the sweep.
      best: the best setting.
      other: the reference of the best, or the second; None if there is no other.
      off: the values at which the swept regularizers are off.
      facts: the properties of the data.

    Returns:
      `{"command": "compare" or "train", "commands": [...]}`, for Bash.
    """
    new = range(seeds.stop, seeds.stop + max(len(seeds), SEEDS))
    name = None if other is None else _regularizer(config, best.values, other.values, off)
    technique = name and _technique(name, config.penalty_mode)
    if not name or not technique:
        parts = {"best": best} | ({} if other is None else {"other": other})
        return {"command": "train", "commands": [_loop(config, setting, part, new) for part, setting in parts.items()]}
    default = CompareConfig()
    changes = shared_options(config, default)
    # Only the row of the technique has the regularizer; all rows have the other swept values.
    changes |= {option: getattr(default, option) for option in off if option != name or name != "augment"}
    changes |= {option: best.options[option] for option in best.values if option not in off}
    changes |= {"techniques": technique, "grid": (f"{technique}={best.values[name]!r}",), "workdir": FOLDER}
    # On another split the sweep has seen some of the test examples.
    changes |= {
        "splits": 1,
        "seed": new.start,
        "seeds": len(new),
        "train_examples": config.train_examples or facts.pool,
    }
    # Without it, `compare` has its own default on the digits.
    changes |= {"label_noise": config.label_noise or 0.0} if facts.task != "regression" else {}
    return {"command": "compare", "commands": [command("compare", CompareConfig(**changes), last=("seed", "workdir"))]}


def _regularizer(
    config: RunOptions, best: Mapping[str, float], other: Mapping[str, float], off: Mapping[str, float]
) -> str | None:
    """Return the one regularizer in which two settings differ, if `compare` can do the rest; else None."""
    # `compare` stops early and augments in rows of their own, and chooses the number of updates by itself.
    if config.patience is not None or config.stop_criterion != "patience" or {"patience", CONDITION} & set(best):
        return None
    if config.augment and "augment" not in best:
        return None
    differs = [name for name in best if best[name] != other[name]]
    active = [name for name in off if best[name] != off[name]]
    return differs[0] if len(differs) == 1 and differs == active else None


def _technique(name: str, mode: str) -> str | None:
    """Return the technique of `compare` that is a swept regularizer; None if there is none."""
    penalties = {("l2", "loss"): "l2", ("l2", "decoupled"): "decoupled", ("l1", "proximal"): "l1"}
    if name in ("l1", "l2"):
        return penalties.get((name, mode))
    name = {"augment": "augmentation"}.get(name, name)
    return name if name in TECHNIQUES else None


def _loop(config: RunOptions, setting: Setting, part: str, seeds: range) -> str:
    """Return a loop over seeds of the command `train`."""
    default = TrainConfig()  # the seed and the directory of the defaults are not written
    once = train_command(config, setting.options, default.seed, default.workdir)
    return f"for seed in {' '.join(map(str, seeds))}; do {once} --seed=$seed --workdir={FOLDER}/{part}-$seed; done"
