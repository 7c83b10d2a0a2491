"""Any TFDS dataset that is prepared on disk, read without TensorFlow and without the network."""

from __future__ import annotations

import hashlib
import json
import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from regjax.core.errors import InputError
from regjax.core.extras import require
from regjax.data.cache import Arrays, cached_arrays, file_fingerprint
from regjax.data.dataset import Dataset
from regjax.data.narrow import check_float32, spread_of
from regjax.data.rows import Rows, joined
from regjax.data.targets import encode_targets
from regjax.data.tfds_find import find_prepared
from regjax.data.tfds_records import Examples, decodes_here, is_wide, layout, skip

MAX_DECODED_BYTES = 4 * 2**30
"""Datasets that are larger once decoded have to be streamed."""

CHUNK = 4096
"""Records that are read at a time."""

X_NAMES = ("image", "features", "x", "input", "inputs")
Y_NAMES = ("label", "target", "y", "labels", "output")


@dataclass(frozen=True, eq=False)
class TfdsSource:
    """A prepared set that is open for reading.

    Attributes:
      path: its directory.
      name: `mnist`, or `name/config`.
      builder: the TFDS builder.
      x_key: name of the input feature.
      y_key: name of the target feature.
      task: the task that the target feature implies, or None when its values have to tell.
      class_names: names of the classes, or None.
      metadata: what the builder stored beside the data.
    """

    path: Path
    name: str
    builder: Any
    x_key: str
    y_key: str
    task: str | None
    class_names: list[str] | None
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def splits(self) -> dict[str, int]:
        """Number of examples of each split."""
        return {name: int(split.num_examples) for name, split in self.builder.info.splits.items()}

    @property
    def columns(self) -> list[str] | None:
        """Names of the columns, sorted, when the input is a dictionary of numbers."""
        feature = self.builder.info.features[self.x_key]
        # Sorted, because TFDS keeps them in a protobuf map, which has no order.
        return sorted(feature) if hasattr(feature, "keys") else None

    def records(self, split: str, **kwargs: Any) -> Any:
        """Random access to one split, as grain and PyTorch loaders want it: `len`, `[i]`, `__getitems__`.

        Raises:
          InputError: no such split, or records are missing from its files.
        """
        if split not in self.splits:
            raise InputError(f"{self.name}: no split {split!r}, there are: {', '.join(self.splits)}")
        try:
            source = self.builder.as_data_source(split=split, **kwargs)
        except Exception as error:  # a missing shard, a damaged index
            raise InputError(
                f"{self.name}: split {split!r} in {self.path} cannot be opened ({error}); prepare it again"
            ) from None
        if len(source) != self.splits[split]:
            raise InputError(
                f"{self.name}: split {split!r} has {len(source)} records on disk, "
                f"its dataset_info.json says {self.splits[split]}; prepare it again"
            )
        return source

    def decode(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """All examples of a split as two arrays, read in one pass.

        Returns:
          `(x, y)`: uint8 images `[N, H, W, C]` or float32 rows `[N, F]`, and the targets as stored.

        Raises:
          InputError: features that are no fixed-size image and no row of numbers, or too many bytes.
        """
        records = self.examples(split)
        count = len(records.source)
        total = count * int(np.prod(records.shape)) * np.dtype(records.dtype).itemsize
        if total > MAX_DECODED_BYTES:
            raise InputError(
                f"{self.name}: split {split!r} takes {total / 2**30:.1f} GiB decoded, "
                f"accepted in memory: {MAX_DECODED_BYTES / 2**30:g} GiB; stream it with --loader=stream"
            )
        x = np.empty((count, *records.shape), records.dtype)
        targets: list[Any] = []
        for start in range(0, count, CHUNK):
            chunk = range(start, min(start + CHUNK, count))
            targets += records.read(chunk, x[start : chunk.stop])
        return x, np.asarray(targets)

    def examples(self, split: str) -> Examples:
        """Random access to the decoded examples of one split.

        Raises:
          InputError: features that are no fixed-size image and no row of numbers, or no such split.
        """
        feature = self.builder.info.features[self.x_key]
        shape, dtype = layout(self.name, self.x_key, feature)
        own_png = decodes_here(feature, shape)
        source = self.records(split, decoders=skip(self.x_key) if own_png else None)
        where = f"{self.name}: split {split!r} in {self.path}"
        wide = is_wide(feature, shape)
        return Examples(where, source, shape, dtype, self.x_key, self.y_key, own_png, self.columns, wide)

    def rows(self, split: str, pixel_max: float | None = None, dtype: Any = None) -> Rows:
        """The decoded inputs of one split, read when they are asked for.

        Args:
          split: its name.
          pixel_max: value of a full pixel; None means 255 for uint8 images and 1 for others.
          dtype: in place of the one that training takes.

        Raises:
          InputError: as `examples`.
        """
        examples = self.examples(split)
        kind = np.dtype(dtype or examples.dtype)

        def read(index: np.ndarray) -> np.ndarray:
            out = np.empty((len(index), *examples.shape), kind)
            examples.read(index.tolist(), out)
            return out

        if len(examples.shape) == 3 and pixel_max is None:
            pixel_max = 255.0 if kind == np.uint8 else 1.0
        return Rows(self.name, read, np.arange(len(examples.source)), examples.shape, kind, pixel_max)


def open_prepared(path: Path) -> TfdsSource:
    """Open the prepared set in `path`.

    Raises:
      InputError: files in a format that cannot be read here, or no supervised features.
    """
    try:
        info = json.loads((path / "dataset_info.json").read_text())
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: dataset_info.json cannot be read ({error})") from None
    name = "/".join(filter(None, (info.get("name"), info.get("configName"))))
    file_format = info.get("fileFormat") or "tfrecord"
    if file_format != "array_record":
        raise InputError(
            f"{name}: prepared as {file_format}, accepted: array_record; "
            f"prepare it with tfds build {name} --file_format=array_record"
        )
    require("importlib_resources", "array_record")
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder_from_directory(path)
    except Exception as error:  # TFDS raises what its parsers raise; for the caller it is one thing
        raise InputError(f"{path}: not a readable TFDS set ({type(error).__name__}: {error})") from None
    features = builder.info.features
    keys = builder.info.supervised_keys
    if not (isinstance(keys, tuple) and len(keys) == 2 and all(isinstance(key, str) for key in keys)):
        x_found = [key for key in X_NAMES if key in features]
        y_found = [key for key in Y_NAMES if key in features]
        if not x_found or not y_found:
            raise InputError(
                f"{name}: no supervised features; it has {', '.join(features)}, accepted: "
                f"one of {', '.join(X_NAMES)} with one of {', '.join(Y_NAMES)}"
            )
        keys = (x_found[0], y_found[0])
    x_key, y_key = keys
    task, class_names = None, None
    if isinstance(features[y_key], tfds.features.ClassLabel):
        task = "classification"
        try:
            class_names = list(features[y_key].names)
        except ValueError:  # only their number is known
            class_names = [str(i) for i in range(features[y_key].num_classes)]
    elif np.issubdtype(features[y_key].np_dtype, np.floating):
        task = "regression"
    metadata = dict(builder.info.metadata or {})
    return TfdsSource(path, name, builder, x_key, y_key, task, class_names, metadata)


def load_tfds(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    task: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Load a prepared TFDS dataset into memory, through the array cache.

    The splits `train` and `validation` together are the examples (`split` cuts its own validation part);
    `test` is the official test split, unless its labels are withheld (-1).

    Args:
      name: TFDS name, with optional `/config` and `:version`.
      data_dir: where it is prepared; see `find_prepared`.
      task: overrides what the target feature implies.
      cache_dir: see `regjax.data.cache.cache_root`.

    Returns:
      The dataset.

    Raises:
      InputError: not prepared, or features that regjax cannot use.
    """
    path = find_prepared(name, data_dir)
    fingerprint = {"files": file_fingerprint(path), "task": task}

    def decode() -> tuple[Arrays, dict[str, Any]]:
        return decode_all(open_prepared(path), task)

    key = cache_key("tfds", name, task, path)
    arrays, facts = cached_arrays(key, fingerprint, decode, cache_dir=cache_dir)
    return Dataset(
        name=name,
        task=facts["task"],
        x=arrays["x"],
        y=arrays["y"],
        class_names=tuple(facts["class_names"]) if facts["class_names"] else None,
        columns=tuple(facts["columns"]) if facts["columns"] else None,
        test=(arrays["x_test"], arrays["y_test"]) if "x_test" in arrays else None,
    )


def cache_key(kind: str, name: str, task: str | None, path: Path) -> str:
    """Names what is kept of a prepared set; its location counts, so two copies do not take each other's place."""
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    return f"{kind}-{re.sub(r'[^a-z0-9_.]', '-', name)}-{task or 'auto'}-{place}"


def decode_all(
    source: TfdsSource,
    task: str | None = None,
    decode: Callable[[str], tuple[np.ndarray, np.ndarray]] | None = None,
) -> tuple[Arrays, dict[str, Any]]:
    """The splits of a set as arrays `x, y` and, where there is a usable test split, `x_test, y_test`.

    Args:
      source: an open set.
      task: overrides what the target feature implies.
      decode: name of a split -> `(x, y)`; None is `source.decode`.

    Returns:
      `(arrays, facts)`: facts are `task`, `class_names` and `columns`.

    Raises:
      InputError: see `TfdsSource.decode`.
    """
    decode = decode or source.decode
    names = train_splits(source)
    _check_inputs(source)
    read = [decode(name) for name in names]
    parts = [tuple(np.concatenate(both) if len(both) > 1 else both[0] for both in zip(*read, strict=True))]
    if source.splits.get("test"):
        x_test, y_test = decode("test")
        if source.class_names and (y_test < 0).any():
            warnings.warn(f"{source.name}: the labels of its test split are withheld; not used", stacklevel=2)
        else:
            parts.append((x_test, y_test))
    targets = [y for _, y in parts]
    class_names: list[str] | None
    if source.class_names and task != "regression":
        task, targets, class_names = (
            "classification",
            [y.astype(np.int32) for y in targets],
            source.class_names,
        )
    else:
        task, targets, found = encode_targets(source.name, targets, task or source.task)
        class_names = list(found) if found else None
    columns = source.metadata.get("columns") or source.columns
    arrays = {"x": parts[0][0], "y": targets[0]}
    if len(parts) > 1:
        arrays |= {"x_test": parts[1][0], "y_test": targets[1]}
    return arrays, {"task": task, "class_names": class_names, "columns": columns}


def _check_inputs(source: TfdsSource) -> None:
    """Refuse rows whose numbers float32 does not tell apart; they are read for that where they are wider."""
    names = train_splits(source)
    if source.examples(names[0]).wide:
        columns = source.metadata.get("columns") or source.columns
        rows = joined([source.rows(name, dtype=np.float64) for name in names])
        check_float32(f"{source.name}: x", rows, columns)
        if source.splits.get("test"):
            test = source.rows("test", dtype=np.float64)
            check_float32(f"{source.name}: x of the test part", test, columns, spread_of(rows))


def train_splits(source: TfdsSource) -> list[str]:
    """The splits that together are the examples of a set.

    Raises:
      InputError: there are none.
    """
    names: list[str] = [name for name in ("train", "validation") if name in source.splits]
    if not names:
        raise InputError(f"{source.name}: no split 'train' or 'validation', there are: {', '.join(source.splits)}")
    return names
