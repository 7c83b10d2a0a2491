"""Compares what was measured with a record of before: whether ours became slower beside the other contenders.

Times of two calls cannot be compared, since the machine may be busier or another one. The time of ours over that of a
contender in the same round can: if ours became slower, it rose for every contender, and if one of these became faster,
for that one alone.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

ERRORS = 3.0
"""A change counts beyond so many standard errors of the two medians."""
UNKNOWN = 0.05
"""Standard error of fewer than three rounds."""


class Change(NamedTuple):
    """How ours changed beside one contender.

    Attributes:
      contender: its name.
      change: of the time of ours as a share of that of the contender; 0.1 is 10% slower.
      limit: the change that counts.
    """

    contender: str
    change: float
    limit: float


def changes(row: Mapping[str, Any], recorded: Mapping[str, Any], tolerance: float) -> list[Change]:
    """The changes beside each contender that both rows have, by the rounds of both.

    Args:
      row: what was measured, from `cases.table.row`.
      recorded: that of the same case in the record.
      tolerance: the least change that counts, a share: what calls differ by that the rounds of one do not show.
    """
    now, before = row.get("rounds", {}), recorded.get("rounds", {})
    found = []
    for name in now:
        if name != "ours" and now.get(name) and before.get(name):
            new, old = (_share(rounds["ours"], rounds[name]) for rounds in (now, before))
            if new is not None and old is not None:
                limit = math.log1p(tolerance) + ERRORS * math.hypot(new.error, old.error)
                found.append(Change(name, math.expm1(new.middle - old.middle), math.expm1(limit)))
    return found


def slower(found: Sequence[Change]) -> bool:
    """Whether ours became slower: beside every contender, by more than counts."""
    return bool(found) and all(one.change > one.limit for one in found)


def sentence(found: Sequence[Change]) -> str:
    """One line about a case, for the terminal."""
    if not found:
        return "    against the record: no contender with rounds in both"
    parts = ", ".join(
        f"{100 * one.change:+.1f}% beside {one.contender} (limit {100 * one.limit:.1f}%)" for one in found
    )
    return f"    against the record: {'SLOWER' if slower(found) else 'not slower'}: {parts}"


class _Middle(NamedTuple):
    middle: float
    error: float


def _share(ours: Sequence[float], other: Sequence[float]) -> _Middle | None:
    """The logarithm of the time of ours over that of another in the same round: median and its standard error."""
    if min(*ours, *other) <= 0:
        return None  # an overhead below 0 is noise
    logs = [math.log(a / b) for a, b in zip(ours, other, strict=False)]
    middle = statistics.median(logs)
    if len(logs) < 3:
        return _Middle(middle, UNKNOWN)
    deviation = 1.4826 * statistics.median([abs(value - middle) for value in logs])
    return _Middle(middle, 1.2533 * deviation / math.sqrt(len(logs)))
