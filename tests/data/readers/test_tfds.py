import time

import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import find_prepared, load, load_tfds, split
from regjax.data.readers import tfds
from tests.data.sets import make_set


def rows(name):
    start = {"train": 0, "validation": 10, "test": 20}[name]
    return [{"x": np.full(3, start + i, np.float32), "label": i % 2} for i in range(4)]


def row_features(f):
    return {"x": f.Tensor(shape=(3,), dtype=np.float32), "label": f.ClassLabel(names=["no", "yes"])}


def test_validation_joins_train_and_test_is_official(tmp_path):
    splits = ("train", "validation", "test")
    make_set(tmp_path, row_features, rows, ("x", "label"), splits)
    data = load_tfds("made", data_dir=tmp_path)
    assert data.x[:, 0].tolist() == [0, 1, 2, 3, 10, 11, 12, 13]
    assert data.test[0][:, 0].tolist() == [20, 21, 22, 23]
    assert data.class_names == ("no", "yes")


def test_withheld_test_labels_are_not_used(tmp_path):
    def examples(name):
        return [row | {"label": -1 if name == "test" else row["label"]} for row in rows(name)]

    make_set(tmp_path, row_features, examples, ("x", "label"), ("train", "test"))
    with pytest.warns(UserWarning, match="labels of its test split are withheld"):
        assert load_tfds("made", data_dir=tmp_path).test is None


def test_no_supervised_features(tmp_path):
    make_set(tmp_path, lambda f: {"text": f.Text()}, lambda name: [{"text": "a"}])
    with pytest.raises(InputError, match="no supervised features; it has text"):
        load_tfds("made", data_dir=tmp_path)


def test_memory_limit(wine_dir, monkeypatch):
    monkeypatch.setattr(tfds, "MAX_DECODED_BYTES", 1000)
    with pytest.raises(InputError, match="stream it"):
        load_tfds("wine", data_dir=wine_dir)


@pytest.mark.slow
def test_mnist_first_and_second_start(prepared_dir):
    import tensorflow_datasets as tfds

    data = load("mnist", data_dir=prepared_dir)
    assert data.x.shape == (60_000, 28, 28, 1)
    assert data.x.dtype == np.uint8
    assert data.test[0].shape == (10_000, 28, 28, 1)
    assert data.num_classes == 10
    assert np.bincount(data.y)[:3].tolist() == [5923, 6742, 5958]
    oracle = tfds.builder_from_directory(find_prepared("mnist", prepared_dir)).as_data_source(split="test")
    for i in (0, 17, 9999):
        np.testing.assert_array_equal(oracle[i]["image"], data.test[0][i])
        assert oracle[i]["label"] == data.test[1][i]
    start = time.perf_counter()
    again = load("mnist", data_dir=prepared_dir)
    assert time.perf_counter() - start < 2
    np.testing.assert_array_equal(again.x, data.x)
    splits = split(again)
    assert splits.sizes == {"train": 48_000, "stop": 6000, "select": 6000, "test": 10_000}
