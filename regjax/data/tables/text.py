"""Reads the table of a text file, as a whole or in parts of bounded size."""

from __future__ import annotations

import csv
import dataclasses
import gzip
import io
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from regjax.core.errors import InputError
from regjax.data.tables.cuts import first_row_end, whole_rows
from regjax.data.tables.dialect import MISSING, SAMPLE_BYTES, Dialect, check_quotes, check_text, sniff, undecodable
from regjax.data.tables.options import TableOptions

TEXT_ENDINGS = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".txt.gz")
MAX_COLUMNS = 100_000
"""More columns than this are refused."""

MAX_HEADER_BYTES = 2**26
"""More of the first line is not looked at."""

UNNAMED = ""
"""Name of the first column if the header has none, as pandas and R write it for row names."""

PART_BYTES = 2**23
"""About the size of a part."""

BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class TextPart(NamedTuple):
    """Some rows of a text file.

    Attributes:
      table: a `pyarrow.Table`.
      first: the number of its first row in the file, from 2 below the header.
      share: the share of the file that has been read.
    """

    table: Any
    first: int
    share: float


@dataclasses.dataclass(frozen=True)
class TextFile:
    """A text file whose header was read, and whose dialect is known.

    Attributes:
      path: the file.
      encoding: of the text.
      dialect: how it writes cells.
      header: the names in the first line, as they are written there.
      as_text: names of columns whose cells are kept as text.
      quoted: whether there are quotes, so that a cell may hold the end of a line.
    """

    path: Path
    encoding: str
    dialect: Dialect
    header: tuple[str, ...]
    as_text: frozenset[str]
    quoted: bool

    @classmethod
    def open(cls, path: Path, options: TableOptions, as_text: Collection[str] = ()) -> TextFile:
        """Find the dialect of a file, and read its header.

        Raises:
          InputError: it is no text, has no usable header, or a quote is not closed.
        """
        if not _packed(path):
            check_text(path, options.encoding)
        with gzip.open(path) if _packed(path) else path.open("rb") as file:
            start = file.read(SAMPLE_BYTES)
            while b"\n" not in start and len(start) < MAX_HEADER_BYTES and (more := file.read(SAMPLE_BYTES)):
                start += more  # a header of many columns
        try:
            sample = start.decode(options.encoding, errors="replace").removeprefix("\ufeff")
        except LookupError:
            accepted = "utf-8, latin1, cp1252, ..."
            raise InputError(f"encoding {options.encoding!r} is unknown; accepted: {accepted}") from None
        if len(start) >= SAMPLE_BYTES:
            sample = sample[: sample.rfind("\n") + 1] or sample
        dialect = sniff(sample, options.separator)
        header = _header(path.name, sample, dialect)
        quoted = check_quotes(path, dialect, options.encoding)
        named = {*as_text, *options.categorical, *([] if options.id_column is None else [options.id_column])}
        return cls(path, options.encoding, dialect, tuple(header), frozenset(named), quoted)

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user should know about the reading."""
        return tuple(self.dialect.notes())

    def read(self) -> Any:
        """Read the whole table; the names of its columns are stripped."""
        source: Any = self.path
        if self.dialect.separator == " ":
            source = self._content()
        table = self._parsed(source, self.encoding, types=self._types_at_start())
        return _with_points(table, columns_with_commas(self, [table]))

    def _types_at_start(self) -> dict[str, Any]:
        """The types of the columns in the first part of a long file.

        While Arrow infers types, it keeps the text of all cells, which takes more memory than the table.
        """
        import pyarrow as pa

        if self.path.stat().st_size < 4 * PART_BYTES:
            return {}
        part = next(self.parts(), None)
        fields = [] if part is None else zip(self.header, part.table.schema.types, strict=True)
        return {name: kind for name, kind in fields if not pa.types.is_null(kind)}

    def parts(self, only: Collection[str] | None = None, commas: Collection[str] = ()) -> Iterator[TextPart]:
        """Yield the rows in parts of about `PART_BYTES`, which together are the table.

        What the cells of a column are, is found for each part by itself; one column may hold whole numbers in one part
        and text in another.

        Args:
          only: names of the columns to read; None reads all of them.
          commas: names of columns that are kept as text and hold numbers with decimal commas, as
            `columns_with_commas` finds them.
        """
        size, first = max(self.path.stat().st_size, 1), 2
        marks = b" \t" if self.dialect.separator == " " else self.dialect.separator.encode()
        with self.path.open("rb") as stored, gzip.GzipFile(fileobj=stored) if _packed(self.path) else stored as plain:
            read = plain.read if _is_utf8(self.encoding) else _encoder(plain, self.encoding)
            try:
                for number, content in enumerate(whole_rows(read, marks, PART_BYTES)):
                    if number == 0:
                        content = content.removeprefix(BYTE_ORDER_MARK)
                        content = content[first_row_end(content, marks) :]
                    if not content:
                        continue
                    table = self._parsed(content, "utf-8", first, only)
                    yield TextPart(_with_points(table, commas), first, min(stored.tell() / size, 1.0))
                    first += table.num_rows
            except UnicodeDecodeError as error:
                raise InputError(f"{self.path.name}: {undecodable(self._content(), self.encoding)}") from error

    def _content(self) -> bytes:
        return gzip.decompress(self.path.read_bytes()) if _packed(self.path) else self.path.read_bytes()

    def _parsed(
        self,
        source: Path | bytes,
        encoding: str,
        first: int | None = None,
        only: Collection[str] | None = None,
        types: dict[str, Any] | None = None,
    ) -> Any:
        """Parse a file, or rows of it without the header, of which the first has the number `first`.

        Arrow infers the types of the columns except of those in `types`, unless a cell does not have that type.
        """
        import pyarrow as pa
        import pyarrow.csv as arrow

        spaces = self.dialect.separator == " "
        quoted = b'"' in source if isinstance(source, bytes) else self.quoted
        if spaces and isinstance(source, bytes):
            source = re.sub(rb"[ \t]+", b"\t", re.sub(rb"(?m)^[ \t]+|[ \t]+$", b"", source))
        narrow: list[tuple[int | None, int, int]] = []

        def refuse(row: Any) -> str:
            narrow.append((row.number, row.actual_columns, row.expected_columns))
            return "skip"

        def read(threads: bool, types: dict[str, Any] | None = None) -> Any:
            narrow.clear()
            return arrow.read_csv(
                io.BytesIO(source) if isinstance(source, bytes) else source,
                read_options=arrow.ReadOptions(
                    use_threads=threads, encoding=encoding, column_names=None if first is None else list(self.header)
                ),
                parse_options=arrow.ParseOptions(
                    delimiter="\t" if spaces else self.dialect.separator,
                    newlines_in_values=quoted,
                    ignore_empty_lines=False,
                    invalid_row_handler=refuse,
                ),
                convert_options=arrow.ConvertOptions(
                    null_values=MISSING,
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=True,
                    decimal_point=self.dialect.decimal,
                    column_types=(types or {})
                    | {raw: pa.string() for raw in self.header if raw.strip() in self.as_text},
                    include_columns=None if only is None else [raw for raw in self.header if raw.strip() in only],
                ),
            )

        name = self.path.name
        try:
            try:
                table = read(threads=True, types=types)
            except pa.ArrowInvalid:
                if not types:
                    raise
                table = read(threads=True)
            if narrow:
                table = read(threads=False)  # one thread numbers the rows
        except UnicodeDecodeError as error:
            raise InputError(f"{name}: {undecodable(self._content(), self.encoding)}") from error
        except pa.ArrowInvalid as error:
            if "UTF8" in str(error) or "UTF-8" in str(error):
                raise InputError(f"{name}: {undecodable(self._content(), self.encoding)}") from None
            raise
        if narrow:
            number, found, expected = narrow[0]
            number = (number or 0) + (0 if first is None else first - 1)
            hint = ""
            if len(narrow) >= table.num_rows and found == expected + 1:
                hint = "; R's write.table leaves out the name of the row names: write with col.names=NA"
            raise InputError(f"{name}: row {number} has {found} cells, the header has {expected}{hint}")
        if any(pa.types.is_binary(kind) for kind in table.schema.types):
            raise InputError(f"{name}: {undecodable(self._content(), self.encoding)}")
        return table.rename_columns([raw.strip() for raw in table.column_names])


def columns_with_commas(file: TextFile, tables: Any) -> list[str]:
    """Return the columns that are kept as text and hold nothing but numbers, some of them with a decimal comma.

    Args:
      file: the file.
      tables: the parts of its table, with these columns at least.
    """
    import pyarrow.compute as pc

    if file.dialect.decimal != ",":
        return []
    whole, found = set(file.as_text), set()
    for table in tables:
        for name in [name for name in table.column_names if name in whole]:
            cells = table.column(name)
            comma = pc.match_substring_regex(cells, r"^\s*[+-]?\d*,\d+\s*$")
            number = pc.or_(comma, pc.match_substring_regex(cells, r"^\s*[+-]?\d+\s*$"))
            if pc.all(number).as_py() is False:
                whole.discard(name)
            elif pc.any(comma).as_py():
                found.add(name)
    return sorted(whole & found)


def _with_points(table: Any, names: Collection[str]) -> Any:
    """Write the numbers of these columns with a decimal point."""
    import pyarrow.compute as pc

    for name in names:
        if name in table.column_names:
            made = pc.replace_substring(table.column(name), ",", ".")
            table = table.set_column(table.column_names.index(name), name, made)
    return table


def check_header(name: str, header: list[str]) -> None:
    """Check the names of the columns.

    Raises:
      InputError: there are too many, two are missing, or one occurs twice.
    """
    if len(header) > MAX_COLUMNS:
        raise InputError(f"{name}: {len(header)} columns, accepted: at most {MAX_COLUMNS}")
    if header.count(UNNAMED) > 1:
        second = header.index(UNNAMED, header.index(UNNAMED) + 1) + 1
        raise InputError(f"{name}: columns {header.index(UNNAMED) + 1} and {second} have no name in the header")
    twice = sorted({cell for cell in header if header.count(cell) > 1}) if len(set(header)) < len(header) else []
    if twice:
        raise InputError(f"{name}: column name {twice[0]!r} occurs more than once")


def _header(name: str, sample: str, dialect: Dialect) -> list[str]:
    """The names in the first line, as they are written there."""
    try:
        first = sample.lstrip("\ufeff")
        if dialect.separator == " ":
            cells = (first.splitlines() or [""])[0].split()
        else:
            cells = next(csv.reader(io.StringIO(first, newline=""), delimiter=dialect.separator, strict=True), [])
    except csv.Error as error:
        raise InputError(f"{name}: row 1: {error}") from None
    if not any(cell.strip() for cell in cells):
        raise InputError(f"{name}: empty; accepted: a header row, then rows of cells")
    if len(cells) > 1 and all(_is_number(cell) for cell in cells if cell.strip()):
        raise InputError(f"{name}: no header: the first row is all numbers ({', '.join(cells[:4])}, ...)")
    check_header(name, [cell.strip() for cell in cells])
    return cells


def _encoder(file: Any, encoding: str) -> Callable[[int], bytes]:
    """Return a function that reads some characters of a file, as UTF-8."""
    decoded = io.TextIOWrapper(file, encoding, newline="")
    return lambda count: decoded.read(count).encode()


def _packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"


def _is_utf8(encoding: str) -> bool:
    return encoding.lower().replace("_", "-") in ("utf-8", "utf8")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
