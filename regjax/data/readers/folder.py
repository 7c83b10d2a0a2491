"""Images in a folder of class folders: `root/cat/1.png`, or `root/train/cat/1.png` with `root/test/...`."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regjax.core.errors import InputError
from regjax.data.cache import Arrays, file_fingerprint
from regjax.data.dataset import Dataset
from regjax.data.preprocess import Preprocessor
from regjax.data.readers.class_folders import SUFFIXES, ImageFolder, list_folder, list_images, skipped_note
from regjax.data.readers.images import RULE, common_shape, decode_files, header, notes
from regjax.data.source import Source
from regjax.data.stored import Facts, Stored, load_stored

MAX_FOLDER_BYTES = 4 * 2**30
"""Larger folders, counted after decoding and resizing, are refused."""


def load_folder(
    path: str | os.PathLike[str],
    *,
    task: str | None = None,
    image_size: tuple[int, int] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    lazy: bool = False,
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
      cache_dir: where the decoded images, or their size and labels, are kept; see `regjax.data.cache_root`.
      lazy: leave the images in their files; those that cannot be decoded are named when they are read.

    Raises:
      InputError: no class folders, an unreadable image or one of more than 8 bits a channel, a link that leaves the
        folder, too many pixels.
    """
    found = list_folder(path, task=task, image_size=image_size)
    stored = StoredFolder(
        found.root.name,
        found.cache_key,
        {"files": file_fingerprint(found.root, found.files), "image_size": image_size, "rule": RULE},
        found,
        given={"task": "classification", "class_names": found.class_names},
        notes=tuple(skipped_note(found.root.name, found.root, found.skipped)),
    )
    return load_stored(stored, lazy=lazy, cache_dir=cache_dir)


@dataclass(frozen=True, eq=False)
class StoredFolder(Stored):
    """A folder of class folders; all but the pixels is known from paths and headers."""

    found: ImageFolder

    def layout(self, in_memory: bool) -> Facts:
        """The common shape of the images, and notes on them."""
        limit = MAX_FOLDER_BYTES if in_memory else float("inf")
        shape, lines = common_shape(self.found, limit)
        return {"shape": shape, "notes": lines}

    def inputs(self, layout: Facts) -> dict[str, Source]:
        """The files of each part."""
        shape = tuple(layout["shape"])
        return {
            part: ImageFiles(self.found.root, tuple(file for file, _ in files), shape)
            for part, files in self.found.parts.items()
        }

    def targets(self) -> tuple[Arrays, Facts]:
        """The number of the class folder of each file."""
        return {part: np.array([label for _, label in files], np.int32) for part, files in self.found.parts.items()}, {}


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """A `Source`: images in files, decoded when they are asked for.

    Attributes:
      root: the folder that messages name them in.
      files: one for each example.
      example_shape: `(height, width, channels)` that they are brought to.
    """

    root: Path
    files: tuple[Path, ...]
    example_shape: tuple[int, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """`(N, height, width, channels)`."""
        return (len(self), *self.example_shape)

    @property
    def dtype(self) -> np.dtype:
        """uint8."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        """Number of images."""
        return len(self.files)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Decode the images `indices`; an image that cannot be read raises an InputError that names it."""
        return decode_files(self.root, [self.files[i] for i in indices.tolist()], self.example_shape)


def folder_inputs(
    path: Path, preprocessor: Preprocessor, note: Callable[[str], None] | None = None
) -> tuple[np.ndarray, list[str]]:
    """All images below a folder in the shape and unit of training, and their relative paths.

    Raises:
      InputError: a model of tables, or what `read_images` refuses.
    """
    if preprocessor.kind != "image":
        raise InputError(f"input {str(path)!r}: a folder of images, the model was trained on a table")
    x, names = read_images(path, preprocessor.shape, note)
    if preprocessor.pixel_max == 255.0:
        return x, names
    # Files hold 0..255; floating-point images, on which the model was trained, end at 1.
    return x * np.float32((preprocessor.pixel_max or 1.0) / 255.0), names


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
        headers = [header(root, file) for file in files]
        for line in [*skipped_note(root.name, root, tuple(skipped)), *notes(root.name, headers)]:
            note(line)
    return decode_files(root, files, shape), [file.relative_to(root).as_posix() for file in files]
