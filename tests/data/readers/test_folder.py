import dataclasses

import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import Preprocessor, ResizeWarning, load, load_folder, read_inputs
from regjax.data.readers import folder, images
from tests.data.sets import save_image


def test_second_load_reads_the_cache(pets, monkeypatch):
    first = load(pets)
    monkeypatch.setattr(folder, "decode_files", None)
    np.testing.assert_array_equal(load(pets).x, first.x)


def test_colour_anywhere_means_three_channels(pets):
    save_image(pets / "dog" / "2.png", np.full((4, 6, 3), 5))
    assert load(pets).x.shape == (4, 4, 6, 3)


def test_sizes(pets):
    assert load(pets, image_size=(8, 8)).x.shape == load(pets, image_size=8).x.shape == (3, 8, 8, 1)
    save_image(pets / "dog" / "2.png", np.full((9, 9), 5))
    with pytest.warns(ResizeWarning, match=r"2\.png is \(9, 9\), most images \(4, 6\)"):
        data = load(pets)
    assert data.x.shape == (4, 4, 6, 1)
    assert data.x[-1].tolist() == np.full((4, 6, 1), 5).tolist()


def test_photos_are_scaled_down_to_64_pixels_unless_a_size_is_given(tmp_path):
    for i, shape in enumerate([(90, 160, 3), (90, 160, 3), (160, 90, 3)]):
        save_image(tmp_path / "photos" / "ab"[i % 2] / f"{i}.png", np.full(shape, 40 * i))
    message = r"a/2\.png is \(160, 90\), most images \(90, 160\).*brought to \(36, 64\).*image_size=90,160 keeps"
    with pytest.warns(ResizeWarning, match=message):
        data = load(tmp_path / "photos")
    assert data.x.shape == (3, 36, 64, 3)
    assert np.unique(data.x).tolist() == [0, 40, 80]
    (tmp_path / "photos" / "a" / "2.png").unlink()
    with pytest.warns(ResizeWarning, match=r"most images are \(90, 160\); all are brought to \(36, 64\)"):
        assert load(tmp_path / "photos", lazy=True).x.shape == (2, 36, 64, 3)
    assert load(tmp_path / "photos", image_size=(90, 160)).x.shape == (2, 90, 160, 3)


def test_unreadable_images_are_named(pets):
    sound = (pets / "dog" / "1.png").read_bytes()
    for broken, message in ((b"no image", "not a readable image"), (sound[: len(sound) // 2], "")):
        (pets / "dog" / "1.png").write_bytes(broken)
        with pytest.raises(InputError, match=rf"dog/1\.png is .*{message}"):
            load(pets)


def test_limits(pets, monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 20)
    with pytest.raises(InputError, match=r"cat/a\.png has 6x4 pixels, accepted: up to 20"):
        load(pets)
    monkeypatch.undo()
    monkeypatch.setattr(folder, "MAX_FOLDER_BYTES", 50)
    with pytest.raises(InputError, match="use a smaller image_size"):
        load_folder(pets, cache_dir=pets.parent / "cache")


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"task": "regression"}, "is classification"),
        ({"image_size": (0, 4)}, "image_size must be positive"),
        ({"image_size": (2, 3, 4)}, "image_size must be positive"),
        ({"image_fit": "padd"}, "image_fit.*did you mean 'pad'"),
        ({"image_background": "pink"}, "image_background.*accepted: black, gray, white"),
    ],
)
def test_refusals(pets, kwargs, message):
    with pytest.raises(InputError, match=message):
        load(pets, **kwargs)


def test_inputs_take_the_shape_and_unit_of_training(pets):
    x, names = read_inputs(pets, Preprocessor.fit(np.zeros((1, 2, 3, 1), np.uint8), "image"))
    assert names == ["cat/a.png", "cat/b.png", "dog/1.png"]
    assert x.shape == (3, 2, 3, 1)
    assert x[:, 0, 0, 0].tolist() == [20, 30, 10]
    # Digits of 16 levels, as earlier versions stored them.
    digits = Preprocessor.fit(np.zeros((1, 2, 3, 1), np.uint8), "image", standardize="none")
    digits = dataclasses.replace(digits, pixel_max=16.0)
    np.testing.assert_allclose(
        digits.transform(read_inputs(pets, digits)[0])[:, 0, 0, 0], np.array([20, 30, 10]) / 255, rtol=1e-6
    )
    with pytest.raises(InputError, match="trained on a table"):
        read_inputs(pets, Preprocessor.fit(np.zeros((1, 2), np.float32), "table"))
