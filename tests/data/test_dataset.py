import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import Dataset

X = np.zeros((4, 3), np.float32)
Y = np.array([0, 1, 1, 0], np.int32)
IMAGES = np.zeros((4, 2, 2, 1), np.uint8)


def test_facts_of_a_table():
    data = Dataset("t", "classification", X, Y, class_names=("a", "b", "c"), columns=("p", "q", "r"))
    assert (len(data), data.kind, data.num_classes) == (4, "table", 3)


def test_facts_of_images():
    assert Dataset("t", "classification", IMAGES, Y).kind == "image"


def test_regression_has_no_classes():
    data = Dataset("t", "regression", X, np.zeros((4, 2), np.float32))
    assert data.num_classes == 0


def changed(array, index, value):
    array = array.copy()
    array[index] = value
    return array


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"task": "regresion"}, "did you mean 'regression'"),
        ({"y": Y[:3]}, "4 examples but 3 targets"),
        ({"x": X[0]}, r"x must be \[N, F\] or \[N, H, W, C\], got shape \(3,\)"),
        ({"x": X[:0], "y": Y[:0]}, "no examples"),
        ({"x": X[:, :0]}, "has no features"),
        ({"x": X.astype(np.float64)}, "rows must be float32, got float64"),
        ({"x": changed(X, (2, 1), np.nan)}, r"x must be finite, found nan at index \(2, 1\)"),
        ({"x": changed(X, (3, 0), -np.inf)}, r"found -inf at index \(3, 0\)"),
        ({"y": Y.astype(np.int64)}, "labels must be int32"),
        ({"y": changed(Y, 0, -1)}, "label -1 is out of range, accepted: 0..1"),
        ({"class_names": ("only",)}, "label 1 is out of range, accepted: 0..0"),
        ({"class_names": ("a", "a")}, "not distinct"),
        ({"columns": ("p", "q")}, "2 column names"),
        ({"task": "regression"}, "targets must be float32"),
        ({"task": "regression", "y": np.zeros(4, np.float32), "class_names": ("a",)}, "class_names belong"),
        ({"x": IMAGES.astype(np.int32)}, "images must be uint8 or float32, got int32"),
        ({"x": changed(IMAGES.astype(np.float32), 0, 2)}, r"pixels must be in \[0, 1\], found \[0, 2\]"),
        ({"test": (X[:, :2], Y)}, r"test examples are float32\[2\], training examples float32\[3\]"),
        ({"test": (X, changed(Y, 0, 2))}, "test label 2 is out of range"),
        ({"test": (X[:0], Y[:0])}, "the test split is empty"),
    ],
)
def test_refusals_are_one_line(kwargs, message):
    arguments = {"name": "t", "task": "classification", "x": X, "y": Y} | kwargs
    with pytest.raises(InputError, match=message) as caught:
        Dataset(**arguments)
    assert "\n" not in str(caught.value)


def test_large_finite_values_are_accepted():
    # Their float32 sum overflows; that is no reason to refuse them.
    Dataset("t", "classification", np.full((4, 3), 3e38, np.float32), Y)


LABELS = np.array([[0, 1], [1, 1], [0, 0], [1, 0]], np.float32)


def test_several_labels_have_no_exclusive_classes():
    data = Dataset("t", "multilabel", X, LABELS, target_names=("wet", "hot"), test=(X, LABELS))
    assert (data.num_classes, data.target_names) == (0, ("wet", "hot"))


@pytest.mark.parametrize(
    ("task", "y", "options", "message"),
    [
        ("multilabel", 0.5 * LABELS, {}, r"labels must be float32 \[N, K\] of 0 and 1"),
        ("multilabel", LABELS[:, :1], {}, r"K >= 2, got \(4, 1\)"),
        ("multilabel", Y, {}, r"K >= 2, got \(4,\)"),
        ("multilabel", LABELS, {"test": (X, 2 * LABELS)}, r"t: test labels must be float32"),
        ("multilabel", LABELS, {"class_names": ("a", "b")}, "class_names belong to classification"),
        ("regression", LABELS, {"target_names": ("a", "a")}, r"1 distinct target_names for y of shape \(4, 2\)"),
        ("regression", LABELS, {"target_names": ("a", "b", "c")}, "3 distinct target_names"),
        ("classification", Y, {"target_names": ("a",)}, r"target_names for y of shape \(4,\)"),
    ],
)
def test_what_several_targets_cannot_be(task, y, options, message):
    with pytest.raises(InputError, match=message):
        Dataset("t", task, X, y, **options)
