"""Inputs that stay on disk are those in memory, for each format, and what is damaged is named."""

import numpy as np
import pytest
from PIL import Image

from regjax import data
from regjax.core.errors import InputError
from regjax.data import CacheWarning, Rows, find_prepared, load, split
from regjax.data.readers import array_files, folder, tfds, tfds_records
from tests.data.sets import make_set


def assert_same(lazy, held):
    """The same facts, and in each part the same examples."""
    for name in ("name", "task", "class_names", "columns", "kind", "num_classes"):
        assert getattr(lazy, name) == getattr(held, name), name
    assert isinstance(lazy.x, Rows)
    one, other = split(lazy, seed=3), split(held, seed=3)
    assert one.sizes == other.sizes
    for part in ("train", "stop", "select", "test"):
        x, expected = getattr(one, f"x_{part}")[:], getattr(other, f"x_{part}")
        np.testing.assert_array_equal(x, expected)
        assert x.dtype == expected.dtype
        np.testing.assert_array_equal(getattr(one, f"y_{part}"), getattr(other, f"y_{part}"))
    made, known = data.Preprocessor.for_splits(one), data.Preprocessor.for_splits(other)
    assert made.to_json() == known.to_json()
    return one


@pytest.mark.parametrize("name", ["digits", "wine", "diabetes"])
@pytest.mark.slow
def test_embedded(name):
    assert_same(load(name, lazy=True), load(name))


def numbered(shape, dtype, start):
    rng = np.random.default_rng(start)
    return [{"x": rng.integers(0, 255, shape).astype(dtype), "label": i % 2} for i in range(start, start + 24)]


def features(shape, dtype):
    def made(f):
        return {"x": f.Tensor(shape=shape, dtype=dtype), "label": f.ClassLabel(names=["no", "yes"])}

    return made


def test_a_prepared_set_of_three_splits(tmp_path, monkeypatch):
    starts = {"train": 0, "validation": 24, "test": 48}
    make_set(
        tmp_path, features((4, 4, 3), np.uint8), lambda name: numbered((4, 4, 3), np.uint8, starts[name]),
        ("x", "label"), tuple(starts),
    )  # fmt: skip
    held, lazy = load("made", data_dir=tmp_path), load("made", data_dir=tmp_path, lazy=True)
    assert lazy.x.shape == (48, 4, 4, 3)
    assert_same(lazy, held)
    # The targets come from the cache the second time.
    monkeypatch.setattr(tfds_records.Examples, "read", None)
    np.testing.assert_array_equal(load("made", data_dir=tmp_path, lazy=True).y, held.y)


def test_every_record_is_read_once_into_memory_and_none_of_a_set_that_is_too_large(tmp_path, monkeypatch):
    splits = ("train", "validation", "test")
    make_set(tmp_path, features((3,), np.float32), lambda name: numbered((3,), np.float32, 0), ("x", "label"), splits)
    reads, count = tfds_records.Examples._read, []

    def read(self, indices, out):
        count.extend((self.split, index) for index in indices)
        return reads(self, indices, out)

    monkeypatch.setattr(tfds_records.Examples, "_read", read)
    monkeypatch.setattr(tfds, "MAX_DECODED_BYTES", 24 * 3 * 4 - 1)
    with pytest.raises(InputError, match=r"split 'train' takes .* decoded"):
        load("made", data_dir=tmp_path)
    assert not count
    monkeypatch.setattr(tfds, "MAX_DECODED_BYTES", 24 * 3 * 4)
    load("made", data_dir=tmp_path)
    assert sorted(count) == sorted((name, index) for name in splits for index in range(24))


def test_a_damaged_record_is_named(tmp_path, monkeypatch):
    make_set(tmp_path, features((3,), np.float32), lambda name: numbered((3,), np.float32, 0), ("x", "label"))
    lazy = load("made", data_dir=tmp_path, lazy=True)
    reads = tfds_records.Examples._read

    def read(self, indices, out):
        if 17 in indices:
            raise ValueError("bad chunk")
        return reads(self, indices, out)

    monkeypatch.setattr(tfds_records.Examples, "_read", read)
    assert len(lazy.x[:17]) == 17
    with pytest.raises(InputError, match=r"split 'train' in .* is damaged at record 17 \(ValueError: bad chunk\)"):
        lazy.x.check()


def test_bytes_that_changed_on_disk_are_noticed(tmp_path):
    make_set(tmp_path, features((3,), np.float32), lambda name: numbered((3,), np.float32, 0), ("x", "label"))
    load("made", data_dir=tmp_path, lazy=True)
    (records,) = find_prepared("made", tmp_path).glob("*.array_record-*")
    content = bytearray(records.read_bytes())
    content[len(content) // 2] ^= 1
    records.write_bytes(content)
    with pytest.raises(InputError, match="prepare it again"), pytest.warns(CacheWarning, match="source has changed"):
        load("made", data_dir=tmp_path, lazy=True).x.check()


@pytest.fixture
def pets(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 3)):
        for name in ("cat", "dog"):
            (tmp_path / "pets" / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 255, (5, 6), np.uint8)
                Image.fromarray(pixels).save(tmp_path / "pets" / part / name / f"{i:02}.png")
    return tmp_path / "pets"


def test_a_folder_of_images(pets):
    splits = assert_same(load(pets, lazy=True), load(pets))
    assert (splits.official_test, splits.sizes["test"]) == (True, 6)
    assert load(pets, lazy=True, image_size=(3, 3)).x[:2].shape == (2, 3, 3, 1)


def test_a_damaged_image_is_named_when_it_is_read(pets):
    lazy = load(pets, lazy=True)
    path = pets / "train" / "cat" / "07.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(InputError, match=r"pets: train/cat/07\.png"):
        lazy.x.check()


@pytest.mark.parametrize(
    "x",
    [
        np.random.default_rng(0).normal(size=(40, 3)),  # float64, cast as it is read
        np.random.default_rng(0).normal(size=40).astype(np.float32),
        np.random.default_rng(0).integers(0, 255, (40, 4, 4), np.uint8),
        np.asfortranarray(np.random.default_rng(0).random((40, 4, 4, 3))),
    ],
    ids=["table", "column", "gray", "colour"],
)
def test_npz(tmp_path, x):
    y = np.tile(["a", "b"], 20)
    np.savez(tmp_path / "d.npz", x=x, y=y, x_test=x[:6], y_test=y[:6])
    assert_same(load(tmp_path / "d.npz", lazy=True), load(tmp_path / "d.npz"))


def test_csv_is_read_as_a_whole(tmp_path):
    lines = ["a,b,target", *(f"{i},{i * i % 7},{'yn'[i % 2]}" for i in range(40))]
    (tmp_path / "d.csv").write_text("\n".join(lines))
    assert_same(load(tmp_path / "d.csv", lazy=True), load(tmp_path / "d.csv"))


def test_limits_of_memory_do_not_hold_for_streams(tmp_path, pets, monkeypatch):
    monkeypatch.setattr(array_files, "MAX_BYTES", 1000)
    monkeypatch.setattr(folder, "MAX_FOLDER_BYTES", 50)
    np.savez(tmp_path / "d.npz", x=np.zeros((40, 9)), y=np.arange(40) % 2)
    for path in (tmp_path / "d.npz", pets):
        with pytest.raises(InputError, match="--loader=stream"):
            load(path)
        assert len(load(path, lazy=True)) > 0
