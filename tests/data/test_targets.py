import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import from_arrays, load_npz, load_table
from regjax.data.targets import encode_targets, infer_task, task_reason


def column(values):
    return np.asarray(values)[:, None]


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (np.array(["a", "b"]), "classification"),
        (np.array([True, False]), "classification"),
        (np.array([0.0, 1.0, 1.0, 0.0]), "classification"),
        (np.array([0, 1]), "regression"),  # each value once: nothing says that these are classes
        (np.array([0.5, 0.5, 1.0, 1.0]), "regression"),
        (np.arange(60) % 20, "classification"),
        (np.arange(63) % 21, "regression"),
        (np.zeros((9, 2)), "regression"),
        (np.array([[0.0], [1.0], [1.0], [0.0]]), "classification"),  # a column is a vector
        (np.eye(3)[[0, 1, 2, 1]], "classification"),
        (np.eye(3, dtype=int)[[0, 1, 2, 1]], "classification"),
        (np.eye(3, dtype=bool)[[0, 1, 2, 1]], "classification"),
        (np.array([[0.2, 0.8], [1.0, 0.0]]), "regression"),
        (np.array([[1, 0], [1, 1]]), "multilabel"),
        (np.array([[1.0, 0.0], [0.0, 0.0]]), "multilabel"),
        (np.array([[True, False, True]]), "multilabel"),
    ],
)
def test_inferred_task(values, task):
    assert infer_task(values) == task


def test_labels_are_sorted_and_shared_with_the_test_part():
    task, (y, y_test), names = encode_targets("t", [np.array([9, 3, 9, 3]), np.array([3])])
    assert (task, names) == ("classification", ("3", "9"))
    assert y.tolist() == [1, 0, 1, 0]
    assert y_test.tolist() == [0]
    assert y.dtype == np.int32


def test_names_of_whole_floats_and_bytes():
    assert encode_targets("t", [np.array([1.0, 2.0])], "classification")[2] == ("1", "2")
    assert encode_targets("t", [np.array([b"u", b"v"])])[2] == ("u", "v")


def test_regression_targets():
    task, (y,), names = encode_targets("t", [np.array([1, 2, 1, 2])], "regression")
    assert (task, names, y.dtype) == ("regression", None, np.float32)


@pytest.mark.parametrize(
    ("parts", "task", "message"),
    [
        ([np.array([1.0, np.nan])], None, "target of example 1 is not finite"),
        ([np.array(["a"])], "regression", "found text 'a'"),
        ([np.array(["a", "b"]), np.array(["b", "c"])], None, "label 'c' of the test part is not in train"),
        ([np.zeros((3, 2))], "classification", r"\(3, 2\)"),
        ([np.zeros((2, 3))], None, r"\(2, 3\) are 0 each"),
        ([np.array([[1, 1, 0], [0, 0, 1]]), np.ones((2, 2))], None, "test part has 2 labels, the training part 3"),
        ([np.array([[1, 2, 0], [0, 0, 1]])], "multilabel", "found 2 in example 0, label 1"),
        ([np.array([[0.5, 0.5], [0.0, 1.0]])], "multilabel", "found 0.5 in example 0, label 0"),
        ([np.array([0, 1, 1])], "multilabel", r"labels \[N, K\] with K >= 2, got shape \(3,\)"),
        ([np.array([["a", "b"]])], "multilabel", "found text 'a'"),
        ([np.array([[1, 1, 0], [0, 0, 1]])], "classification", r"one value per example or one-hot rows.*\(2, 3\)"),
        ([np.array([[1, -1, 1], [-1, 1, 1]])], None, r"\(2, 3\) are -1 or 1 each.*y == 1 makes them"),
        ([2.0 * np.eye(3) - 1], None, r"\(3, 3\)"),
        ([0.9 * np.eye(3) + 0.1 / 3], None, r"\(3, 3\).*argmax"),
        ([np.array([[0.25, 0.75], [1.0, 0.0]], np.float16)], None, "argmax"),
        ([1.7e9 + np.arange(8) / 2], None, "float32"),
        ([column(1.7e9 + np.arange(8) / 2)], "regression", "float32"),
        ([np.array([1e300, -1e300, 0.5])], None, "float32"),
        ([np.ma.array([0, 1, 0, 1], mask=[0, 0, 0, 1])], None, "example 3 is masked"),
        ([np.eye(3), np.eye(2)], None, r"\(2, 2\)"),
        ([np.eye(3), np.zeros((2, 3))], None, r"\(2, 3\)"),
        ([np.array(["a", 1], object)], None, "object"),
        ([np.array([{}], object)], None, "got dtype object"),
        ([np.array([1])], "clasification", "did you mean 'classification'"),
    ],
)
def test_refusals(parts, task, message):
    with pytest.raises(InputError, match=message):
        encode_targets("t", parts, task)


@pytest.mark.parametrize("dtype", [bool, int, np.float32, np.float64, np.uint8])
def test_one_hot_rows_are_classes(dtype):
    task, (y, y_test), names = encode_targets("t", [np.eye(3, dtype=dtype)[[2, 0, 1, 0]], np.eye(3, dtype=dtype)[[1]]])
    assert (task, names) == ("classification", ("0", "1", "2"))
    assert y.tolist() == [2, 0, 1, 0]
    assert y_test.tolist() == [1]
    task, (y,), names = encode_targets("t", [np.eye(3, dtype=dtype)], "regression")
    assert (task, names, y.dtype, y.shape) == ("regression", None, np.float32, (3, 3))


@pytest.mark.parametrize(
    "y", [np.full(8, 0.1), 1e6 + np.arange(8) / 2, np.arange(8) * 1e-30, np.array([0.1, 1e9, 3e9])]
)
def test_numbers_that_float32_tells_apart_are_taken(y):
    assert encode_targets("t", [y], "regression")[0] == "regression"
    assert encode_targets("t", [np.ma.array(y)], "regression")[0] == "regression"


def test_rows_that_add_up_to_one_are_numbers_on_request():
    assert encode_targets("t", [np.full((3, 4), 0.25)], "regression")[1][0].shape == (3, 4)


def test_rows_of_several_ones_are_numbers_on_request():
    assert encode_targets("t", [np.array([[1, 1, 0], [0, 0, 1]])], "regression")[0] == "regression"


def test_python_objects_of_one_kind_are_what_they_hold():
    """A column of a data frame is an array of objects."""
    assert encode_targets("t", [np.array(["b", "a", "b"], object)])[2] == ("a", "b")
    assert encode_targets("t", [np.array([1, 2, 1, 2], object)])[2] == ("1", "2")


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (np.arange(40) % 2, "classification"),
        (np.arange(40) % 2 * 1.0, "classification"),
        (column(np.arange(40) % 2 * 1.0), "classification"),
        (np.eye(2, dtype=np.float32)[np.arange(40) % 2], "classification"),
        (np.arange(40) % 3 - 1, "classification"),
        (np.arange(40) % 3 + 1, "classification"),
        (np.arange(40) % 2 == 0, "classification"),
        (np.array(["a", "b"])[np.arange(40) % 2], "classification"),
        (np.linspace(0, 1, 40), "regression"),
        (column(np.linspace(0, 1, 40)), "regression"),
        (np.linspace(0, 1, 80).reshape(40, 2), "regression"),
    ],
)
def test_arrays_mean_what_the_same_arrays_in_a_file_mean(y, task, tmp_path):
    x = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    read, given = load_npz(tmp_path / "data.npz"), from_arrays(x, y)
    assert read.task == given.task == task
    assert read.class_names == given.class_names
    np.testing.assert_array_equal(read.y, given.y)
    np.testing.assert_array_equal(read.x, given.x)


def test_files_are_refused_whose_numbers_float32_cannot_tell_apart(tmp_path):
    seconds = 1.7e9 + np.arange(20) / 2
    np.savez(tmp_path / "data.npz", x=np.column_stack([np.arange(20), seconds]), y=np.arange(20) % 2)
    with pytest.raises(InputError, match="column 1"):
        load_npz(tmp_path / "data.npz")
    lines = [f"{row},{second},{row % 2}" for row, second in enumerate(seconds)]
    (tmp_path / "data.csv").write_text("\n".join(["row,time,target", *lines]))
    with pytest.raises(InputError, match="column time"):
        load_table(tmp_path / "data.csv")


def test_whole_numbers_that_may_be_either_need_the_task():
    """Of 100 classes or a count, nothing tells; as numbers a comparison would be of another question."""
    x, y = np.zeros((300, 2), np.float32), np.arange(300) % 100
    with pytest.raises(InputError, match=r"100 .*task='classification'"):
        from_arrays(x, y)
    assert from_arrays(x, y, task="classification").num_classes == 100
    assert from_arrays(x, y, task="regression").y.dtype == np.float32
    with pytest.raises(InputError, match="100"):  # as a data frame holds it
        from_arrays(x, y.astype(object))
    with pytest.raises(InputError, match="task='classification'"):  # token ids
        from_arrays(x, np.arange(900).reshape(300, 3))


@pytest.mark.parametrize(
    ("values", "reason"), [(np.array(["a"]), "text"), (np.arange(8) % 2, "2"), (np.linspace(0, 1, 5), "0.25")]
)
def test_the_reason_names_what_was_seen(values, reason):
    assert reason in task_reason(values)


def test_several_labels_are_numbers_0_and_1():
    task, (train, test), names = encode_targets("t", [np.array([[1, 0], [1, 1]]), np.array([[True, True]])])
    assert (task, names, train.dtype, test.dtype) == ("multilabel", None, np.float32, np.float32)
    assert (train.tolist(), test.tolist()) == ([[1, 0], [1, 1]], [[1, 1]])
    assert task_reason(np.array([[1, 0], [1, 1]])) == "rows of 2 labels that are 0 or 1"
    assert (
        encode_targets("t", [np.eye(3)], "multilabel")[1][0].tolist() == np.eye(3).tolist()
    )  # not one-hot, if you say
    assert encode_targets("t", [np.array([[1, 0], [1, 1]])], "regression")[0] == "regression"
