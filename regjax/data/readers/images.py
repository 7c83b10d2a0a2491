"""Reads headers and pixels of image files.

Training, streamed training and prediction decode images in the same way: rotated according to the EXIF orientation,
transparent parts over the background, 8 bits per channel, and brought to one size by an `ImageRule`.
"""

from __future__ import annotations

import io
import os
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from regjax.core.errors import InputError
from regjax.core.extras import require
from regjax.data.image_rule import ImageRule
from regjax.data.readers.class_folders import ImageFolder
from regjax.data.readers.image_summary import Changes
from regjax.data.readers.sixteen_bit import is_sixteen_bit, is_sixteen_bit_gray, to_eight_bits, why_refused

MAX_PIXELS = 50_000_000
"""An image with more pixels is refused before it is decoded."""

LONGEST = 64
"""Images whose longer side has more pixels are scaled down to this, unless a size is asked for.

The time of a step grows with the number of pixels, of which photos of 160 x 120 have six times as many.
"""

RULE = 5
"""Version of the decoding; images that another version decoded are not read from the cache."""

_GRAY = ("1", "L", "LA")


class ResizeWarning(UserWarning):
    """Images were brought to a size that nobody asked for."""


class Header(NamedTuple):
    """The properties of an image that are known before it is decoded."""

    size: tuple[int, int]  # height and width after rotation
    gray: bool
    oriented: bool
    flattened: bool  # whether it has transparency
    sixteen_bit: bool
    cmyk: bool
    palette: bool
    animated: bool  # whether there is more than one frame


def common_shape(found: ImageFolder, most: float = float("inf")) -> tuple[tuple[int, int, int], Changes]:
    """Determine height, width and channels for all images, and what is changed, from their headers.

    Args:
      found: from `list_folder`.
      most: maximum total size in bytes.

    Returns:
      `(height, width, channels)`, and how many images are changed.

    Raises:
      InputError: a header cannot be read, or the images are too large.
    """
    root, files = found.root, found.files
    headers = [header(root, file) for file in files]
    sizes, gray = [header.size for header in headers], all(header.gray for header in headers)
    usual = Counter(sizes[: len(found.parts[""])]).most_common(1)[0][0]
    height, width = found.image_size or _scaled_down(usual)
    other = next((i for i, size in enumerate(sizes) if size != usual), None)
    if found.image_size is None and (other is not None or usual != (height, width)):
        first = "" if other is None else f"{files[other].relative_to(root)} is {sizes[other]}, "
        which = "that" if usual == (height, width) else f"{(height, width)}, to train faster"
        keeps = f"image_size={usual[0]},{usual[1]} keeps their size" if usual != (height, width) else ""
        warnings.warn(
            f"{root.name}: {first}most images {'' if first else 'are '}{usual}; all are brought to {which} "
            f"(image_fit {found.rule.fit!r}); {keeps or 'image_size chooses another size'}",
            ResizeWarning,
            stacklevel=7,
        )
    total = len(files) * height * width * (1 if gray else 3)
    if total > most:
        raise InputError(
            f"{root.name}: {total / 2**30:.1f} GiB of pixels, accepted in memory: {most / 2**30:g} GiB; "
            "use a smaller image_size, or stream it with --loader=stream"
        )
    shape = (height, width, 1 if gray else 3)
    return shape, changes(headers, shape, found.rule)


def _scaled_down(size: tuple[int, int]) -> tuple[int, int]:
    """The size at which the longer side has at most `LONGEST` pixels."""
    scale = min(1.0, LONGEST / max(size))
    return max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)


def changes(headers: list[Header], shape: tuple[int, ...], rule: ImageRule) -> Changes:
    """Count the images that are changed when they are brought to `shape`, `(height, width, channels)`."""
    count = Counter(rule.change(header.size, (shape[0], shape[1])) for header in headers)
    for header in headers:
        count.update(name for name in Changes._fields if getattr(header, name, False))
        count["grayed"] += shape[2] == 1 and not header.gray
    return Changes(**{name: count[name] for name in Changes._fields})


def header(root: Path, file: Path) -> Header:
    """Read the header of one image.

    Raises:
      InputError: the image cannot be read; the message names it.
    """
    with _without_bomb_warnings(), _open(root, file) as image:
        sixteen_bit, gray = is_sixteen_bit(image), image.mode in _GRAY or is_sixteen_bit_gray(image)
        # Pillow decodes a whole PNG to find an orientation that is stored after the pixels.
        orientation = _orientation(image) if image.format != "PNG" or _tells_orientation(file) else 1
        lies = orientation >= 5 and image.format != "TIFF"  # the size in a TIFF is that of the rotated image
        return Header(
            size=image.size if lies else image.size[::-1],
            gray=gray,
            oriented=orientation > 1,
            flattened=image.has_transparency_data,
            sixteen_bit=sixteen_bit,
            cmyk=image.mode == "CMYK",
            palette=image.mode in ("P", "PA"),
            animated=getattr(image, "is_animated", False),
        )


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


@contextmanager
def _without_bomb_warnings() -> Iterator[None]:
    """Silence Pillow about images of many pixels, for which `MAX_PIXELS` is the stricter limit."""
    require("PIL")
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _open(root: Path, file: Path) -> Any:
    require("PIL")
    from PIL import Image

    try:
        image = Image.open(file)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{root.name}: {file.relative_to(root)} is not a readable image ({error})") from None
    width, height = image.size
    if width * height > MAX_PIXELS:
        image.close()
        raise InputError(
            f"{root.name}: {file.relative_to(root)} has {width}x{height} pixels, accepted: up to {MAX_PIXELS}"
        )
    reason = why_refused(image)
    if reason:
        image.close()
        raise InputError(
            f"{root.name}: {file.relative_to(root)} {reason}; accepted: up to 16 bits per channel, stored together, or "
            "numbers in [0, 1] in a .npz"
        )
    return image


def decode_files(root: Path, files: list[Path], shape: tuple[int, ...], rule: ImageRule) -> np.ndarray:
    """Decode images to `uint8[N, *shape]`, and bring those of another size to that of `shape`.

    Pillow decodes and scales outside the interpreter's lock, so each core has a thread.

    Raises:
      InputError: an image cannot be read or is damaged; the message names the first one.
    """
    height, width, channels = shape
    out = np.empty((len(files), *shape), np.uint8)

    def decode(i: int) -> None:
        file = files[i]
        try:
            pixels = _as_shown(root, file, rule.background).convert("L" if channels == 1 else "RGB")
        except InputError:
            raise
        except (OSError, ValueError, SyntaxError) as error:
            raise InputError(f"{root.name}: {file.relative_to(root)} is damaged ({error})") from None
        out[i] = np.asarray(rule.apply(pixels, (height, width))).reshape(shape)

    with _without_bomb_warnings(), ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(decode, range(len(files))):
            pass
    return out


def _as_shown(root: Path, file: Path, background: str) -> Any:
    """Return an image as a viewer shows it: over the background, and rotated according to its EXIF orientation."""
    require("PIL")
    from PIL import Image

    turns = (Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.ROTATE_180, Image.Transpose.FLIP_TOP_BOTTOM,
             Image.Transpose.TRANSPOSE, Image.Transpose.ROTATE_270, Image.Transpose.TRANSVERSE,
             Image.Transpose.ROTATE_90)  # fmt: skip
    with _open(root, file) as opened:
        image = to_eight_bits(opened, lambda: _open(root, file)) if is_sixteen_bit(opened) else opened
        opened.load()  # which may bring an orientation that is stored after the pixels, or rotate a TIFF
        orientation = _orientation(opened)
    if image.mode == "CMYK":
        image = _rgb_of_cmyk(image, opened.info.get("icc_profile"))
    if image.has_transparency_data:
        below = Image.new("RGBA", image.size, background)
        image = Image.alpha_composite(below, image.convert("RGBA"))
    return image.transpose(turns[orientation - 2]) if orientation > 1 else image


def _rgb_of_cmyk(image: Any, profile: bytes | None) -> Any:
    """Convert CMYK by the profile of its inks, as a viewer does; without a usable one, by complementary colours."""
    require("PIL")
    from PIL import ImageCms

    if profile:
        try:
            inks, screen = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
            return ImageCms.profileToProfile(image, inks, screen, outputMode="RGB")
        except (OSError, ImageCms.PyCMSError):
            pass  # damaged, or of other inks
    return image.convert("RGB")
