"""The gallery: every picture is on the page and in a file, safe and complete."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from regjax.report.gallery_page import GAP, Card, Column, write_gallery


def card(name="rotate", channels=3, changed=True, count=2):
    first = np.random.default_rng(0).integers(0, 256, (count, 8, 6, channels), np.uint8)
    return Card(
        name, "Rotates <b>.", "degrees", [Column("original", first), Column("45", first[::-1] if changed else first)]
    )


def test_page_holds_all_pictures(tmp_path):
    cards = {"Moves": [card(), card("hue", 1, changed=False)]}
    path = write_gallery("toy & co", cards, {"command": "python -m experiments.gallery"}, tmp_path)
    text = path.read_text()
    assert "2 augmentations at 1 strength, on toy &amp; co." in text
    assert "Rotates &lt;b&gt;." in text
    assert text.count("It leaves these pictures as they are.") == 1
    assert "python -m experiments.gallery" in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert text.count('alt="2 pictures, rotate: ') == 2
    sources = re.findall(r'src="data:image/png;base64,([^"]+)"', text)
    assert len(sources) == 4
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(sources[0]))))
    # Enlarged 9 times to 72 pixels, two below each other.
    assert picture.shape == (2 * 72 + GAP, 54, 4)
    np.testing.assert_array_equal(picture[:72:9, ::9, :3], cards["Moves"][0].columns[0].pixels[0])
    assert (picture[72 : 72 + GAP, :, 3] == 0).all()
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"rotate.png", "hue.png"}
    with Image.open(tmp_path / "figures/rotate.png") as image:
        assert image.size == (2 * 54 + GAP, 2 * 72 + GAP)


def test_nothing_to_show_is_an_error(tmp_path):
    for groups in ({}, {"Moves": [card(count=0)]}):
        with pytest.raises(ValueError, match="gallery: needs at least one augmentation, and pictures of each"):
            write_gallery("toy", groups, None, tmp_path)
