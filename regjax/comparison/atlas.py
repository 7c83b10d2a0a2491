"""The atlas beside a comparison: what helped on the data sets that are most similar, of those measured beforehand.

The table `atlas.json` beside this file is made from the record of the atlas in the repository, which its page shows.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import NamedTuple

import numpy as np

from regjax.core.typing import Json, Value

FEATURES = ("examples", "columns", "classes", "noise", "gap")
"""What is known of a data set before any regularizer was tried; see `features`."""
NEAREST = 7
"""How many data sets are looked up; fixed before the atlas was made."""
FARTHEST = 3.0
"""Standard deviations beyond which a feature does not count as further away."""


class Known(NamedTuple):
    """A data set of the atlas.

    Attributes:
      name: of the data set.
      family: data sets that are variants of each other.
      task: `"classification"` or `"regression"`.
      features: numbers, in the order of `FEATURES`.
      effects: for each technique by how much the logarithm of the test loss fell, mean over the runs.
    """

    name: str
    family: str
    task: str
    features: tuple[float, ...]
    effects: Mapping[str, float]


def features(
    train_examples: int, inputs: int, classes: int, chance_loss: float, train_loss: float, select_loss: float
) -> tuple[float, ...]:
    """What is known of a data set once a net without regularizers was trained, in the order of `FEATURES`.

    Args:
      train_examples: number of training examples, as a power of 10.
      inputs: number of inputs of an example, as a power of 10.
      classes: number of classes, as a power of 2; 0 for a regression.
      chance_loss: of a constant guess on the validation examples.
      train_loss: of the net, on its training examples.
      select_loss: of the net, on validation examples. With that of chance it is an estimate of the noise, the logarithm
        of their ratio; with the training loss the gap, `1 - train_loss / select_loss`, at least -1.

    Example:
      >>> [round(number, 2) for number in features(1000, 10, 4, 1.4, 0.1, 0.7)]
      [3.0, 1.0, 2.0, -0.69, 0.86]
    """
    tiny = 1e-12
    noise = math.log(max(select_loss, tiny) / max(chance_loss, tiny))
    gap = max(-1.0, 1 - train_loss / max(select_loss, tiny))
    return math.log10(train_examples), math.log10(inputs), math.log2(classes) if classes else 0.0, noise, gap


def nearest(
    own: Sequence[float], task: str, known: Sequence[Known], count: int = NEAREST, without: str | None = None
) -> list[Known]:
    """The data sets of the same task whose features are nearest, nearest first.

    The distance is Euclidean, in standard deviations of each feature over the data sets of the task; one that is the
    same for all of them does not count.

    Args:
      own: features of a data set.
      task: its task.
      known: the data sets to choose among.
      count: how many.
      without: a family that is left out, that of the data set itself.
    """
    among = [one for one in known if one.task == task and one.family != without]
    if not among:
        return []
    table = np.array([one.features for one in among])
    spread = table.std(axis=0)
    away = np.abs(table - np.asarray(own)) / np.where(spread > 1e-9, spread, np.inf)
    order = np.argsort(np.sum(np.minimum(away, FARTHEST) ** 2, axis=1), kind="stable")
    return [among[i] for i in order[:count]]


def mean_effects(known: Sequence[Known]) -> dict[str, float]:
    """The mean effect of each technique that all of the data sets have; empty without data sets."""
    common = [name for name in (known[0].effects if known else ()) if all(name in one.effects for one in known)]
    return {name: float(np.mean([one.effects[name] for one in known])) for name in common}


@functools.cache
def table() -> dict[str, Value]:
    """The table of the atlas that comes with the package."""
    content = json.loads(resources.files("regjax.comparison").joinpath("atlas.json").read_text())
    content["data_sets"] = [
        Known(one["name"], one["family"], one["task"], tuple(one["features"]), one["effects"])
        for one in content["data_sets"]
    ]
    return content


def similar(content: Mapping[str, Value]) -> dict[str, Json] | None:
    """What helped on the most similar data sets of the atlas, for the results of a comparison.

    Args:
      content: the results, as `CompareResult.to_json`.

    Returns:
      `{"task", "nearest", "of", "helped", "all", "margin", "rule"}`: the names of the data sets; how many others of the
      task there are; on how many of the nearest and of all each technique lowered the test loss by more than the
      margin, best first; and how the rule fared. None for several labels, for another loss than those of the atlas, or
      where the baseline has no loss.
    """
    settings, plain = content["settings"], content["baseline"]
    # Results of earlier versions have the loss of a constant guess on the test examples alone.
    chance = content["chance"].get("select_loss", content["chance"].get("loss"))
    losses = (chance, plain["train_loss"]["mean"], plain["grid"][0]["select_loss"])
    usual = {"classification": "cross_entropy", "regression": "mse"}.get(content["task"])
    if usual is None or (settings.get("loss") or {}).get("name") != usual or not all(map(_positive, losses)):
        return None
    made = table()
    own = features(settings["train_examples"], settings["inputs"], settings["classes"], *losses)
    own_names = [one.family for one in made["data_sets"] if content["dataset"] in (one.name, one.family)]
    family = own_names[0] if own_names else None
    others = [one for one in made["data_sets"] if one.task == content["task"] and one.family != family]
    found = nearest(own, content["task"], others)
    if not found:
        return None
    helped = {name: _helped(found, name, made["margin"]) for name in made["techniques"]}
    means = mean_effects(found)
    order = sorted(means, key=lambda name: (-helped[name], -means[name]))
    return {
        "task": content["task"],
        "nearest": [one.name for one in found],
        "of": len(others),
        "helped": {made["techniques"][name]: helped[name] for name in order},
        "all": {made["techniques"][name]: _helped(others, name, made["margin"]) for name in order},
        "margin": made["margin"],
        "rule": made["rule"],
    }


def _positive(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0


def _helped(known: Sequence[Known], name: str, margin: float) -> int:
    """On how many data sets the test loss fell by more than the margin, a share of it."""
    return sum(one.effects.get(name, 0.0) > -math.log1p(-margin) for one in known)
