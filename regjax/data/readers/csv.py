"""Reads comma-separated tables cell by cell, so that errors can name the row and the column."""

from __future__ import annotations

import codecs
import csv
import difflib
import os
import re
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from regjax.catalog import TASKS
from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.data.dataset import Dataset
from regjax.data.float32 import WHOLE, check_float32
from regjax.data.preprocess import Preprocessor
from regjax.data.source import as_rows
from regjax.data.targets import encode_targets, infer_task

MAX_CSV_BYTES = 512 * 2**20
"""Larger CSV files are refused; `.npz` files may be larger and are read faster."""

MAX_COLUMNS = 100_000
"""More columns than this are refused."""

DEFAULT_TARGET = "target"
"""Default name of the target column."""

_CODE = re.compile("[+-]?0[0-9]+")  # such as a postal code
_DIGITS = re.compile("[+-]?[0-9]+")
_NEWLINE = re.compile(b"\r\n|\r|\n")


class Table:
    """A parsed CSV file.

    Attributes:
      x: `float32[N, F]`.
      columns: names of the columns of x.
      rows: the row number of each example in the file.
      cells: target cells as text; empty without a target.
    """

    def __init__(self, path: Path, target: str | None, columns: tuple[str, ...] | None = None) -> None:
        self.name = path.name
        size = path.stat().st_size
        if size > MAX_CSV_BYTES:
            limit = f"{MAX_CSV_BYTES / 2**20:g} MiB"
            raise InputError(f"{self.name}: {size / 2**20:.0f} MiB, accepted: at most {limit}; use .npz")
        self.rows = array("q")  # row number of each example in the file; the header is row 1
        self.cells: list[str] = []
        numbers = array("d")
        try:
            with path.open(newline="", encoding="utf-8-sig") as file:
                reader = csv.reader(file, strict=True)
                first = next(reader, [])
                if "\0" in "".join(first):
                    raise InputError(f"{self.name}: {_unicode_of(path) or 'NUL characters in line 1, accepted: text'}")
                header = self._header(first)
                wanted = self._wanted(header, target, columns)
                target_index = None if target is None else header.index(target)
                for row_number, row in enumerate(reader, 2):
                    if not row or (len(row) == 1 and len(header) > 1 and not row[0].strip()):
                        continue  # an empty line
                    if len(row) != len(header):
                        found = f"{len(row)} cells, the header has {len(header)}"
                        raise InputError(f"{self.name}: row {row_number} has {found}")
                    try:
                        numbers.extend([float(row[i]) for i in wanted])
                    except ValueError:
                        self._refuse(row_number, header, row, wanted)
                    text = ",".join(row)
                    if "_" in text:  # Python accepts 1_000 as a number, but a table hardly means that
                        self._refuse(row_number, header, row, wanted)
                    if "\0" in text:  # NumPy drops it at the end of a label
                        raise InputError(f"{self.name}: line {reader.line_num} has a NUL character, accepted: text")
                    self.rows.append(row_number)
                    if target_index is not None:
                        self.cells.append(row[target_index].strip())
        except UnicodeDecodeError as error:
            raise InputError(f"{self.name}: {_undecodable(path)}") from error
        except csv.Error as error:
            raise InputError(f"{self.name}: row {reader.line_num}: {error}") from None
        except OSError as error:
            raise InputError(f"{self.name}: cannot be read ({error.strerror})") from None
        if not self.rows:
            raise InputError(f"{self.name}: no rows below the header")
        self.columns = tuple(header[i] for i in wanted)
        values = np.frombuffer(numbers, np.float64).reshape(len(self.rows), len(wanted))
        with np.errstate(over="ignore"):
            self.x = values.astype(np.float32)
        self.values = values
        if not np.isfinite(self.x).all():
            i, j = (int(k) for k in np.argwhere(~np.isfinite(self.x))[0])
            place = f"row {self.rows[i]}, column {self.columns[j]!r}"
            raise InputError(f"{self.name}: {place}: {values[i, j]} is not a finite float32")

    def _header(self, cells: list[str]) -> list[str]:
        header = [cell.strip() for cell in cells]
        if not any(header):
            raise InputError(f"{self.name}: empty; accepted: a header row, then rows of numbers")
        if len(header) > MAX_COLUMNS:
            raise InputError(f"{self.name}: {len(header)} columns, accepted: at most {MAX_COLUMNS}")
        if "" in header:
            raise InputError(f"{self.name}: column {header.index('') + 1} has no name in the header")
        if all(_is_number(cell) for cell in header):
            raise InputError(f"{self.name}: no header: the first row is all numbers ({', '.join(header[:4])}, ...)")
        twice = sorted({cell for cell in header if header.count(cell) > 1}) if len(set(header)) < len(header) else []
        if twice:
            raise InputError(f"{self.name}: column name {twice[0]!r} occurs more than once")
        return header

    def _wanted(self, header: list[str], target: str | None, columns: tuple[str, ...] | None) -> list[int]:
        needed = columns if columns is not None else () if target is None else (target,)
        for column in needed:
            if column not in header:
                near = difflib.get_close_matches(column, header, 1, 0.5)
                hint = f" (did you mean {near[0]!r}?)" if near else ""
                what = "column" if columns is not None else "target column"
                shown = ", ".join(header[:12]) + (", ..." if len(header) > 12 else "")
                raise InputError(f"{self.name}: no {what} {column!r}{hint}; it has {shown}")
        if columns is not None:
            return [header.index(column) for column in columns]
        wanted = [i for i, column in enumerate(header) if column != target]
        if not wanted:
            raise InputError(f"{self.name}: no columns beside the target {target!r}")
        return wanted

    def _refuse(self, row_number: int, header: list[str], row: list[str], wanted: list[int]) -> None:
        bad = next((i for i in wanted if not _is_number(row[i])), None)
        if bad is None:
            return
        what = f"{row[bad]!r} is not a number" if row[bad].strip() else "the cell is empty"
        raise InputError(f"{self.name}: row {row_number}, column {header[bad]!r}: {what}")

    def targets(self, column: str, task: str | None) -> np.ndarray:
        """Return the targets: numbers for regression, otherwise labels, which are the text of the cells.

        If no task is given and all cells are numbers, they are labels if one has leading zeros or
        `regjax.data.targets.infer_task` infers classification.
        """
        numeric = [_is_number(cell) for cell in self.cells]
        if "" in self.cells:
            raise InputError(f"{self.name}: row {self.rows[self.cells.index('')]}, column {column!r}: empty target")
        if all(numeric):
            values = np.array([float(cell) for cell in self.cells])
            if not np.isfinite(values).all():
                i = int(np.argmin(np.isfinite(values)))
                raise InputError(f"{self.name}: row {self.rows[i]}, column {column!r}: {self.cells[i]!r} is not finite")
            if (task or _task_of(self.cells, values)) != "regression":
                return np.array(self.cells)
            return _exact(self.cells) if np.abs(values).max() >= WHOLE else values
        if task == "regression" or (task is None and any(numeric)):
            i = numeric.index(False)
            hint = "" if task else "; the others are numbers (task 'classification' reads all as labels)"
            raise InputError(
                f"{self.name}: row {self.rows[i]}, column {column!r}: {self.cells[i]!r} is not a number{hint}"
            )
        return np.array(self.cells)


def load_csv(
    path: str | os.PathLike[str], *, target: str = DEFAULT_TARGET, task: str | None = None, lazy: bool = False
) -> Dataset:
    r"""Load a comma-separated table: a header, numbers, and one target column of numbers or labels.

    Labels are the text of their cells: `007` is not `7`. Those that are all numbers are in the order of the numbers.
    Messages count rows as a spreadsheet does: the header is row 1.

    Args:
      path: the file, UTF-8.
      target: name of the target column.
      task: `"classification"` or `"regression"` in place of what the cells suggest.
      lazy: give the inputs as `Rows`, as other formats do; the file is read as a whole all the same.

    Raises:
      InputError: the first thing that is wrong, with its row and column.

    Example:
      >>> import tempfile, pathlib
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = pathlib.Path(folder, "toy.csv")
      ...     _ = file.write_text("age,target\n1.5,yes\n2,no\n")
      ...     data = load_csv(file)
      >>> data.columns, data.class_names, data.y.tolist()
      (('age',), ('no', 'yes'), [1, 0])
    """
    path = Path(path)
    if task is not None:
        check_choice("task", task, TASKS)
    table = Table(path, target)
    check_float32(f"{path.name}: x", table.values, table.columns)
    large = (np.abs(table.values[0]) >= WHOLE) & (table.values == table.values[0]).all(axis=0)
    if large.any() and len(table.rows) > 1:
        j = int(np.argmax(large))
        raise InputError(
            f"{path.name}: x, column {table.columns[j]}: all cells are {table.values[0, j]:.0f} to within what float64 "
            "and float32 hold; subtract an offset, or leave the column out"
        )
    targets = table.targets(target, task)
    task, (y,), names = encode_targets(
        path.name, [targets], "regression" if targets.dtype.kind != "U" else "classification"
    )
    if names is not None and all(map(_is_number, names)):
        ordered = sorted(names, key=lambda label: (float(label), label))
        rank = {label: i for i, label in enumerate(ordered)}
        y, names = np.array([rank[label] for label in names], np.int32)[y], tuple(ordered)
    x: Any = as_rows(path.stem, table.x) if lazy else table.x
    return Dataset(name=path.stem, task=task, x=x, y=y, class_names=names, columns=table.columns)


def csv_inputs(
    path: Path, preprocessor: Preprocessor, note: Callable[[str], None] | None = None
) -> tuple[np.ndarray, list[str]]:
    """Read the columns of the training table and the row number of each example.

    Raises:
      InputError: a column is missing, or a cell is not a number.
    """
    if preprocessor.columns is None:
        raise InputError(f"input {path.name}: the model was trained without column names; accepted: .npz, folders")
    table = Table(path, None, preprocessor.columns)
    check_float32(f"{path.name}: x", table.values, table.columns, preprocessor.spread)
    return table.x, [str(row) for row in table.rows]


def _task_of(cells: list[str], values: np.ndarray) -> str:
    """Infer the task from numeric targets; distinct cells are counted as text, because float64 may merge them."""
    if any(_CODE.fullmatch(cell) for cell in cells):
        return "classification"
    whole = bool(np.all(values == np.floor(values)))
    return infer_task(np.unique(cells, return_inverse=True)[1] if whole else values)


def _exact(cells: list[str]) -> np.ndarray:
    """Convert numbers to 64-bit integers if all are whole and fit, otherwise to float64."""
    if all(_DIGITS.fullmatch(cell) for cell in cells):
        whole = np.array([int(cell) for cell in cells], object)
        for kind in (np.int64, np.uint64):
            if np.iinfo(kind).min <= min(whole) and max(whole) <= np.iinfo(kind).max:
                return whole.astype(kind)
    return np.array([float(cell) for cell in cells])


def _undecodable(path: Path) -> str:
    """Describe the position and line of the first byte that is not UTF-8, and how to fix it."""
    content = path.read_bytes()
    if found := _unicode_of(path):
        return found
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = len(_NEWLINE.findall(content[: error.start])) + 1
        hint = "save it as UTF-8, or convert it, as with iconv -f LATIN1 -t UTF-8"
        return f"byte {error.start} (0x{content[error.start]:02x}) in line {line} is not UTF-8; {hint}"
    return "not UTF-8 when it was read; it has changed since"


def _unicode_of(path: Path) -> str | None:
    """Say how to convert a file in another Unicode encoding, recognized by a byte-order mark or NUL bytes."""
    with path.open("rb") as file:
        start = file.read(4)
    wide = start in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE) or start.count(0) == 3
    if not wide and start[:2] not in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and start.count(0) != 2:
        return None
    name = "UTF-32" if wide else "UTF-16"
    return f"{name} text, accepted: UTF-8; convert it, as with iconv -f {name} -t UTF-8"


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
