"""A table of the leaves of the parameters and the penalties that act on them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from regjax.core.tree import Where, unnamed_offsets
from regjax.core.typing import PyTree


class PlanRow(NamedTuple):
    """A row of a `Plan`: name, shape and size of a leaf, the terms that act on it, and what to check."""

    leaf: str
    shape: tuple[int, ...]
    size: int
    terms: tuple[str, ...]
    doubts: tuple[str, ...] = ()


class Plan(NamedTuple):
    """Which terms act on which leaf of the parameters; `print(plan)` shows a table."""

    rows: tuple[PlanRow, ...]
    kind: str = "penalty"
    verb: str = "penalized"

    def __str__(self) -> str:
        """A table with a line for each leaf and a line of totals."""
        head = ("leaf", "shape", "size", self.kind)
        body = [
            (row.leaf, "x".join(map(str, row.shape)) or "scalar", f"{row.size:,}", " + ".join(row.terms) or "-")
            for row in self.rows
        ]
        widths = [max(len(line[i]) for line in [head, *body]) for i in range(4)]
        lines = [
            "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in [head, *body]
        ]
        touched = [row for row in self.rows if row.terms]
        total = sum(row.size for row in self.rows)
        penalized = sum(row.size for row in touched)
        for row in self.rows:
            lines += [f"check {row.leaf} ({doubt})" for doubt in row.doubts]
        lines.append(f"{len(touched)} of {len(self.rows)} leaves, {penalized:,} of {total:,} numbers {self.verb}")
        return "\n".join(lines)


class HasDoubt(Protocol):
    """What `doubts` reads of a term."""

    @property
    def where(self) -> Where:
        """Which leaves it acts on."""

    def doubt(self, shape: tuple[int, ...], name: str) -> str:
        """Why the units of an array may be wrong; empty if they are certain."""


def doubts(terms: Sequence[HasDoubt], params: PyTree, name: str, shape: tuple[int, ...]) -> tuple[str, ...]:
    """What a reader should check about the terms that act on one leaf."""
    texts = [text for text in dict.fromkeys(term.doubt(shape, name) for term in terms) if text]
    if any(term.where is None for term in terms) and name in unnamed_offsets(params):
        texts.append("without a name: is it a bias?")
    return tuple(texts)
