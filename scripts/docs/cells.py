"""Reads records, and writes tables of Markdown. Standard library alone."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any


class RecordError(Exception):
    """A page or a record cannot be read; the text is one line."""


def read(path: Path) -> Any:
    """The content of a record."""
    try:
        return json.loads(path.read_text())
    except OSError as error:
        raise RecordError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise RecordError(f"{path}: no JSON ({error})") from None


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """The lines of a table."""
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    lines.insert(1, "|" + "---|" * len(head))
    return [re.sub(r"\|  (?=\|)", "| ", line) for line in lines]


def wrapped(text: str) -> list[str]:
    """The lines of a paragraph."""
    return textwrap.wrap(text, 120, break_on_hyphens=False, break_long_words=False)


def p_value(p: float | None) -> str:
    """A p-value; empty if there is none."""
    return "" if p is None else f"{p:.3f}" if p >= 0.001 else "< 0.001"


def listed(names: Sequence[str]) -> str:
    """Names as a sentence has them: `a, b and c`; empty if there are none."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))
