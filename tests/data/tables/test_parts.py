import datetime
import gzip

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest

from regjax.core.errors import InputError
from regjax.data.tables import Column, Schema, TableOptions, parts, read_parts, read_table, text

ROWS = 300
RNG = np.random.default_rng(0)
COLUMNS = {
    "n": RNG.integers(0, 100, ROWS).tolist(),
    "x": [None if i % 7 == 0 else round(value, 3) for i, value in enumerate(RNG.normal(size=ROWS))],
    "city": [None if i % 11 == 0 else ["Köln", 'say "hi"', "two\nlines", "a;b,c"][i % 4] for i in range(ROWS)],
    "yes": [bool(i % 3) for i in range(ROWS)],
    "day": [(datetime.date(2024, 1, 1) + datetime.timedelta(i % 200)).strftime("%d.%m.%Y") for i in range(ROWS)],
}
SCHEMA = Schema(
    (
        Column("n", "number", ""),
        Column("x", "number", "", 1),
        Column("city", "category", "", 1, ("Köln", 'say "hi"', "two\nlines")),
        Column("yes", "boolean", ""),
        Column("day", "date", ""),
    )
)
AS_TEXT, DATES = ("city",), ("day",)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch):
    """Parts of about 20 rows."""
    monkeypatch.setattr(text, "PART_BYTES", 600)
    monkeypatch.setattr(parts, "PART_ROWS", 20)


def written(mark=",", decimal=".", ending="\n"):
    def cell(value):
        if isinstance(value, str):
            return '"' + value.replace('"', '""') + '"'
        return "" if value is None else str(value).replace(".", decimal)

    rows = [list(COLUMNS), *zip(*COLUMNS.values(), strict=True)]
    return "".join(mark.join(map(cell, row)) + ending for row in rows)


def stored(write):
    return lambda path: write(pa.table(COLUMNS), path)


FILES = {
    "t.csv": lambda path: path.write_text(written(ending="\r\n"), newline=""),
    "semicolons.txt": lambda path: path.write_text(written(";", ",")),
    "t.csv.gz": lambda path: path.write_bytes(gzip.compress(written().encode())),
    "mark.csv": lambda path: path.write_text(written(), encoding="utf-8-sig"),
    "latin1.csv": lambda path: path.write_text(written(), encoding="latin1"),
    "utf-16.csv": lambda path: path.write_text(written(), encoding="utf-16"),
    "blank.csv": lambda path: path.write_text(written() + "\n" * 700),
    "t.parquet": stored(lambda table, path: pa.parquet.write_table(table, path, row_group_size=50)),
    "t.feather": stored(lambda table, path: pa.feather.write_feather(table, path, chunksize=50)),
    "v1.feather": stored(lambda table, path: pa.feather.write_feather(table, path, version=1)),
}


@pytest.mark.parametrize("name", FILES)
def test_parts_together_are_the_table(tmp_path, name):
    path = tmp_path / name
    FILES[name](path)
    stem = name.split(".")[0]
    options = TableOptions(encoding=stem if stem in ("latin1", "utf-16") else "utf-8")
    whole = read_table(path, options, AS_TEXT)
    x, notes = SCHEMA.encode(whole)
    found = list(read_parts(path, options, AS_TEXT, DATES))
    assert len(found) > 5
    assert max(len(part.raw.rows) for part in found) < 60
    encoded = [SCHEMA.encode_part(part.raw) for part in found]
    np.testing.assert_array_equal(np.concatenate([part for part, _ in encoded]), x)
    np.testing.assert_array_equal(np.concatenate([part.raw.rows for part in found]), whole.rows)
    cities = pa.chunked_array([chunk for part in found for chunk in part.raw.table["city"].chunks])
    assert cities.to_pylist() == whole.table["city"].to_pylist()
    shares = [part.share for part in found]
    assert shares == sorted(shares)
    assert 0.9 < shares[-1] <= 1 or name == "blank.csv"
    total = encoded[0][1]
    for _, unexpected in encoded[1:]:
        total = tuple(a.joined(b) for a, b in zip(total, unexpected, strict=True))
    assert tuple(line.line() for line in total) == notes
    assert "'a;b,c'" in notes[0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,2,3", "row 202 has 3 cells, the header has 2"),
        ("soon,2", "row 202, column 'a': 'soon' is not a number"),
        ('"2,3', "row 202.*a quote is not closed"),
    ],
)
def test_errors_have_the_row_in_the_file(tmp_path, row, message):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1,2\n" * 200 + row + "\n" + "1,2\n" * 20)
    schema = Schema((Column("a", "number", ""), Column("b", "number", "")))
    with pytest.raises(InputError, match=message):
        [schema.encode_part(part.raw) for part in read_parts(path, TableOptions())]


@pytest.mark.parametrize("read", [read_table, lambda *rest: list(read_parts(*rest))])
def test_a_file_without_rows_or_cut_off_is_refused(tmp_path, read):
    (tmp_path / "t.csv").write_text("a,b\n\n\n")
    with pytest.raises(InputError, match="no rows below the header"):
        read(tmp_path / "t.csv", TableOptions())
    content = gzip.compress(RNG.bytes(3000).hex().encode())
    (tmp_path / "t.csv.gz").write_bytes(content[:-900])
    with pytest.raises(InputError, match=r"t\.csv\.gz: cannot be read"):
        read(tmp_path / "t.csv.gz", TableOptions())
