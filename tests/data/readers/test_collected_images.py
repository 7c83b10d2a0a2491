"""Folders as people have them, each with the result that it must give; skipped by name where they are not there."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from regjax.core.errors import InputError
from regjax.data import load, split
from tests.data.sets import INPUTS, every_way, save_image

SHARED = INPUTS / "images"

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason=f"{SHARED} is not there")


def test_exif():
    seen, notes = every_way(SHARED / "exif")
    with Image.open(SHARED / "exif/cat/portrait.jpg") as image:
        shown = np.asarray(ImageOps.exif_transpose(image))
        assert image.size == shown.shape[:2]  # it is turned by a quarter
    np.testing.assert_array_equal(seen["cat/portrait.jpg"], shown)
    assert len(seen) == 13
    assert [note for note in notes if "1 of 13" in note and "EXIF" in note]


@pytest.mark.parametrize("background", ["white", "black"])
def test_transparent(background):
    seen, [note] = every_way(SHARED / "transparent", image_background=background)
    below = {"white": 255, "black": 0}[background]
    for name, pixels in seen.items():
        stored = np.asarray(Image.open(SHARED / "transparent" / name), np.float64)
        alpha = stored[..., 3:] / 255
        np.testing.assert_allclose(pixels, stored[..., :3] * alpha + below * (1 - alpha), atol=1)
    assert "8 of 8" in note
    assert background in note


def test_sixteen_bit():
    """The images are flat: red is 1000 + 40 i of 65535, whose high byte is 3 or 4 and which is nearest to 4 of 255."""
    seen, [note] = every_way(SHARED / "sixteen_bit")
    for i in range(4):
        red = round((1000 + 40 * i) / 65535 * 255)
        assert (seen[f"a/{i}.png"] == [red, 255, 1]).all()
        assert (seen[f"b/{i}.png"] == [red, 1, 1]).all()
    assert "8 of 8" in note
    assert "8 bits" in note


def test_nested():
    seen, notes = every_way(SHARED / "nested")
    assert len(seen) == 16
    assert load(SHARED / "nested").y.tolist() == [0] * 8 + [1] * 8
    assert notes == []


def test_three_parts():
    data = load(SHARED / "three_parts")
    assert data.class_names == ("a", "b")
    assert (len(data), len(data.validation[1]), len(data.test[1])) == (8, 8, 8)
    for part, x in (("train", data.x), ("val", data.validation[0]), ("test", data.test[0])):
        stored = [np.asarray(Image.open(file)) for file in sorted((SHARED / "three_parts" / part).rglob("*.png"))]
        np.testing.assert_array_equal(x, np.stack(stored))
    assert split(data).official_test


def test_zip_of_mac():
    data = load(SHARED / "zip_of_mac")
    assert data.class_names == ("a", "b")
    assert (len(data), data.validation, len(data.test[1])) == (8, None, 8)
    [note] = data.notes
    assert "__MACOSX" in note


def test_a_link_to_a_missing_file(tmp_path):
    for name in ("a", "b"):
        save_image(tmp_path / "set" / name / "0.png", np.asarray(Image.open(SHARED / "nested" / name / "0.png")))
    (tmp_path / "set" / "a" / "1.png").symlink_to(tmp_path / "gone.png")
    with pytest.raises(InputError, match=r"set: a/1\.png is a link to nothing"):
        load(tmp_path / "set")
