"""One target column or several: how they are named, read, checked and kept."""

import numpy as np
import pandas as pd
import pytest

from regjax.core.errors import InputError
from regjax.data import Preprocessor, from_frame, load, load_table, split
from regjax.data.readers.table_targets import possible_columns, target_columns

TEXT = "size,price,weight\n1,1000,0.5\n2,,0.7\n3,3000,NA\n5,2000,0.1\n7,4000,0.9\n"


def test_several_columns_of_numbers_are_one_regression(csv_file):
    path = csv_file(TEXT)
    for target in ("price,weight", " price, weight ", ["price", "weight"], ("price", "weight")):
        data = load_table(path, target=target)
        assert (data.task, data.target_names, data.columns) == ("regression", ("price", "weight"), ("size",))
        np.testing.assert_array_equal(data.y, np.array([[1000, 0.5], [2000, 0.1], [4000, 0.9]], np.float32))
    assert "2 rows in which one of the 2 targets is missing are left out" in data.notes
    assert "targets price, weight: regression (2 columns of numbers)" in data.notes
    frame = from_frame(pd.read_csv(path), ["weight", "price"])
    np.testing.assert_array_equal(frame.y, data.y[:, ::-1])
    one = load_table(path, target=["price"])
    assert (one.y.shape, one.target_names) == ((4,), None)


def test_a_name_with_commas_is_a_name(csv_file):
    """Its parts, which may be other columns, stay inputs of their own kind."""
    path = csv_file('"a, b",a,c\n10,1,5\n20,2,6\n35,4,9\n')
    data = load_table(path, target="a, b", task="regression")
    assert data.y.tolist() == [10, 20, 35]
    assert data.columns == ("a", "c")
    assert [column.role for column in data.schema.columns] == ["number", "number"]
    assert load_table(path, target=["a, b", "c"]).target_names == ("a, b", "c")
    assert possible_columns("a, b") == ("a, b", "a", "b")
    assert target_columns("toy", "a, b", ["a", "b", "c"]) == ("a", "b")


@pytest.mark.parametrize(
    ("text", "target", "options", "message"),
    [
        (TEXT, "price,wait", {}, r"no target column 'wait' .did you mean 'weight'\?."),
        (TEXT, "price,price", {}, "target column 'price' is named twice"),
        (TEXT, [], {}, r"target \[\] names no column"),
        (TEXT, ",", {}, "target ',' names no column"),
        (TEXT, "price,weight", {"task": "classification"}, r"got 2 .price, weight. that are not one-hot"),
        ("a,b,c\n1,1.5,no\n2,2.5,yes\n3,3,no\n", "b,c", {}, "row 2, column 'c': 'no' is not a number"),
        ("a,b,c\n1,,2\n2,2,\n", "b,c", {}, "in every row one of the targets b, c is missing"),
        ("a,b,c\n1,1.5,2024-01-01\n2,2,2024-01-02\n", "b,c", {}, "row 2, column 'c': '2024-01-01' is not a number"),
        ("a,b,c\n1,16777217,1\n2,16777216,2.5\n", "b,c", {}, ": b: targets.*float32"),
    ],
)
def test_what_several_targets_cannot_be(csv_file, text, target, options, message):
    with pytest.raises(InputError, match=message) as caught:
        load_table(csv_file(text), target=target, **options)
    assert "\n" not in str(caught.value)


def test_dates_are_no_targets():
    frame = {"a": [1, 2], "b": [1.5, 2.5], "c": np.array(["2024-01-01", "2024-01-02"], "datetime64[s]")}
    with pytest.raises(InputError, match="target column 'c' holds dates"):
        from_frame(frame, "b,c")


def test_a_constant_target_is_named(csv_file):
    rows = "".join(f"{i},{i * 1.5},7\n" for i in range(30))
    splits = split(load_table(csv_file("a,b,c\n" + rows), target="b,c"))
    with pytest.raises(InputError, match="target 'c' is the same in all training examples"):
        splits.check_targets()


def test_an_input_that_gives_one_target_away_is_noted_with_it(csv_file):
    rng = np.random.default_rng(0)
    rows = "".join(f"{i},{rng.normal():.3f},{i**3},{rng.normal():.3f}\n" for i in range(40))
    data = load_table(csv_file("a,b,c,d\n" + rows), target="c,d")
    assert [note for note in data.notes if "alone orders" in note] == [
        "target c: a alone orders the targets (rank correlation 1.00); if it is known only after them: ignore=a"
    ]


def test_names_of_targets_and_their_scales_are_kept(csv_file):
    rng = np.random.default_rng(0)
    rows = "".join(f"{i % 7},{1000 * rng.normal():.3f},{rng.normal():.4f}\n" for i in range(60))
    splits = split(load_table(csv_file("size,price,weight\n" + rows), target="price,weight"))
    made = Preprocessor.for_splits(splits)
    found = Preprocessor.from_json(made.to_json())
    assert found.target_names == ("price", "weight")
    assert found.schema.targets == ("price", "weight")
    standardized = found.target_transform(splits.y_train)
    np.testing.assert_allclose(standardized.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(standardized.std(axis=0), 1, rtol=1e-5)
    np.testing.assert_allclose(found.target_inverse(standardized), splits.y_train, rtol=1e-4, atol=1e-4)


def test_a_run_of_an_earlier_version_has_one_target(csv_file):
    import json

    made = Preprocessor.for_splits(split(load_table(csv_file("a,target\n" + "1,2.5\n2,4.5\n" * 20))))
    content = json.loads(made.to_json())
    content["table"]["target"] = "target"
    del content["targets"]
    found = Preprocessor.from_json(json.dumps(content))
    assert (found.schema.targets, found.target_names) == (("target",), None)


def test_a_test_file_has_the_same_targets(csv_file, tmp_path):
    rows = "".join(f"{i},{i * 1.5 % 7},{i * 0.7 % 5}\n" for i in range(30))
    path = csv_file("size,price,weight\n" + rows)
    other = tmp_path / "other.csv"
    other.write_text("weight,size,price\n0.5,100,2\n,101,3\n0.25,102,4\n")
    x, y = load(path, target="price,weight", test_file=other).test
    assert (x.ravel().tolist(), y.tolist()) == ([100, 102], [[2, 0.5], [4, 0.25]])


LABELS = "a,wet,hot\n1,0,true\n2,1,False\n3,1,TRUE\n4,0,false\n"


def test_columns_of_0_and_1_are_several_labels(csv_file):
    path = csv_file(LABELS)
    data = load_table(path, target="wet,hot")
    assert (data.task, data.target_names, data.class_names) == ("multilabel", ("wet", "hot"), None)
    assert data.y.tolist() == [[0, 1], [1, 0], [1, 1], [0, 0]]
    assert "targets wet, hot: multilabel (2 columns of 0 and 1)" in data.notes
    assert load_table(csv_file("a,b,c\n1,0,1\n2,1,1\n"), target="b,c", task="regression").task == "regression"
    frame = from_frame({"a": [1, 2, 3], "b": [True, False, True], "c": [0.0, 1.0, 1.0]}, ["b", "c"])
    assert (frame.task, frame.y.tolist()) == ("multilabel", [[1, 0], [0, 1], [1, 1]])


def test_one_hot_columns_are_classes_unless_you_say_otherwise(csv_file, tmp_path):
    path = csv_file("a,cat,dog\n1,0,1\n2,1,0\n3,0,1\n4,1,0\n")
    data = load_table(path, target="cat,dog")
    assert (data.task, data.class_names, data.y.tolist()) == ("classification", ("cat", "dog"), [1, 0, 1, 0])
    assert load_table(path, target="cat,dog", task="multilabel").y.shape == (4, 2)
    other = tmp_path / "other.csv"
    other.write_text("a,dog,cat\n9,1,0\n")
    assert load(path, target="cat,dog", test_file=other).test[1].tolist() == [1]
    several = load(csv_file(LABELS), target="wet,hot", test_file=_labels_of(tmp_path))
    assert several.test[1].tolist() == [[1, 0]]  # one row, one-hot by chance


def _labels_of(folder):
    path = folder / "labels.csv"
    path.write_text("a,wet,hot\n5,1,false\n")
    return path


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,b,c\n1,0,1\n2,1,2\n", {"task": "multilabel"}, "row 3, column 'c': '2' is not a label"),
        ("a,b,c\n1,0,1\n2,1,1\n", {"task": "classification"}, "one-hot columns, got 2 .b, c. that are not one-hot"),
        ("a,b,c\n1,yes,1.5\n2,no,2.5\n", {}, "row 2, column 'b': 'yes' is not a number"),
    ],
)
def test_what_labels_cannot_be(csv_file, text, options, message):
    with pytest.raises(InputError, match=message):
        load_table(csv_file(text), target="b,c", **options)


def test_one_column_is_no_multilabel(csv_file):
    with pytest.raises(InputError, match=r"task 'multilabel' needs labels \[N, K\] with K >= 2"):
        load_table(csv_file("a,b\n1,0\n2,1\n3,1\n"), target="b", task="multilabel")


def test_an_input_that_gives_a_label_away_is_noted_with_it(csv_file):
    rng = np.random.default_rng(0)
    rows = "".join(f"{i},{rng.normal():.3f},{int(i > 20)},{rng.integers(2)}\n" for i in range(40))
    data = load_table(csv_file("a,b,c,d\n" + rows), target="c,d")
    (note,) = [note for note in data.notes if "alone tells" in note]
    assert note.startswith("target c: a alone tells the classes apart")
