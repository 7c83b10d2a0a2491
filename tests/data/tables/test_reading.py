import gzip

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regjax.core.errors import InputError
from regjax.data.tables import TableOptions, read_frame, read_table

PLAIN = TableOptions()
COLUMNS = {"n": [1, 2, 3], "x": [0.5, None, 2.5], "city": ["Rome", None, "Köln"], "yes": [True, False, True]}


def write(tmp_path, text, name="toy.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode(encoding)) if name.endswith(".gz") else text.encode(encoding))
    return path


def text_of(mark=","):
    return (
        mark.join(COLUMNS)
        + "\n"
        + "".join(
            mark.join("" if cell is None else str(cell) for cell in row) + "\n"
            for row in zip(*COLUMNS.values(), strict=True)
        )
    )


def stored(path, write):
    write(pa.table(COLUMNS), path)
    return path


FORMS = {
    "csv": lambda path: read_table(write(path, text_of()), PLAIN),
    "semicolons": lambda path: read_table(write(path, text_of(";").replace(".", ",")), PLAIN),
    "tabs": lambda path: read_table(write(path, text_of("\t"), "toy.tsv"), PLAIN),
    "gz": lambda path: read_table(write(path, text_of(), "toy.csv.gz"), PLAIN),
    "latin1": lambda path: read_table(write(path, text_of(), encoding="latin1"), TableOptions(encoding="latin1")),
    "utf16": lambda path: read_table(write(path, text_of(), encoding="utf-16"), TableOptions(encoding="utf-16")),
    "mark": lambda path: read_table(write(path, text_of(), encoding="utf-8-sig"), PLAIN),
    "parquet": lambda path: read_table(stored(path / "t.parquet", pa.parquet.write_table), PLAIN),
    "feather": lambda path: read_table(stored(path / "t.feather", pa.feather.write_feather), PLAIN),
    "pandas": lambda path: read_frame(pd.DataFrame(COLUMNS)),
    "pandas_category": lambda path: read_frame(pd.DataFrame(COLUMNS).astype({"city": "category"})),
    "polars": lambda path: read_frame(pl.DataFrame(COLUMNS)),
    "arrow": lambda path: read_frame(pa.table(COLUMNS)),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_table(tmp_path, form):
    raw = FORMS[form](tmp_path)
    assert raw.table.to_pydict() == COLUMNS
    assert raw.rows.tolist() == ([2, 3, 4] if raw.text else [0, 1, 2])


def test_a_dict_of_arrays():
    raw = read_frame({"a": np.arange(3), "b": np.array(["x", "y", "?"])})
    assert raw.table.to_pydict() == {"a": [0, 1, 2], "b": ["x", "y", None]}
    with pytest.raises(InputError, match="list is not a table"):
        read_frame([1, 2])
    with pytest.raises(InputError, match=r"toy: .*length"):
        read_frame({"a": np.arange(3), "b": np.arange(2)}, "toy")


def test_missing_cells_and_spaces(tmp_path):
    raw = read_table(write(tmp_path, 'a,b\n NA , x \n?,""\n\n1, n/a\nnan,y\n'), PLAIN)
    assert raw.table.to_pydict() == {"a": [None, "1", None], "b": ["x", None, "y"]}
    assert raw.rows.tolist() == [2, 5, 6]  # the third row has no cell, the fourth is empty


def test_columns_that_are_kept_as_text(tmp_path):
    raw = read_table(
        write(tmp_path, "zip,code,a\n01234,007,01\n00501,7,02\n"), TableOptions(categorical=("zip",)), ("code",)
    )
    assert raw.table.to_pydict() == {"zip": ["01234", "00501"], "code": ["007", "7"], "a": [1, 2]}


def test_spaces_separate_cells(tmp_path):
    raw = read_table(write(tmp_path, "  a   b c\n1 2   3\n 4  5 6 \n", "toy.txt"), PLAIN)
    assert raw.table.to_pydict() == {"a": [1, 4], "b": [2, 5], "c": [3, 6]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n1\n", "row 3 has 1 cells, the header has 2"),
        ("a,b\n1,2,3\n4,5,6\n", "row 2 has 3 cells, the header has 2; R's write.table"),
        ("a,b\n", "no rows below the header"),
        ("a,b\n,\n\n", "no rows below the header"),
        ("a,,c,\n1,2,3,4\n", "columns 2 and 4 have no name"),
        ("a,a\n1,2\n", "'a' occurs more than once"),
        ("1,2\n3,4\n", "no header"),
        ("\n", "empty"),
        ("a,b\n1,x\0\n", r"line 2 .*NUL"),
    ],
)
def test_what_is_no_table_is_refused_in_one_line(tmp_path, text, message):
    with pytest.raises(InputError, match=message) as caught:
        read_table(write(tmp_path, text), PLAIN)
    assert "\n" not in str(caught.value)


def test_an_encoding_that_is_unknown_or_wrong(tmp_path):
    path = write(tmp_path, "a,b\nKöln,2\n", encoding="latin1")
    with pytest.raises(InputError, match=r"byte 5 .0xf6. in line 2 is not UTF-8; say --encoding=latin1"):
        read_table(path, PLAIN)
    with pytest.raises(InputError, match="encoding 'klingon' is unknown"):
        read_table(path, TableOptions(encoding="klingon"))


def test_nested_cells_are_refused():
    with pytest.raises(InputError, match=r"column 'a' holds list.*one value in each cell"):
        read_frame(pa.table({"a": [[1, 2], [3]]}))


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1), min_size=1, max_size=5))
def test_texts_come_back_as_they_were_written(tmp_path_factory, texts):
    path = tmp_path_factory.mktemp("t") / "toy.csv"
    pd.DataFrame({"text": texts, "n": range(len(texts))}).to_csv(path, index=False)
    raw = read_table(path, PLAIN, as_text=("text",))
    missing = {"", "NA", "N/A", "n/a", "#N/A", "NaN", "nan", "-nan", "NAN", "null", "NULL", "None", "?"}
    assert raw.table["text"].to_pylist() == [None if t.strip() in missing else t.strip() for t in texts]


def test_numbers_that_are_kept_as_text_have_a_decimal_point(tmp_path):
    text = "x;y;code\n1,5;3,25;1,2a\n2,5;-,5;1,3\n0,5;4;2,0\n"
    raw = read_table(write(tmp_path, text), PLAIN, as_text=("y", "code"))
    assert raw.table["y"].to_pylist() == ["3.25", "-.5", "4"]
    assert raw.table["code"].to_pylist() == ["1,2a", "1,3", "2,0"]  # not all of them are numbers
