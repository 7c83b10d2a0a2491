"""Opens a prepared TFDS dataset without TensorFlow and without the network."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from regjax.core.errors import InputError
from regjax.core.extras import require
from regjax.data.readers.tfds_records import Examples, decodes_here, is_wide, layout, skip

X_NAMES = ("image", "features", "x", "input", "inputs")
Y_NAMES = ("label", "target", "y", "labels", "output")


@dataclass(frozen=True, eq=False)
class TfdsSource:
    """A prepared dataset that is open for reading.

    Attributes:
      path: directory of the dataset.
      name: `mnist`, or `name/config`.
      builder: the TFDS builder.
      x_key: name of the input feature.
      y_key: name of the target feature.
      task: the task that the target feature implies, or None if it depends on the values.
      class_names: names of the classes, or None.
      metadata: metadata that the builder stored with the data.
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
        """The number of examples of each split."""
        return {name: int(split.num_examples) for name, split in self.builder.info.splits.items()}

    @property
    def columns(self) -> list[str] | None:
        """The sorted names of the columns, if the input is a dictionary of numbers."""
        feature = self.builder.info.features[self.x_key]
        # Sorted, because TFDS stores them in a protobuf map, which has no order.
        return sorted(feature) if hasattr(feature, "keys") else None

    def records(self, split: str, **kwargs: Any) -> Any:
        """Return random access to one split for grain and PyTorch loaders, with `len`, `[i]` and `__getitems__`.

        Raises:
          InputError: the split does not exist, or records are missing from its files.
        """
        if split not in self.splits:
            raise InputError(f"{self.name}: no split {split!r}, there are: {', '.join(self.splits)}")
        try:
            source = self.builder.as_data_source(split=split, **kwargs)
        except Exception as error:  # such as a missing shard or a damaged index
            raise InputError(
                f"{self.name}: split {split!r} in {self.path} cannot be opened ({error}); prepare it again"
            ) from None
        if len(source) != self.splits[split]:
            raise InputError(
                f"{self.name}: split {split!r} has {len(source)} records on disk, "
                f"its dataset_info.json says {self.splits[split]}; prepare it again"
            )
        return source

    def examples(self, split: str) -> Examples:
        """Return the decoded examples of one split, a `Source` of its inputs.

        Raises:
          InputError: the input is neither an image of fixed size nor a row of numbers, or the split does not exist.
        """
        feature = self.builder.info.features[self.x_key]
        shape, dtype = layout(self.name, self.x_key, feature)
        own_png = decodes_here(feature, shape)
        source = self.records(split, decoders=skip(self.x_key) if own_png else None)
        where = f"{self.name}: split {split!r} in {self.path}"
        wide = is_wide(feature, shape)
        return Examples(where, split, source, shape, dtype, self.x_key, self.y_key, own_png, self.columns, wide)


def open_prepared(path: Path) -> TfdsSource:
    """Open the prepared dataset in `path`.

    Raises:
      InputError: the files have an unsupported format, or there are no supervised features.
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
    except Exception as error:  # TFDS passes on the errors of its parsers, which mean the same to the caller
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
        except ValueError:  # only the number of classes is known
            class_names = [str(i) for i in range(features[y_key].num_classes)]
    elif np.issubdtype(features[y_key].np_dtype, np.floating):
        task = "regression"
    metadata = dict(builder.info.metadata or {})
    return TfdsSource(path, name, builder, x_key, y_key, task, class_names, metadata)
