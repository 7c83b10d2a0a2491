"""Images in a folder of class folders: `root/cat/1.png`, or `root/train/cat/1.png` with `root/test/...`.

Training, streamed training and prediction decode by one rule: turned as the EXIF orientation says, what is
transparent over white, 8 bits a channel.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from regjax.core.errors import InputError
from regjax.core.extras import require
from regjax.data.cache import Arrays, cached_arrays, file_fingerprint
from regjax.data.class_folders import SUFFIXES, ImageFolder, list_folder, list_images, skipped_note
from regjax.data.dataset import Dataset

MAX_PIXELS = 50_000_000
"""An image with more pixels is refused before it is decoded."""

MAX_FOLDER_BYTES = 4 * 2**30
"""Larger folders, counted after decoding and resizing, are refused."""

RULE = 3
"""Number of the rule by which images are decoded; what another one decoded is not taken from the cache."""

_GRAY = ("1", "L", "LA")
_DEEP = ("I", "F", "I;16", "I;16L", "I;16B", "I;16N")


class ResizeWarning(UserWarning):
    """Images of different sizes were resized to the size of the first."""


def load_folder(
    path: str | os.PathLike[str],
    *,
    task: str | None = None,
    image_size: tuple[int, int] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Load images from class folders; the sorted names of the folders are the classes.

    Where `path` holds the folders `train`, `val` (or `valid`, `validation`) and `test` with class folders inside, these
    are the parts. Images are uint8, with one channel if all of them are gray and three otherwise, turned as their
    EXIF orientation says, and transparent ones lie over white. Without `image_size`, images of different sizes are
    resized to the size of the first, with a `ResizeWarning`. What else was done or skipped is in `notes`.

    Args:
      path: the folder.
      task: must be classification.
      image_size: `(height, width)`.
      cache_dir: where the decoded images are kept; see `regjax.data.cache.cache_root`.

    Raises:
      InputError: no class folders, an unreadable image or one of more than 8 bits a channel, a link that leaves the
        folder, too many pixels.
    """
    found = list_folder(path, task=task, image_size=image_size)

    def decode() -> tuple[Arrays, dict[str, Any]]:
        shape, notes = common_shape(found, MAX_FOLDER_BYTES)
        arrays = {}
        for suffix, part in found.parts.items():
            arrays["x" + suffix] = decode_files(found.root, [file for file, _ in part], shape)
            arrays["y" + suffix] = np.array([label for _, label in part], np.int32)
        return arrays, {"notes": notes}

    arrays, facts = cached_arrays(found.cache_key, folder_fingerprint(found), decode, cache_dir=cache_dir)
    parts = {suffix: (arrays["x" + suffix], arrays["y" + suffix]) for suffix in found.parts}
    return folder_dataset(found, parts, facts["notes"])


def folder_dataset(found: ImageFolder, parts: dict[str, tuple[Any, np.ndarray]], notes: list[str]) -> Dataset:
    """The dataset of a folder, from inputs and labels by suffix of the part."""
    return Dataset(
        name=found.root.name,
        task="classification",
        x=parts[""][0],
        y=parts[""][1],
        class_names=found.class_names,
        validation=parts.get("_val"),
        test=parts.get("_test"),
        notes=(*skipped_note(found.root.name, found.root, found.skipped), *notes),
    )


def folder_fingerprint(found: ImageFolder) -> dict[str, Any]:
    """What the pixels of a folder depend on."""
    return {"files": file_fingerprint(found.root, found.files), "image_size": found.image_size, "rule": RULE}


def read_images(
    path: str | os.PathLike[str], shape: tuple[int, ...], note: Callable[[str], None] | None = None
) -> tuple[np.ndarray, list[str]]:
    """All images below a folder, resized to `shape`, in the order of their relative paths; decoded as for training.

    Args:
      path: the folder, flat or nested.
      shape: `(H, W, C)`, C in (1, 3).
      note: called with each line on what was done or skipped.

    Returns:
      `(x, names)`: `uint8[N, H, W, C]` and relative paths.

    Raises:
      InputError: no image, an unreadable image, or a link that leaves the folder.
    """
    root = Path(path).resolve()
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise InputError(f"{root.name}: a model for inputs of shape {shape} reads no image files; use .npz")
    files, skipped = list_images(root, root)
    if not files:
        raise InputError(f"{root.name}: no images; accepted: {', '.join(SUFFIXES)}")
    if note is not None:
        headers = [_header(root, file) for file in files]
        for line in [*skipped_note(root.name, root, tuple(skipped)), *_notes(root.name, headers)]:
            note(line)
    return decode_files(root, files, shape), [file.relative_to(root).as_posix() for file in files]


class _Header(NamedTuple):
    size: tuple[int, int]  # height and width as shown
    gray: bool
    turned: bool
    transparent: bool
    frames: bool  # more than one


def common_shape(found: ImageFolder, most: float) -> tuple[tuple[int, int, int], list[str]]:
    """Height, width and channels for all images, and what is to be said of them, from their headers alone.

    Args:
      found: from `list_folder`.
      most: bytes that all of them may take.

    Returns:
      `(height, width, channels)`, and lines on images that are turned or have transparency.

    Raises:
      InputError: an unreadable header, or more bytes.
    """
    root, files = found.root, found.files
    headers = [_header(root, file) for file in files]
    sizes, gray = [header.size for header in headers], all(header.gray for header in headers)
    other = next((i for i, size in enumerate(sizes) if size != sizes[0]), None)
    if found.image_size is None and other is not None:
        warnings.warn(
            f"{root.name}: {files[other].relative_to(root)} is {sizes[other]}, the first image {sizes[0]}; "
            "all are resized to the first",
            ResizeWarning,
            stacklevel=5,
        )
    height, width = found.image_size or sizes[0]
    total = len(files) * height * width * (1 if gray else 3)
    if total > most:
        raise InputError(
            f"{root.name}: {total / 2**30:.1f} GiB of pixels, accepted in memory: {most / 2**30:g} GiB; "
            "use a smaller image_size, or stream it with --loader=stream"
        )
    return (height, width, 1 if gray else 3), _notes(root.name, headers)


def _notes(name: str, headers: list[_Header]) -> list[str]:
    """A line on each thing that is done to some of the images."""
    said = {
        "are turned as their EXIF orientation says": [header.turned for header in headers],
        "have transparency, shown over white": [header.transparent for header in headers],
        "have several frames, of which the first is read": [header.frames for header in headers],
    }
    return [f"{name}: {sum(which)} of {len(headers)} images {what}" for what, which in said.items() if any(which)]


def _header(root: Path, file: Path) -> _Header:
    with _open(root, file) as image:
        # Pillow decodes a PNG to look for the orientation behind its pixels.
        orientation = _orientation(image) if image.format != "PNG" or _tells_orientation(file) else 1
        lies = orientation >= 5 and image.format != "TIFF"  # whose size is that of the turned image
        size = image.size if lies else image.size[::-1]
        frames = getattr(image, "is_animated", False)
        return _Header(size, image.mode in _GRAY, orientation > 1, image.has_transparency_data, frames)


def _tells_orientation(file: Path) -> bool:
    """Whether a PNG has EXIF data or XMP, before its pixels or behind."""
    with file.open("rb") as stream:
        stream.seek(8)
        while len(head := stream.read(8)) == 8:
            kind, rest = head[4:], int.from_bytes(head[:4], "big") + 4  # and a checksum
            words = stream.read(min(rest, 17)) if kind in (b"tEXt", b"zTXt", b"iTXt") else b""
            if kind == b"eXIf" or words in (b"XML:com.adobe.xmp", b"Raw profile type "):
                return True
            stream.seek(rest - len(words), 1)
    return False


def _orientation(image: Any) -> int:
    """The EXIF orientation, 1 to 8."""
    try:
        found = image.getexif().get(274, 1)
    except Exception:  # of damaged metadata, whatever their parser raises; viewers show such images as stored
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
    """Whether there are more than 8 bits a channel, of which Pillow drops the low ones of colours."""
    if image.mode in _DEEP:
        return True
    for tile in image.tile:
        arguments = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
        if tile[0] == "ppm" and arguments[1] > 255:  # the largest value
            return True
        # As "RGB;16B"; the "BGR;16" of a .bmp is 16 bits a pixel.
        if any(isinstance(a, str) and a.endswith((";16B", ";16L", ";16N")) for a in arguments):
            return True
    return False


def decode_files(root: Path, files: list[Path], shape: tuple[int, ...]) -> np.ndarray:
    """Images as `uint8[N, *shape]`, resized where they have another size.

    Raises:
      InputError: an unreadable or damaged image; the message names it.
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
    """The image over white, turned as its EXIF orientation says."""
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
