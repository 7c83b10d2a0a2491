"""Which rows of a table belong together: without a column that says it, from their order or from what they share.

A random split would put a person's other years, or the hours before and after, among the training examples.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence

COLUMN = "group of rows"
"""The column that is added to the table."""

Row = Mapping[str, str]
Grouping = Callable[[Sequence[Row]], list[str]]


def blocks(size: int) -> Grouping:
    """Each so many rows in turn, such as the years of a person, or neighbours in time.

    Example:
      >>> blocks(2)([{}, {}, {}])
      ['0', '0', '1']
    """
    return lambda rows: [str(i // size) for i in range(len(rows))]


def same(*columns: str) -> Grouping:
    """All rows with the same cells in these columns.

    Example:
      >>> same("a")([{"a": "x"}, {"a": "y"}, {"a": "x"}])
      ['x', 'y', 'x']
    """
    return lambda rows: ["|".join(row[name] for name in columns) for row in rows]


def in_turn(*columns: str) -> Grouping:
    """Neighbouring rows with the same cells in these columns, such as what does not change about a person.

    Example:
      >>> in_turn("a")([{"a": "x"}, {"a": "x"}, {"a": "y"}, {"a": "x"}])
      ['0', '0', '1', '2']
    """

    def grouped(rows: Sequence[Row]) -> list[str]:
        keys = same(*columns)(rows)
        number, out = 0, []
        for i, key in enumerate(keys):
            number += i > 0 and key != keys[i - 1]
            out.append(str(number))
        return out

    return grouped


def ranges(column: str, width: float) -> Grouping:
    """Rows whose number in a column is in the same range of this width, such as the days of a week.

    Example:
      >>> ranges("day", 7)([{"day": "6"}, {"day": "7"}, {"day": "13"}])
      ['0', '1', '1']
    """
    return lambda rows: [str(int(float(row[column]) // width)) for row in rows]


def with_column(content: bytes, grouping: Grouping) -> bytes:
    """Return the table, a text file with commas, with the column `COLUMN`."""
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    out = io.StringIO()
    writer = csv.DictWriter(out, [*rows[0], COLUMN])
    writer.writeheader()
    for row, group in zip(rows, grouping(rows), strict=True):
        writer.writerow({**row, COLUMN: group})
    return out.getvalue().encode()
