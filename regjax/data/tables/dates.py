"""Makes numbers of dates: year, month, weekday (Monday is 0) and days since 1970."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np

from regjax.core.errors import InputError

PARTS = ("year", "month", "weekday", "days")
_YEAR_FIRST = re.compile(r"(\d{4})[-/.](\d{1,2})[-/.](\d{1,2})")
_YEAR_LAST = re.compile(r"(\d{1,2})[-/.](\d{1,2})[-/.](\d{4}|\d{2})(?!\d)")


class DateOrder(NamedTuple):
    """How a column of text writes its dates, as far as its cells tell.

    Attributes:
      year_first: whether the year comes first in all of them.
      first: the largest first number of those with the year last; one above 12 is a day.
      second: the largest second number.
    """

    year_first: bool = True
    first: int = 0
    second: int = 0

    @classmethod
    def of(cls, cells: Any) -> DateOrder:
        """Return the order in the cells of an Arrow column; cells that are no text tell nothing."""
        texts = [text for text in cells.to_pylist() if text is not None] if _is_text(cells) else []
        if all(map(_YEAR_FIRST.match, texts)):
            return cls()
        matches = [match for match in map(_YEAR_LAST.match, texts) if match]
        first, second = (max((int(match[place]) for match in matches), default=0) for place in (1, 2))
        return cls(False, first, second)

    def joined(self, other: DateOrder) -> DateOrder:
        """Return the order in the cells of both."""
        return DateOrder(
            self.year_first and other.year_first, max(self.first, other.first), max(self.second, other.second)
        )


def to_days(cells: Any, name: str, order: DateOrder | None = None) -> np.ndarray:
    """Return the days since 1970 of dates, `float64[N]`; missing ones are NaN.

    Args:
      cells: an Arrow column of dates, time stamps or text, such as 2024-05-31, 31.05.2024 or 05/31/2024.
      name: of the column, for messages.
      order: that of the whole column, if these are some of its cells.

    Raises:
      InputError: a cell is not a date, or the order of day and month is ambiguous.

    Example:
      >>> import pyarrow as pa
      >>> to_days(pa.array(["1970-01-02", None]), "day").tolist()
      [1.0, nan]
    """
    import pyarrow as pa

    if pa.types.is_date(cells.type) or pa.types.is_timestamp(cells.type):
        days = cells.cast(pa.timestamp("s"), safe=False).to_numpy()
        return _as_days(days)
    if pa.types.is_null(cells.type) and order is not None:
        return np.full(len(cells), np.nan)
    texts = cells.to_pylist()
    if not _is_text(cells):
        raise InputError(f"column {name!r} holds {cells.type}, not dates")
    order = order or DateOrder.of(cells)
    form = _YEAR_FIRST if order.year_first else _YEAR_LAST
    matches = [None if text is None else form.match(text) for text in texts]
    bad = next((text for match, text in zip(matches, texts, strict=True) if match is None and text is not None), None)
    if bad is not None:
        raise InputError(f"column {name!r}: {bad!r} is not a date, accepted: 2024-05-31, 31.05.2024 or 05/31/2024")
    if order.year_first:
        found = [None if match is None else (match[1], match[2], match[3]) for match in matches]
    else:
        if (order.first > 12) == (order.second > 12):
            raise InputError(
                f"column {name!r}: it is ambiguous whether {next((text for text in texts if text), '')!r} starts "
                "with the day or the month; write dates as 2024-05-31"
            )
        day, month = (1, 2) if order.first > 12 else (2, 1)
        found = [None if match is None else (_full_year(match[3]), match[month], match[day]) for match in matches]
    try:
        stamps = [np.datetime64("NaT") if f is None else np.datetime64("-".join(_padded(f))) for f in found]
    except ValueError as error:
        raise InputError(f"column {name!r}: {error}") from None
    return _as_days(np.array(stamps, "datetime64[s]"))


def date_parts(days: np.ndarray) -> np.ndarray:
    """Return the `PARTS` of days since 1970, `float64[N, 4]`; NaN stays NaN.

    Example:
      >>> date_parts(np.array([0.0])).tolist()
      [[1970.0, 1.0, 3.0, 0.0]]
    """
    known = np.where(np.isnan(days), 0, days).astype("datetime64[D]")
    year = known.astype("datetime64[Y]").astype(int) + 1970
    month = known.astype("datetime64[M]").astype(int) % 12 + 1
    weekday = (known.astype(int) + 3) % 7
    out = np.stack([year, month, weekday, days], axis=1).astype(np.float64)
    out[np.isnan(days)] = np.nan
    return out


def _as_days(stamps: np.ndarray) -> np.ndarray:
    days = stamps.astype("datetime64[D]")
    return np.where(np.isnat(days), np.nan, days.astype(np.int64).astype(np.float64))


def _is_text(cells: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_large_string(cells.type) or pa.types.is_string(cells.type))


def _full_year(text: str) -> str:
    return text if len(text) == 4 else str(int(text) + (1900 if int(text) >= 70 else 2000))


def _padded(parts: tuple[str, str, str]) -> tuple[str, str, str]:
    return parts[0], parts[1].zfill(2), parts[2].zfill(2)
