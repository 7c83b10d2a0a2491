import dataclasses

import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import Dataset, Preprocessor, load, load_npz, read_inputs
from regjax.data.readers import array_files


def test_npz_round_trip(npz_file):
    x = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), dtype=np.uint8)
    data = load(npz_file(x=x, y=np.array([5, 7, 5, 7, 5, 7]), x_test=x[:2], y_test=np.array([[7], [5]])))
    np.testing.assert_array_equal(data.x, x)
    assert data.class_names == ("5", "7")
    assert data.test[1].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("x", "shape", "dtype"),
    [
        (np.arange(4), (4, 1), np.float32),
        (np.eye(4), (4, 4), np.float32),
        (np.ones((4, 3, 3), np.uint8), (4, 3, 3, 1), np.uint8),
        (np.ones((4, 3, 3, 1)), (4, 3, 3, 1), np.float32),
    ],
)
def test_npz_forms_of_x(npz_file, x, shape, dtype):
    data = load_npz(npz_file(x=x, y=np.linspace(0, 1, 4)))
    assert data.x.shape == shape
    assert data.x.dtype == dtype
    assert data.task == "regression"


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": np.eye(2)}, "no array 'y'; it has x"),
        ({"x": np.eye(2), "y": np.zeros(3)}, "2 examples but 3 targets"),
        ({"x": np.array([{}], object), "y": np.zeros(1)}, "Python objects are not read"),
        ({"x": np.array(["a"]), "y": np.zeros(1)}, "x must be numeric"),
        ({"x": np.zeros((1,) * 5), "y": np.zeros(1)}, "got shape"),
        ({"x": np.array([[1e300]]), "y": np.zeros(1)}, r"1e\+300 of example 0"),
        ({"x": np.eye(2), "y": np.zeros((2, 2, 2))}, "y must be"),
        ({"x": np.eye(2), "y": np.zeros(2), "x_test": np.eye(2)}, "belong together"),
        ({"x": np.zeros((0, 2)), "y": np.zeros(0)}, "no examples"),
    ],
)
def test_npz_refusals(npz_file, arrays, message):
    with pytest.raises(InputError, match=message) as caught:
        load_npz(npz_file(**arrays))
    assert "\n" not in str(caught.value)


def test_rank_3_is_read_as_gray_images_which_is_said(npz_file):
    data = load_npz(npz_file(x=np.ones((4, 5, 3), np.float32), y=np.arange(4) / 3))
    assert data.x.shape == (4, 5, 3, 1)
    assert any("gray" in note and "reshape" in note for note in data.notes)
    for lazy in (False, True):
        with pytest.raises(InputError, match=r"\[N, 5, 3\].*gray.*found \[-2, 3\].*reshape"):
            load_npz(npz_file(x=np.where(np.arange(60).reshape(4, 5, 3) % 2, -2.0, 3.0), y=np.zeros(4)), lazy=lazy)
    made = Preprocessor.fit(data.x, "image")
    with pytest.raises(InputError, match="gray"):
        read_inputs(npz_file(x=np.full((4, 5, 3), 7.0)), made)
    assert load_npz(npz_file(x=np.ones((4, 5, 3, 1), np.float32), y=np.arange(4) / 3)).notes == ()


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("lazy", [False, True])
def test_channels_first_are_refused(npz_file, channels, lazy):
    x, y = np.zeros((6, channels, 8, 9), np.uint8), np.array([0, 1] * 3)
    with pytest.raises(InputError, match=rf"\[6, {channels}, 8, 9\].*moveaxis"):
        load_npz(npz_file(x=x, y=y), lazy=lazy)
    assert load_npz(npz_file(x=np.moveaxis(x, 1, -1), y=y), lazy=lazy).x.shape == (6, 8, 9, channels)
    with pytest.raises(InputError, match="moveaxis"):
        Dataset("own", "classification", x, y.astype(np.int32))
    assert Dataset("flat", "classification", x[:, :, :3], y.astype(np.int32)).kind == "image"  # no doubt: 3 rows


def test_npz_damage_and_size(npz_file, monkeypatch, tmp_path):
    path = npz_file(x=np.eye(40), y=np.zeros(40))
    sound = path.read_bytes()
    for broken in (b"", b"text", sound[:500], sound[:400] + bytes([sound[400] ^ 1]) + sound[401:]):
        path.write_bytes(broken)
        with pytest.raises(InputError, match=r"toy\.npz"):
            load_npz(path)
    path.write_bytes(sound)
    monkeypatch.setattr(array_files, "MAX_BYTES", 100)
    with pytest.raises(InputError, match="accepted in memory: at most"):
        load_npz(path)


def test_inputs_of_images_are_in_the_unit_of_training(npz_file):
    made = Preprocessor.fit(np.zeros((1, 2, 2, 1), np.uint8), "image")
    made = dataclasses.replace(made, pixel_max=16.0)  # digits of 16 levels, as earlier versions stored them
    x, _ = read_inputs(npz_file(x=np.full((3, 2, 2), 16, np.uint8)), made)
    assert x.shape == (3, 2, 2, 1)
    with pytest.raises(InputError, match=r"pixels must be in \[0, 16\], found \[200, 200\]"):
        read_inputs(npz_file(x=np.full((3, 2, 2), 200, np.uint8)), made)
    with pytest.raises(InputError, match="x is float32"):
        read_inputs(npz_file(x=np.zeros((3, 2, 2))), made)


def test_an_npz_that_cannot_be_mapped(tmp_path):
    x, y = np.arange(40.0)[:, None], np.arange(40) % 2
    path = tmp_path / "d.npz"
    np.savez_compressed(path, x=x, y=y)
    with pytest.raises(InputError, match=r"'x' is compressed, accepted for streaming: uncompressed .*--loader=memory"):
        load(path, lazy=True)
    np.savez(path, y=y)
    with pytest.raises(InputError, match="no array 'x'; it has y"):
        load(path, lazy=True)
    np.savez(path, x=x, y=y)
    content = bytearray(path.read_bytes())
    content[300] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"d\.npz: 'x' cannot be mapped, the file is damaged"):
        load(path, lazy=True)
    x[31] = np.inf
    np.savez(path, x=x, y=y)
    with pytest.raises(InputError, match=r"d\.npz: values of record 31 must be finite"):
        load(path, lazy=True).x.check()
