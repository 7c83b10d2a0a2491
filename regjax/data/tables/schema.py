"""How the columns of a table become the numbers of a model, in training and for every new table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from regjax.core.errors import InputError
from regjax.data.float32 import Spread, check_float32
from regjax.data.tables.dates import PARTS, date_parts, to_days
from regjax.data.tables.options import check_known
from regjax.data.tables.reading import RawTable
from regjax.data.tables.roles import FALSE, TRUE, Column

MISSING_LEVEL = "(missing)"

BLOCK_INPUTS = 16
"""As many inputs are encoded together: one cache line of a row."""


class Unexpected(NamedTuple):
    """Cells of a column that training did not have.

    Attributes:
      column: name of the column.
      role: its role.
      missing: number of missing cells, if no training example had one.
      unknown: number of cells with an unknown level, or of a boolean, that are neither true nor false.
      example: one of these cells.
    """

    column: str
    role: str
    missing: int = 0
    unknown: int = 0
    example: str | None = None

    def joined(self, other: Unexpected) -> Unexpected:
        """Return what was unexpected in this part and in a later one."""
        return self._replace(
            missing=self.missing + other.missing,
            unknown=self.unknown + other.unknown,
            example=self.example if self.unknown else other.example,
        )

    def line(self) -> str:
        """Say it in one line."""
        words = []
        if self.role != "category":
            if self.unknown:
                words.append(f"{self.unknown} neither true nor false, as {self.example!r}: missing")
            if self.missing:
                words.append(f"{self.missing} missing, as in no training example: median")
            return f"{self.column}: {', '.join(words)}"
        if self.unknown:
            words.append(f"{self.unknown} rows with a level that training did not have, as {self.example!r}")
        if self.missing:
            words.append(f"{self.missing} missing, as in no training example")
        return f"{self.column}: {', '.join(words)}: no level"


@dataclasses.dataclass(frozen=True)
class Schema:
    """The columns of a table, and how those that are used become inputs.

    - A number is one input. If a cell of it is missing, so is the input (NaN), and a second input says so with 1; the
      standardization fills in the median of the training examples.
    - A boolean is a number, 1 for true.
    - A category is one input for each level, 1 for the level of the row; missing cells are a level of their own. An
      unknown level has zeros only.
    - A date that is used is four numbers: year, month, weekday (Monday is 0) and days since 1970.

    Which levels and indicators there are comes from the whole table, so that all splits have the same inputs; what they
    are worth does not: an input that is the same for all training examples is 0 for every example.

    Args:
      columns: all columns except the targets, in their order.
      targets: names of the target columns.
      encoding: of the text file; a file for prediction that is not UTF-8 is read in it.

    Example:
      >>> from regjax.data.tables import read_frame
      >>> made = Schema((Column("age", "number", "", 1), Column("city", "category", "", 0, ("Oslo", "Rome"))))
      >>> made.inputs
      ('age', 'age is missing', 'city=Oslo', 'city=Rome')
      >>> made.encode(read_frame({"city": ["Rome", "Bonn"], "age": [30.0, None]}))[0].tolist()
      [[30.0, 0.0, 0.0, 1.0], [nan, 1.0, 0.0, 0.0]]
    """

    columns: tuple[Column, ...]
    targets: tuple[str, ...] = ()
    encoding: str = "utf-8"

    @property
    def used(self) -> tuple[Column, ...]:
        """The columns that become inputs."""
        return tuple(column for column in self.columns if column.used)

    @property
    def id_column(self) -> str | None:
        """The first column that identifies examples."""
        return next((column.name for column in self.columns if column.role == "id"), None)

    @property
    def inputs(self) -> tuple[str, ...]:
        """One name for each input."""
        return tuple(name for column in self.used for name in _inputs_of(column))

    @property
    def places(self) -> dict[str, list[int]]:
        """The positions of the inputs of each column that is used."""
        out: dict[str, list[int]] = {}
        start = 0
        for column in self.used:
            width = len(_inputs_of(column))
            out[column.name] = list(range(start, start + width))
            start += width
        return out

    @property
    def imputes(self) -> bool:
        """Whether there are numbers, which may be missing in another table if not in this one."""
        return any(column.role != "category" for column in self.used)

    def encode(self, raw: RawTable, spread: Spread | None = None) -> tuple[np.ndarray, tuple[str, ...]]:
        """Return the inputs `float32[N, F]` of a table, with NaN where a number is missing, and what was unexpected.

        Args:
          raw: a table that has the columns that are used, in any order; other columns are ignored.
          spread: mean and deviation of the inputs in training, for another table than that of the training.

        Raises:
          InputError: a column is missing, or a cell is not what its column was in training; the message has its place.
        """
        x, unexpected = self.encode_part(raw, spread)
        return x, tuple(found.line() for found in unexpected)

    def encode_part(self, raw: RawTable, spread: Spread | None = None) -> tuple[np.ndarray, tuple[Unexpected, ...]]:
        """Do what `encode` does, and return what was unexpected in a form whose parts can be joined."""
        check_known(raw.name, "column", [column.name for column in self.used], raw.table.column_names)
        x = np.empty((raw.table.num_rows, len(self.inputs)), np.float32)
        unexpected, first = [], 0
        for columns in _in_blocks(self.used):
            width = sum(len(_inputs_of(column)) for column in columns)
            inputs, start = x[:, first : first + width], first
            # Rows are long, so writing them column by column would pass through all of `x` for each column.
            block = inputs if width > BLOCK_INPUTS else np.empty((width, len(x)), np.float32).T
            for column in columns:
                stop = start + len(_inputs_of(column))
                of_column = None if spread is None else Spread(*(part[start : start + 1] for part in spread))
                found = _fill(block[:, start - first : stop - first], raw, column, of_column)
                unexpected += [found] if found.missing or found.unknown else []
                start = stop
            if block is not inputs:
                inputs[:] = block
            first += width
        return x, tuple(unexpected)

    def lines(self, rows: int, most: int = 40) -> list[str]:
        """Return a table of the columns for the terminal.

        Args:
          rows: number of rows of the table.
          most: number of columns that are shown.
        """
        cells = [(column.name or "(no name)", column.role, _what(column, rows)) for column in self.columns[:most]]
        widths = [max(len(line[i]) for line in [("column", "role", ""), *cells]) for i in (0, 1)]
        out = [f"{name:{widths[0]}}  {role:{widths[1]}}  {what}".rstrip() for name, role, what in cells]
        more = len(self.columns) - most
        out += [f"and {more} more columns"] if more > 0 else []
        left_out = [column.name or "(no name)" for column in self.columns if not column.used]
        summary = f"{rows} rows; {len(self.used)} columns make {len(self.inputs)} inputs"
        return [*out, summary + (f"; left out: {', '.join(left_out[:12])}" if left_out else "")]

    def to_json(self) -> dict[str, Any]:
        """Return what `from_json` restores."""
        return {
            "target": list(self.targets),
            "encoding": self.encoding,
            "columns": [dataclasses.asdict(column) for column in self.columns],
        }

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Schema:
        """Restore a schema; raises KeyError or TypeError for another content."""
        columns = [Column(**{**column, "levels": tuple(column["levels"])}) for column in content["columns"]]
        target = content["target"]  # runs of earlier versions have one name, or none
        targets = (target,) if isinstance(target, str) else tuple(target or ())
        return cls(tuple(columns), targets, content.get("encoding", "utf-8"))


def _in_blocks(columns: Sequence[Column]) -> Iterator[list[Column]]:
    """Yield consecutive columns that make at most `BLOCK_INPUTS` inputs together, and wider ones alone."""
    block: list[Column] = []
    width = 0
    for column in columns:
        more = len(_inputs_of(column))
        if block and width + more > BLOCK_INPUTS:
            yield block
            block, width = [], 0
        block.append(column)
        width += more
    if block:
        yield block


def _inputs_of(column: Column) -> list[str]:
    """The names of its inputs."""
    if column.role == "category":
        levels = (*column.levels, MISSING_LEVEL) if column.missing else column.levels
        return [f"{column.name}={level}" for level in levels]
    names = [f"{column.name}.{part}" for part in PARTS] if column.role == "date" else [column.name]
    return [*names, f"{column.name} is missing"] if column.missing else names


def _what(column: Column, rows: int) -> str:
    words = [column.reason] if column.reason else []
    if column.used and column.missing:
        share = f"{column.missing} missing ({column.missing / rows:.1%})"
        how = "a level of their own" if column.role == "category" else "median, and an input that says so"
        words.append(f"{share}: {how}")
    return ("" if column.used else "left out: ") + "; ".join(words)


def _fill(out: np.ndarray, raw: RawTable, column: Column, spread: Spread | None) -> Unexpected:
    """Write the inputs of a column; returns what was unexpected."""
    if column.role == "category":
        return _fill_levels(out, raw, column)
    if column.role == "date":
        values = date_parts(to_days(raw.table.column(column.name), column.name, raw.orders.get(column.name)))
    else:
        values = _numbers(raw, column)[:, None]
    missing = np.isnan(values[:, 0])
    unknown, example = _not_boolean(raw, column, missing)
    for j in range(values.shape[1]):
        with np.errstate(over="ignore"):
            out[:, j] = values[:, j]
        usable = np.isfinite(out[:, j]) | missing
        if not usable.all():
            bad = int(np.argmin(usable))
            raise InputError(f"{raw.place(bad, column.name)}: {values[bad, j]} is not a finite float32")
    if column.role == "number":
        present = values[~missing, :1] if missing.any() else values[:, :1]
        check_float32(raw.name, _exact(raw, column, present), [column.name], spread)
    if column.missing:
        out[:, -1] = missing
        return Unexpected(column.name, column.role, unknown=unknown, example=example)
    return Unexpected(column.name, column.role, int(missing.sum()) - unknown, unknown, example)


def _not_boolean(raw: RawTable, column: Column, missing: np.ndarray) -> tuple[int, str | None]:
    """Return how many cells of a boolean are there and neither true nor false, and one of them."""
    if column.role != "boolean":
        return 0, None
    cells = raw.table.column(column.name)
    unknown = np.flatnonzero(missing & ~cells.is_null(nan_is_null=True).to_numpy(zero_copy_only=False))
    return len(unknown), f"{cells[int(unknown[0])].as_py()}" if len(unknown) else None


def _exact(raw: RawTable, column: Column, values: np.ndarray) -> np.ndarray:
    """The numbers that are not missing, whole ones as they were read, `[n, 1]`."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = raw.table.column(column.name)
    return pc.drop_null(cells).to_numpy()[:, None] if pa.types.is_integer(cells.type) else values


def _fill_levels(out: np.ndarray, raw: RawTable, column: Column) -> Unexpected:
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = raw.table.column(column.name)
    if not pa.types.is_large_string(cells.type):
        cells = pa.chunked_array(
            [[None if cell is None else str(cell) for cell in cells.to_pylist()]], pa.large_string()
        )
    codes = pc.index_in(cells, pa.array(column.levels, pa.large_string()))
    codes = pc.fill_null(codes, -1).to_numpy()
    out[:] = 0
    known = codes >= 0
    out[np.flatnonzero(known), codes[known]] = 1
    missing = cells.is_null().to_numpy()
    if column.missing:
        out[missing, -1] = 1
    unknown = ~known & ~missing
    return Unexpected(
        column.name,
        column.role,
        missing=0 if column.missing else int(missing.sum()),
        unknown=int(unknown.sum()),
        example=cells[int(np.argmax(unknown))].as_py() if unknown.any() else None,
    )


def _numbers(raw: RawTable, column: Column) -> np.ndarray:
    """The cells as `float64[N]`; missing ones, and those of a boolean that are neither true nor false, are NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = raw.table.column(column.name)
    if pa.types.is_null(cells.type):
        return np.full(len(cells), np.nan)
    if pa.types.is_boolean(cells.type):
        cells = cells.cast(pa.int8())
    if pa.types.is_large_string(cells.type):
        return _parsed(raw, column, cells)
    if not (pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type)):
        raise InputError(f"{raw.name}: column {column.name!r} holds {cells.type}, in training it held numbers")
    values = pc.cast(cells, pa.float64(), safe=False).to_numpy()
    if column.role == "boolean":
        return np.where((values == 0) | (values == 1), values, np.nan)
    return values


def _truth(word: str) -> float:
    """1 or 0 for a word, or a number, that says so; NaN for others."""
    known = dict.fromkeys((*TRUE, "1", "1.0"), 1.0) | dict.fromkeys((*FALSE, "0", "0.0"), 0.0)
    return known.get(word, np.nan)


def _parsed(raw: RawTable, column: Column, cells: Any) -> np.ndarray:
    texts: Sequence[str | None] = cells.to_pylist()
    out = np.full(len(texts), np.nan)
    for i, text in enumerate(texts):
        if text is None:
            continue
        if column.role == "boolean":
            out[i] = _truth(text.lower())
            continue
        try:
            out[i] = float(text.replace(",", "") if column.thousands else text.replace("_", "no number"))
        except ValueError:
            if not column.lenient:
                raise InputError(f"{raw.place(i, column.name)}: {text!r} is not a {column.role}") from None
    return out
