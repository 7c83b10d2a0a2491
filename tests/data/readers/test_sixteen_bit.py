"""Gray and colour images of 16 bits become the nearest of 8 bits, against files that are put together here."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from regjax.core.errors import InputError
from regjax.data import load
from tests.data.sets import every_way

RNG = np.random.default_rng(0)


def nearest(values):
    """The rule, in floats."""
    return np.floor(np.asarray(values, np.float64) / 65535 * 255 + 0.5).astype(np.uint8)


def png(values, transparent=b""):
    """A PNG of 16 bits per channel, which Pillow does not write in colour; `transparent` is the chunk tRNS."""
    height, width, channels = values.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]

    def chunk(name, content):
        crc = zlib.crc32(name + content)
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", crc)

    rows = b"".join(b"\0" + row.tobytes() for row in values.astype(">u2"))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0))
    key = chunk(b"tRNS", transparent) if transparent else b""
    return b"\x89PNG\r\n\x1a\n" + head + key + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(values, order="<", photometric=2, compressed=False, planes=False, extra=None, bits=16):
    """A TIFF of 16 bits per channel (or 12, packed, of an even width), in one strip, or one for each channel."""
    height, width, channels = values.shape
    stored = values.astype(f"{order}u2")
    strips = [plane.tobytes() for plane in np.moveaxis(stored, -1, 0)] if planes else [stored.tobytes()]
    if bits == 12:
        first, second = values.reshape(-1, 2).T
        strips = [np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], -1).astype(np.uint8).tobytes()]
    strips = [zlib.compress(strip) for strip in strips] if compressed else strips
    content, tags = b"II*\0" if order == "<" else b"MM\0*", []
    content += bytes(4)

    def put(data):
        nonlocal content
        content += data + bytes(len(data) % 2)
        return len(content) - len(data) - len(data) % 2

    def tag(number, code, *numbers):
        data = struct.pack(f"{order}{len(numbers)}{code}", *numbers)
        held = data.ljust(4, b"\0") if len(data) <= 4 else struct.pack(f"{order}I", put(data))
        tags.append(struct.pack(f"{order}HHI", number, {"H": 3, "I": 4}[code], len(numbers)) + held)

    places = [put(strip) for strip in strips]
    for number, numbers in ((256, [width]), (257, [height]), (258, [bits] * channels), (259, [8 if compressed else 1])):
        tag(number, "H", *numbers)
    tag(262, "H", photometric)
    tag(273, "I", *places)
    tag(277, "H", channels)
    tag(278, "H", height)
    tag(279, "I", *map(len, strips))
    tag(284, "H", 2 if planes else 1)
    if extra is not None:
        tag(338, "H", extra)
    directory = struct.pack(f"{order}H", len(tags)) + b"".join(tags) + bytes(4)
    place = put(directory)
    return content[:4] + struct.pack(f"{order}I", place) + content[8:]


def write(tmp_path, name, content):
    """A folder of two classes with the same image."""
    for label in ("a", "b"):
        (tmp_path / "set" / label).mkdir(parents=True)
        (tmp_path / "set" / label / name).write_bytes(content)
    return tmp_path / "set"


VALUES = RNG.integers(0, 65536, (5, 6, 3), np.uint16)
GRAY = VALUES[..., :1]
FILES = {
    "gray.png": (png(GRAY), nearest(GRAY)),
    "colour.png": (png(VALUES), nearest(VALUES)),
    "little.tif": (tiff(VALUES), nearest(VALUES)),
    "big.tif": (tiff(VALUES, ">"), nearest(VALUES)),
    "little_deflate.tif": (tiff(VALUES, compressed=True), nearest(VALUES)),
    "big_deflate.tif": (tiff(VALUES, ">", compressed=True), nearest(VALUES)),
    "gray.tif": (tiff(GRAY, photometric=1), nearest(GRAY)),
    "gray_big.tif": (tiff(GRAY, ">", photometric=1, compressed=True), nearest(GRAY)),
    "white_is_zero.tif": (tiff(GRAY, photometric=0), nearest(65535 - GRAY)),
    "padding.tif": (tiff(np.dstack([VALUES, GRAY]), extra=0), nearest(VALUES)),
    "gray.pgm": (b"P5 6 5 65535\n" + GRAY.astype(">u2").tobytes(), nearest(GRAY)),
    "colour.ppm": (b"P6 6 5 65535\n" + VALUES.astype(">u2").tobytes(), nearest(VALUES)),
}


@pytest.mark.parametrize("name", FILES)
def test_16_bits_are_rounded_to_the_nearest_of_8(tmp_path, name):
    content, expected = FILES[name]
    seen, notes = every_way(write(tmp_path, name, content))
    np.testing.assert_array_equal(seen[f"a/{name}"], expected)
    assert any("2 of 2" in note and "8 bits" in note for note in notes)


def test_gray_and_colour_have_one_rule(tmp_path):
    """Every 257th value and its neighbours, where the high byte alone would be wrong."""
    values = np.clip(257 * np.arange(256)[:, None] + np.array([-129, -128, 0, 128, 129]), 0, 65535).reshape(32, 40, 1)
    seen, _ = every_way(write(tmp_path, "1.png", png(values)))
    np.testing.assert_array_equal(seen["a/1.png"], nearest(values))
    seen, _ = every_way(write(tmp_path / "colour", "1.png", png(np.repeat(values, 3, axis=-1))))
    np.testing.assert_array_equal(seen["a/1.png"], nearest(np.repeat(values, 3, axis=-1)))


@pytest.mark.parametrize("name", ["1.pgm", "1.tif"])
def test_12_bits_reach_white(tmp_path, name):
    values = np.array([[0, 4095], [2048, 1024]])
    content = tiff(values[..., None], photometric=1, bits=12)
    if name == "1.pgm":
        content = b"P5 2 2 4095\n" + values.astype(">u2").tobytes()
    seen, _ = every_way(write(tmp_path, name, content))
    assert seen[f"a/{name}"].ravel().tolist() == [0, 255, 128, 64]


@pytest.mark.parametrize("channels", [2, 4])
def test_transparency_of_16_bits(tmp_path, channels):
    """Half of a value over white, a hidden one, a solid one."""
    values = np.array([[[0x1234, 32896], [0x4567, 0], [0x89AB, 65535]]])
    if channels == 4:
        values = np.concatenate([np.repeat(values[..., :1], 3, axis=-1), values[..., 1:]], axis=-1)
    seen, notes = every_way(write(tmp_path, "1.png", png(values)))
    pixels = seen["a/1.png"][0]
    assert pixels.shape[-1] == channels - 1
    half = (int(nearest(0x1234)) * 128 + 255 * 127) / 255
    assert abs(pixels[0, 0] - half) <= 1
    assert pixels[1:, 0].tolist() == [255, nearest(0x89AB)]
    assert sum("white" in note or "8 bits" in note for note in notes) == 2


@pytest.mark.parametrize("channels", [1, 3])
def test_a_transparent_value_of_16_bits_is_matched_with_all_its_bits(tmp_path, channels):
    values = np.repeat(np.array([[0x8001, 0x8002, 0x8001]])[..., None], channels, axis=-1)
    key = struct.pack(f">{channels}H", *[0x8001] * channels)
    seen, _ = every_way(write(tmp_path, "1.png", png(values, key)))
    assert seen["a/1.png"][0, :, 0].tolist() == [255, 128, 255]


def test_16_bits_are_turned(tmp_path):
    exif = Image.Exif()
    exif[274] = 6
    file = tmp_path / "turned.png"
    Image.fromarray(GRAY[..., 0]).save(file, exif=exif)
    seen, _ = every_way(write(tmp_path, "1.png", file.read_bytes()))
    np.testing.assert_array_equal(seen["a/1.png"][..., 0], np.rot90(nearest(GRAY[..., 0]), -1))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("options", [{"planes": True}, {"extra": 1}])
def test_what_pillow_mixes_up_is_refused(tmp_path, options, compressed):
    values = np.dstack([VALUES, GRAY]) if "extra" in options else VALUES
    root = write(tmp_path, "1.tif", tiff(values, compressed=compressed, **options))
    with pytest.raises(InputError, match=r"set: a/1\.tif has 16 bits per channel in separate planes.*accepted"):
        load(root)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_damaged_images_of_16_bits_are_named(tmp_path, channels):
    content = png(RNG.integers(0, 65536, (40, 40, channels), np.uint16))
    root = write(tmp_path, "1.png", content[: len(content) // 2])
    with pytest.raises(InputError, match=r"set: a/1\.png is damaged"):
        load(root)
