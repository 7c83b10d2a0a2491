import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import Preprocessor, TableOptions, load, load_table, read_inputs, split
from regjax.data.readers import table


def test_csv_labels(csv_file):
    data = load(csv_file("age, height,target\n1,2.5,no\n\n3,-4e1,yes\r\n5,6, no\n"))
    assert (data.name, data.task, data.class_names) == ("toy", "classification", ("no", "yes"))
    assert data.columns == ("age", "height")
    assert data.x.tolist() == [[1, 2.5], [3, -40], [5, 6]]
    assert data.y.tolist() == [0, 1, 0]


def test_csv_numbers_and_task(csv_file):
    path = csv_file("price,a\n1,0\n2,0\n1,0\n2,1\n")
    assert load_table(path, target="price").class_names == ("1", "2")
    data = load(path, target="price", task="regression")
    assert data.y.tolist() == [1, 2, 1, 2]
    assert data.y.dtype == np.float32
    assert load_table(csv_file("a,target\n1,1.5\n2,2.5\n")).task == "regression"


def test_csv_with_byte_order_mark_and_quotes(csv_file):
    data = load_table(csv_file('"a, b",target\n"1",x\n2,"x\ny"\n', encoding="utf-8-sig"))
    assert data.columns == ("a, b",)
    assert data.class_names == ("x", "x\ny")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("\n", "empty"),
        ("a,target\n", "no rows below the header"),
        ("a,target\n1,2\n1,2,3\n", "row 3 has 3 cells, the header has 2"),
        ("a,a,target\n1,2,3\n", "column name 'a' occurs more than once"),
        ("a,,,target\n1,2,3,4\n", "columns 2 and 3 have no name"),
        ("1,2,3\n1,2,3\n", "no header"),
        ("a,tarqet\n1,2\n", "no target column 'target' .did you mean 'tarqet'?"),
        ("target\n1\n2\n", "no columns to learn from beside the target .target.; it is alone"),
        ("a,target\n1,1\n1,2\n", "no columns to learn from.*a is left out .all cells are the same"),
        ("age,target\n1,2\nabc,2\n2,2\n", "row 3, column 'age': 'abc' is not a number"),
        ("age,target\n1_0,2\n5,2\n6,2\n", "row 2, column 'age': '1_0' is not a number"),
        ("age,target\n1,2\n\ninf,2\n", "row 4, column 'age': inf is not a finite float32"),
        ("age,target\n1,2\n1e39,2\n", "row 3, column 'age': 1e[+]39 is not a finite float32"),
        ("age,target\n1,2\n2,inf\n", "row 3, column 'target': 'inf' is not finite"),
        ("age,target\n1,\n2,?\n", "every cell of the target column .target. is missing"),
        ("age,target\n1,2\n2,two\n", "row 3, column 'target': 'two' is not a number; the others are numbers"),
        ('age,target\n1,"2\n', "unexpected end of data"),
    ],
)
def test_csv_refusals_are_one_line(csv_file, text, message):
    with pytest.raises(InputError, match=message) as caught:
        load_table(csv_file(text))
    assert "\n" not in str(caught.value)
    assert "toy.csv" in str(caught.value)


def test_csv_task_settles_mixed_targets(csv_file):
    path = csv_file("age,target\n1,2\n2,two\n")
    assert load_table(path, task="classification").class_names == ("2", "two")
    with pytest.raises(InputError, match="'two' is not a number"):
        load_table(path, task="regression")
    with pytest.raises(InputError, match="accepted: classification, multilabel, regression"):
        load_table(path, task="ranking")


def test_labels_are_the_text_of_their_cells(csv_file):
    codes = ["007", "7", "08", "8", "10"]
    data = load_table(csv_file("x,target\n" + "".join(f"{i},{codes[i % 5]}\n" for i in range(40))))
    assert data.class_names == ("007", "7", "08", "8", "10")  # in the order of the numbers
    assert data.y[:5].tolist() == [0, 1, 2, 3, 4]
    big = ["9007199254740992", "9007199254740993"]
    data = load_table(csv_file("x,target\n" + "".join(f"{i},{big[i % 2]}\n" for i in range(8))))
    assert (data.class_names, data.y.tolist()) == (tuple(big), [0, 1] * 4)
    assert load_table(csv_file("x,target\n1,1.50\n2,2\n"), task="classification").class_names == ("1.50", "2")


def test_which_numbers_are_labels(csv_file):
    def task(cells):
        return load_table(csv_file("x,target\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)))).task

    many = [f"{i:05d}" for i in range(1000, 1040)]
    assert task(many) == "classification"  # leading zeros: codes, however many
    assert task([f"-{cell}" for cell in many]) == task([f"+{cell}" for cell in many]) == "classification"
    assert task([cell.lstrip("0") for cell in many]) == "regression"
    with pytest.raises(InputError, match=r"targets.*float32"):  # distinct, though not as float64: numbers
        task([str(2**60 + i) for i in range(40)])
    assert task(["0", "1", "10", "0.0"] * 4) == "classification"
    assert task(["0.5", "00.7"] * 4) == "regression"
    numbers = load_table(csv_file("x,target\n1,01\n2,02\n"), task="regression")
    assert numbers.y.tolist() == [1, 2]


@pytest.mark.parametrize("before", [0, 3, 9000])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_no_utf_8_are_found_where_they_are(tmp_path, before, newline, mark):
    text = mark + "".join(f"{line}{newline}" for line in ["a,target", *["1,ä"] * before]).encode() + b"1,caf\xe9"
    path = tmp_path / "toy.csv"
    path.write_bytes(text + newline.encode())
    with pytest.raises(InputError, match=rf"byte {len(text) - 1}\b.*line {before + 2}\b.*UTF-8") as caught:
        load_table(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_other_unicodes_are_named(csv_file, encoding):
    with pytest.raises(InputError, match="UTF-32" if "32" in encoding else "UTF-16"):
        load_table(csv_file("a,target\n1,2\n", encoding=encoding))


def test_a_nul_is_no_text(csv_file):
    """NumPy drops it at the end of a text: two labels would be one."""
    with pytest.raises(InputError, match=r"line 4.*NUL"):
        load_table(csv_file("a,target\n1,x\n2,y\n3,x\0\n4,y\n"))


def test_utf_16_is_named(csv_file):
    with pytest.raises(InputError, match="UTF-16"):
        load_table(csv_file("a,target\n1,2\n", encoding="utf-16"))


def test_csv_of_another_encoding_or_size(csv_file, monkeypatch):
    with pytest.raises(InputError, match="not UTF-8"):
        load_table(csv_file("a,target\n1,é\n", encoding="latin-1"))
    monkeypatch.setattr(table, "MAX_TEXT_BYTES", 4)
    with pytest.raises(InputError, match="accepted: at most"):
        load_table(csv_file("a,target\n1,2\n"))


@pytest.mark.parametrize("encoding", ["latin-1", "utf-8"])
def test_new_rows_are_read_in_the_encoding_of_training_or_as_utf_8(csv_file, encoding):
    text = "city,n,target\n" + "".join(f"{'Köln' if i % 2 else 'Oslo'},{i},{i % 3 > 0}\n" for i in range(12))
    data = load_table(csv_file(text, encoding="latin-1"), table=TableOptions(encoding="latin-1"))
    made = Preprocessor.from_json(Preprocessor.fit(data.x, "table", schema=data.schema).to_json())
    notes = []
    x, _ = read_inputs(csv_file("city,n\nKöln,1\n", encoding=encoding), made, notes.append)
    assert x[0].tolist() == [1, 0, 1]
    assert not any("level" in note for note in notes)


def test_a_column_of_weights_is_no_input(tmp_path):
    rows = "".join(f"{i},{i % 5},{'a' if i % 2 else 'b'}\n" for i in range(20))
    path = tmp_path / "survey.csv"
    path.write_text(f"age,times,answer\n{rows}")
    found = load_table(path, target="answer", table=TableOptions(weight="times"))
    assert found.columns == ("age",)
    np.testing.assert_allclose(found.weights, np.arange(20) % 5 / 2.0)
    parts = split(found)
    np.testing.assert_allclose(parts.weight_train, parts.x_train[:, 0] % 5 / 2.0)
    assert split(load_table(path, target="answer")).weight_train is None
    path.write_text(f"age,times,answer\n{rows}21,,a\n")
    with pytest.raises(InputError, match="'times' is the weight of each row, but 1 of its cells are missing"):
        load_table(path, target="answer", table=TableOptions(weight="times"))
    path.write_text(f"age,times,answer\n{rows}21,-1,a\n")
    with pytest.raises(InputError, match="column 'times': weights must be 21 finite numbers >= 0"):
        load_table(path, target="answer", table=TableOptions(weight="times"))
    path.write_text(f"age,times,answer\n{rows}21,many,a\n")
    with pytest.raises(InputError, match="cells that are not numbers"):
        load_table(path, target="answer", table=TableOptions(weight="times"))


@pytest.mark.parametrize(("classes", "rows", "asked"), [(60, 3, True), (60, 25, False), (4, 3, False)])
def test_a_target_of_many_classes_with_few_rows_is_asked_about(tmp_path, classes, rows, asked):
    lines = [f"{i},c{i % classes}" for i in range(classes * rows)]
    (tmp_path / "t.csv").write_text("\n".join(["x,target", *lines]))
    note = load_table(tmp_path / "t.csv").notes[0]
    assert ("is this the target?" in note) == asked
    assert not asked or f"{classes} classes with {rows} rows" in note


def test_a_column_without_a_name_is_shown_as_such(tmp_path):
    (tmp_path / "t.csv").write_text("a,,b\n1,2,3\n2,3,4\n")
    with pytest.raises(InputError, match=r"it has a, \(no name\), b"):
        load_table(tmp_path / "t.csv")
