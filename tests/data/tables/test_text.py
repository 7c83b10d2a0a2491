import pytest

from regjax.core.errors import InputError
from regjax.data.tables import TableOptions, read_parts, read_table, text
from regjax.data.tables.text import TextFile


def test_a_decimal_comma_is_that_of_all_cells(tmp_path, monkeypatch):
    """The cells of the first part alone would be numbers, and become 1.5."""
    monkeypatch.setattr(text, "PART_BYTES", 600)
    path = tmp_path / "t.csv"
    path.write_text("code;x\n" + "1,5;0,5\n" * 200 + "none;0,5\n")
    for read in (read_table(path, TableOptions(), ("code",)), next(read_parts(path, TableOptions(), ("code",))).raw):
        assert read.table["code"][0].as_py() == "1,5"
    path.write_text("code;x\n" + "1,5;0,5\n" * 200 + "2;0,5\n")
    assert {part.raw.table["code"][0].as_py() for part in read_parts(path, TableOptions(), ("code",))} == {"1.5"}


@pytest.mark.parametrize("separator", [",", " ", "\t"])
def test_parts_are_what_is_read_at_once(tmp_path, monkeypatch, separator):
    monkeypatch.setattr(text, "PART_BYTES", 100)
    cells = [["a", "b"], *([str(i), f"{i / 4:g}"] for i in range(90))]
    path = tmp_path / "t.txt"
    path.write_text("".join(separator.join(row) + "\n" for row in cells))
    file = TextFile.open(path, TableOptions())
    assert file.dialect.separator == separator
    found = list(file.parts())
    assert found[0].first == 2
    assert [part.first for part in found[1:]] == [part.first + part.table.num_rows for part in found[:-1]]
    for name in ("a", "b"):
        together = [cell for part in found for cell in part.table[name].to_pylist()]
        assert together == file.read()[name].to_pylist() == [float(row["ab".index(name)]) for row in cells[1:]]
    only = [part.table.column_names for part in file.parts(only=["b"])]
    assert only == [["b"]] * len(found)


def test_bytes_that_are_no_text_are_refused_in_a_later_part(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "PART_BYTES", 100)
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"x,1\n" * 100 + b"caf\xe9,1\n")
    with pytest.raises(InputError, match=r"byte 407 .0xe9. in line 102 is not UTF-8"):
        list(TextFile.open(path, TableOptions()).parts())


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("1", "2.5"),  # whole numbers that turn out to be decimals
        ("1", "many"),
        ("1.5", "many"),
        ("true", "maybe"),
        ("2024-01-31", "soon"),
        ("", "7"),
        ("007", "8"),
    ],
)
def test_types_of_the_start_change_nothing(tmp_path, monkeypatch, start, end):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + f"{start},1\n" * 200 + f"{end},2\n")
    whole = TextFile.open(path, TableOptions()).read()
    monkeypatch.setattr(text, "PART_BYTES", 100)
    file = TextFile.open(path, TableOptions())
    assert file._types_at_start()["b"] == "int64"
    assert file.read().equals(whole)


def test_a_quoted_cell_may_hold_the_end_of_a_line(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,"x\ny"\n')
    assert TextFile.open(path, TableOptions()).read()["b"].to_pylist() == ["x\ny"]
