"""From a set on disk to a `Dataset`: inputs that stay there, or arrays that are decoded once and kept in the cache."""

from __future__ import annotations

import abc
import os
from dataclasses import dataclass, field
from typing import Any

from regjax.data.cache import Arrays, cached_arrays
from regjax.data.dataset import Dataset
from regjax.data.source import Source, as_rows, read_all

PARTS = ("", "_val", "_test")
"""The parts of a set: examples, official validation and official test; `x_test` and `y_test` are arrays of the last."""

Facts = dict[str, Any]  # as JSON holds them: task, class_names, columns, notes


@dataclass(frozen=True, eq=False)
class Stored(abc.ABC):
    """A set on disk, of which nothing is read until it is asked for; each format that is decoded has a class.

    Parts are named as in `PARTS`.

    Attributes:
      name: of the dataset.
      key: of its entry in the cache.
      fingerprint: what its numbers depend on, as JSON.
      given: arguments of `Dataset` that are known without reading.
      notes: lines on the set that are known without reading.
    """

    name: str
    key: str
    fingerprint: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict, kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    @abc.abstractmethod
    def layout(self, in_memory: bool) -> Facts:
        """What has to be known before inputs can be read.

        Raises:
          InputError: inputs that cannot be used, or more than memory should hold if they are to be `in_memory`.
        """

    @abc.abstractmethod
    def inputs(self, layout: Facts) -> dict[str, Source]:
        """The inputs of each part; nothing is read."""

    @abc.abstractmethod
    def targets(self) -> tuple[Arrays, Facts]:
        """The targets of each part, and what they tell of the set; a part without targets that can be used is left out.

        Raises:
          InputError: a record that cannot be read.
        """

    def read(self, layout: Facts) -> tuple[Arrays, Arrays, Facts]:
        """The inputs of each part in memory, and `targets()`."""
        inputs = {part: read_all(source) for part, source in self.inputs(layout).items()}
        return inputs, *self.targets()


def load_stored(stored: Stored, *, lazy: bool = False, cache_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """The dataset, of which the cache keeps what was read: everything, or all but the inputs.

    Args:
      stored: a set on disk.
      lazy: leave the inputs where they are, as `Rows`.
      cache_dir: see `regjax.data.cache_root`.

    Raises:
      InputError: what the set says of itself.
    """

    def read() -> tuple[Arrays, Facts]:
        layout = stored.layout(not lazy)
        x, y, facts = ({}, *stored.targets()) if lazy else stored.read(layout)
        arrays = {"x" + part: x[part] for part in y if part in x} | {"y" + part: y[part] for part in y}
        return arrays, layout | facts

    key = f"targets-{stored.key}" if lazy else stored.key
    arrays, facts = cached_arrays(key, stored.fingerprint, read, cache_dir=cache_dir)
    facts = facts | stored.given
    sources = stored.inputs(facts) if lazy else {}

    def inputs(part: str) -> Any:
        if not lazy:
            return arrays["x" + part]
        return as_rows(stored.name, sources[part])

    pairs = {part: (inputs(part), arrays["y" + part]) for part in PARTS if "y" + part in arrays}
    return Dataset(
        stored.name,
        facts["task"],
        *pairs[""],
        class_names=tuple(facts["class_names"]) if facts["class_names"] else None,
        columns=tuple(facts["columns"]) if facts.get("columns") else None,
        test=pairs.get("_test"),
        embedded=facts.get("embedded", False),
        validation=pairs.get("_val"),
        notes=(*stored.notes, *facts.get("notes", ())),
    )
