"""Reads a table with a target column: a text file, a Parquet or Feather file, or a data frame."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from regjax.catalog import TASKS
from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.data.dataset import Dataset
from regjax.data.grouping import check_times, check_weights, group_numbers, with_duplicates_together
from regjax.data.readers.table_targets import encoded_targets, possible_columns, target_columns, with_targets
from regjax.data.source import as_rows
from regjax.data.tables import RawTable, Schema, TableOptions, infer_columns, read_frame, read_table
from regjax.data.tables.dates import to_days
from regjax.data.tables.leaks import leaks

MAX_TEXT_BYTES = 4 * 2**30
"""Larger text files are refused; Parquet files may be larger."""

DEFAULT_TARGET = "target"
"""Default name of the target column."""

MANY_CLASSES, FEW_ROWS = 50, 20
"""A target with more classes, of fewer rows at the median, may be a name or an id."""


def load_table(
    path: str | os.PathLike[str],
    *,
    target: str | Sequence[str] = DEFAULT_TARGET,
    task: str | None = None,
    table: TableOptions | None = None,
    lazy: bool = False,
) -> Dataset:
    r"""Load a table with a header and a target column: `.csv`, `.tsv`, `.txt` (also `.gz`), `.parquet`, `.feather`.

    Separator and decimal comma of a text file are found. What each column is, is inferred from its cells, unless
    `table` says it; `Dataset.notes` lists it. Labels are the text of their cells: `007` is not `7`. Those that are all
    numbers are in the order of the numbers. Several target columns of numbers are a regression with `y` of shape
    `[N, D]`; if their cells are all 0 and 1, or true and false, they are several labels, or one-hot rows where each row
    has a single 1. Rows in which a target is missing are left out, which is noted. Messages count rows as a spreadsheet
    does: the header is row 1.

    Args:
      path: the file.
      target: name of the target column; or several names, in a sequence or separated by commas.
      task: one of `regjax.catalog.TASKS` in place of what the cells suggest.
      table: how to read the file, and what its columns are.
      lazy: give the inputs as `Rows`, as other formats do; the file is read as a whole all the same.

    Raises:
      InputError: what is wrong, with its row and column.

    Example:
      >>> import tempfile, pathlib
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = pathlib.Path(folder, "toy.csv")
      ...     _ = file.write_text("age;city;target\n1,5;Rome;yes\n2;Oslo;no\n")
      ...     data = load_table(file)
      >>> data.columns, data.class_names, data.y.tolist()
      (('age', 'city=Oslo', 'city=Rome'), ('no', 'yes'), [1, 0])
    """
    path, options = Path(path), table or TableOptions()
    size = path.stat().st_size
    if size > MAX_TEXT_BYTES and path.suffix.lower() not in (".parquet", ".feather"):
        limit = f"{MAX_TEXT_BYTES / 2**30:g} GiB"
        raise InputError(f"{path.name}: {size / 2**30:.1f} GiB, accepted: at most {limit}; use .parquet")
    raw = read_table(path, options, as_text=possible_columns(target))
    if target in raw.table.column_names and possible_columns(target) != (target,):
        raw = read_table(path, options, as_text=(str(target),))  # a name with commas, whose parts may be inputs
    return _dataset(raw, path.name.split(".")[0], target, task, options, lazy)


def from_frame(
    frame: Any,
    target: str | Sequence[str],
    *,
    task: str | None = None,
    table: TableOptions | None = None,
    name: str = "data",
) -> Dataset:
    """Make a dataset of a data frame of pandas or polars, a `pyarrow.Table`, or a dict of arrays.

    The rules are those of files, see `load_table`.

    Args:
      frame: the table; the index of a pandas frame is not read.
      target: name of the target column, or several, as in `load_table`.
      task: one of `regjax.catalog.TASKS` in place of what the targets suggest.
      table: what the columns are.
      name: name of the dataset in reports.

    Raises:
      InputError: what is wrong, with its row (from 0) and column.

    Example:
      >>> data = from_frame({"size": [1.0, 2.0, 3.0], "kind": ["a", "b", "a"], "price": [1.5, 2.5, 3.5]}, "price")
      >>> data.task, data.columns
      ('regression', ('size', 'kind=a', 'kind=b'))
    """
    return _dataset(read_frame(frame, name), name, target, task, table or TableOptions(), lazy=False)


def labelled_table(path: Path, data: Dataset, table: TableOptions | None) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Read another table with the columns of a dataset, as `load_table` read them, and their targets.

    Returns:
      `(x, y, notes)`, where labels are numbers of the classes of the dataset.

    Raises:
      InputError: as `load_table`, or a label is not one of the dataset.
    """
    schema = data.schema
    assert schema is not None
    as_text = tuple(column.name for column in schema.used if column.role == "category")
    raw = read_table(path, table or TableOptions(), (*as_text, *schema.targets))
    names = target_columns(raw.name, schema.targets, raw.table.column_names)
    raw, notes = with_targets(raw, names)
    x, unexpected = schema.encode(raw)
    _, y, labels, _ = encoded_targets(raw, names, data.task)
    notes = [*raw.notes, *notes, *unexpected]
    if labels is None:
        return x, y, notes
    number = {name: i for i, name in enumerate(data.class_names or ())}
    unknown = [name for name in labels if name not in number]
    if unknown:
        raise InputError(
            f"{raw.name}: labels that are not in the training data: {', '.join(map(repr, unknown[:8]))}; "
            f"accepted: {', '.join(map(repr, list(number)[:8]))}"
        )
    return x, np.array([number[name] for name in labels], np.int32)[y], notes


def _dataset(
    raw: RawTable, name: str, target: str | Sequence[str], task: str | None, options: TableOptions, lazy: bool
) -> Dataset:
    if task is not None:
        check_choice("task", task, TASKS)
    targets = target_columns(raw.name, target, raw.table.column_names)
    raw, notes = with_targets(raw, targets)
    columns = infer_columns(raw, options, targets)
    schema = Schema(tuple(columns), targets, options.encoding)
    beside = f"target{'s' * (len(targets) > 1)} {', '.join(map(repr, targets[:12]))}"
    said = f"target {targets[0]}" if len(targets) == 1 else f"targets {', '.join(targets)}"
    if not schema.used:
        raise InputError(f"{raw.name}: no columns to learn from beside the {beside}; {_left_out(schema)}")
    if options.impute == "refuse":
        holes = [f"{column.name} ({column.missing})" for column in schema.used if column.missing]
        if holes:
            raise InputError(f"{raw.name}: missing cells in {', '.join(holes[:12])}; impute=median fills them")
    task, y, class_names, reason = encoded_targets(raw, targets, task)
    x, unexpected = schema.encode(raw)
    groups = None if options.group is None else group_numbers(raw.table.column(options.group).to_pylist())
    lines = (f"{said}: {task} ({reason}){_many_classes(task, y)}", *schema.lines(raw.table.num_rows))
    several = targets if y.ndim == 2 else None
    data = Dataset(
        name=name,
        task=task,
        x=as_rows(name, x) if lazy else x,  # type: ignore[arg-type]
        y=y,
        class_names=class_names,
        columns=schema.inputs,
        notes=(*raw.notes, *notes, *unexpected, *lines, *leaks(x, y, schema.inputs, task, several)),
        target_names=several,
        schema=schema,
        groups=groups,
        times=None if options.time is None else _times(raw, options.time),
        weights=None if options.weight is None else _weights(raw, options.weight),
    )
    return with_duplicates_together(data, rows=raw.rows)


def _times(raw: RawTable, column: str) -> np.ndarray:
    import pyarrow as pa

    cells = raw.table.column(column)
    if pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type):
        return check_times(raw.name, cells.to_numpy(), len(cells))
    if pa.types.is_timestamp(cells.type):
        return check_times(raw.name, cells.cast(pa.timestamp("s"), safe=False).to_numpy(), len(cells))
    return to_days(cells, column)


def _weights(raw: RawTable, column: str) -> np.ndarray:
    import pyarrow as pa

    cells = raw.table.column(column)
    if not (pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type)) or cells.null_count:
        what = f"{cells.null_count} missing cells" if cells.null_count else "cells that are not numbers"
        raise InputError(f"{raw.name}: column {column!r} has {what}; a weight is a number >= 0 in every row")
    return check_weights(f"{raw.name}: column {column!r}", cells.to_numpy(), len(cells))


def _many_classes(task: str, y: np.ndarray) -> str:
    """Ask whether a target with many classes of few rows each is meant; empty for others."""
    if task != "classification":
        return ""
    counts = np.unique(y, return_counts=True)[1]
    if len(counts) <= MANY_CLASSES or np.median(counts) >= FEW_ROWS:
        return ""
    return f"; {len(counts)} classes with {np.median(counts):g} rows at the median: is this the target?"


def _left_out(schema: Schema) -> str:
    return (
        ", ".join(f"{column.name or '(no name)'} is left out ({column.reason})" for column in schema.columns[:8])
        or "it is alone"
    )
