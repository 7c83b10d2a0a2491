import numpy as np
import pytest

from regjax.checks import InputError
from regjax.data.targets import encode_targets, infer_task


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
        ([np.zeros((3, 2))], "classification", "one value per example"),
        ([np.array([{}], object)], None, "got dtype object"),
        ([np.array([1])], "clasification", "did you mean 'classification'"),
    ],
)
def test_refusals(parts, task, message):
    with pytest.raises(InputError, match=message):
        encode_targets("t", parts, task)
