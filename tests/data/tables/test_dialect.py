import gzip
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regjax.core.errors import InputError
from regjax.data.tables.dialect import SEPARATORS, Dialect, check_quotes, sniff

MARKS = [mark for mark in SEPARATORS if mark != " "]


@given(
    st.sampled_from(MARKS),
    st.lists(
        st.lists(st.from_regex(r"[a-z]{1,5}|-?[0-9]{1,4}(\.[0-9]{1,3})?", fullmatch=True), min_size=3, max_size=3),
        min_size=2,
    ),
)
@pytest.mark.slow
def test_the_separator_of_plain_cells_is_found(mark, rows):
    text = "\n".join(mark.join(row) for row in [["one", "two", "three"], *rows])
    assert sniff(text).separator == mark


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a;b\n1,5;2\n2;3\n", Dialect(";", ",")),
        ("a;b\n1.5;2\n2;3\n", Dialect(";", ".")),
        ("a;b\n1,234;2\n5,678;3\n", Dialect(";", ".")),  # thousands
        ("a;b\n1,5;2.5\n2;3\n", Dialect(";", ".")),  # a column with points decides
        ("a\tb\n0,5\tNA\n,25\tx\n", Dialect("\t", ",")),
        ('a,b\n"1;2;3",4\n"5;6;7",8\n', Dialect(",", ".")),
        ("city,text\nRome,one two\nOslo,three four\n", Dialect(",", ".")),
        ("one two three\n1 2  3\n4   5 6\n", Dialect(" ", ".")),
        ("alone\n1\n2\n", Dialect(",", ".")),
        ("free text\none\nand more words\n", Dialect(",", ".")),
        ("", Dialect()),
    ],
)
def test_dialects(text, expected):
    assert sniff(text) == expected


def test_a_separator_that_is_known_is_kept():
    assert sniff("a;b\n1;2\n", ",").separator == ","


@pytest.mark.parametrize("packed", [False, True])
def test_a_quote_that_is_not_closed_is_found(tmp_path, packed):
    path = tmp_path / ("toy.csv.gz" if packed else "toy.csv")

    def write(text):
        path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
        check_quotes(path, Dialect(), "utf-8")

    for good in ('a,b\n"1",2\n', 'a,b\n"x ""y""",2\n', 'a,b\n5" pipe,2\n'):
        write(good)
    with pytest.raises(InputError, match=r"row 3: unexpected end of data; a quote is not closed"):
        write('a,b\n1,2\n3,"4\n5,6\n')


def test_notes_say_what_is_not_plain():
    assert Dialect().notes() == []
    for mark, decimal in itertools.product(MARKS[1:], ".,"):
        assert len(Dialect(mark, decimal).notes()) == 1 + (decimal == ",")
