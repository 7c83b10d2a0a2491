import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import Dataset, Preprocessor, csv_table, files, load, load_csv, load_npz, read_inputs


@pytest.fixture
def csv_file(tmp_path):
    def write(text, encoding="utf-8"):
        path = tmp_path / "toy.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write


@pytest.fixture
def npz_file(tmp_path):
    def write(**arrays):
        np.savez(tmp_path / "toy.npz", **arrays)
        return tmp_path / "toy.npz"

    return write


def test_csv_labels(csv_file):
    data = load(csv_file("age, height,target\n1,2.5,no\n\n3,-4e1,yes\r\n5,6, no\n"))
    assert (data.name, data.task, data.class_names) == ("toy", "classification", ("no", "yes"))
    assert data.columns == ("age", "height")
    assert data.x.tolist() == [[1, 2.5], [3, -40], [5, 6]]
    assert data.y.tolist() == [0, 1, 0]


def test_csv_numbers_and_task(csv_file):
    path = csv_file("price,a\n1,0\n2,0\n1,0\n2,1\n")
    assert load_csv(path, target="price").class_names == ("1", "2")
    data = load(path, target="price", task="regression")
    assert data.y.tolist() == [1, 2, 1, 2]
    assert data.y.dtype == np.float32
    assert load_csv(csv_file("a,target\n1,1.5\n2,2.5\n")).task == "regression"


def test_csv_with_byte_order_mark_and_quotes(csv_file):
    data = load_csv(csv_file('"a, b",target\n"1",x\n2,"x\ny"\n', encoding="utf-8-sig"))
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
        ("a,,target\n1,2,3\n", "column 2 has no name"),
        ("1,2,3\n1,2,3\n", "no header"),
        ("a,tarqet\n1,2\n", "no target column 'target' .did you mean 'tarqet'?"),
        ("target\n1\n", "no columns beside the target"),
        ("age,target\n1,2\nabc,2\n", "row 3, column 'age': 'abc' is not a number"),
        ("age,target\n1,2\n,2\n", "row 3, column 'age': the cell is empty"),
        ("age,target\n1_0,2\n", "row 2, column 'age': '1_0' is not a number"),
        ("age,target\n1,2\n\nnan,2\n", "row 4, column 'age': nan is not a finite float32"),
        ("age,target\n1,2\n1e39,2\n", "row 3, column 'age': 1e[+]39 is not a finite float32"),
        ("age,target\n1,2\n1,inf\n", "row 3, column 'target': 'inf' is not finite"),
        ("age,target\n1,2\n1,\n", "row 3, column 'target': empty target"),
        ("age,target\n1,2\n1,two\n", "row 3, column 'target': 'two' is not a number; the others are numbers"),
        ('age,target\n1,"2\n', "unexpected end of data"),
    ],
)
def test_csv_refusals_are_one_line(csv_file, text, message):
    with pytest.raises(InputError, match=message) as caught:
        load_csv(csv_file(text))
    assert "\n" not in str(caught.value)
    assert "toy.csv" in str(caught.value)


def test_csv_task_settles_mixed_targets(csv_file):
    path = csv_file("age,target\n1,2\n1,two\n")
    assert load_csv(path, task="classification").class_names == ("2", "two")
    with pytest.raises(InputError, match="'two' is not a number"):
        load_csv(path, task="regression")
    with pytest.raises(InputError, match="accepted: classification, regression"):
        load_csv(path, task="ranking")


def test_labels_are_the_text_of_their_cells(csv_file):
    codes = ["007", "7", "08", "8", "10"]
    data = load_csv(csv_file("x,target\n" + "".join(f"{i},{codes[i % 5]}\n" for i in range(40))))
    assert data.class_names == ("007", "7", "08", "8", "10")  # in the order of the numbers
    assert data.y[:5].tolist() == [0, 1, 2, 3, 4]
    big = ["9007199254740992", "9007199254740993"]
    data = load_csv(csv_file("x,target\n" + "".join(f"{i},{big[i % 2]}\n" for i in range(8))))
    assert (data.class_names, data.y.tolist()) == (tuple(big), [0, 1] * 4)
    assert load_csv(csv_file("x,target\n1,1.50\n2,2\n"), task="classification").class_names == ("1.50", "2")


def test_which_numbers_are_labels(csv_file):
    def task(cells):
        return load_csv(csv_file("x,target\n" + "".join(f"{i},{cell}\n" for i, cell in enumerate(cells)))).task

    many = [f"{i:05d}" for i in range(1000, 1040)]
    assert task(many) == "classification"  # leading zeros: codes, however many
    assert task([f"-{cell}" for cell in many]) == task([f"+{cell}" for cell in many]) == "classification"
    assert task([cell.lstrip("0") for cell in many]) == "regression"
    with pytest.raises(InputError, match=r"targets.*float32"):  # distinct, though not as float64: numbers
        task([str(2**60 + i) for i in range(40)])
    assert task(["0", "1", "10", "0.0"] * 4) == "classification"
    assert task(["0.5", "00.7"] * 4) == "regression"
    numbers = load_csv(csv_file("x,target\n1,01\n2,02\n"), task="regression")
    assert numbers.y.tolist() == [1, 2]


@pytest.mark.parametrize("before", [0, 3, 9000])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_bytes_that_are_no_utf_8_are_found_where_they_are(tmp_path, before, newline, mark):
    text = mark + "".join(f"{line}{newline}" for line in ["a,target", *["1,ä"] * before]).encode() + b"1,caf\xe9"
    path = tmp_path / "toy.csv"
    path.write_bytes(text + newline.encode())
    with pytest.raises(InputError, match=rf"byte {len(text) - 1}\b.*line {before + 2}\b.*UTF-8") as caught:
        load_csv(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_other_unicodes_are_named(csv_file, encoding):
    with pytest.raises(InputError, match="UTF-32" if "32" in encoding else "UTF-16"):
        load_csv(csv_file("a,target\n1,2\n", encoding=encoding))


def test_a_nul_is_no_text(csv_file):
    """NumPy drops it at the end of a text: two labels would be one."""
    with pytest.raises(InputError, match=r"line 4.*NUL"):
        load_csv(csv_file("a,target\n1,x\n2,y\n3,x\0\n4,y\n"))


def test_utf_16_is_named(csv_file):
    with pytest.raises(InputError, match="UTF-16"):
        load_csv(csv_file("a,target\n1,2\n", encoding="utf-16"))


def test_csv_of_another_encoding_or_size(csv_file, monkeypatch):
    with pytest.raises(InputError, match="not UTF-8"):
        load_csv(csv_file("a,target\n1,é\n", encoding="latin-1"))
    monkeypatch.setattr(csv_table, "MAX_CSV_BYTES", 4)
    with pytest.raises(InputError, match="accepted: at most"):
        load_csv(csv_file("a,target\n1,2\n"))


def test_npz_round_trip(npz_file):
    x = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
    data = load(npz_file(x=x, y=np.array([5, 7, 5, 7, 5, 7]), x_test=x[:2], y_test=np.array([[7], [5]])))
    np.testing.assert_array_equal(data.x, x)
    assert data.class_names == ("5", "7")
    assert data.test[1].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("x", "shape", "dtype"),
    [
        (np.arange(4), (4, 1), np.float32),
        (np.eye(4), (4, 4), np.float32),
        (np.ones((4, 3, 3), np.uint8), (4, 3, 3, 1), np.uint8),
        (np.ones((4, 3, 3, 1)), (4, 3, 3, 1), np.float32),
    ],
)
def test_npz_forms_of_x(npz_file, x, shape, dtype):
    data = load_npz(npz_file(x=x, y=np.linspace(0, 1, 4)))
    assert data.x.shape == shape
    assert data.x.dtype == dtype
    assert data.task == "regression"


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.eye(2)}, "no array 'y'; it has x"),
        ({"x": np.eye(2), "y": np.zeros(3)}, "2 examples but 3 targets"),
        ({"x": np.array([{}], object), "y": np.zeros(1)}, "Python objects are not read"),
        ({"x": np.array(["a"]), "y": np.zeros(1)}, "x must be numeric"),
        ({"x": np.zeros((1,) * 5), "y": np.zeros(1)}, "got shape"),
        ({"x": np.array([[1e300]]), "y": np.zeros(1)}, r"1e\+300 of example 0"),
        ({"x": np.eye(2), "y": np.zeros((2, 2, 2))}, "y must be"),
        ({"x": np.eye(2), "y": np.zeros(2), "x_test": np.eye(2)}, "belong together"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "no examples"),
    ],
)
def test_npz_refusals(npz_file, arrays, message):
    with pytest.raises(InputError, match=message) as caught:
        load_npz(npz_file(**arrays))
    assert "\n" not in str(caught.value)


def test_rank_3_is_read_as_gray_images_which_is_said(npz_file):
    data = load_npz(npz_file(x=np.ones((4, 5, 3), np.float32), y=np.arange(4) / 3))
    assert data.x.shape == (4, 5, 3, 1)
    assert any("gray" in note and "reshape" in note for note in data.notes)
    for lazy in (False, True):
        with pytest.raises(InputError, match=r"\[N, 5, 3\].*gray.*found \[-2, 3\].*reshape"):
            load_npz(npz_file(x=np.where(np.arange(60).reshape(4, 5, 3) % 2, -2.0, 3.0), y=np.zeros(4)), lazy=lazy)
    made = Preprocessor.fit(data.x, "image")
    with pytest.raises(InputError, match="gray"):
        read_inputs(npz_file(x=np.full((4, 5, 3), 7.0)), made)
    assert load_npz(npz_file(x=np.ones((4, 5, 3, 1), np.float32), y=np.arange(4) / 3)).notes == ()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("lazy", [False, True])
def test_channels_first_are_refused(npz_file, channels, lazy):
    x, y = np.zeros((6, channels, 8, 9), np.uint8), np.array([0, 1] * 3)
    with pytest.raises(InputError, match=rf"\[6, {channels}, 8, 9\].*moveaxis"):
        load_npz(npz_file(x=x, y=y), lazy=lazy)
    assert load_npz(npz_file(x=np.moveaxis(x, 1, -1), y=y), lazy=lazy).x.shape == (6, 8, 9, channels)
    with pytest.raises(InputError, match="moveaxis"):
        Dataset("own", "classification", x, y.astype(np.int32))
    assert Dataset("flat", "classification", x[:, :, :3], y.astype(np.int32)).kind == "image"  # no doubt: 3 rows


def test_npz_damage_and_size(npz_file, monkeypatch, tmp_path):
    path = npz_file(x=np.eye(40), y=np.zeros(40))
    sound = path.read_bytes()
    for broken in (b"", b"text", sound[:500], sound[:400] + bytes([sound[400] ^ 1]) + sound[401:]):
        path.write_bytes(broken)
        with pytest.raises(InputError, match=r"toy\.npz"):
            load_npz(path)
    path.write_bytes(sound)
    monkeypatch.setattr(files, "MAX_NPZ_BYTES", 100)
    with pytest.raises(InputError, match="accepted in memory: at most"):
        load_npz(path)


def test_paths(tmp_path, csv_file):
    csv_file("a,target\n1,2\n")
    with pytest.raises(InputError, match=r"no such file or folder .did you mean '.*toy\.csv'"):
        load(tmp_path / "toi.csv")
    (tmp_path / "toy.txt").write_text("")
    with pytest.raises(InputError, match=r"accepted are \.npz files"):
        load(tmp_path / "toy.txt")
    with pytest.raises(InputError, match=r"only \.csv files have a target column"):
        load(tmp_path / "toy.txt", target="a")


@pytest.mark.parametrize("name", ["toy.npz", "toy.csv", "toy"])
def test_a_link_to_nothing_is_named(tmp_path, name):
    (tmp_path / name).symlink_to(tmp_path / "gone")
    made = Preprocessor.fit(np.ones((2, 2), np.float32), "table", columns=("b", "a"))
    for read in (load, lambda path: load(path, lazy=True), lambda path: read_inputs(path, made)):
        with pytest.raises(InputError, match=rf"{name}.*link.*gone"):
            read(tmp_path / name)


def test_inputs_for_a_table(csv_file, npz_file):
    made = Preprocessor.fit(np.ones((2, 2), np.float32), "table", columns=("b", "a"))
    x, ids = read_inputs(csv_file("a,extra,b\n1,text,2\n3,text,4\n"), made)
    assert x.tolist() == [[2, 1], [4, 3]]
    assert ids == ["2", "3"]
    x, ids = read_inputs(npz_file(x=np.eye(2)), made)
    assert x.dtype == np.float32
    assert ids == ["0", "1"]
    with pytest.raises(InputError, match="no column 'b'"):
        read_inputs(csv_file("a,c\n1,2\n"), made)
    with pytest.raises(InputError, match=r"x is float32\[3\], the model was trained on float32\[2\]"):
        read_inputs(npz_file(x=np.eye(3)), made)
    with pytest.raises(InputError, match="no such file"):
        read_inputs("absent.csv", made)


def test_inputs_of_images_are_in_the_unit_of_training(npz_file):
    made = Preprocessor.fit(np.zeros((1, 2, 2, 1), np.uint8), "image", pixel_max=16.0)
    x, _ = read_inputs(npz_file(x=np.full((3, 2, 2), 16, np.uint8)), made)
    assert x.shape == (3, 2, 2, 1)
    with pytest.raises(InputError, match=r"pixels must be in \[0, 16\], found \[200, 200\]"):
        read_inputs(npz_file(x=np.full((3, 2, 2), 200, np.uint8)), made)
    with pytest.raises(InputError, match="x is float32"):
        read_inputs(npz_file(x=np.zeros((3, 2, 2))), made)


def test_resizing_is_for_folders(csv_file):
    with pytest.raises(InputError, match="only folders of images are resized"):
        load(csv_file("a,target\n1,2\n"), image_size=(2, 2))
