"""One rule for images in training, streamed training and prediction: orientation, alpha, depth, nesting, links."""

import os
import struct

import numpy as np
import pytest
from PIL import Image

from regjax.core.errors import InputError
from regjax.data import Preprocessor, load, read_inputs, split
from regjax.data.readers import folder
from tests.data.sets import every_way, flat, save_image

# The folders change within a test, which the cache says.
pytestmark = pytest.mark.filterwarnings("ignore::regjax.data.CacheWarning")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["png", "tif", "webp"])
def test_images_are_turned_as_a_viewer_shows_them(root, orientation, suffix):
    """Against Pillow's own rule, on an image that no turn leaves as it is."""
    from PIL import ImageOps

    pixels = np.arange(108, dtype=np.uint8).reshape(6, 6, 3) * 2
    exif = Image.Exif()
    exif[274] = orientation
    lossless = {"lossless": True} if suffix == "webp" else {}
    file = save_image(root / "cat" / f"1.{suffix}", pixels, exif=exif, **lossless)
    with Image.open(file) as image:
        shown = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    seen, notes = every_way(root)
    np.testing.assert_array_equal(seen[f"cat/1.{suffix}"], shown)
    assert sum("EXIF" in note for note in notes) == (orientation > 1)


def moved_behind_the_pixels(file, kind):
    """The same PNG with the chunk `kind` at its end."""
    content, chunks, start = file.read_bytes(), [], 8
    while start < len(content):
        size = 12 + int.from_bytes(content[start : start + 4], "big")
        chunks.append(content[start : start + size])
        start += size
    file.write_bytes(content[:8] + b"".join(sorted(chunks, key=lambda c: {kind: 1, b"IEND": 2}.get(c[4:8], 0))))


XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("kind", [b"eXIf", b"iTXt"])
def test_a_png_is_turned_wherever_its_orientation_stands(root, kind, late):
    """Behind the pixels, or as XMP, which Pillow reads too; other sizes would be squeezed into that of the header."""
    from PIL import ImageOps, PngImagePlugin

    exif, text = Image.Exif(), PngImagePlugin.PngInfo()
    exif[274] = 6
    text.add_itxt("XML:com.adobe.xmp", XMP)
    for name in ("cat", "dog"):
        pixels = np.arange(72, dtype=np.uint8).reshape(4, 6, 3)
        file = save_image(root / name / "0.png", pixels, **({"exif": exif} if kind == b"eXIf" else {"pnginfo": text}))
        if late:
            moved_behind_the_pixels(file, kind)
    with Image.open(file) as image:
        image.load()
        shown = np.asarray(ImageOps.exif_transpose(image))
    assert shown.shape == (6, 4, 3)
    seen, notes = every_way(root)
    np.testing.assert_array_equal(seen["dog/0.png"], shown)
    assert any("2 of 2" in note and "EXIF" in note for note in notes)


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg"])
def test_the_size_of_a_turned_first_image_is_the_size_shown(tmp_path, suffix):
    exif = Image.Exif()
    exif[274] = 6
    for name in ("cat", "dog"):
        save_image(tmp_path / "pets" / name / f"0.{suffix}", flat(9, 4, 6, 3), exif=exif)
    assert load(tmp_path / "pets").x.shape == (2, 6, 4, 3)


def transparent(mode):
    """A pixel of 100 at half strength, a hidden 200, a solid 40."""
    if mode == "P":
        image = Image.new("P", (3, 1))
        image.putpalette([100, 100, 100, 200, 200, 200, 40, 40, 40])
        image.putdata([0, 1, 2])
        return image, {"transparency": bytes([128, 0, 255])}
    if mode == "L":
        return Image.fromarray(np.array([[100, 200, 40]], np.uint8)), {"transparency": 200}
    grey = np.array([[100, 200, 40]], np.uint8)
    alpha = np.array([[128, 0, 255]], np.uint8)
    if mode == "LA":
        return Image.fromarray(np.stack([grey, alpha], -1), "LA"), {}
    return Image.fromarray(np.stack([grey, grey, grey, alpha], -1), "RGBA"), {}


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L"])
def test_what_is_transparent_lies_over_white(tmp_path, mode):
    image, options = transparent(mode)
    for name in ("cat", "dog"):
        save_image(tmp_path / "pets" / name / "0.png", image, **options)
    seen, notes = every_way(tmp_path / "pets")
    pixels = seen["cat/0.png"][0, :, 0].astype(int)
    assert pixels[1:].tolist() == [255, 40]
    assert abs(pixels[0] - (100 if mode == "L" else 177)) <= 1
    assert [note for note in notes if "white" in note and "2 of 2" in note]


def gray_inks():
    """An ICC profile of CMYK in which cyan, magenta and yellow are grays of L* 50, alone and together."""
    same = bytes(range(256))
    light = [255, *[128] * 7]  # paper, then mixtures of the three; with black ink it is 0
    nodes = b"".join(bytes([value, 128, 128]) for without_black in light for value in (without_black, 0))
    one = 65536
    matrix = struct.pack(">9i", one, 0, 0, 0, one, 0, 0, 0, one)
    table = b"mft1" + bytes(4) + bytes([4, 3, 2, 0]) + matrix + same * 4 + nodes + same * 3
    content = struct.pack(">I4sII", 1, b"A2B0", 144, len(table)) + table
    head = struct.pack(">II", 128 + len(content), 0) + struct.pack(">I", 0x02400000) + b"prtrCMYKLab " + bytes(12)
    head += b"acsp" + bytes(28) + struct.pack(">3I", 0xF6D6, 0x10000, 0xD32D)
    return head.ljust(128, b"\0") + content


@pytest.mark.parametrize(
    ("profile", "colour"),
    [(None, (0, 255, 255)), (gray_inks(), (119, 119, 119)), (b"damaged", (0, 255, 255))],
    ids=["none", "gray inks", "damaged"],
)
@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_cmyk_is_converted_by_the_profile_of_its_inks(root, profile, colour, suffix):
    """L* 50 is 119 in sRGB."""
    options = {} if profile is None else {"icc_profile": profile}
    save_image(root / "cat" / f"1.{suffix}", Image.new("CMYK", (6, 6), (255, 0, 0, 0)), **options)
    seen, [note] = every_way(root)
    np.testing.assert_allclose(seen[f"cat/1.{suffix}"].astype(int), np.broadcast_to(colour, (6, 6, 3)), atol=4)
    assert "1 of 3" in note
    assert "CMYK" in note


def test_floats_and_signed_integers_have_no_known_white(root):
    made = Preprocessor.fit(load(root).x, "image")
    for name, pixels in {"f.tif": np.full((4, 6), 0.5, np.float32), "i.tif": np.full((4, 6), 9, np.int32)}.items():
        Image.fromarray(pixels).save(root / "cat" / name)
        for read in (lambda: load(root), lambda: load(root, lazy=True), lambda: read_inputs(root, made)):
            with pytest.raises(InputError, match=rf"cat/{name} .*16 bits"):
                read()
        (root / "cat" / name).unlink()


def test_16_bits_a_pixel_are_5_or_6_a_channel(root):
    """A BMP of 16 bits a pixel is read."""
    head = struct.pack("<2sIHHIIiiHHIIiiII", b"BM", 54 + 72, 0, 0, 54, 40, 6, 6, 1, 16, 0, 72, 0, 0, 0, 0)
    (root / "cat" / "1.bmp").write_bytes(head + bytes(72))
    assert "cat/1.bmp" in every_way(root)[0]


def test_the_first_of_several_frames_is_read_which_is_said(root):
    frames = [Image.fromarray(flat(value)) for value in (30, 60)]
    save_image(root / "cat" / "1.tif", frames[0], save_all=True, append_images=frames[1:])
    seen, [note] = every_way(root)
    assert (seen["cat/1.tif"] == 30).all()
    assert "1 of 3" in note


def test_images_below_a_class_folder_belong_to_it(root):
    save_image(root / "cat" / "session2" / "deep" / "1.png", flat(11))
    save_image(root / "dog" / "session2" / "1.jfif", flat(21), format="JPEG")
    seen, _ = every_way(root)
    assert sorted(seen) == ["cat/0.png", "cat/session2/deep/1.png", "dog/0.png", "dog/session2/1.jfif"]
    assert load(root).y.tolist() == [0, 0, 1, 1]


def test_hidden_and_system_folders_are_ignored_and_what_is_skipped_is_said(root):
    for name in ("__MACOSX", ".thumbnails", "$RECYCLE.BIN", "@eaDir", "cat/.cache", "dog/__MACOSX"):
        save_image(root / name / "1.png", flat(99))
    for name in ("._0.png", ".DS_Store", "Thumbs.db", "desktop.ini"):
        (root / "cat" / name).write_bytes(b"nothing")
    [note] = every_way(root)[1]
    assert "10 hidden" in note
    assert load(root).class_names == ("cat", "dog")
    (root / "cat" / "notes.txt").write_text("no image")
    (root / "dog" / "old").mkdir()
    (root / "dog" / "old" / "raw.heic").write_bytes(b"no image")
    note, _ = every_way(root)[1]
    assert "2 files" in note
    assert "cat/notes.txt" in note
    save_image(root / "loose.png", flat(1))
    assert any("loose.png" in note for note in load(root).notes)  # an image of no class


def parts(root, *names):
    for place, part in enumerate(names):
        for label, name in enumerate(("a", "b")):
            for i in range(4):
                save_image(root / part / name / f"{i}.png", flat(place * 100 + label * 10 + i))
    return root


@pytest.mark.parametrize("train", ["train", "Training"])
@pytest.mark.parametrize("validation", ["val", "valid", "validation", "Val", "dev"])
@pytest.mark.parametrize("test", [("test",), ("testing",), ()])
@pytest.mark.parametrize("lazy", [False, True])
def test_the_parts_of_a_folder_are_used_as_they_are(tmp_path, train, validation, test, lazy):
    data = load(parts(tmp_path / "set", train, validation, *test), lazy=lazy)
    assert data.class_names == ("a", "b")
    assert len(data) == 8
    splits = split(data)
    held = {name: set(np.asarray(getattr(splits, f"x_{name}")[:])[:, 0, 0, 0]) for name in splits.sizes}
    assert held["stop"] | held["select"] == {100, 101, 102, 103, 110, 111, 112, 113}
    assert not held["stop"] & held["select"]
    assert {name: len(values) for name, values in held.items() if name in ("stop", "select")} == {
        "stop": 4,
        "select": 4,
    }
    if test:
        assert held["train"] == {0, 1, 2, 3, 10, 11, 12, 13}
        assert held["test"] == {200, 201, 202, 203, 210, 211, 212, 213}
    else:
        assert held["train"] | held["test"] == {0, 1, 2, 3, 10, 11, 12, 13}
        assert len(held["test"]) == 2


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("train", "val", "valid"), "'val'.*'valid'|'valid'.*'val'"),
        (("train", "test", "extra"), "'extra'"),
        (("train", "extra"), "'train'"),
        (("val", "test"), "train"),
    ],
)
def test_folders_that_are_neither_parts_nor_classes_are_refused(tmp_path, names, message):
    with pytest.raises(InputError, match=message):
        load(parts(tmp_path / "set", *names))


def test_a_class_may_be_called_train(tmp_path):
    for name in ("plane", "test", "train"):
        save_image(tmp_path / "set" / name / "0.png", flat(1))
    assert load(tmp_path / "set").class_names == ("plane", "test", "train")


def test_links_are_named(root, tmp_path):
    made = Preprocessor.fit(load(root).x, "image")
    cases = {
        "cat/gone.png": tmp_path / "nothing.png",
        "cat/loop.png": root / "cat" / "loop.png",
        "cat/out.png": save_image(tmp_path / "secret" / "1.png", flat(3)),
        "cat/more": tmp_path / "secret",
        "cat/again": root / "dog",
    }
    for link, target in cases.items():
        (root / link).symlink_to(target)
        for read in (lambda: load(root), lambda: load(root, lazy=True), lambda: read_inputs(root, made)):
            with pytest.raises(InputError, match=rf"{link} is a link") as caught:
                read()
            assert "\n" not in str(caught.value)
        (root / link).unlink()
    (root / "cat" / "same.png").symlink_to(root / "dog" / "0.png")
    assert len(load(root)) == 3


def test_a_folder_that_cannot_be_read_is_named(root):
    if os.geteuid() == 0:
        pytest.skip("root may read everywhere")
    (root / "cat").chmod(0)
    with pytest.raises(InputError, match="cat cannot be read"):
        load(root)
    (root / "cat").chmod(0o700)


def test_what_an_older_rule_decoded_is_not_taken_from_the_cache(root, monkeypatch):
    load(root)
    exif = Image.Exif()
    exif[274] = 3
    monkeypatch.setattr(folder, "RULE", folder.RULE + 1)
    monkeypatch.setattr(
        folder, "decode_files", lambda root, files, shape, rule: np.zeros((len(files), *shape), np.uint8)
    )
    with pytest.warns(UserWarning, match="decoding again"):
        assert load(root).x.max() == 0
