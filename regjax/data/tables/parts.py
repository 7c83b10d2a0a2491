"""Reads a table in parts, in memory that does not depend on its length."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from regjax.core.errors import InputError
from regjax.data.tables.dates import DateOrder
from regjax.data.tables.options import TableOptions
from regjax.data.tables.reading import RawTable, clean, readable
from regjax.data.tables.text import TEXT_ENDINGS, TextFile, check_header, columns_with_commas

PART_ROWS = 2**15
"""Rows of a part of a Parquet or Feather file."""


class Part(NamedTuple):
    """Some rows of a table.

    Attributes:
      raw: the rows, with their numbers in the file.
      share: the share of the file that has been read.
    """

    raw: RawTable
    share: float


def read_parts(
    path: Path, options: TableOptions, as_text: tuple[str, ...] = (), dates: tuple[str, ...] = ()
) -> Iterator[Part]:
    """Read a file like `read_table`, but part by part.

    What depends on all cells of a column is that of the whole column: a decimal comma in cells that are kept as text,
    and whether a date starts with its day. For them, the file is read twice.

    Args:
      path: a text file, `.parquet` or `.feather`.
      options: how to read it.
      as_text: names of columns whose cells are kept as text.
      dates: names of columns that hold dates.

    Raises:
      InputError: as `read_table`, when the iteration reaches the rows.
    """
    with readable(path):
        some = False
        for part in _parts_of_text(path, options, as_text, dates) if _is_text(path) else _parts_of_arrow(path, dates):
            raw = clean(part.raw)
            if raw.table.num_rows:
                some = True
                yield Part(raw, part.share)
        if not some:
            raise InputError(f"{path.name}: no rows below the header")


def _is_text(path: Path) -> bool:
    return path.name.lower().endswith(TEXT_ENDINGS)


def _parts_of_text(
    path: Path, options: TableOptions, as_text: tuple[str, ...], dates: tuple[str, ...]
) -> Iterator[Part]:
    file = TextFile.open(path, options, as_text)
    commas: Collection[str] = ()
    if file.dialect.decimal == ",":
        commas = columns_with_commas(file, (part.table for part in file.parts(only=file.as_text)))
    orders = _orders((part.table for part in file.parts(only=dates)), dates) if dates else {}
    for table, first, share in file.parts(commas=commas):
        rows = np.arange(first, first + table.num_rows)
        yield Part(RawTable(path.name, table, rows, file.notes, text=True, orders=orders), share)


def _parts_of_arrow(path: Path, dates: tuple[str, ...]) -> Iterator[Part]:
    with _batches(path) as (tables, columns, total):
        check_header(path.name, columns)
        orders = _orders(tables([name for name in dates if name in columns]), dates)
        first = 0
        for table in tables(columns):
            raw = RawTable(path.name, table, np.arange(first, first + table.num_rows), orders=orders)
            first += table.num_rows
            yield Part(raw, first / max(total, 1))


@contextlib.contextmanager
def _batches(path: Path) -> Iterator[tuple[Callable[[list[str]], Iterator[Any]], list[str], int]]:
    """Open a file; yields a function that reads columns in tables of few rows, their names, and the number of rows."""
    import pyarrow as pa

    if path.suffix.lower() == ".parquet":
        import pyarrow.parquet

        with pyarrow.parquet.ParquetFile(path) as file:

            def read(columns: list[str]) -> Iterator[Any]:
                batches = file.iter_batches(PART_ROWS, columns=columns) if columns else ()
                return (pa.Table.from_batches([batch]) for batch in batches)

            yield read, list(file.schema_arrow.names), file.metadata.num_rows
        return
    import pyarrow.feather

    with pa.memory_map(str(path)) as stored:
        try:
            reader = pa.ipc.open_file(stored)
            names, count, batch_of = list(reader.schema.names), reader.num_record_batches, reader.get_batch
        except pa.ArrowInvalid:  # the first version of the format, which Arrow reads as a whole
            table = pyarrow.feather.read_table(path)
            batches = table.to_batches(PART_ROWS)
            names, count, batch_of = list(table.column_names), len(batches), batches.__getitem__

        def slices(columns: list[str]) -> Iterator[Any]:
            for number in range(count if columns else 0):
                part = pa.Table.from_batches([batch_of(number)]).select(columns)
                yield from (part.slice(start, PART_ROWS) for start in range(0, part.num_rows, PART_ROWS))

        yield slices, names, sum(batch_of(number).num_rows for number in range(count))


def _orders(tables: Iterator[Any], dates: tuple[str, ...]) -> dict[str, DateOrder]:
    """How each of the columns writes its dates."""
    orders = {name: DateOrder() for name in dates}
    for table in tables:
        for name in dates:
            if name in table.column_names:
                orders[name] = orders[name].joined(DateOrder.of(table.column(name)))
    return orders
