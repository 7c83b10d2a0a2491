import os

import numpy as np
import pytest

from regjax.analysis import Predictions, log_loss, read_predictions, write_predictions
from regjax.core.errors import InputError
from tests.helpers import assert_trees_equal

LABELS = np.array([[0, 1, 1], [1, 1, 0]], np.int32)
RIGHT = np.array([[[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]], [[0.4, 0.6], [1.0, 0.0], [0.7, 0.3]]], np.float32)


def classification(**fields):
    given = {"seeds": np.array([5, 6]), "y": LABELS, "rows": np.array([[7, 3, 1], [2, 9, 4]])}
    given |= {"outputs": {"baseline": RIGHT, "mcp(0.003), s=1/2": RIGHT[:, ::-1]}}
    return Predictions("classification", **{**given, **fields})


def regression(shape=(2, 3)):
    y = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return Predictions("regression", np.array([0, 1]), y, None, {"baseline": y + 1, "l2": 2 * y})


def test_hits_and_losses_by_hand():
    """The second example of the first run is a tie, which the first class wins."""
    found = classification()
    np.testing.assert_array_equal(found.hits("baseline"), [[True, False, True], [True, False, True]])
    expected = -np.log([[0.9, 0.5, 0.8], [0.6, 2.0**-126, 0.7]])
    np.testing.assert_allclose(found.losses("baseline"), expected, rtol=1e-6)
    for run in range(2):
        assert found.losses("baseline")[run].mean() == pytest.approx(log_loss(RIGHT[run], LABELS[run]))


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 4)])
def test_squared_errors_by_hand(shape):
    found = regression(shape)
    np.testing.assert_array_equal(found.losses("baseline"), np.ones((2, 3)))
    np.testing.assert_allclose(found.losses("l2"), np.square(found.y).reshape(2, 3, -1).mean(axis=2))
    with pytest.raises(InputError, match="hits are for classification"):
        found.hits("l2")


def test_a_row_that_is_not_there():
    with pytest.raises(InputError, match=r"'l3' is not known \(did you mean 'l2'\?\); accepted: baseline, l2"):
        regression().losses("l3")


@pytest.mark.parametrize(
    "predictions",
    [
        classification(),
        classification(rows=None),
        classification(groups=np.array([[0, 0, 1], [2, 1, 2]])),
        regression(),
        regression((2, 3, 4)),
    ],
    ids=["classes", "own test set", "groups", "numbers", "several numbers"],
)
def test_what_is_written_is_read(predictions, tmp_path):
    path = tmp_path / "predictions.npz"
    path.write_text("an earlier file")
    write_predictions(predictions, path)
    found = read_predictions(path)
    assert_trees_equal(found._replace(task=0), predictions._replace(task=0))
    assert found.task == predictions.task
    assert list(found.outputs) == list(predictions.outputs)
    assert [left.dtype for left in found.outputs.values()] == [np.float32] * 2
    assert os.listdir(tmp_path) == ["predictions.npz"]


def test_the_units_are_the_groups_or_else_the_rows():
    groups = np.array([[0, 0, 1], [2, 1, 2]])
    assert classification(groups=groups).units is groups
    assert classification().units.tolist() == classification().rows.tolist()
    assert regression().units is None


def test_a_file_of_before_the_groups_is_read(tmp_path):
    np.savez(tmp_path / "p.npz", **stored())
    assert read_predictions(tmp_path / "p.npz").groups is None


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "predictions.npz").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_predictions(classification(), tmp_path / "predictions.npz")
    assert os.listdir(tmp_path) == ["predictions.npz"]


def test_a_damaged_file_is_refused_or_the_same(tmp_path):
    """Every seventh byte, turned around; bytes that hold times and modes change nothing."""
    path = tmp_path / "predictions.npz"
    made = classification()
    write_predictions(made, path)
    content = path.read_bytes()
    refused = 0
    for place in range(0, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        try:
            found = read_predictions(path)
        except InputError:
            refused += 1
        else:
            assert_trees_equal(found._replace(task=0), made._replace(task=0))
    assert refused > len(content) / 7 / 2
    for size in (0, 10, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:size])
        with pytest.raises(InputError, match=r"predictions\.npz: not a readable"):
            read_predictions(path)


def stored(**changes):
    """The arrays of a file, some of them changed, or left out by None."""
    made = classification()
    arrays = {"format": 1, "task": made.task, "seeds": made.seeds, "y": made.y, "rows": made.rows, "row/l2": RIGHT}
    return {name: value for name, value in {**arrays, **changes}.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 2}, "format 2, accepted: 1"),
        ({"y": None}, "'y' is missing"),
        ({"row/l2": None}, "no row"),
        ({"task": "ranking"}, "task 'ranking' is not known"),
        ({"seeds": np.arange(3)}, r"seeds cannot be int64\[3\]"),
        ({"rows": np.zeros((2, 3))}, r"rows cannot be float64\[2, 3\]"),
        ({"groups": np.zeros((2, 2), int)}, r"groups cannot be int64\[2, 2\]"),
        ({"groups": np.zeros((2, 3))}, r"groups cannot be float64\[2, 3\]"),
        ({"groups": np.array([[0, 1, 3], [1, 0, 0]])}, "groups must be numbered from 0 without a gap"),
        ({"y": LABELS[0]}, r"y cannot be int32\[3\]"),
        ({"y": LABELS + 0.5}, "y cannot be float64"),
        ({"row/l2": RIGHT[:, :2]}, r"row/l2 cannot be float32\[2, 2, 2\]"),
        ({"row/l2": RIGHT[..., :1]}, r"row/l2 cannot be float32\[2, 3, 1\]"),
        ({"row/l2": RIGHT > 0.5}, "row/l2 cannot be bool"),
        ({"task": "regression", "y": LABELS * 1.0}, r"row/l2 cannot be float32\[2, 3, 2\]"),
    ],
)
def test_files_that_are_refused(tmp_path, changes, message):
    path = tmp_path / "p.npz"
    np.savez(path, **stored())
    assert list(read_predictions(path).outputs) == ["l2"]
    np.savez(path, **stored(**changes))
    with pytest.raises(InputError, match=rf"p\.npz: no predictions of a comparison: .*{message}"):
        read_predictions(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "p.npz"
    np.savez(path, **stored(y=np.array([[None]])))  # a pickle
    with pytest.raises(InputError, match="not a readable"):
        read_predictions(path)
    with path.open("wb") as file:
        np.save(file, RIGHT)
    with pytest.raises(InputError, match="not a readable"):
        read_predictions(path)
    with pytest.raises(InputError, match="no file"):
        read_predictions(tmp_path)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, None),
        ({"outputs": {}}, None),
        ({"seeds": np.array([6, 7])}, "seeds"),
        ({"y": 1 - LABELS}, "y"),
        ({"rows": None}, "rows"),
        ({"rows": np.array([[7, 3, 2], [2, 9, 4]])}, "rows"),
    ],
)
def test_pairs_have_the_same_seeds_and_examples(fields, name):
    other = classification(**fields)
    if name is None:
        classification().check_paired(other)
        return
    with pytest.raises(InputError, match=f"{name} of the two differ"):
        classification().check_paired(other)


def test_losses_of_several_labels_by_hand(tmp_path):
    y = np.array([[[1, 0], [0, 0]]], np.float32)
    outputs = {"baseline": np.array([[[0.5, 0.25], [0.0, 0.5]]], np.float32)}
    made = Predictions("multilabel", np.array([3]), y, None, outputs)
    expected = [[np.log(2) - np.log(0.75), np.log(2)]]
    np.testing.assert_allclose(made.losses("baseline"), np.array(expected) / 2, rtol=1e-6)
    with pytest.raises(InputError, match="hits are for classification, this is multilabel"):
        made.hits("baseline")
    write_predictions(made, tmp_path / "p.npz")
    found = read_predictions(tmp_path / "p.npz")
    assert found.task == "multilabel"
    assert_trees_equal(found.outputs, made.outputs)
