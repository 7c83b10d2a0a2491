"""Reads tables from text files, Parquet and Feather files and data frames into one form.

Arrow reads them: it is behind Parquet in pandas and polars alike, both hand their frames over to it without a copy,
and its CSV reader is several times faster than theirs and refuses rows of another width, which pandas fills up.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from regjax.core.errors import InputError
from regjax.data.tables.dates import DateOrder
from regjax.data.tables.dialect import MISSING
from regjax.data.tables.options import TableOptions
from regjax.data.tables.text import TEXT_ENDINGS, TextFile, check_header


class RawTable(NamedTuple):
    """A table as it was read.

    Attributes:
      name: of the source, for messages.
      table: a `pyarrow.Table`; text is stripped, and missing cells are null.
      rows: the number of each row in the file, from 2 below the header; of a frame from 0.
      notes: what a user should know about the reading.
      text: whether numbers came from text, so that labels are the text of their cells.
      orders: of a part of a table, how the whole one writes its dates, by the names of columns.
    """

    name: str
    table: Any
    rows: np.ndarray
    notes: tuple[str, ...] = ()
    text: bool = False
    orders: Mapping[str, DateOrder] = MappingProxyType({})

    def place(self, example: int, column: str) -> str:
        """Where a cell is, for messages."""
        return f"{self.name}: row {self.rows[example]}, column {column!r}"


def read_table(path: Path, options: TableOptions, as_text: tuple[str, ...] = ()) -> RawTable:
    """Read a file.

    Args:
      path: a text file (`TEXT_ENDINGS`), `.parquet` or `.feather`.
      options: how to read it.
      as_text: names of columns whose cells are kept as text, such as labels.

    Raises:
      InputError: it is not a table; the message says where.
    """
    with readable(path):
        if path.name.lower().endswith(TEXT_ENDINGS):
            file = TextFile.open(path, options, as_text)
            table = file.read()
            return with_rows(clean(RawTable(path.name, table, np.arange(2, 2 + table.num_rows), file.notes, text=True)))
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet

            table = pyarrow.parquet.read_table(path)
        else:
            import pyarrow.feather

            table = pyarrow.feather.read_table(path)
    return read_frame(table, path.name)


def read_frame(frame: Any, name: str = "data") -> RawTable:
    """Read a data frame of pandas or polars, a `pyarrow.Table`, or a mapping of columns to arrays.

    Raises:
      InputError: it is none of these, or a column has an unsupported shape.
    """
    import pyarrow as pa

    try:
        if isinstance(frame, Mapping):
            table = pa.table({str(key): np.asarray(values) for key, values in frame.items()})
        elif isinstance(frame, pa.Table):
            table = frame
        elif hasattr(frame, "__dataframe__") and hasattr(frame, "iloc"):
            table = pa.Table.from_pandas(frame.rename(columns=str), preserve_index=False)
        elif hasattr(frame, "__arrow_c_stream__"):
            table = pa.table(frame)
        else:
            raise InputError(
                f"{name}: {type(frame).__name__} is not a table; accepted: a data frame, or a dict of arrays"
            )
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise InputError(f"{name}: {' '.join(str(error).split())[:300]}") from None
    check_header(name, list(table.column_names))
    return with_rows(clean(RawTable(name, table, np.arange(table.num_rows))))


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Convert the errors of reading a file.

    Raises:
      InputError: one of them; it names the file.
    """
    import pyarrow as pa

    try:
        yield
    except pa.ArrowInvalid as error:
        raise InputError(f"{path.name}: {' '.join(str(error).split())[:300]}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path.name}: cannot be read ({getattr(error, 'strerror', None) or error})") from None


def with_rows(raw: RawTable) -> RawTable:
    """Return the table; raises an InputError if it has no rows."""
    if not raw.table.num_rows:
        raise InputError(f"{raw.name}: no rows below the header")
    return raw


def clean(raw: RawTable) -> RawTable:
    """Strip texts, make their missing cells null, and leave out rows without any cell, such as empty lines."""
    import pyarrow as pa
    import pyarrow.compute as pc

    table, missing = raw.table, pa.array(MISSING, pa.large_string())
    for i, field in enumerate(table.schema):
        column = table.column(i)
        if pa.types.is_dictionary(field.type):
            column = column.cast(field.type.value_type)
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or _is_view(column.type):
            column = pc.utf8_trim_whitespace(column.cast(pa.large_string()))
            column = pc.if_else(pc.is_in(column, missing), pa.scalar(None, pa.large_string()), column)
        elif pa.types.is_decimal(column.type) or pa.types.is_float16(column.type):
            column = column.cast(pa.float64())
        elif pa.types.is_floating(column.type) and not raw.text:
            column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
        elif pa.types.is_nested(column.type) or pa.types.is_binary(column.type):
            raise InputError(f"{raw.name}: column {field.name!r} holds {column.type}; accepted: one value in each cell")
        table = table.set_column(i, field.name, column)
    blank = np.ones(table.num_rows, bool)
    for column in table.columns:
        if not column.null_count:
            blank[:] = False
            break
        blank &= column.is_null().to_numpy()
    rows = raw.rows
    if blank.any():
        table, rows = table.filter(pa.array(~blank)), rows[~blank]
    return raw._replace(table=table, rows=rows)


def _is_view(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string_view(kind))
