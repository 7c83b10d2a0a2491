"""Loads any prepared TFDS dataset."""

from __future__ import annotations

import hashlib
import itertools
import os
import re
import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from regjax.core.errors import InputError
from regjax.data.cache import Arrays, file_fingerprint
from regjax.data.dataset import Dataset
from regjax.data.float32 import check_float32, spread_of
from regjax.data.readers.tfds_find import find_prepared
from regjax.data.readers.tfds_records import Examples
from regjax.data.readers.tfds_source import TfdsSource, open_prepared
from regjax.data.source import Source, as_rows, joined
from regjax.data.stored import Facts, Stored, load_stored
from regjax.data.targets import encode_targets

MAX_DECODED_BYTES = 4 * 2**30
"""Splits that are larger after decoding have to be streamed."""

CHUNK = 4096
"""Number of records that are read at once."""


def load_tfds(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    task: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    lazy: bool = False,
) -> Dataset:
    """Load a prepared TFDS dataset with the array cache.

    The examples are those of the splits `train` and `validation` (`regjax.data.split` makes its own validation set);
    `test` is the official test split, unless its labels are withheld (-1).

    Args:
      name: TFDS name, with optional `/config` and `:version`.
      data_dir: directory of prepared datasets; see `find_prepared`.
      task: overrides the task that the target feature implies.
      cache_dir: see `regjax.data.cache_root`.
      lazy: keep the inputs in the records, as `Rows` that are read on demand.

    Returns:
      The dataset.

    Raises:
      InputError: the dataset is not prepared, or has features that regjax cannot use.
    """
    path = find_prepared(name, data_dir)
    # The key depends on the location, so that two copies do not replace each other in the cache.
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    key = f"tfds-{re.sub(r'[^a-z0-9_.]', '-', name)}-{task or 'auto'}-{place}"
    fingerprint = {"files": file_fingerprint(path), "task": task}
    return load_stored(StoredTfds(name, key, fingerprint, path, task), lazy=lazy, cache_dir=cache_dir)


@dataclass(frozen=True, eq=False)
class StoredTfds(Stored):
    """A prepared dataset. TFDS is imported only when something is read that is not in the cache."""

    path: Path
    task: str | None = None

    @cached_property
    def source(self) -> TfdsSource:
        """The dataset, open for reading."""
        return open_prepared(self.path)

    @cached_property
    def parts(self) -> dict[str, list[Examples]]:
        """The splits of which each part consists."""
        splits = self.source.splits
        names = [name for name in ("train", "validation") if name in splits]
        if not names:
            raise InputError(f"{self.source.name}: no split 'train' or 'validation', there are: {', '.join(splits)}")
        parts = {"": names} | ({"_test": ["test"]} if splits.get("test") else {})
        return {part: [self.source.examples(name) for name in names] for part, names in parts.items()}

    def layout(self, in_memory: bool) -> Facts:
        """Check that the dataset fits in memory and that float32 can represent its numbers; return no metadata."""
        for examples in itertools.chain(*self.parts.values()):
            total = int(np.prod(examples.shape)) * examples.dtype.itemsize
            if in_memory and total > MAX_DECODED_BYTES:
                raise InputError(
                    f"{self.source.name}: split {examples.split!r} takes {total / 2**30:.1f} GiB decoded, "
                    f"accepted in memory: {MAX_DECODED_BYTES / 2**30:g} GiB; stream it with --loader=stream"
                )
        self._check_numbers()
        return {}

    def inputs(self, layout: Facts) -> dict[str, Source]:
        """Return the records of each part."""
        return {part: joined(splits) for part, splits in self.parts.items()}

    def targets(self) -> tuple[Arrays, Facts]:
        """Read the targets of all records without decoding their inputs."""
        return self._encoded({part: self._read(part, None) for part in self.parts})

    def read(self, layout: Facts) -> tuple[Arrays, Arrays, Facts]:
        """Read inputs and targets in one pass over the records."""
        inputs = {part: np.empty(source.shape, source.dtype) for part, source in self.inputs(layout).items()}
        return inputs, *self._encoded({part: self._read(part, values) for part, values in inputs.items()})

    def _read(self, part: str, inputs: np.ndarray | None) -> np.ndarray:
        """Return the stored targets of a part, and write the inputs to `inputs`."""
        targets: list[Any] = []
        for examples in self.parts[part]:
            for start in range(0, len(examples), CHUNK):
                chunk, done = range(start, min(start + CHUNK, len(examples))), len(targets)
                targets += examples.read(chunk, None if inputs is None else inputs[done : done + len(chunk)])
        return np.asarray(targets)

    def _encoded(self, stored: Arrays) -> tuple[Arrays, Facts]:
        """Convert targets to the form of a `Dataset`, without the withheld targets of a test split."""
        source, targets = self.source, dict(stored)
        if source.class_names and "_test" in targets and (targets["_test"] < 0).any():
            warnings.warn(f"{source.name}: the labels of its test split are withheld; not used", stacklevel=2)
            del targets["_test"]
        names: list[str] | None
        if source.class_names and self.task in (None, "classification"):
            task, names, encoded = "classification", source.class_names, [y.astype(np.int32) for y in targets.values()]
        else:
            task, encoded, found = encode_targets(source.name, list(targets.values()), self.task or source.task)
            names = list(found) if found else None
        facts = {"task": task, "class_names": names, "columns": self._columns}
        return dict(zip(targets, encoded, strict=True)), facts

    @property
    def _columns(self) -> list[str] | None:
        return self.source.metadata.get("columns") or self.source.columns

    def _check_numbers(self) -> None:
        """Check that float32 can represent the inputs; wider inputs are read for this check."""
        if not self.parts[""][0].wide:
            return
        name = self.source.name
        exact = {
            part: as_rows(name, joined([replace(examples, dtype=np.dtype(np.float64)) for examples in splits]))
            for part, splits in self.parts.items()
        }
        check_float32(f"{name}: x", exact[""], self._columns)
        if "_test" in exact:
            check_float32(f"{name}: x of the test part", exact["_test"], self._columns, spread_of(exact[""]))
