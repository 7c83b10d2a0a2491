"""Images in a folder of class folders: `root/cat/1.png`, or `root/train/cat/1.png` with `root/test/...`."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from regjax.checks import InputError
from regjax.data.cache import Arrays, cached_arrays, file_fingerprint
from regjax.data.dataset import Dataset

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".tif", ".tiff")
"""Files with other endings, and hidden files, are ignored."""

MAX_PIXELS = 50_000_000
"""An image with more pixels is refused before it is decoded."""

MAX_FOLDER_BYTES = 4 * 2**30
"""Larger folders, counted after decoding and resizing, are refused."""

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

    Where `path` holds the folders `train` and `test` with class folders inside, `test` is the official test
    split. Images are uint8, with one channel if all of them are gray and three otherwise. Without
    `image_size`, images of different sizes are resized to the size of the first, with a `ResizeWarning`.

    Args:
      path: the folder.
      task: must be classification.
      image_size: `(height, width)`.
      cache_dir: where the decoded images are kept; see `regjax.data.cache.cache_root`.

    Raises:
      InputError: no class folders, an unreadable image, a link that leaves the folder, too many pixels.
    """
    found = list_folder(path, task=task, image_size=image_size)
    files = [file for part in found.parts.values() for file, _ in part]

    def decode() -> tuple[Arrays, dict[str, Any]]:
        shape = common_shape(found, MAX_FOLDER_BYTES)
        arrays = {}
        for suffix, part in found.parts.items():
            arrays["x" + suffix] = decode_files(found.root, [file for file, _ in part], shape)
            arrays["y" + suffix] = np.array([label for _, label in part], np.int32)
        return arrays, {}

    fingerprint = {"files": file_fingerprint(found.root, files), "image_size": image_size}
    arrays, _ = cached_arrays(found.cache_key, fingerprint, decode, cache_dir=cache_dir)
    return Dataset(
        name=found.root.name,
        task="classification",
        x=arrays["x"],
        y=arrays["y"],
        class_names=found.class_names,
        test=(arrays["x_test"], arrays["y_test"]) if "_test" in found.parts else None,
    )


@dataclass(frozen=True)
class ImageFolder:
    """The files of a folder of class folders.

    Attributes:
      root: the folder.
      class_names: sorted names of the class folders.
      parts: by suffix, `""` and possibly `"_test"`: each file with its label.
      image_size: `(height, width)` that was asked for, or None.
    """

    root: Path
    class_names: tuple[str, ...]
    parts: dict[str, list[tuple[Path, int]]]
    image_size: tuple[int, int] | None

    @property
    def cache_key(self) -> str:
        """Names what is kept of this folder; two places or sizes are two entries."""
        return f"folder-{hashlib.sha256(f'{self.root}|{self.image_size}'.encode()).hexdigest()[:16]}"


def list_folder(
    path: str | os.PathLike[str], *, task: str | None = None, image_size: tuple[int, int] | None = None
) -> ImageFolder:
    """List the images of class folders, reading none.

    Args:
      path: the folder.
      task: must be classification.
      image_size: `(height, width)`.

    Raises:
      InputError: no class folders, a class of the test part alone, a link that leaves the folder.
    """
    root = Path(path).resolve()
    if task not in (None, "classification"):
        raise InputError(f"{root.name}: a folder of class folders is classification, got task {task!r}")
    if image_size is not None and min(image_size) < 1:
        raise InputError(f"{root.name}: image_size must be positive (height, width), got {image_size}")
    has_parts = {child.name for child in _folders(root)} == {"train", "test"} and _folders(root / "train")
    class_root = root / "train" if has_parts else root
    class_names = [child.name for child in _folders(class_root)]
    if not class_names:
        raise InputError(f"{root.name}: no class folders; accepted: one folder of images for each class")
    parts = {"": class_root} | ({"_test": root / "test"} if has_parts else {})
    listed = {suffix: _list_classes(root, part, class_names) for suffix, part in parts.items()}
    return ImageFolder(root, tuple(class_names), listed, image_size)


def read_images(path: str | os.PathLike[str], shape: tuple[int, ...]) -> tuple[np.ndarray, list[str]]:
    """All images below a folder, resized to `shape`, in the order of their relative paths.

    Args:
      path: the folder, flat or nested.
      shape: `(H, W, C)`, C in (1, 3).

    Returns:
      `(x, names)`: `uint8[N, H, W, C]` and relative paths.

    Raises:
      InputError: no image, an unreadable image, or a link that leaves the folder.
    """
    root = Path(path).resolve()
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise InputError(f"{root.name}: a model for inputs of shape {shape} reads no image files; use .npz")
    files = [file for file in sorted(root.rglob("*")) if _is_image(file)]
    if not files:
        raise InputError(f"{root.name}: no images; accepted: {', '.join(SUFFIXES)}")
    for file in files:
        _check_inside(root, file)
    return decode_files(root, files, shape), [file.relative_to(root).as_posix() for file in files]


def _folders(root: Path) -> list[Path]:
    return sorted(child for child in root.iterdir() if child.is_dir() and not child.name.startswith("."))


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and not file.name.startswith(".") and not file.is_dir()


def _check_inside(root: Path, file: Path) -> None:
    if not file.resolve().is_relative_to(root):
        raise InputError(f"{root.name}: {file.relative_to(root)} is a link that leaves the folder; not followed")


def _list_classes(root: Path, part: Path, class_names: list[str]) -> list[tuple[Path, int]]:
    found = []
    for child in _folders(part):
        _check_inside(root, child)
        if child.name not in class_names:
            raise InputError(f"{root.name}: class {child.name!r} of the test part is not in train")
        files = sorted(file for file in child.iterdir() if _is_image(file))
        if not files:
            raise InputError(f"{root.name}: class folder {child.name!r} has no images ({', '.join(SUFFIXES)})")
        for file in files:
            _check_inside(root, file)
        found += [(file, class_names.index(child.name)) for file in files]
    return found


def common_shape(found: ImageFolder, most: float) -> tuple[int, int, int]:
    """Height, width and channels for all images, from their headers alone.

    Args:
      found: from `list_folder`.
      most: bytes that all of them may take.

    Raises:
      InputError: an unreadable header, or more bytes.
    """
    root, files = found.root, [file for part in found.parts.values() for file, _ in part]
    sizes, gray = [], True
    for file in files:
        (width, height), mode = _header(root, file)
        sizes.append((height, width))
        gray = gray and mode in _GRAY
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
    return height, width, 1 if gray else 3


def _header(root: Path, file: Path) -> tuple[tuple[int, int], str]:
    with _open(root, file) as image:
        return image.size, image.mode


def _open(root: Path, file: Path) -> Any:
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
    if image.mode in _DEEP:
        image.close()
        raise InputError(
            f"{root.name}: {file.relative_to(root)} has mode {image.mode!r} (over 8 bits); store it in a .npz"
        )
    return image


def decode_files(root: Path, files: list[Path], shape: tuple[int, ...]) -> np.ndarray:
    """Images as `uint8[N, *shape]`, resized where they have another size.

    Raises:
      InputError: an unreadable or damaged image; the message names it.
    """
    from PIL import Image

    height, width, channels = shape
    out = np.empty((len(files), *shape), np.uint8)
    for i, file in enumerate(files):
        with _open(root, file) as image:
            try:
                pixels = image.convert("L" if channels == 1 else "RGB")
            except (OSError, ValueError, SyntaxError) as error:
                raise InputError(f"{root.name}: {file.relative_to(root)} is damaged ({error})") from None
        if pixels.size != (width, height):
            pixels = pixels.resize((width, height), Image.Resampling.BILINEAR)
        out[i] = np.asarray(pixels).reshape(shape)
    return out
