"""Reads tables from text files, Parquet and Feather files and data frames into one form.

Arrow reads them: it is behind Parquet in pandas and polars alike, both hand their frames over to it without a copy,
and its CSV reader is several times faster than theirs and refuses rows of another width, which pandas fills up.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from regjax.core.errors import InputError
from regjax.data.tables.dialect import MISSING, SAMPLE_BYTES, Dialect, check_quotes, check_text, sniff, undecodable
from regjax.data.tables.options import TableOptions

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
MAX_COLUMNS = 100_000
"""More columns than this are refused."""

MAX_HEADER_BYTES = 2**26
"""Only this much of the first line is searched for a header."""

UNNAMED = ""
"""Name of the first column if the header has none, as pandas and R write it for row names."""


class RawTable(NamedTuple):
    """A table as it was read.

    Attributes:
      name: of the source, for messages.
      table: a `pyarrow.Table`; text is stripped, and missing cells are null.
      rows: the number of each row in the file, from 2 below the header; of a frame from 0.
      notes: what a user should know about the reading.
      text: whether numbers came from text, so that labels are the text of their cells.
    """

    name: str
    table: Any
    rows: np.ndarray
    notes: tuple[str, ...] = ()
    text: bool = False

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
    import pyarrow as pa

    try:
        if path.name.lower().endswith(TEXT_ENDINGS):
            return _read_text(path, options, {*as_text, *options.categorical, *_given(options.id_column)})
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet

            table = pyarrow.parquet.read_table(path)
        else:
            import pyarrow.feather

            table = pyarrow.feather.read_table(path)
    except pa.ArrowInvalid as error:
        raise InputError(f"{path.name}: {' '.join(str(error).split())[:300]}") from None
    except OSError as error:
        raise InputError(f"{path.name}: cannot be read ({error.strerror or error})") from None
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
    _check_header(name, list(table.column_names))
    return _clean(RawTable(name, table, np.arange(table.num_rows)))


def _given(name: str | None) -> tuple[str, ...]:
    return () if name is None else (name,)


def _read_text(path: Path, options: TableOptions, as_text: set[str]) -> RawTable:
    import pyarrow as pa
    import pyarrow.csv as arrow

    packed = path.suffix.lower() == ".gz"
    if not packed:
        check_text(path, options.encoding)
    with gzip.open(path) if packed else path.open("rb") as file:
        start = file.read(SAMPLE_BYTES)
        while b"\n" not in start and len(start) < MAX_HEADER_BYTES and (more := file.read(SAMPLE_BYTES)):
            start += more  # a header of many columns
    try:
        sample = start.decode(options.encoding, errors="replace").removeprefix("\ufeff")
    except LookupError:
        raise InputError(f"encoding {options.encoding!r} is unknown; accepted: utf-8, latin1, cp1252, ...") from None
    if len(start) >= SAMPLE_BYTES:
        sample = sample[: sample.rfind("\n") + 1] or sample
    dialect = sniff(sample, options.separator)
    header = _header(path.name, sample, dialect)
    check_quotes(path, dialect, options.encoding)
    source: Any = path
    if dialect.separator == " ":
        content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
        source = re.sub(rb"[ \t]+", b"\t", re.sub(rb"(?m)^[ \t]+|[ \t]+$", b"", content))
    narrow: list[tuple[int | None, int, int]] = []

    def refuse(row: Any) -> str:
        narrow.append((row.number, row.actual_columns, row.expected_columns))
        return "skip"

    def read(threads: bool) -> Any:
        narrow.clear()
        return arrow.read_csv(
            io.BytesIO(source) if isinstance(source, bytes) else source,
            read_options=arrow.ReadOptions(use_threads=threads, encoding=options.encoding),
            parse_options=arrow.ParseOptions(
                delimiter="\t" if dialect.separator == " " else dialect.separator,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=refuse,
            ),
            convert_options=arrow.ConvertOptions(
                null_values=MISSING,
                strings_can_be_null=True,
                quoted_strings_can_be_null=True,
                decimal_point=dialect.decimal,
                column_types={raw: pa.string() for raw in header if raw.strip() in as_text},
            ),
        )

    try:
        table = read(threads=True)
        if narrow:
            table = read(threads=False)  # one thread numbers the rows
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name}: {undecodable(path.read_bytes(), options.encoding)}") from error
    except pa.ArrowInvalid as error:
        if "UTF8" in str(error) or "UTF-8" in str(error):
            raise InputError(f"{path.name}: {undecodable(path.read_bytes(), options.encoding)}") from None
        raise InputError(f"{path.name}: {' '.join(str(error).split())[:300]}") from None
    if narrow:
        number, found, expected = narrow[0]
        hint = ""
        if len(narrow) >= table.num_rows and found == expected + 1:
            hint = "; R's write.table leaves out the name of the row names: write with col.names=NA"
        raise InputError(f"{path.name}: row {number} has {found} cells, the header has {expected}{hint}")
    if any(pa.types.is_binary(kind) for kind in table.schema.types):
        content = gzip.decompress(path.read_bytes()) if packed else path.read_bytes()
        raise InputError(f"{path.name}: {undecodable(content, options.encoding)}")
    table = table.rename_columns([name.strip() for name in header])
    if dialect.decimal == ",":
        table = _with_points(table, [name for name in table.column_names if name in as_text])
    raw = RawTable(path.name, table, np.arange(2, 2 + table.num_rows), tuple(dialect.notes()), text=True)
    return _clean(raw)


def _with_points(table: Any, names: list[str]) -> Any:
    """Write the numbers of columns that were kept as text with a decimal point, if a column holds nothing else."""
    import pyarrow.compute as pc

    for name in names:
        cells = table.column(name)
        comma = pc.match_substring_regex(cells, r"^\s*[+-]?\d*,\d+\s*$")
        whole = pc.match_substring_regex(cells, r"^\s*[+-]?\d+\s*$")
        if pc.all(pc.or_(comma, whole)).as_py() and pc.any(comma).as_py():
            made = pc.replace_substring(cells, ",", ".")
            table = table.set_column(table.column_names.index(name), name, made)
    return table


def _header(name: str, sample: str, dialect: Dialect) -> list[str]:
    """The names in the first line, as they are written there."""
    try:
        mark = "\t" if dialect.separator == " " else dialect.separator
        first = sample.lstrip("\ufeff")
        if dialect.separator == " ":
            cells = (first.splitlines() or [""])[0].split()
        else:
            cells = next(csv.reader(io.StringIO(first, newline=""), delimiter=mark, strict=True), [])
    except csv.Error as error:
        raise InputError(f"{name}: row 1: {error}") from None
    if not any(cell.strip() for cell in cells):
        raise InputError(f"{name}: empty; accepted: a header row, then rows of cells")
    if len(cells) > 1 and all(_is_number(cell) for cell in cells if cell.strip()):
        raise InputError(f"{name}: no header: the first row is all numbers ({', '.join(cells[:4])}, ...)")
    _check_header(name, [cell.strip() for cell in cells])
    return cells


def _check_header(name: str, header: list[str]) -> None:
    if len(header) > MAX_COLUMNS:
        raise InputError(f"{name}: {len(header)} columns, accepted: at most {MAX_COLUMNS}")
    if UNNAMED in header[1:]:
        raise InputError(f"{name}: column {header.index(UNNAMED, 1) + 1} has no name in the header")
    twice = sorted({cell for cell in header if header.count(cell) > 1}) if len(set(header)) < len(header) else []
    if twice:
        raise InputError(f"{name}: column name {twice[0]!r} occurs more than once")


def _clean(raw: RawTable) -> RawTable:
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
    if not table.num_rows:
        raise InputError(f"{raw.name}: no rows below the header")
    return raw._replace(table=table, rows=rows)


def _is_view(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_string_view(kind))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
