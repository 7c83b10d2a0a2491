import numpy as np
import pytest
from PIL import Image

from regjax.core.errors import InputError
from regjax.data import TableOptions, load, split

TRAIN = "age,city,sold\n" + "".join(
    f"{20 + i},{'Oslo' if i % 3 else 'Rome'},{'yes' if i % 2 else 'no'}\n" for i in range(30)
)


@pytest.fixture
def table(tmp_path):
    def written(text, name="test.csv"):
        (tmp_path / "train.csv").write_text(TRAIN)
        (tmp_path / name).write_text(text)
        return load(tmp_path / "train.csv", target="sold", test_file=tmp_path / name)

    return written


def test_rows_of_another_file_are_the_test_set(table):
    """Columns in another order and format, one that is not read, a new level, and labels in another order."""
    found = table("sold;x;city;age\nyes;1;Rome;70,5\nno;2;Bern;71\nyes;3;Oslo;21\n")
    x, y = found.test
    assert found.columns == ("age", "city=Oslo", "city=Rome")
    np.testing.assert_array_equal(x, [[70.5, 0, 1], [71, 0, 0], [21, 1, 0]])
    assert [found.class_names[label] for label in y] == ["yes", "no", "yes"]
    assert len(found) == 30
    assert any("test examples from test.csv: 3" in note for note in found.notes)
    assert any("1 of 3 test examples equal a training example" in note for note in found.notes)
    parts = split(found)
    assert parts.official_test
    np.testing.assert_array_equal(parts.y_test, y)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age,city,sold\n1,Rome,maybe\n", "labels that are not in the training data: 'maybe'; accepted: 'no', 'yes'"),
        ("age,sold\n1,yes\n", "no column 'city'"),
        ("age,city\n1,Rome\n", "no target column 'sold'"),
        ("age,city,sold\nold,Rome,yes\n", "row 2, column 'age': 'old' is not a number"),
    ],
)
def test_a_test_table_that_does_not_fit_is_refused(table, text, message):
    with pytest.raises(InputError, match=message):
        table(text)


def test_numbers_of_a_regression(tmp_path):
    for name, rows in (("train", range(40)), ("test", range(5))):
        lines = "".join(f"{i},{1.5 * i + 0.25}\n" for i in rows)
        (tmp_path / f"{name}.csv").write_text(f"x,price\n{lines}")
    found = load(tmp_path / "train.csv", target="price", test_file=str(tmp_path / "test.csv"))
    np.testing.assert_allclose(found.test[1], 1.5 * np.arange(5) + 0.25)


def test_arrays_and_their_labels(tmp_path):
    x, y = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32), np.arange(40) % 3
    np.savez(tmp_path / "train.npz", x=x, y=y)
    np.savez(tmp_path / "test.npz", x=x[:5] + 1, y=y[:5])
    found = load(tmp_path / "train.npz", test_file=tmp_path / "test.npz")
    np.testing.assert_array_equal(found.test[0], x[:5] + 1)
    np.testing.assert_array_equal(found.test[1], y[:5])
    np.savez(tmp_path / "wide.npz", x=np.ones((5, 4), np.float32), y=y[:5])
    with pytest.raises(InputError, match=r"examples have the shape \[4\], those of training \[3\]"):
        load(tmp_path / "train.npz", test_file=tmp_path / "wide.npz")


def test_images_are_brought_to_the_size_of_training_by_its_rule(tmp_path):
    for part, side, names in (("train", 8, ("cat", "dog")), ("new", 20, ("dog",))):
        for name in names:
            (tmp_path / part / name).mkdir(parents=True)
            for i in range(6):
                Image.fromarray(np.full((side, side, 3), 10 * i, np.uint8)).save(tmp_path / part / name / f"{i}.png")
    found = load(tmp_path / "train", test_file=tmp_path / "new")
    assert found.test[0].shape == (6, 8, 8, 3)
    assert {found.class_names[label] for label in found.test[1]} == {"dog"}


def test_a_second_test_set_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"test_file 'missing\.csv': only for files, 'wine' is a dataset by name"):
        load("wine", test_file="missing.csv")
    (tmp_path / "train.csv").write_text(TRAIN)
    with pytest.raises(InputError, match="no such file or folder"):
        load(tmp_path / "train.csv", target="sold", test_file=tmp_path / "missing.csv")


def test_groups_that_are_in_both_files_are_counted(tmp_path):
    """Rows of one patient in training and test make the test too easy; nothing can keep them apart here."""
    for name, patients in (("train", range(20)), ("test", (3, 3, 40))):
        rows = "".join(f"{i},{patient},{'yes' if i % 2 else 'no'}\n" for i, patient in enumerate(patients))
        (tmp_path / f"{name}.csv").write_text(f"age,patient,ill\n{rows}")
    options = {"target": "ill", "table": TableOptions(group="patient"), "test_file": tmp_path / "test.csv"}
    found = load(tmp_path / "train.csv", **options)
    assert any("2 test rows belong to groups (patient)" in note for note in found.notes)
    (tmp_path / "test.csv").write_text("age,ill\n1,yes\n")
    with pytest.raises(InputError, match="no group column 'patient'"):
        load(tmp_path / "train.csv", **options)
