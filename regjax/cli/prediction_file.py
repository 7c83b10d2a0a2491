"""The file that `predict` writes, piece by piece; it appears when it is complete."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from regjax.cli.csv_text import csv_lines

ENDINGS = (".csv", ".parquet")


class PredictionFile:
    """A `.csv` or a `.parquet` to which rows are appended.

    As a context manager, it gives the file its name at the end, and leaves none after an error.

    Args:
      path: of the file; its ending is one of `ENDINGS`.
    """

    def __init__(self, path: Path):
        self.path, self.rows = path, 0
        self._partial = path.with_name(path.name + ".partial")
        self._text: IO[bytes] | None = None
        self._parquet: Any = None

    def __enter__(self) -> PredictionFile:
        """Begin the file."""
        if self.path.suffix.lower() != ".parquet":
            self._text = self._partial.open("wb")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Complete the file, or remove what there is of it."""
        try:
            if self._text is not None:
                self._text.close()
            if self._parquet is not None:
                self._parquet.close()
            if kind is None:
                self._partial.rename(self.path)
        finally:
            self._partial.unlink(missing_ok=True)

    def write(self, columns: Mapping[str, Sequence[Any]]) -> None:
        """Append rows.

        Args:
          columns: the cells of each column, text or numbers; the same columns each time.
        """
        first, self.rows = self.rows == 0, self.rows + len(next(iter(columns.values())))
        if self._text is not None:
            if first:
                self._text.write(csv_lines({name: [name] for name in columns}))
            self._text.write(csv_lines(columns))
            return
        import pyarrow as pa
        import pyarrow.parquet

        if self._parquet is None:
            table = pa.table(dict(columns))
            self._parquet = pyarrow.parquet.ParquetWriter(self._partial, table.schema)
        else:
            table = pa.table(dict(columns), schema=self._parquet.schema)
        self._parquet.write_table(table)
