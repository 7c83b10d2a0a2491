"""The role of each column of a table, inferred from its cells or given by the user."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from regjax.core.errors import InputError
from regjax.data.float32 import WHOLE
from regjax.data.tables.options import TableOptions, check_known
from regjax.data.tables.reading import RawTable
from regjax.data.tables.text import UNNAMED

_REASONS = {
    "group": "equal cells stay in one part",
    "time": "later rows are the test",
    "weight": "how much a row counts in the loss",
}
ROLES = ("number", "boolean", "category", "date", "id", "text", "constant", "ignored", "group", "time", "weight")
USED = ("number", "boolean", "category")

MAX_LEVELS = 100
"""A text column with more levels is not categorical, unless the user says so."""

FREE_TEXT_WORDS = 5.0
"""Mean number of words of a cell from which a column of distinct texts is free text."""

_ID_NAME = re.compile(r"(?:^|.*[_\s.\-])(?i:id|uuid|guid|key|index)$|.*[a-z](?:Id|ID|Key|Index)$")
_COUNTER_NAME = re.compile(r"X|(?i:unnamed: 0|index|row(?:_?names?)?|obs|nr|no)")
_BOOLEANS = ({"true", "false"}, {"yes", "no"}, {"t", "f"}, {"y", "n"})
TRUE, FALSE = ("true", "yes", "t", "y"), ("false", "no", "f", "n")
_DATE = r"\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d{2})"
_DATE_TEXT = rf"^(?:{_DATE})(?:[ T]\d{{1,2}}:\d{{2}}(?::\d{{2}}(?:\.\d+)?)?(?:Z|[+-]\d{{2}}:?\d{{2}})?)?$"
_THOUSANDS = r"^[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?$|^[+-]?\d{1,3}$"
_CODE = r"^[+-]?0\d+$"  # such as a postal code
_NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a table and what it is taken for.

    Attributes:
      name: its name.
      role: one of `ROLES`; those of `USED` become inputs, and a date if `parts`.
      reason: why, in words.
      missing: number of missing cells.
      levels: of a category, in order.
      thousands: whether its numbers are written with a comma between thousands.
      lenient: whether cells that are not numbers count as missing.
      parts: whether a date is used.
    """

    name: str
    role: str
    reason: str
    missing: int = 0
    levels: tuple[str, ...] = ()
    thousands: bool = False
    lenient: bool = False
    parts: bool = False

    @property
    def used(self) -> bool:
        """Whether the column becomes inputs."""
        return self.role in USED or self.parts


def infer_columns(raw: RawTable, options: TableOptions, targets: Sequence[str] = ()) -> list[Column]:
    """Return the role of each column except the targets.

    Args:
      raw: the table.
      options: what the user says about its columns.
      targets: names of the target columns, which are not inputs.

    Raises:
      InputError: a column that is named is not there, or columns hold what cannot be used; all of them are named.

    Example:
      >>> from regjax.data.tables import read_frame
      >>> raw = read_frame({"age": [30, 40, 50], "city": ["Oslo", "Rome", "Oslo"], "one": [1, 1, 1]})
      >>> [(column.name, column.role) for column in infer_columns(raw, TableOptions())]
      [('age', 'number'), ('city', 'category'), ('one', 'constant')]
    """
    named = options.named()
    check_known(raw.name, "column", list(named), raw.table.column_names)
    for target in targets:
        if target in named:
            raise InputError(f"{raw.name}: {target!r} is the target; it cannot be in {named[target]} too")
    found, refused = [], []
    for name in raw.table.column_names:
        if name in targets:
            continue
        try:
            found.append(_column(raw, name, named.get(name)))
        except InputError as error:
            refused.append(str(error))
    if refused:
        more = f" (and {len(refused) - 8} more)" if len(refused) > 8 else ""
        raise InputError(f"{raw.name}: {'; '.join(refused[:8])}{more}")
    return found


def _column(raw: RawTable, name: str, said: str | None) -> Column:
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = raw.table.column(name)
    missing, kind = cells.null_count, cells.type
    if said == "ignore":
        return Column(name, "ignored", "you said so", missing)
    if said == "id_column":
        return Column(name, "id", "you said so", missing)
    if said in _REASONS:
        if missing:
            raise InputError(f"column {name!r} is the {said} of each row, but {missing} of its cells are missing")
        return Column(name, said, _REASONS[said])
    if said is None and name == UNNAMED:
        return Column(name, "id", "without a name, as numbers or names of the rows are", missing)
    if said == "categorical":
        return Column(name, "category", "you said so", missing, _levels(cells, name))
    if said == "dates":
        return _date(raw, name, "you said so", parts=True)
    if said == "numeric":
        return _said_number(cells, name)
    distinct = _distinct(cells)
    if distinct == 1 and pa.types.is_floating(kind) and abs(pc.max(cells).as_py()) >= WHOLE:
        raise InputError(
            f"column {name!r}: all cells are {pc.max(cells).as_py():.0f} to within what float64 holds; subtract an "
            f"offset, or leave it out with ignore={name}"
        )
    if distinct <= 1 and not (distinct and missing):
        return Column(name, "constant", "all cells are the same" if distinct else "all cells are missing", missing)
    if pa.types.is_boolean(kind):
        return Column(name, "boolean", "", missing)
    if pa.types.is_temporal(kind):
        return Column(name, "date", f"use it with dates={name}" if not pa.types.is_time(kind) else "a time", missing)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return _number_or_id(cells, name)
    if distinct <= 1:
        return Column(name, "category", f"one level, and {missing} cells are missing", missing, _levels(cells, name))
    lower = {text.lower() for text in pc.unique(cells).to_pylist() if text is not None} if distinct <= 4 else set()
    if lower in _BOOLEANS:
        return Column(name, "boolean", " or ".join(sorted(lower, reverse=True)), missing)
    return _text(raw, name, distinct)


def _distinct(cells: Any) -> int:
    """The number of distinct cells; of numbers only whether there are none, one or two, which is faster."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type)):
        return int(pc.count_distinct(cells).as_py())
    ends = pc.min_max(cells).as_py()
    return 0 if ends["min"] is None else 1 + (ends["min"] != ends["max"])


def _number_or_id(cells: Any, name: str) -> Column:
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = len(cells)
    if pa.types.is_integer(cells.type) and rows > 2 and not cells.null_count:
        if _ID_NAME.match(name) and pc.count_distinct(cells).as_py() == rows:
            return Column(name, "id", "another whole number in each row, and its name", 0)
        if _ID_NAME.match(name) and pc.count_distinct(cells).as_py() > max(20, rows / 20):
            return Column(name, "id", f"its name; cells repeat, group={name} keeps the rows of each in one part", 0)
        if _COUNTER_NAME.fullmatch(name) and bool((np.diff(cells.to_numpy()) > 0).all()):
            return Column(name, "id", "counts the rows", 0)
    return Column(name, "number", "", cells.null_count)


def _said_number(cells: Any, name: str) -> Column:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_temporal(cells.type):
        raise InputError(f"column {name!r} holds dates, not numbers")
    if not pa.types.is_large_string(cells.type):
        return Column(name, "number", "you said so", cells.null_count, lenient=True)
    is_number = pc.match_substring_regex(cells, _NUMBER)
    good = pc.sum(is_number).as_py() or 0
    if not good:
        raise InputError(f"column {name!r}: no cell is a number, as {pc.drop_null(cells)[0].as_py()!r}")
    bad = len(cells) - cells.null_count - good
    return Column(name, "number", f"you said so; {bad} other cells count as missing", len(cells) - good, lenient=True)


def _text(raw: RawTable, name: str, distinct: int) -> Column:
    import pyarrow.compute as pc

    cells = raw.table.column(name)
    missing, present = cells.null_count, len(cells) - cells.null_count

    def share(pattern: str) -> float:
        return float(pc.sum(pc.match_substring_regex(cells, pattern)).as_py() or 0) / present

    if share(_DATE_TEXT) == 1.0:
        return _date(raw, name, f"use it with dates={name}", parts=False)
    if share(_THOUSANDS) == 1.0 and share(","):
        return Column(name, "number", "with a comma between thousands", missing, thousands=True)
    numbers = share(_NUMBER)
    if numbers == 1.0 and not share(_CODE):
        return Column(name, "number", "", missing)
    if 0.5 <= numbers < 1.0:
        bad = int(np.argmin(pc.fill_null(pc.match_substring_regex(cells, _NUMBER), True).to_numpy()))
        raise InputError(
            f"row {raw.rows[bad]}, column {name!r}: {cells[bad].as_py()!r} is not a number, as {numbers:.0%} of the "
            f"cells are; say numeric={name} (then such cells are missing), categorical={name} or ignore={name}"
        )
    words = float(pc.mean(pc.add(pc.count_substring_regex(cells, r"\s+"), 1)).as_py())
    if distinct > 0.5 * present and present > 4 and words >= FREE_TEXT_WORDS:
        raise InputError(
            f"column {name!r} is free text ({distinct} distinct texts, {words:.0f} words on average), which no model "
            f"here reads; leave it out with ignore={name}, or bring numbers made of it, such as embeddings"
        )
    if (_ID_NAME.match(name) and distinct == present and present > 2) or (distinct == present and present > MAX_LEVELS):
        return Column(name, "id", "another text in each row", missing)
    if _ID_NAME.match(name) and distinct > max(20, present / 20):
        return Column(name, "id", f"its name; cells repeat, group={name} keeps the rows of each in one part", missing)
    if distinct > MAX_LEVELS or (distinct > 0.5 * present and distinct > 20):
        return Column(
            name, "text", f"{distinct} distinct texts in {present} rows; use it with categorical={name}", missing
        )
    return Column(name, "category", f"{distinct} levels", missing, _levels(cells, name))


def _levels(cells: Any, name: str) -> tuple[str, ...]:
    """The distinct cells as text, numbers in their order."""
    import pyarrow.compute as pc

    distinct = [cell for cell in pc.unique(cells).to_pylist() if cell is not None]
    if len(distinct) > 20 * MAX_LEVELS:
        raise InputError(f"column {name!r} has {len(distinct)} levels, accepted: at most {20 * MAX_LEVELS}")
    return tuple(str(level) for level in sorted(distinct, key=_sort_key))


def _sort_key(level: Any) -> tuple[bool, float, str]:
    text = str(level)
    return (False, float(text), text) if re.fullmatch(_NUMBER, text) else (True, 0.0, text)


def _date(raw: RawTable, name: str, reason: str, *, parts: bool) -> Column:
    cells = raw.table.column(name)
    if parts:
        from regjax.data.tables.dates import to_days

        to_days(cells, name)  # refuses cells that are not dates, before anything is trained
    return Column(name, "date", reason, cells.null_count, parts=parts)
