"""Reads the examples of a table for prediction, as the table of the training was read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from regjax.core.errors import InputError
from regjax.data.inputs import Note, Piece
from regjax.data.preprocess import Preprocessor
from regjax.data.tables import Column, RawTable, Schema, TableOptions, read_parts
from regjax.data.tables.dialect import check_decodes
from regjax.data.tables.schema import Unexpected
from regjax.data.tables.text import TEXT_ENDINGS


@dataclasses.dataclass
class _Said:
    """What is to be noted about a table, of all its parts together."""

    notes: tuple[str, ...] = ()
    extra: tuple[str, ...] = ()
    ids: bool = False
    unexpected: dict[str, Unexpected] = dataclasses.field(default_factory=dict)

    def add(self, found: tuple[Unexpected, ...]) -> None:
        for new in found:
            before = self.unexpected.get(new.column)
            self.unexpected[new.column] = new if before is None else before.joined(new)

    def lines(self, order: list[str]) -> Iterator[str]:
        yield from self.notes
        yield from (self.unexpected[column].line() for column in order if column in self.unexpected)
        if self.extra:
            yield f"columns that are not read: {', '.join(self.extra[:12])}"
        if not self.ids:
            yield "the ids are the numbers of the rows; the header is row 1"


def table_pieces(path: Path, preprocessor: Preprocessor, note: Note | None = None) -> Iterator[Piece]:
    """Read the columns of the training table; the ids are the cells of its id column, or the numbers of the rows.

    Args:
      path: the table.
      preprocessor: that of the trained model.
      note: called at the end with what was unexpected in all rows.

    Raises:
      InputError: a column is missing, or a cell is not what its column was in training.
    """
    schema = preprocessor.schema
    if schema is None:
        if preprocessor.columns is None:
            raise InputError(f"input {path.name}: the model was trained without column names; accepted: .npz, folders")
        schema = Schema(tuple(Column(name, "number", "") for name in preprocessor.columns))
    as_text = tuple(column.name for column in schema.used if column.role == "category")
    dates = tuple(column.name for column in schema.used if column.role == "date")
    as_text = as_text if schema.id_column is None else (*as_text, schema.id_column)
    said, known = _Said(), {column.name for column in schema.columns} | set(schema.targets)
    for raw, share in read_parts(path, TableOptions(encoding=_encoding(path, schema)), as_text, dates):
        x, unexpected = schema.encode_part(raw, preprocessor.spread)
        if preprocessor.fill is None and (holes := np.argwhere(np.isnan(x))).size:
            row, j = holes[0]
            raise InputError(
                f"{raw.place(row, schema.inputs[j])}: the cell is empty; training had none to learn a median of"
            )
        said.add(unexpected)
        said.notes, said.extra = raw.notes, tuple(name for name in raw.table.column_names if name not in known)
        said.ids = schema.id_column in raw.table.column_names
        yield Piece(x, _ids(raw, schema.id_column), share)
    if note is not None:
        for line in said.lines([column.name for column in schema.used]):
            note(line)


def _encoding(path: Path, schema: Schema) -> str:
    """UTF-8, or the encoding of the training table if the file is not UTF-8."""
    if schema.encoding != "utf-8" and path.name.lower().endswith(TEXT_ENDINGS):
        try:
            check_decodes(path, "utf-8")
        except InputError:
            return schema.encoding
    return "utf-8"


def _ids(raw: RawTable, column: str | None) -> list[str]:
    if column is None or column not in raw.table.column_names:
        return [str(row) for row in raw.rows.tolist()]
    cells = raw.table[column].to_pylist()
    return [str(row) if cell is None else str(cell) for cell, row in zip(cells, raw.rows.tolist(), strict=True)]
