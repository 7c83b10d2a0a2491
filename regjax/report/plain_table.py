"""Tables of the page whose cells are texts, without verdicts or marks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def cell(label: str, text: str, small: str = "") -> dict[str, Any]:
    """A cell: its text, a smaller one below it, and the name of its column for a narrow page."""
    return {"text": text or (small and " "), "small": small, "flag": False, "label": label}


def labelled(name: str, unit: str) -> str:
    """The name of a column with its unit.

    Example:
      >>> labelled("recall", "%"), labelled("inputs", "")
      ('recall, %', 'inputs')
    """
    return f"{name}, {unit}" if unit else name


def line(title: str, cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A row of the table."""
    return {"title": title, "text": "", "verdict": "", "mark": "", "cells": cells}


def plain_table(label: str, columns: Sequence[tuple[str, str]], rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The table for the template; a column is its name and its unit, and the first one, of titles, has neither."""
    heads = [{"name": name, "unit": unit} for name, unit in (("", ""), *columns)]
    return {"label": label, "columns": heads, "rows": rows}
