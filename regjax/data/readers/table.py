"""Reads a table with a target column: a text file, a Parquet or Feather file, or a data frame."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np

from regjax.catalog import TASKS
from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.data.dataset import Dataset
from regjax.data.float32 import WHOLE
from regjax.data.grouping import check_times, check_weights, group_numbers, with_duplicates_together
from regjax.data.source import as_rows
from regjax.data.tables import RawTable, Schema, TableOptions, infer_columns, read_frame, read_table
from regjax.data.tables.dates import to_days
from regjax.data.tables.leaks import leaks
from regjax.data.tables.options import check_known
from regjax.data.targets import encode_targets, infer_task

MAX_TEXT_BYTES = 4 * 2**30
"""Larger text files are refused; Parquet files may be larger."""

DEFAULT_TARGET = "target"
"""Default name of the target column."""

_CODE = re.compile("[+-]?0[0-9]+")  # such as a postal code
_DIGITS = re.compile("[+-]?[0-9]+")


def load_table(
    path: str | os.PathLike[str],
    *,
    target: str = DEFAULT_TARGET,
    task: str | None = None,
    table: TableOptions | None = None,
    lazy: bool = False,
) -> Dataset:
    r"""Load a table with a header and a target column: `.csv`, `.tsv`, `.txt` (also `.gz`), `.parquet`, `.feather`.

    Separator and decimal comma of a text file are found. What each column is, is inferred from its cells, unless
    `table` says it; `Dataset.notes` lists it. Labels are the text of their cells: `007` is not `7`. Those that are all
    numbers are in the order of the numbers. Rows without a target are left out, which is noted. Messages count rows as
    a spreadsheet does: the header is row 1.

    Args:
      path: the file.
      target: name of the target column.
      task: `"classification"` or `"regression"` in place of what the cells suggest.
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
    raw = read_table(path, options, as_text=(target,))
    return _dataset(raw, path.name.split(".")[0], target, task, options, lazy)


def from_frame(
    frame: Any, target: str, *, task: str | None = None, table: TableOptions | None = None, name: str = "data"
) -> Dataset:
    """Make a dataset of a data frame of pandas or polars, a `pyarrow.Table`, or a dict of arrays.

    The rules are those of files, see `load_table`.

    Args:
      frame: the table; the index of a pandas frame is not read.
      target: name of the target column.
      task: `"classification"` or `"regression"` in place of what the targets suggest.
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


def labelled_table(
    path: Path, data: Dataset, target: str | None, table: TableOptions | None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Read another table with the columns of a dataset, as `load_table` read them, and their targets.

    Returns:
      `(x, y, notes)`, where labels are numbers of the classes of the dataset.

    Raises:
      InputError: as `load_table`, or a label is not one of the dataset.
    """
    schema, target = data.schema, target or DEFAULT_TARGET
    assert schema is not None
    as_text = tuple(column.name for column in schema.used if column.role == "category")
    raw = read_table(path, table or TableOptions(), (*as_text, target))
    check_known(raw.name, "target column", [target], raw.table.column_names)
    raw, notes = _with_targets(raw, target)
    x, unexpected = schema.encode(raw)
    if data.task == "regression":
        return x, _targets(raw, target, "regression")[1], [*raw.notes, *notes, *unexpected]
    _, y, names, _ = _targets(raw, target, "classification")
    number = {name: i for i, name in enumerate(data.class_names or ())}
    unknown = [name for name in names or () if name not in number]
    if unknown:
        raise InputError(
            f"{raw.name}: labels that are not in the training data: {', '.join(map(repr, unknown[:8]))}; "
            f"accepted: {', '.join(map(repr, list(number)[:8]))}"
        )
    return x, np.array([number[name] for name in names or ()], np.int32)[y], [*raw.notes, *notes, *unexpected]


def _dataset(raw: RawTable, name: str, target: str, task: str | None, options: TableOptions, lazy: bool) -> Dataset:
    if task is not None:
        check_choice("task", task, TASKS)
    check_known(raw.name, "target column", [target], raw.table.column_names)
    raw, notes = _with_targets(raw, target)
    columns = infer_columns(raw, options, target)
    schema = Schema(tuple(columns), target, options.encoding)
    if not schema.used:
        raise InputError(f"{raw.name}: no columns to learn from beside the target {target!r}; {_left_out(schema)}")
    if options.impute == "refuse":
        holes = [f"{column.name} ({column.missing})" for column in schema.used if column.missing]
        if holes:
            raise InputError(f"{raw.name}: missing cells in {', '.join(holes[:12])}; impute=median fills them")
    task, y, class_names, reason = _targets(raw, target, task)
    x, unexpected = schema.encode(raw)
    groups = None if options.group is None else group_numbers(raw.table.column(options.group).to_pylist())
    lines = (f"target {target}: {task} ({reason})", *schema.lines(raw.table.num_rows))
    data = Dataset(
        name=name,
        task=task,
        x=as_rows(name, x) if lazy else x,  # type: ignore[arg-type]
        y=y,
        class_names=class_names,
        columns=schema.inputs,
        notes=(*raw.notes, *notes, *unexpected, *lines, *leaks(x, y, schema.inputs, task)),
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


def _left_out(schema: Schema) -> str:
    return (
        ", ".join(f"{column.name or '(no name)'} is left out ({column.reason})" for column in schema.columns[:8])
        or "it is alone"
    )


def _with_targets(raw: RawTable, target: str) -> tuple[RawTable, list[str]]:
    """Leave out the rows without a target."""
    import pyarrow.compute as pc

    column = raw.table.column(target)
    if not column.null_count:
        return raw, []
    here = pc.is_valid(column)
    kept = raw.table.filter(here)
    if not kept.num_rows:
        raise InputError(f"{raw.name}: every cell of the target column {target!r} is missing")
    rows = raw.rows[here.to_numpy()]
    return raw._replace(table=kept, rows=rows), [f"{column.null_count} rows without a target are left out"]


def _targets(raw: RawTable, target: str, task: str | None) -> tuple[str, np.ndarray, tuple[str, ...] | None, str]:
    """The task, the encoded targets, the names of the classes, and why it is this task."""
    import pyarrow as pa

    column = raw.table.column(target)
    if pa.types.is_temporal(column.type):
        raise InputError(f"{raw.name}: target column {target!r} holds dates; accepted: numbers or labels")
    is_text = pa.types.is_large_string(column.type)
    values = _of_text(raw, target, column, task) if is_text else column.to_numpy()
    reason = "as you said" if task else ""
    if not task:
        from regjax.data.targets import task_reason

        if values.dtype.kind == "U" and all(map(_is_number, column[:1000].to_pylist())):
            reason = f"{len(np.unique(values))} distinct numbers or codes"
        else:
            reason = task_reason(values)
        reason += ", say task=... for the other" if values.dtype.kind in "iufb" or "numbers" in reason else ""
    known = task or ("regression" if values.dtype.kind != "U" and raw.text else None)
    made, (y,), names = encode_targets(raw.name, [values], known)
    if names is not None and all(map(_is_number, names)):
        ordered = sorted(names, key=lambda label: (float(label), label))
        rank = {label: i for i, label in enumerate(ordered)}
        y, names = np.array([rank[label] for label in names], np.int32)[y], tuple(ordered)
    return made, y, names, reason


def _of_text(raw: RawTable, name: str, column: Any, task: str | None) -> np.ndarray:
    """Numbers for regression, otherwise labels, which are the text of the cells.

    If no task is given and all cells are numbers, they are labels if one has leading zeros or
    `regjax.data.targets.infer_task` infers classification.
    """
    import pyarrow.compute as pc

    distinct = column.unique()
    codes = pc.index_in(column, distinct).to_numpy()
    cells = distinct.to_pylist()
    numeric = np.array([_is_number(cell) for cell in cells])
    if numeric.all():
        values = np.array([float(cell) for cell in cells])
        if not np.isfinite(values).all():
            i = int(np.argmin(np.isfinite(values)[codes]))
            raise InputError(f"{raw.place(i, name)}: {cells[codes[i]]!r} is not finite")
        if (task or _task_of(cells, codes, values)) != "regression":
            return np.array(cells)[codes]
        return (_exact(cells) if np.abs(values).max() >= WHOLE else values)[codes]
    if task == "regression" or (task is None and numeric.any()):
        i = int(np.argmin(numeric[codes]))
        hint = "" if task else "; the others are numbers (task 'classification' reads all as labels)"
        raise InputError(f"{raw.place(i, name)}: {cells[codes[i]]!r} is not a number{hint}")
    return np.array(cells)[codes]


def _task_of(cells: list[str], codes: np.ndarray, values: np.ndarray) -> str:
    """Infer the task from distinct numbers; whole ones are counted as text, because float64 may merge them."""
    if any(_CODE.fullmatch(cell) for cell in cells):
        return "classification"
    whole = bool(np.all(values == np.floor(values)))
    return infer_task(codes if whole else values[codes])


def _exact(cells: list[str]) -> np.ndarray:
    """Convert numbers to 64-bit integers if all are whole and fit, otherwise to float64."""
    if all(_DIGITS.fullmatch(cell) for cell in cells):
        whole = np.array([int(cell) for cell in cells], object)
        for kind in (np.int64, np.uint64):
            if np.iinfo(kind).min <= min(whole) and max(whole) <= np.iinfo(kind).max:
                return whole.astype(kind)
    return np.array([float(cell) for cell in cells])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return "_" not in str(cell)
