"""A test set from a file or folder of its own."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from regjax.core.errors import InputError
from regjax.data.dataset import Dataset
from regjax.data.grouping import MAX_COMPARED_BYTES, duplicates
from regjax.data.readers.table import labelled_table
from regjax.data.tables import TableOptions, read_table
from regjax.data.tables.options import check_known

Load = Callable[..., Dataset]


def with_test_file(
    data: Dataset,
    trained_on: Path,
    path: str | os.PathLike[str],
    load: Load,
    *,
    table: TableOptions | None,
    lazy: bool,
) -> Dataset:
    """Return the dataset with the examples of another file as its test set.

    The columns of a table are what they are in the training table; images are brought to the size of the training
    images by the same rule. A test example that equals a training example, or is of a group that has one, is counted in
    the notes.

    Args:
      data: the training data.
      trained_on: the file or folder that they are from.
      path: the file or folder, in the same form.
      load: the function that reads such data, with the options of images; not used for tables.
      table: how to read a table.
      lazy: as in `regjax.data.load`.

    Raises:
      InputError: the data have a test set of their own, the file has another form, or a label that is not in training.
    """
    path = Path(os.path.expanduser(path))
    if not path.exists():
        raise InputError(f"test_file {str(path)!r}: no such file or folder")
    if data.test is not None:
        raise InputError(f"test_file {str(path)!r}: {data.name} has a test set of its own; leave the option out")
    if data.schema is not None:
        x, y, notes = labelled_table(path, data, table)
        if table is not None and table.group is not None:
            notes += _shared_groups(trained_on, path, table, table.group)
    else:
        made = load(path, task=data.task, lazy=lazy, **_of_images(data))
        if made.test is not None or made.validation is not None:
            raise InputError(
                f"test_file {str(path)!r}: it has parts of its own; name the folder or file of one of them"
            )
        if made.x.shape[1:] != data.x.shape[1:]:
            raise InputError(
                f"test_file {str(path)!r}: its examples have the shape {list(made.x.shape[1:])}, those of training "
                f"{list(data.x.shape[1:])}"
            )
        x, y, notes = made.x, _as_in_training(path, made, data), list(made.notes)
    lines = [f"test examples from {path.name}: {len(y)}", *(f"{path.name}: {note}" for note in notes), *_seen(data, x)]
    return dataclasses.replace(data, test=(x, y), notes=(*data.notes, *lines))


def _of_images(data: Dataset) -> Mapping[str, object]:
    if data.image_rule is None:
        return {}
    rule = data.image_rule
    size = tuple(data.x.shape[1:3])
    return {"image_size": size, "image_fit": rule.fit, "image_background": rule.background, "allow_empty": True}


def _as_in_training(path: Path, made: Dataset, data: Dataset) -> np.ndarray:
    """The labels of the test file as numbers of the classes in training."""
    if data.task != "classification":
        return made.y
    if made.class_names is None or data.class_names is None:
        if made.num_classes > data.num_classes:
            raise InputError(f"test_file {str(path)!r}: label {made.num_classes - 1} is not in the training data")
        return made.y
    unknown = sorted(set(np.asarray(made.class_names)[np.unique(made.y)]) - set(data.class_names))
    if unknown:
        raise InputError(
            f"test_file {str(path)!r}: classes that are not in the training data: {', '.join(map(repr, unknown[:8]))}"
        )
    number = {name: i for i, name in enumerate(data.class_names)}
    return np.array([number.get(name, 0) for name in made.class_names], np.int32)[made.y]


def _shared_groups(trained_on: Path, path: Path, table: TableOptions, column: str) -> list[str]:
    """A note on the test rows of groups that are trained on."""
    options = dataclasses.replace(TableOptions(), encoding=table.encoding, separator=table.separator)
    known, tested = (read_table(file, options, (column,)) for file in (trained_on, path))
    check_known(tested.name, "group column", [column], tested.table.column_names)
    groups = {str(cell) for cell in known.table.column(column).to_pylist()}
    shared = [str(cell) for cell in tested.table.column(column).to_pylist() if str(cell) in groups]
    if not shared:
        return []
    return [f"{len(shared)} test rows belong to groups ({column}) that are trained on, too, {len(set(shared))} of them"]


def _seen(data: Dataset, x: np.ndarray) -> list[str]:
    """A note on the test examples that are training examples too."""
    size = int(np.prod(data.x.shape)) * data.x.dtype.itemsize
    if not (isinstance(x, np.ndarray) and isinstance(data.x, np.ndarray)) or size > MAX_COMPARED_BYTES:
        return []
    numbers = duplicates(np.concatenate([data.x, x]))
    seen = int(np.isin(numbers[len(data.x) :], numbers[: len(data.x)]).sum())
    if not seen:
        return []
    return [f"{seen} of {len(x)} test examples equal a training example, so the test is too easy on them"]
