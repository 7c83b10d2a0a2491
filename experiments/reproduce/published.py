"""Published numbers, the range in which a repetition is expected, and the record of what was measured.

An expected range is written down before the repetition is run. It is the published number plus and minus what rounding,
the spread of runs and the stated differences of the protocol account for; a row outside of it is a failure, and is
reported as one. A range is never widened after a measurement.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from regjax.analysis import mean_interval
from regjax.cli.app import reproduce

DIGITS = 10
"""Significant digits that a record keeps."""


class Published(NamedTuple):
    """A number that somebody published.

    Attributes:
      row: what it is of; unique within a publication.
      value: the number as printed.
      low: the lowest measured value that counts as a repetition.
      high: the highest one.
      where: the table, figure, section or page of the publication.
    """

    row: str
    value: float
    low: float
    high: float
    where: str


class Publication(NamedTuple):
    """What is repeated.

    Attributes:
      title: authors, year and title.
      address: a DOI or an address.
      unit: of all numbers, such as `test error, %`.
      theirs: the protocol of the publication.
      ours: what is done here, and how it differs.
      numbers: the published numbers.
    """

    title: str
    address: str
    unit: str
    theirs: str
    ours: str
    numbers: tuple[Published, ...]


def printed(row: str, value: float, decimals: int, where: str) -> Published:
    """A number that is expected to its last printed digit: within half a unit of that digit."""
    half = 0.5 * 10.0**-decimals
    return Published(row, value, value - half, value + half, where)


def around(row: str, value: float, within: float, where: str) -> Published:
    """A number that is expected within a distance on both sides."""
    return Published(row, value, value - within, value + within, where)


def compared(number: Published, measured: float | Sequence[float]) -> dict[str, Any]:
    """A row of the record: what was published, expected and measured.

    Args:
      number: what was published.
      measured: one number, or one for each run; their mean is what the range is for.

    Returns:
      `row`, `published`, `where`, `expected` (the range), `measured`, `repeated` (whether it is in the range, bounds
      included), and for at least two runs `runs` and `ci95`, Student's interval of the mean.
    """
    runs = [float(value) for value in ([measured] if isinstance(measured, int | float) else measured)]
    if not runs:
        raise ValueError(f"{number.row}: nothing was measured")
    mean = statistics.fmean(runs)
    slack = 1e-9 * max(abs(number.low), abs(number.high))  # the bounds are sums of decimal fractions
    row: dict[str, Any] = {
        "row": number.row,
        "published": number.value,
        "where": number.where,
        "expected": [rounded(number.low), rounded(number.high)],
        "measured": rounded(mean),
        "repeated": number.low - slack <= mean <= number.high + slack,
    }
    if len(runs) > 1:
        _, low, high = mean_interval(runs)
        row |= {"runs": [rounded(value) for value in runs], "ci95": [rounded(low), rounded(high)]}
    return row


def record(
    name: str,
    publication: Publication,
    measured: Mapping[str, float | Sequence[float]],
    started: float,
    **more: Any,
) -> dict[str, Any]:
    """The record of a repetition.

    Args:
      name: of the module, for the command.
      publication: what was published.
      measured: for each published row what was measured; all rows of the publication, and no others.
      started: `time.time()` at the start.
      **more: further results, such as curves, which are put under their names.

    Raises:
      ValueError: a row is missing or unknown.
    """
    rows = {number.row: number for number in publication.numbers}
    if len(rows) < len(publication.numbers) or rows.keys() != measured.keys():
        raise ValueError(f"{name}: rows differ: {sorted(rows.keys() ^ measured.keys())}")
    return {
        "publication": {key: value for key, value in publication._asdict().items() if key != "numbers"},
        "rows": [compared(number, measured[row]) for row, number in rows.items()],
        **more,
        "reproduce": reproduce(f"reproduce.{name}", started),
    }


def rounded(value: float) -> float | None:
    """A number as records keep it; None if it is not finite."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
