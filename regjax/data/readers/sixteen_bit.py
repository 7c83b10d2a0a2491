"""Reads images with more than 8 bits per channel, and rounds them to 8.

An intensity v of 0..65535 becomes the nearest of 0..255, `round(v / 257)`, for gray and colour alike. Examples stay
uint8, as those of other images: training and augmentation need a quarter of the memory of floats.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from regjax.core.extras import require

_SUFFIXES = (";16B", ";16L", ";16N")
_GRAY = ("I;16", "I;16L", "I;16B", "I;16N")
_TAG_BITS, _TAG_PHOTOMETRIC, _TAG_PLANAR = 258, 262, 284  # of a TIFF


def is_sixteen_bit(image: Any) -> bool:
    """Whether an opened image has 9 to 16 bits per channel."""
    return (
        is_sixteen_bit_gray(image) or any(name.endswith(_SUFFIXES) for name in _raw_modes(image)) or _ppm(image) > 255
    )


def is_sixteen_bit_gray(image: Any) -> bool:
    """Whether an opened image has 9 to 16 bits of gray, with or without transparency."""
    return image.mode in _GRAY or (image.mode == "I" and image.format == "PPM") or "LA;16B" in _raw_modes(image)


def why_refused(image: Any) -> str | None:
    """Return why the numbers of an opened image cannot become pixels; None if they can."""
    if image.mode == "F" or (image.mode == "I" and image.format != "PPM"):
        return "has floats, or integers that are signed or have 32 bits, and it is not known which is white"
    if image.format == "TIFF" and max(image.tag_v2.get(_TAG_BITS, (1,))) > 8:
        # Pillow mixes up the bytes of these without an error.
        planes = image.tag_v2.get(_TAG_PLANAR) == 2 and len(image.getbands()) > 1
        if planes or any(name.startswith("RGBa") for name in _raw_modes(image)):
            return "has 16 bits per channel in separate planes, or multiplied by its transparency"
    return None


def to_eight_bits(image: Any, open_again: Callable[[], Any]) -> Any:
    """Read an image with 16 bits per channel as a Pillow image with 8 bits per channel.

    Args:
      image: the opened image, which is loaded.
      open_again: opens it once more.
    """
    require("PIL")
    from PIL import Image

    key = image.info.get("transparency")
    if is_sixteen_bit_gray(image):
        values, mode = _gray(image)
    elif _ppm(image) > 255:
        image.load()
        return image  # Pillow has rounded to 8 bits
    else:
        # Pillow keeps the high byte only. With the opposite byte order it keeps the low byte.
        high, mode = np.asarray(image, np.uint16), image.mode
        with open_again() as again:
            again.tile = [tile._replace(args=_swapped(tile.args)) for tile in again.tile]
            values = high << 8 | np.asarray(again, np.uint16)
    if key is not None:  # a value that is transparent
        alpha = (values != key) if values.ndim == 2 else (values != np.asarray(key)).any(axis=-1)
        values = np.dstack([values, np.where(alpha, 65535, 0).astype(np.uint16)])
        mode += "A"
    rounded = ((values.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return Image.frombytes(mode, rounded.shape[1::-1], rounded.tobytes())


def _gray(image: Any) -> tuple[np.ndarray, str]:
    """Return the intensities of a gray image, `uint16[H, W]`, or `[H, W, 2]` with alpha, and the mode of the result."""
    if "LA;16B" in _raw_modes(image):
        image.tile = [tile._replace(args="RGBA") for tile in image.tile]  # four bytes, uninterpreted
        raw = np.asarray(image, np.uint16)
        return raw[..., 0::2] << 8 | raw[..., 1::2], "LA"
    bits = 12 if "I;12" in _raw_modes(image) else 16
    values = np.asarray(image).astype(np.uint32)
    if bits == 12:
        values = (values * 65535 + 2047) // 4095
    if image.format == "TIFF" and image.tag_v2.get(_TAG_PHOTOMETRIC) == 0:  # white is zero
        values = 65535 - values
    return values.astype(np.uint16), "L"


def _raw_modes(image: Any) -> list[str]:
    """Return the layouts of the stored pixels, in the words of Pillow."""
    found = []
    for tile in image.tile:
        arguments = tile.args if isinstance(tile.args, tuple) else (tile.args,)
        found += [argument for argument in arguments if isinstance(argument, str)]
    return found


def _ppm(image: Any) -> int:
    """Return the largest value of a PGM or PPM; 0 for other formats."""
    numbers = [tile.args[1] for tile in image.tile if tile.codec_name in ("ppm", "ppm_plain") and len(tile.args) == 2]
    return numbers[0] if numbers else 0


def _swapped(arguments: Any) -> Any:
    """Return the arguments of a decoder with the opposite byte order."""
    other = {";16B": ";16L", ";16L": ";16B", ";16N": ";16B" if sys.byteorder == "little" else ";16L"}
    if isinstance(arguments, tuple):
        return tuple(map(_swapped, arguments))
    if isinstance(arguments, str) and arguments.endswith(_SUFFIXES):
        return arguments[:-4] + other[arguments[-4:]]
    return arguments
