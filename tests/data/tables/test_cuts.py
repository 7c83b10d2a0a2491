import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regjax.data.tables.cuts import first_row_end, last_row_end, whole_rows

CELLS = st.text(st.sampled_from('a1,;"\n\r '), max_size=6)


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@given(rows=st.lists(st.lists(CELLS, min_size=2, max_size=2), min_size=1), size=st.integers(1, 40))
def test_parts_are_whole_rows(ending, rows, size):
    if ending == "\n":  # csv does not quote the other one
        rows = [[cell.replace("\r", "") for cell in row] for row in rows]
    text = io.StringIO()
    csv.writer(text, lineterminator=ending).writerows(rows)
    content = text.getvalue().encode()
    parts = list(whole_rows(io.BytesIO(content).read, b",", size))
    assert b"".join(parts) == content
    assert [row for part in parts for row in csv.reader(io.StringIO(part.decode(), newline=""))] == rows


@pytest.mark.parametrize(
    ("content", "first", "last"),
    [
        (b'5" pipe,1\n6" pipe,2\n7', 10, 20),  # quotes inside unquoted cells
        (b'"a""\n",b\nc,"\nd', 9, 9),
        (b"a,b\r1,2\r3", 4, 8),
        (b"a,b\r1,2\r", 4, 4),  # a line feed may follow
        (b'a, "b\n1,2\n', 6, 10),  # a space before the quote makes it a character
        (b"a,b", 3, 0),
    ],
)
def test_where_rows_end(content, first, last):
    assert (first_row_end(content, b","), last_row_end(content, b",")) == (first, last)
