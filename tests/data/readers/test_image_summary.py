"""What is skipped and changed is counted once, with the same words in training and prediction."""

import numpy as np
import pytest
from PIL import Image

from regjax.data import ImageRule, Preprocessor, ResizeWarning, load, read_inputs
from regjax.data.readers.image_summary import _CHANGED, _SKIPPED, Changes, ImageSummary, Skipped
from tests.data.sets import every_way, flat, save_image

pytestmark = pytest.mark.filterwarnings("ignore::regjax.data.CacheWarning")


def test_every_count_has_words():
    assert tuple(_CHANGED) == Changes._fields
    assert tuple(_SKIPPED) == Skipped._fields


def test_what_does_not_occur_is_not_said():
    assert ImageSummary(3, Changes(), Skipped()).lines("pets", (4, 4), ImageRule()) == []


def test_every_change_is_counted(root):
    """One image of each kind, and what became of it."""
    exif = Image.Exif()
    exif[274] = 3
    save_image(root / "cat" / "turned.png", flat(1), exif=exif)
    save_image(root / "cat" / "clear.png", np.full((6, 6, 4), 0))
    save_image(root / "cat" / "deep.png", Image.fromarray(np.full((6, 6), 9, np.uint16)))
    save_image(root / "cat" / "print.jpg", Image.new("CMYK", (6, 6), (0, 255, 255, 0)))
    save_image(root / "dog" / "few.png", Image.fromarray(flat(7)).quantize(2))
    frames = [Image.fromarray(flat(value)) for value in (30, 60)]
    save_image(root / "dog" / "moves.webp", frames[0], save_all=True, append_images=frames[1:], lossless=True)
    save_image(root / "dog" / "half.PNG", flat(2, 12, 12, 3))
    save_image(root / "dog" / "wide.JPG", flat(2, 6, 12, 3))
    (root / "dog" / "notes.txt").write_text("")
    (root / "dog" / ".DS_Store").write_text("")
    with pytest.warns(ResizeWarning, match=r"most images \(6, 6\)"):
        seen, notes = every_way(root)
    changes = ("EXIF", "white", "8 bits", "CMYK", "palette", "frames", "scaled to 6x6", "cropped")
    for words in changes:
        assert [note for note in notes if words in note and "1 of 10" in note], words
    assert len(notes) == len(changes) + 2
    assert [note for note in notes if "notes.txt" in note]
    assert [note for note in notes if ".DS_Store" in note]
    assert (seen["cat/clear.png"] == 255).all()
    assert (seen["dog/few.png"] == 7).all()
    assert (seen["dog/moves.webp"] == 30).all()
    red = seen["cat/print.jpg"].reshape(-1, 3).mean(axis=0)  # no cyan, all of magenta and yellow
    assert red[0] > 240
    assert red[1:].max() < 15


@pytest.mark.parametrize("fit", ["crop", "pad"])
@pytest.mark.parametrize("image_size", [None, 6, (6, 6)])
@pytest.mark.filterwarnings("ignore::regjax.data.ResizeWarning")
def test_other_shapes_are_brought_to_one_in_the_same_way_everywhere(root, fit, image_size):
    save_image(root / "cat" / "wide.png", np.repeat([[0] * 3 + [200] * 6 + [0] * 3], 6, axis=0))
    seen, [note] = every_way(root, image_fit=fit, image_background="gray", image_size=image_size)
    column = seen["cat/wide.png"][:, 3, 0]
    assert column.tolist() == {"crop": [200] * 6, "pad": [128, 200, 200, 200, 128, 128]}[fit]
    assert (seen["cat/wide.png"][:, 0, 0] > 100).sum() == {"crop": 6, "pad": 3}[fit]  # the black side is cut, or shown
    assert "1 of 3" in note
    assert {"crop": "cropped", "pad": "gray"}[fit] in note


@pytest.mark.parametrize("background", ["white", "gray", "black"])
def test_the_background_is_that_of_training_in_prediction(root, background):
    save_image(root / "cat" / "clear.png", np.zeros((6, 6, 4)))
    seen, [note] = every_way(root, image_background=background)
    assert (seen["cat/clear.png"] == {"white": 255, "gray": 128, "black": 0}[background]).all()
    assert background in note


def test_the_most_frequent_size_of_the_training_images_is_taken(tmp_path):
    sizes = {"train": [(9, 9), (4, 6), (4, 6)], "test": [(5, 5)] * 8}
    for part, shapes in sizes.items():
        for i, shape in enumerate(shapes):
            save_image(tmp_path / "set" / part / "a" / f"{i}.png", flat(1, *shape))
        save_image(tmp_path / "set" / part / "b" / "0.png", flat(2, 4, 6))
    with pytest.warns(ResizeWarning):
        data = load(tmp_path / "set")
    assert data.x.shape == (4, 4, 6, 1)
    assert data.test[0].shape == (9, 4, 6, 1)


def test_colours_for_a_gray_model_are_counted(root):
    said = []
    made = Preprocessor.fit(np.zeros((1, 6, 6, 1), np.uint8), "image", image_rule=ImageRule())
    x, _ = read_inputs(root, made, said.append)
    assert x.shape == (2, 6, 6, 1)
    assert ["2 of 2" in note and "gray" in note for note in said] == [True]


def test_a_run_of_an_earlier_version_stretches_and_says_so(root):
    save_image(root / "cat" / "wide.png", np.repeat(np.arange(12)[None] * 20, 6, axis=0))
    old = Preprocessor.from_json(
        Preprocessor.fit(np.zeros((1, 6, 6, 1), np.uint8), "image").to_json().replace('"images"', '"other"')
    )
    said = []
    x, names = read_inputs(root, old, said.append)
    row = x[names.index("cat/wide.png"), 0, :, 0]
    assert row[0] < 30
    assert row[-1] > 190
    assert any("1 of 3" in note and "stretched" in note for note in said)
