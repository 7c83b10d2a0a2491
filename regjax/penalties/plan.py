"""Which leaf of the parameters gets which penalty, as a table."""

from __future__ import annotations

from typing import NamedTuple


class PlanRow(NamedTuple):
    """One leaf of a `Plan`: its name, shape, number of entries, and the terms that act on it."""

    leaf: str
    shape: tuple[int, ...]
    size: int
    terms: tuple[str, ...]


class Plan(NamedTuple):
    """Which leaf of the parameters gets which terms; `print(plan)` shows a table."""

    rows: tuple[PlanRow, ...]

    def __str__(self) -> str:
        """A table with one line a leaf and a line of totals."""
        head = ("leaf", "shape", "size", "penalty")
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
        lines.append(f"{len(touched)} of {len(self.rows)} leaves, {penalized:,} of {total:,} numbers penalized")
        return "\n".join(lines)
