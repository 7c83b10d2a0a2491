import shutil
import socket
import sys
import time

import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import find_prepared, load, load_tfds, open_prepared, split
from regjax.data.readers import tfds
from regjax.data.readers.builders import BUILDERS
from tests.data.sets import make_set


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """Any attempt to connect fails the test, and the home directory holds nothing."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)


@pytest.fixture(scope="session")
def wine_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    BUILDERS["wine"](data_dir=folder, file_format="array_record").download_and_prepare()
    return folder


def rows(name):
    start = {"train": 0, "validation": 10, "test": 20}[name]
    return [{"x": np.full(3, start + i, np.float32), "label": i % 2} for i in range(4)]


def row_features(f):
    return {"x": f.Tensor(shape=(3,), dtype=np.float32), "label": f.ClassLabel(names=["no", "yes"])}


def test_prepared_set_by_name_and_place(wine_dir):
    version = wine_dir / "wine" / "1.1.0"
    for name, data_dir in (
        ("wine", wine_dir),
        ("wine:1.1.0", wine_dir),
        ("wine", version.parent),
        ("wine", version),
    ):
        assert find_prepared(name, data_dir) == version
    data = load("wine:1.1.0", data_dir=wine_dir)
    assert data.class_names == ("class_0", "class_1", "class_2")
    assert data.columns[0] == "alcohol"
    assert "tensorflow" not in sys.modules


def test_newest_version_and_environment(wine_dir, tmp_path, monkeypatch):
    for version in ("1.2.0", "1.10.0"):
        shutil.copytree(wine_dir / "wine" / "1.1.0", tmp_path / "wine" / version)
    (tmp_path / "wine" / "2.0.0.incompleteX").mkdir()
    (tmp_path / "wine" / "3.0.0").mkdir()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert find_prepared("wine").name == "1.10.0"
    with pytest.raises(InputError, match=r"wine:1\.1\.0"):
        find_prepared("wine:1.1.0")


def test_configurations(wine_dir, tmp_path):
    for config in ("red", "white"):
        shutil.copytree(wine_dir / "wine" / "1.1.0", tmp_path / "wine" / config / "1.1.0")
    assert find_prepared("wine/red", tmp_path) == tmp_path / "wine" / "red" / "1.1.0"
    with pytest.raises(InputError, match="choose one of wine/red, wine/white"):
        find_prepared("wine", tmp_path)
    shutil.rmtree(tmp_path / "wine" / "red")
    assert find_prepared("wine", tmp_path).parent.name == "white"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cifar10",
            r"not prepared in .*pip install 'regjax\[tensorflow\]' && tfds build cifar10 --file_format",
        ),
        ("digitz", "did you mean 'digits'"),
        ("mnits", "did you mean 'mnist'"),
        ("mnist/../..", "neither a file, a folder nor a TFDS name"),
        ("My Data!", "neither a file, a folder nor a TFDS name"),
    ],
)
def test_absent_sets_fail_fast_in_one_line(no_network, name, message):
    start = time.perf_counter()
    with pytest.raises(InputError, match=message) as caught:
        load(name)
    assert time.perf_counter() - start < 5
    assert "\n" not in str(caught.value)


def test_absent_data_dir(no_network, tmp_path):
    with pytest.raises(InputError, match="is not a directory"):
        load("mnist", data_dir=tmp_path / "absent")


def test_other_formats_are_refused_with_the_remedy(wine_dir, tmp_path):
    shutil.copytree(wine_dir / "wine", tmp_path / "wine")
    info = tmp_path / "wine" / "1.1.0" / "dataset_info.json"
    info.write_text(info.read_text().replace("array_record", "tfrecord", 1))
    with pytest.raises(InputError, match="prepared as tfrecord, accepted: array_record; prepare it with"):
        load_tfds("wine", data_dir=tmp_path)


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove", "features"])
def test_damaged_sets_are_refused(wine_dir, tmp_path, damage):
    shutil.copytree(wine_dir / "wine", tmp_path / "wine")
    folder = tmp_path / "wine" / "1.1.0"
    (records,) = folder.glob("*.array_record-*")
    content = bytearray(records.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
        records.write_bytes(content)
    elif damage == "truncate":
        records.write_bytes(content[:-100])
    elif damage == "remove":
        records.unlink()
    else:
        (folder / "features.json").write_text("{")
    with pytest.raises(InputError, match=r"prepare it again|not a readable TFDS set"):
        load_tfds("wine", data_dir=tmp_path)


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


def test_features_found_by_name_and_dictionaries_of_numbers(tmp_path):
    def features(f):
        parts = {"age": f.Scalar(np.int32), "size": f.Scalar(np.float32)}
        return {"features": parts, "target": f.Scalar(np.float32), "id": f.Text()}

    def examples(name):
        return [{"features": {"age": i, "size": i / 2}, "target": i / 4, "id": "a"} for i in range(5)]

    make_set(tmp_path, features, examples)
    data = load_tfds("made", data_dir=tmp_path)
    assert (data.task, data.columns) == ("regression", ("age", "size"))
    np.testing.assert_array_equal(data.x, np.arange(5)[:, None] * np.array([1, 0.5], np.float32))


@pytest.mark.parametrize(
    ("feature", "value", "message"),
    [
        (lambda f: f.Text(), "a", "'x' is not numeric"),
        (lambda f: f.Tensor(shape=(None,), dtype=np.float32), np.zeros(2, np.float32), "no fixed size"),
        (
            lambda f: f.Tensor(shape=(2, 2), dtype=np.float32),
            np.zeros((2, 2), np.float32),
            r"accepted: \[H, W, C\]",
        ),
    ],
)
def test_unusable_features(tmp_path, feature, value, message):
    make_set(
        tmp_path,
        lambda f: {"x": feature(f), "label": f.ClassLabel(num_classes=2)},
        lambda name: [{"x": value, "label": 0}],
    )
    with pytest.raises(InputError, match=message):
        load_tfds("made", data_dir=tmp_path)


def test_no_supervised_features(tmp_path):
    make_set(tmp_path, lambda f: {"text": f.Text()}, lambda name: [{"text": "a"}])
    with pytest.raises(InputError, match="no supervised features; it has text"):
        load_tfds("made", data_dir=tmp_path)


def test_memory_limit(wine_dir, monkeypatch):
    monkeypatch.setattr(tfds, "MAX_DECODED_BYTES", 1000)
    with pytest.raises(InputError, match="stream it"):
        load_tfds("wine", data_dir=wine_dir)


def test_records_are_random_access(wine_dir):
    source = open_prepared(find_prepared("wine", wine_dir))
    records = source.records("train")
    assert len(records) == source.splits["train"] == 178
    assert records[177]["label"] == 2
    with pytest.raises(InputError, match="no split 'test', there are: train"):
        source.records("test")


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
