"""Cuts text into whole rows; a line break inside a quoted cell ends no row."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Iterator

_LINE_END = re.compile(rb"\r\n|\n|\r")


def whole_rows(read: Callable[[int], bytes], separators: bytes, size: int) -> Iterator[bytes]:
    r"""Yield the content of a text file in parts that end where rows end.

    Args:
      read: returns the next bytes, about as many as its argument says; none at the end.
      separators: the characters that may stand between two cells.
      size: about the size of a part; longer where a single row is.

    Example:
      >>> import io
      >>> list(whole_rows(io.BytesIO(b'a,b\n1,"x\ny"\n2,z\n').read, b",", 7))
      [b'a,b\n', b'1,"x\ny"\n', b'2,z\n']
    """
    rest = b""
    while block := read(max(size, len(rest))):
        rest += block
        end = last_row_end(rest, separators)
        if end:
            yield rest[:end]
            rest = rest[end:]
    if rest:
        yield rest


def first_row_end(content: bytes, separators: bytes) -> int:
    r"""Return where the first row ends, after its line break.

    Example:
      >>> first_row_end(b'"a\nb",c\r\n1,2\r\n', b",")
      9
    """
    starts, ends = _quoted_cells(content, separators)
    for found in _LINE_END.finditer(content):
        if not _inside(found.start(), starts, ends):
            return found.end()
    return len(content)


def last_row_end(content: bytes, separators: bytes) -> int:
    r"""Return where the last complete row ends, after its line break; 0 if there is none.

    Args:
      content: text that starts with a row.
      separators: the characters that may stand between two cells.

    Example:
      >>> last_row_end(b'1,2\n3,"4\n', b",")
      4
    """
    newline = b"\n"
    end = len(content)
    if newline not in content:
        newline, end = b"\r", end - 1  # the last one may be the first half of \r\n
    starts, ends = _quoted_cells(content, separators)
    at = content.rfind(newline, 0, end)
    while at >= 0 and _inside(at, starts, ends):
        at = content.rfind(newline, 0, at)
    return at + 1


def _quoted_cells(content: bytes, separators: bytes) -> tuple[list[int], list[int]]:
    """Where quoted cells start and end; a quote inside an unquoted cell is a character like others."""
    if b'"' not in content:
        return [], []
    before = re.escape(separators + b"\r\n")
    # Starting with the quote itself lets the search skip to quotes; what stands before it is looked at afterwards.
    cell = re.compile(rb'"(?:(?<=[%s]")|(?<=\A"))[^"]*(?:""[^"]*)*(?:"|\Z)' % before)
    found = [match.span() for match in cell.finditer(content)]
    return [start for start, _ in found], [end for _, end in found]


def _inside(at: int, starts: list[int], ends: list[int]) -> bool:
    number = bisect.bisect_right(starts, at) - 1
    return number >= 0 and at < ends[number]
