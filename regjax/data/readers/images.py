"""Reads headers and pixels of image files.

Training, streamed training and prediction decode images in the same way: rotated according to the EXIF orientation,
transparent parts on white, and 8 bits per channel.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from regjax.core.errors import InputError
from regjax.core.extras import require
from regjax.data.readers.class_folders import ImageFolder

MAX_PIXELS = 50_000_000
"""An image with more pixels is refused before it is decoded."""

RULE = 3
"""Version of the decoding; images that another version decoded are not read from the cache."""

_GRAY = ("1", "L", "LA")
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")


class ResizeWarning(UserWarning):
    """Images of different sizes were resized to the size of the first."""


class Header(NamedTuple):
    """The properties of an image that are known before it is decoded."""

    size: tuple[int, int]  # height and width after rotation
    gray: bool
    turned: bool
    transparent: bool
    frames: bool  # whether there is more than one frame


def common_shape(found: ImageFolder, most: float = float("inf")) -> tuple[tuple[int, int, int], list[str]]:
    """Determine height, width and channels for all images, and messages about them, from their headers.

    Args:
      found: from `list_folder`.
      most: maximum total size in bytes.

    Returns:
      `(height, width, channels)`, and messages about images that are rotated or have transparency.

    Raises:
      InputError: a header cannot be read, or the images are too large.
    """
    root, files = found.root, found.files
    headers = [header(root, file) for file in files]
    sizes, gray = [header.size for header in headers], all(header.gray for header in headers)
    other = next((i for i, size in enumerate(sizes) if size != sizes[0]), None)
    if found.image_size is None and other is not None:
        warnings.warn(
            f"{root.name}: {files[other].relative_to(root)} is {sizes[other]}, the first image {sizes[0]}; "
            "all are resized to the first",
            ResizeWarning,
            stacklevel=7,
        )
    height, width = found.image_size or sizes[0]
    total = len(files) * height * width * (1 if gray else 3)
    if total > most:
        raise InputError(
            f"{root.name}: {total / 2**30:.1f} GiB of pixels, accepted in memory: {most / 2**30:g} GiB; "
            "use a smaller image_size, or stream it with --loader=stream"
        )
    return (height, width, 1 if gray else 3), notes(root.name, headers)


def notes(name: str, headers: list[Header]) -> list[str]:
    """Return a message for each conversion that applies to some of the images."""
    said = {
        "are turned as their EXIF orientation says": [header.turned for header in headers],
        "have transparency, shown over white": [header.transparent for header in headers],
        "have several frames, of which the first is read": [header.frames for header in headers],
    }
    return [f"{name}: {sum(which)} of {len(headers)} images {what}" for what, which in said.items() if any(which)]


def header(root: Path, file: Path) -> Header:
    """Read the header of one image.

    Raises:
      InputError: the image cannot be read; the message names it.
    """
    with _open(root, file) as image:
        # Pillow decodes a whole PNG to find an orientation that is stored after the pixels.
        orientation = _orientation(image) if image.format != "PNG" or _tells_orientation(file) else 1
        lies = orientation >= 5 and image.format != "TIFF"  # the size in a TIFF is that of the rotated image
        size = image.size if lies else image.size[::-1]
        frames = getattr(image, "is_animated", False)
        return Header(size, image.mode in _GRAY, orientation > 1, image.has_transparency_data, frames)


def _tells_orientation(file: Path) -> bool:
    """Whether a PNG has EXIF or XMP metadata, before or after its pixels."""
    with file.open("rb") as stream:
        stream.seek(8)
        while len(head := stream.read(8)) == 8:
            kind, rest = head[4:], int.from_bytes(head[:4], "big") + 4  # length with the checksum
            words = stream.read(min(rest, 17)) if kind in (b"tEXt", b"zTXt", b"iTXt") else b""
            if kind == b"eXIf" or words in (b"XML:com.adobe.xmp", b"Raw profile type "):
                return True
            stream.seek(rest - len(words), 1)
    return False


def _orientation(image: Any) -> int:
    """Return the EXIF orientation, 1 to 8."""
    try:
        found = image.getexif().get(274, 1)
    except Exception:  # damaged metadata may raise any error; viewers show such images without rotation
        return 1
    return found if found in range(1, 9) else 1


def _open(root: Path, file: Path) -> Any:
    require("PIL")
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # the limit below is stricter
            image = Image.open(file)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{root.name}: {file.relative_to(root)} is not a readable image ({error})") from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise InputError(
            f"{root.name}: {file.relative_to(root)} has {width}x{height} pixels, accepted: up to {MAX_PIXELS}"
        )
    if _is_deep(image):
        image.close()
        raise InputError(
            f"{root.name}: {file.relative_to(root)} has over 8 bits a channel; convert it to 8, or store it in a .npz"
        )
    return image


def _is_deep(image: Any) -> bool:
    """Whether an image has more than 8 bits per channel, of which Pillow drops the low bits for color images."""
    if image.mode in _DEEP:
        return True
    for tile in image.tile:
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if tile[0] == "ppm" and arguments[1] > 255:  # the largest value
            return True
        # Such as "RGB;16B"; "BGR;16" in a .bmp means 16 bits per pixel.
        if any(isinstance(a, str) and a.endswith((";16B", ";16L", ";16N")) for a in arguments):
            return True
    return False


def decode_files(root: Path, files: list[Path], shape: tuple[int, ...]) -> np.ndarray:
    """Decode images to `uint8[N, *shape]`, and resize those of another size.

    Raises:
      InputError: an image cannot be read or is damaged; the message names it.
    """
    require("PIL")
    from PIL import Image

    height, width, channels = shape
    out = np.empty((len(files), *shape), np.uint8)
    for i, file in enumerate(files):
        with _open(root, file) as image:
            try:
                pixels = _as_shown(image).convert("L" if channels == 1 else "RGB")
            except (OSError, ValueError, SyntaxError) as error:
                raise InputError(f"{root.name}: {file.relative_to(root)} is damaged ({error})") from None
        if pixels.size != (width, height):
            pixels = pixels.resize((width, height), Image.Resampling.BILINEAR)
        out[i] = np.asarray(pixels).reshape(shape)
    return out


def _as_shown(image: Any) -> Any:
    """Draw an image on white, and rotate it according to its EXIF orientation."""
    require("PIL")
    from PIL import Image

    image.load()
    turns = (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
             Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE,
             Image.Transpose.ROTATE_90)  # fmt: skip
    orientation = _orientation(image)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return image.transpose(turns[orientation - 2]) if orientation > 1 else image
