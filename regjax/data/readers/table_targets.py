"""The target columns of a table: one of labels or numbers, or several of numbers or of labels that are 0 or 1."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from regjax.core.errors import InputError
from regjax.data.float32 import WHOLE
from regjax.data.tables import RawTable
from regjax.data.tables.options import check_known
from regjax.data.tables.roles import FALSE, TRUE
from regjax.data.targets import encode_targets, infer_task, is_one_hot, task_reason

_CODE = re.compile("[+-]?0[0-9]+")  # such as a postal code
_DIGITS = re.compile("[+-]?[0-9]+")


class TableTargets(NamedTuple):
    """The targets of a table.

    Attributes:
      task: the task.
      y: class indices `int32[N]`, or numbers `float32[N]` or, of several columns, `float32[N, D]`; labels of multilabel
        are `float32[N, K]`.
      class_names: names of the classes, or None.
      reason: why it is this task, in words.
    """

    task: str
    y: np.ndarray
    class_names: tuple[str, ...] | None
    reason: str


def possible_columns(target: str | Sequence[str]) -> tuple[str, ...]:
    """The names of all columns that a target may mean: a text with commas is one name, or a list of names.

    Example:
      >>> possible_columns("price, weight")
      ('price, weight', 'price', 'weight')
    """
    if not isinstance(target, str):
        return tuple(target)
    return (target, *_listed(target)) if "," in target else (target,)


def target_columns(source: str, target: str | Sequence[str], columns: Sequence[str]) -> tuple[str, ...]:
    """The names of the target columns of a table.

    Args:
      source: name of the table, for messages.
      target: name of a column, names separated by commas, or a sequence of names. A column whose own name has commas
        is found by its whole name.
      columns: those of the table.

    Raises:
      InputError: there is no such column, or one is named twice.

    Example:
      >>> target_columns("toy", "price, weight", ["size", "price", "weight"])
      ('price', 'weight')
    """
    if isinstance(target, str):
        names = (target,) if target in columns or "," not in target else _listed(target)
    else:
        names = tuple(target)
    if not names:
        raise InputError(f"{source}: target {target!r} names no column; accepted: one or more columns of the table")
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    if twice:
        raise InputError(f"{source}: target column {twice[0]!r} is named twice; name it once")
    check_known(source, "target column", names, columns)
    return names


def _listed(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def with_targets(raw: RawTable, names: Sequence[str]) -> tuple[RawTable, list[str]]:
    """Leave out the rows in which a target is missing, and note how many they are.

    Raises:
      InputError: no row is left.
    """
    import pyarrow as pa

    here = np.ones(raw.table.num_rows, bool)
    for name in names:
        here &= raw.table.column(name).is_valid().to_numpy()
    if here.all():
        return raw, []
    if not here.any():
        if len(names) == 1:
            raise InputError(f"{raw.name}: every cell of the target column {names[0]!r} is missing")
        raise InputError(f"{raw.name}: in every row one of the targets {', '.join(names[:12])} is missing")
    without = "without a target" if len(names) == 1 else f"in which one of the {len(names)} targets is missing"
    note = f"{int((~here).sum())} rows {without} are left out"
    return raw._replace(table=raw.table.filter(pa.array(here)), rows=raw.rows[here]), [note]


def encoded_targets(raw: RawTable, names: Sequence[str], task: str | None) -> TableTargets:
    """Encode the target columns, none of whose cells is missing.

    Raises:
      InputError: the cells do not fit the task, or it is not clear what they are.
    """
    for name in names:
        _check_no_dates(raw, name)
    return _one(raw, names[0], task) if len(names) == 1 else _several(raw, names, task)


def _check_no_dates(raw: RawTable, name: str) -> None:
    import pyarrow as pa

    if pa.types.is_temporal(raw.table.column(name).type):
        raise InputError(f"{raw.name}: target column {name!r} holds dates; accepted: numbers or labels")


def _several(raw: RawTable, names: Sequence[str], task: str | None) -> TableTargets:
    """Labels of several columns; or numbers, which are checked one by one, because each has its own unit."""
    said = "as you said" if task else ""
    if task != "regression":
        labels = [_labels(raw, name, asked=task == "multilabel") for name in names]
        if all(column is not None for column in labels):
            y = np.stack([column for column in labels if column is not None], axis=1)
            if task != "multilabel" and is_one_hot(y):
                reason = said or f"one-hot rows of {len(names)} columns, say task=multilabel for several labels"
                return TableTargets("classification", y.argmax(axis=1).astype(np.int32), tuple(names), reason)
            if task != "classification":
                return TableTargets("multilabel", y, None, said or f"{len(names)} columns of 0 and 1")
    if task == "classification":
        raise InputError(
            f"{raw.name}: task 'classification' takes one target column, or one-hot columns, got {len(names)} "
            f"({', '.join(names[:12])}) that are not one-hot; accepted: one column, "
            "task='multilabel' for labels that are 0 or 1, task='regression' for numbers"
        )
    columns = [encode_targets(f"{raw.name}: {name}", [_numbers(raw, name)], "regression")[1][0] for name in names]
    return TableTargets("regression", np.stack(columns, axis=1), None, said or f"{len(names)} columns of numbers")


def _labels(raw: RawTable, name: str, *, asked: bool) -> np.ndarray | None:
    """The cells of a column as `float32[N]` of 0 and 1; None if they are something else.

    Raises:
      InputError: they are something else, and the task that was asked for needs labels.
    """
    import pyarrow.compute as pc

    column = raw.table.column(name)
    distinct = column.unique()
    cells = distinct.to_pylist()
    values = [_label(cell) for cell in cells]
    codes = pc.index_in(column, distinct).to_numpy()
    if None in values:
        if asked:
            bad = values.index(None)
            place = raw.place(int(np.argmax(codes == bad)), name)
            raise InputError(
                f"{place}: {cells[bad]!r} is not a label of task 'multilabel', which is 0 or 1, or a boolean"
            )
        return None
    return np.array(values, np.float32)[codes]


def _label(cell: Any) -> float | None:
    if isinstance(cell, str):
        if cell.lower() in (*TRUE, *FALSE):
            return float(cell.lower() in TRUE)
        cell = float(cell) if _is_number(cell) else None
    return float(cell) if cell is not None and cell in (0, 1) else None


def _numbers(raw: RawTable, name: str) -> np.ndarray:
    import pyarrow as pa

    column = raw.table.column(name)
    return _of_text(raw, name, column, "regression") if pa.types.is_large_string(column.type) else column.to_numpy()


def _one(raw: RawTable, target: str, task: str | None) -> TableTargets:
    import pyarrow as pa

    column = raw.table.column(target)
    is_text = pa.types.is_large_string(column.type)
    values = _of_text(raw, target, column, task) if is_text else column.to_numpy()
    reason = "as you said" if task else ""
    if not task:
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
    return TableTargets(made, y, names, reason)


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
