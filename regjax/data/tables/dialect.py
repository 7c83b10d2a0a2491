"""Finds out how a text file writes its table: separator, decimal comma, encoding."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from pathlib import Path
from typing import NamedTuple

from regjax.core.errors import InputError

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars", " ": "spaces"}
MISSING = ("", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "NAN", "null", "NULL", "None", "?")
"""Cells that are missing, in text columns and in numbers."""

SAMPLE_BYTES = 2**18
_SAMPLE_ROWS = 200
_SAME_WIDTH = 0.9  # share of the rows whose number of cells must be that of the header
_COMMA_NUMBER = re.compile(r"[+-]?\d*,\d+")
_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+")
_WHOLE = re.compile(r"[+-]?\d+")
_POINT_NUMBER = re.compile(r"[+-]?\d*\.\d+")
_NEWLINE = re.compile(b"\r\n|\r|\n")


class Dialect(NamedTuple):
    """How the cells of a text file are written.

    Attributes:
      separator: what stands between two cells; a space stands for any number of them.
      decimal: the decimal mark, a point or a comma.
    """

    separator: str = ","
    decimal: str = "."

    def notes(self) -> list[str]:
        """What is not as in a plain file, in words."""
        found = [f"cells are separated by {SEPARATORS.get(self.separator, repr(self.separator))}"]
        found = [] if self.separator == "," else found
        return found + (["decimal commas are read"] if self.decimal == "," else [])


def sniff(sample: str, separator: str | None = None) -> Dialect:
    r"""Find the dialect of a table from its first lines.

    Args:
      sample: text that starts with the header.
      separator: the separator, if it is known.

    Example:
      >>> sniff("age;fare\n76;18,75\n56;22,74\n")
      Dialect(separator=';', decimal=',')
      >>> sniff("age,fare\n76,18.75\n")
      Dialect(separator=',', decimal='.')
    """
    if separator is None:
        widths = {mark: _common_width(_rows(sample, mark)) for mark in SEPARATORS}
        # More cells decide between separators that fit equally well; a space fits texts with words, so it comes last.
        best = max((mark for mark in SEPARATORS if mark != " "), key=lambda mark: widths[mark])
        separator = best if widths[best] else " " if widths[" "] else ","
    return Dialect(separator, "," if separator != "," and _decimal_commas(_rows(sample, separator)) else ".")


def _rows(sample: str, separator: str) -> list[list[str]]:
    lines = io.StringIO(sample, newline="")
    if separator == " ":
        rows = [line.split() for line in lines]
    else:
        rows = []
        try:
            for row in csv.reader(lines, delimiter=separator):
                rows.append([cell.strip() for cell in row])
                if len(rows) > _SAMPLE_ROWS:
                    break
        except csv.Error:
            return []
    return [row for row in rows[:_SAMPLE_ROWS] if any(row)]


def _common_width(rows: list[list[str]]) -> int:
    """The number of cells of the header if nearly all rows have as many; 0 if the separator does not fit."""
    if not rows or len(rows[0]) < 2:
        return 0
    same = sum(len(row) == len(rows[0]) for row in rows)
    return len(rows[0]) if same >= _SAME_WIDTH * len(rows) else 0


def _decimal_commas(rows: list[list[str]]) -> bool:
    """Whether a column holds numbers with a decimal comma, and none has one with a point."""
    columns = list(zip(*(row for row in rows[1:] if len(row) == len(rows[0])), strict=True))
    cells = [[cell for cell in column if cell not in MISSING] for column in columns]
    if any(_POINT_NUMBER.fullmatch(cell) for column in cells for cell in column):
        return False
    for column in cells:
        with_comma = [cell for cell in column if _COMMA_NUMBER.fullmatch(cell)]
        rest = [cell for cell in column if cell not in with_comma]
        if with_comma and all(map(_WHOLE.fullmatch, rest)) and not all(map(_THOUSANDS.fullmatch, with_comma)):
            return True
    return False


def check_text(path: Path, encoding: str) -> None:
    """Check that a file is text in its encoding.

    Raises:
      InputError: the position of the first byte that is not, and how to mend it.
    """
    with path.open("rb") as file:
        start, before = file.read(SAMPLE_BYTES), 0
        if b"\0" in start[:4] or start[:4] in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE):
            wide = start[:4] in (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE) or start[:4].count(0) == 3
            if encoding in ("utf-8", "utf8"):
                name = "utf-32" if wide else "utf-16"
                raise InputError(f"{path.name}: {name.upper()} text, read as UTF-8; say --encoding={name}")
        elif start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) and encoding in ("utf-8", "utf8"):
            raise InputError(f"{path.name}: UTF-16 text, read as UTF-8; say --encoding=utf-16")
        if not encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32")):
            while start:
                if (at := start.find(b"\0")) >= 0:
                    file.seek(0)
                    line = 1 + len(_NEWLINE.findall(file.read(before + at)))
                    raise InputError(f"{path.name}: line {line} has a NUL character, accepted: text")
                before += len(start)
                start = file.read(SAMPLE_BYTES)


def check_quotes(path: Path, dialect: Dialect, encoding: str) -> bool:
    """Check that every quoted cell ends; Arrow would take the rest of the file for the cell.

    Returns:
      Whether the file has quotes.

    Raises:
      InputError: names the row where the last one starts.
    """
    quotes, opened = 0, gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rb") as file:
        while part := file.read(SAMPLE_BYTES):
            quotes += part.count(b'"')
    if quotes % 2 == 0 or dialect.separator == " ":
        return quotes > 0
    with opened(path, "rt", newline="", encoding=encoding, errors="replace") as text:
        reader, row = csv.reader(text, delimiter=dialect.separator, strict=True), 0
        try:
            for row, _ in enumerate(reader, 1):  # noqa: B007
                pass
        except csv.Error as error:
            raise InputError(f"{path.name}: row {row + 1}: {error}; a quote is not closed") from None
    return True


def check_decodes(path: Path, encoding: str) -> None:
    """Check that the whole of a text file, which may be packed, is text in its encoding.

    Raises:
      InputError: it is not.
    """
    if path.suffix.lower() != ".gz":
        check_text(path, encoding)
    decoder = codecs.getincrementaldecoder(encoding)()
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        try:
            while part := file.read(SAMPLE_BYTES):
                decoder.decode(part)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            raise InputError(f"{path.name}: it is not {encoding.upper()}") from None


def undecodable(content: bytes, encoding: str) -> str:
    """Describe the position and line of the first byte that is not text, and how to mend it."""
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        line = len(_NEWLINE.findall(content[: error.start])) + 1
        return (
            f"byte {error.start} (0x{content[error.start]:02x}) in line {line} is not {encoding.upper()}; say "
            "--encoding=latin1 or what it is (encoding= in Python), or save the file as UTF-8"
        )
    return f"not {encoding.upper()} when it was read; it has changed since"
