"""Loads a dataset from disk, either lazily or into arrays that are decoded once and cached."""

from __future__ import annotations

import abc
import os
from dataclasses import dataclass, field
from typing import Any

from regjax.data.cache import Arrays, cached_arrays
from regjax.data.dataset import Dataset
from regjax.data.source import Source, as_rows, read_all

PARTS = ("", "_val", "_test")
"""Suffixes of the parts of a dataset: examples, official validation set and official test set, as in `x_test`."""

Facts = dict[str, Any]  # JSON metadata: task, class_names, columns, notes


@dataclass(frozen=True, eq=False)
class Stored(abc.ABC):
    """A dataset on disk that is read on demand; each format that needs decoding has a subclass.

    Parts are named as in `PARTS`.

    Attributes:
      name: name of the dataset.
      key: key of its cache entry.
      fingerprint: JSON that identifies the content of the dataset.
      given: arguments of `Dataset` that are known before anything is read.
      notes: messages about the dataset that are known before anything is read.
    """

    name: str
    key: str
    fingerprint: dict[str, Any]
    given: dict[str, Any] = field(default_factory=dict, kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    @abc.abstractmethod
    def layout(self, in_memory: bool) -> Facts:
        """Return the metadata that `inputs` needs, such as the shape of the examples.

        Raises:
          InputError: the inputs cannot be used, or are too large for memory and `in_memory` is true.
        """

    @abc.abstractmethod
    def inputs(self, layout: Facts) -> dict[str, Source]:
        """Return the inputs of each part as sources, without reading them."""

    @abc.abstractmethod
    def targets(self) -> tuple[Arrays, Facts]:
        """Read the targets of each part, and return them with metadata; parts without usable targets are left out.

        Raises:
          InputError: a record cannot be read.
        """

    def messages(self, facts: Facts) -> tuple[str, ...]:
        """Return the notes of the dataset, from its metadata."""
        return (*self.notes, *facts.get("notes", ()))

    def read(self, layout: Facts) -> tuple[Arrays, Arrays, Facts]:
        """Read the inputs of each part into memory; return them and `targets()`."""
        inputs = {part: read_all(source) for part, source in self.inputs(layout).items()}
        return inputs, *self.targets()


def load_stored(stored: Stored, *, lazy: bool = False, cache_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """Load a dataset from disk, and cache what was decoded: everything, or all but the inputs if `lazy`.

    Args:
      stored: the dataset on disk.
      lazy: keep the inputs on disk, as `Rows`.
      cache_dir: see `regjax.data.cache_root`.

    Raises:
      InputError: the dataset cannot be read or used.
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
        notes=stored.messages(facts),
        image_rule=facts.get("image_rule"),
    )
