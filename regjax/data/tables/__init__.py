"""Tables as people have them: how files are read, what each column is, and how columns become numbers."""

from __future__ import annotations

from regjax.data.tables.options import TableOptions
from regjax.data.tables.parts import Part, read_parts
from regjax.data.tables.reading import RawTable, read_frame, read_table
from regjax.data.tables.roles import Column, infer_columns
from regjax.data.tables.schema import Schema

__all__ = [
    "Column",
    "Part",
    "RawTable",
    "Schema",
    "TableOptions",
    "infer_columns",
    "read_frame",
    "read_parts",
    "read_table",
]
