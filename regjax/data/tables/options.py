"""What a user says about a table, beside its target."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence

from regjax.catalog import IMPUTE
from regjax.core.checks import check_choice
from regjax.core.errors import InputError


@dataclasses.dataclass(frozen=True)
class TableOptions:
    """How a table is read, and which columns are what, in place of what their cells suggest.

    Attributes:
      ignore: names of columns to leave out.
      categorical: names of columns whose cells are levels, such as numbers that are codes.
      numeric: names of columns whose cells are numbers; other cells count as missing.
      dates: names of columns with dates to use, as year, month, weekday and days since 1970.
      group: name of a column whose equal cells stay in one part of a split, such as the patient; it is not an input.
      time: name of a column with dates or numbers: later rows are the test; it is not an input.
      weight: name of a column with the weight >= 0 of each row in the loss; it is not an input.
      id_column: name of the column that identifies an example; it is not an input, and predictions carry it along.
      impute: one of `regjax.catalog.IMPUTE`.
      encoding: of a text file.
      separator: of the cells of a text file; None finds it.

    Raises:
      InputError: a column is named twice, or an option has another value than those above.

    Example:
      >>> TableOptions(ignore=("name",), categorical=("zip",)).named()
      {'name': 'ignore', 'zip': 'categorical'}
    """

    ignore: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    numeric: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    weight: str | None = None
    id_column: str | None = None
    impute: str = "median"
    encoding: str = "utf-8"
    separator: str | None = None

    def __post_init__(self) -> None:
        check_choice("impute", self.impute, IMPUTE)
        if self.separator is not None and len(self.separator) != 1:
            raise InputError(f"separator {self.separator!r}: accepted: one character, such as ';' or a tab")
        self.named()

    def named(self) -> dict[str, str]:
        """Return the option that names each column."""
        found: dict[str, str] = {}
        lists = {name: getattr(self, name) for name in ("ignore", "categorical", "numeric", "dates")}
        singles = {name: getattr(self, name) for name in ("group", "time", "weight", "id_column")}
        lists |= {name: () if column is None else (column,) for name, column in singles.items()}
        for option, columns in lists.items():
            for column in columns:
                if found.setdefault(column, option) != option:
                    raise InputError(f"column {column!r} is in {found[column]} and in {option}; accepted: one of them")
        return found


def check_known(source: str, what: str, wanted: Sequence[str], columns: Sequence[str]) -> None:
    """Check that a table has the columns that are named.

    Args:
      source: name of the table, for the message.
      what: what the columns are for, for the message.
      wanted: the names.
      columns: those of the table.

    Raises:
      InputError: names all that are missing, and the nearest name of the first.
    """
    missing = [name for name in wanted if name not in columns]
    if not missing:
        return
    near = difflib.get_close_matches(missing[0], columns, 1, 0.5)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    shown = ", ".join(name or "(no name)" for name in columns[:12]) + (", ..." if len(columns) > 12 else "")
    say = "; say which is the target (--target=COLUMN, target= in Python)" if what == "target column" else ""
    raise InputError(f"{source}: no {what} {', '.join(map(repr, missing))}{hint}; it has {shown}{say}")
