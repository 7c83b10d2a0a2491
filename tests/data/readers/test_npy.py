import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import Preprocessor, load, read_inputs, stream_inputs
from regjax.data.inputs import collected
from regjax.data.readers import array_files, npy

TABLE = Preprocessor.fit(np.ones((2, 3), np.float32), "table")
X = np.random.default_rng(0).normal(size=(12, 3))
LABELS = np.array(["no", "yes"] * 6)


def save(folder, **arrays):
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


@pytest.mark.parametrize(
    ("inputs", "targets"),
    [
        ("x", "y"),
        ("X", "y"),
        ("X", "Y"),
        ("x_train", "y_train"),
        ("train_X", "train_y"),
        ("wine.x", "wine.y"),
        ("my-x-2024", "my-y-2024"),
    ],
)
def test_targets_are_found_by_the_name(tmp_path, inputs, targets):
    save(tmp_path, **{inputs: X, targets: LABELS})
    data = load(tmp_path / f"{inputs}.npy")
    np.testing.assert_array_equal(data.x, X.astype(np.float32))
    assert data.class_names == ("no", "yes")
    assert data.y.tolist() == [0, 1] * 6
    assert any(f"{targets}.npy" in note for note in data.notes)


@pytest.mark.parametrize("named", ["labels.npy", "{folder}/labels.npy"])
def test_targets_can_be_named(tmp_path, named):
    save(tmp_path, features=X, labels=LABELS)
    data = load(tmp_path / "features.npy", target=named.format(folder=tmp_path))
    assert data.y.tolist() == [0, 1] * 6


@pytest.mark.parametrize(
    ("names", "test"),
    [(("x", "y"), ("x_test", "y_test")), (("X_train", "y_train"), ("X_test", "y_test"))],
)
def test_the_test_pair_beside_it_is_the_test_set(tmp_path, names, test):
    save(tmp_path, **{names[0]: X, names[1]: LABELS, test[0]: X[:3], test[1]: LABELS[1:4]})
    data = load(tmp_path / f"{names[0]}.npy")
    np.testing.assert_array_equal(data.test[0], X[:3].astype(np.float32))
    assert data.test[1].tolist() == [1, 0, 1]
    assert any(f"{test[0]}.npy and {test[1]}.npy: 3" in note for note in data.notes)
    assert load(tmp_path / f"{test[0]}.npy").test is None


def test_test_examples_without_targets_are_not_the_test_set_which_is_said(tmp_path):
    save(tmp_path, x=X, y=LABELS, x_test=X[:3])
    data = load(tmp_path / "x.npy")
    assert data.test is None
    assert any("x_test.npy is not the test set, because there is no y_test.npy" in note for note in data.notes)


def test_several_arrays_under_the_name_of_one_are_refused(tmp_path):
    save(tmp_path, y=LABELS)
    np.savez(tmp_path / "several.npz", x=X)
    (tmp_path / "several.npz").rename(tmp_path / "x.npy")
    for read in (load, lambda path: read_inputs(path, TABLE)):
        with pytest.raises(InputError, match=r"x\.npy: holds several arrays"):
            read(tmp_path / "x.npy")


def test_arrays_that_are_too_large_for_memory_are_streamed(tmp_path, monkeypatch):
    monkeypatch.setattr(array_files, "MAX_BYTES", 300)
    save(tmp_path, x=X, y=np.arange(12) % 2)
    with pytest.raises(InputError, match="--loader=stream"):
        load(tmp_path / "x.npy", task="classification")
    assert load(tmp_path / "x.npy", task="classification", lazy=True).x.shape == (12, 3)


def test_inputs_are_mapped_when_they_stay_on_disk(tmp_path):
    save(tmp_path, x=X, y=LABELS)
    lazy = load(tmp_path / "x.npy", lazy=True)
    assert not isinstance(lazy.x, np.ndarray)
    np.testing.assert_array_equal(lazy.x[:], load(tmp_path / "x.npy").x)


@pytest.mark.parametrize(
    ("arrays", "target", "message"),
    [
        ({"x": X}, None, r"there is no y\.npy beside it"),
        ({"features": X, "labels": LABELS}, None, "its name does not tell"),
        ({"x": X}, "labels.npy", "no such file"),
        ({"x": X, "labels": LABELS}, "labels", "a .npy file of the targets"),
        ({"x": X, "y": LABELS[:5]}, None, "12 examples but 5 targets"),
        ({"x": np.array(3.0), "y": LABELS}, None, "got shape"),
        ({"x": np.array([{}], object), "y": np.zeros(1)}, None, "Python objects are not read"),
    ],
)
def test_refusals(tmp_path, arrays, target, message):
    save(tmp_path, **arrays)
    with pytest.raises(InputError, match=message) as caught:
        load(tmp_path / f"{next(iter(arrays))}.npy", target=target)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"not an array", None])
def test_damaged_files_are_refused(tmp_path, content):
    save(tmp_path, x=X, y=LABELS)
    whole = (tmp_path / "x.npy").read_bytes()
    (tmp_path / "x.npy").write_bytes(whole[:-40] if content is None else content)
    for read in (load, lambda path: read_inputs(path, TABLE)):
        with pytest.raises(InputError, match=r"x\.npy: "):
            read(tmp_path / "x.npy")


def test_pieces_for_prediction(tmp_path, monkeypatch):
    monkeypatch.setattr(npy, "PIECE_BYTES", 100)
    save(tmp_path, new=X)
    pieces = list(stream_inputs(tmp_path / "new.npy", TABLE))
    assert [len(piece.ids) for piece in pieces] == [4, 4, 4]
    np.testing.assert_array_equal(collected(pieces)[0], X.astype(np.float32))
    assert collected(pieces)[1] == [str(i) for i in range(12)]
    assert pieces[-1].share == 1


@pytest.mark.parametrize(
    ("array", "message"),
    [(np.ones((4, 2)), "x has 2 columns, the model was trained on 3"), (np.array(1.0), "single number")],
)
def test_inputs_that_do_not_fit_the_model(tmp_path, array, message):
    save(tmp_path, new=array)
    with pytest.raises(InputError, match=message):
        read_inputs(tmp_path / "new.npy", TABLE)


def test_no_examples_give_no_predictions(tmp_path):
    save(tmp_path, new=X[:0])
    x, ids = read_inputs(tmp_path / "new.npy", TABLE)
    assert (x.shape, ids) == ((0, 3), [])
