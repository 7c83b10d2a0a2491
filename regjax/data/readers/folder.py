"""Reads images from class folders: `root/cat/1.png`, or `root/train/cat/1.png` with `root/test/...`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from regjax.core.errors import InputError
from regjax.data.cache import Arrays, file_fingerprint
from regjax.data.dataset import Dataset
from regjax.data.grouping import with_duplicates_together
from regjax.data.image_rule import ImageRule
from regjax.data.inputs import Note, Piece
from regjax.data.near_duplicates import with_near_duplicates_noted
from regjax.data.preprocess import Preprocessor
from regjax.data.readers.class_folders import SUFFIXES, ImageFolder, list_folder, list_images
from regjax.data.readers.image_summary import Changes, ImageSummary
from regjax.data.readers.images import RULE, changes, common_shape, decode_files, header
from regjax.data.source import Source, as_rows, slices
from regjax.data.stored import Facts, Stored, load_stored

MAX_FOLDER_BYTES = 4 * 2**30
"""Folders that are larger after decoding and resizing are refused."""


def load_folder(
    path: str | os.PathLike[str],
    *,
    task: str | None = None,
    image_size: tuple[int, int] | int | None = None,
    image_fit: str = "crop",
    image_background: str = "white",
    allow_empty: bool = False,
    cache_dir: str | os.PathLike[str] | None = None,
    lazy: bool = False,
) -> Dataset:
    """Load images from class folders; the sorted names of the folders are the classes.

    If `path` contains the folders `train`, `val` (or `valid`, `validation`) and `test` with class folders inside, these
    are the parts. Images are uint8, with one channel if all of them are gray and three otherwise, as a viewer shows
    them: rotated according to their EXIF orientation, and over a background where they are transparent. 16 bits per
    channel are rounded to 8. Images of different sizes are brought to one, without a change of their proportions.
    Conversions and skipped files are counted in `notes`.

    Args:
      path: the folder.
      task: must be classification.
      image_size: `(height, width)`, or one number for both; None is the most frequent size of the training images,
        scaled down to 64 pixels on the longer side if that is larger, with a `ResizeWarning` if any is changed.
      image_fit: what is done with images of another shape: `"crop"` or `"pad"`; see `regjax.data.ImageRule`.
      image_background: colour below transparent pixels and around padded images: `"white"`, `"gray"` or `"black"`.
      allow_empty: whether to leave out classes whose folders have no images, instead of refusing them.
      cache_dir: directory of the cache of decoded images, or of their size and labels; see `regjax.data.cache_root`.
      lazy: keep the images in their files; an image that cannot be decoded raises an error when it is read.

    Raises:
      InputError: there are no class folders or one is empty, an image cannot be read or its numbers have no known
        white, a link leads nowhere or outside the folder, or there are too many pixels.
    """
    name = Path(path).resolve().name
    if task not in (None, "classification"):
        raise InputError(f"{name}: a folder of class folders is classification, got task {task!r}")
    size = None if image_size is None else _checked_size(name, image_size)
    rule = ImageRule(image_fit, image_background).checked()
    found = list_folder(path, image_size=size, rule=rule, allow_empty=allow_empty)
    stored = StoredFolder(
        name,
        found.cache_key,
        {
            "files": file_fingerprint(found.root, found.files),
            "image_size": size,
            "images": rule._asdict(),
            "rule": RULE,
        },
        found,
        given={"task": "classification", "class_names": found.class_names, "image_rule": rule},
    )
    data = load_stored(stored, lazy=lazy, cache_dir=cache_dir)
    files = [file for file, _ in found.parts[""]]
    return with_near_duplicates_noted(with_duplicates_together(data, files), files)


def _checked_size(name: str, image_size: tuple[int, ...] | int) -> tuple[int, int]:
    sizes = (image_size,) if isinstance(image_size, int) else tuple(image_size)
    if len(sizes) not in (1, 2) or min(sizes) < 1:
        raise InputError(
            f"{name}: image_size must be positive (height, width), or one positive number for both, got {image_size}"
        )
    return sizes[0], sizes[-1]


@dataclass(frozen=True, eq=False)
class StoredFolder(Stored):
    """A folder of class folders; everything except the pixels is known from paths and headers."""

    found: ImageFolder

    def layout(self, in_memory: bool) -> Facts:
        """Return the common shape of the images, and how many are changed."""
        limit = MAX_FOLDER_BYTES if in_memory else float("inf")
        shape, changed = common_shape(self.found, limit)
        return {"shape": shape, "changes": changed._asdict()}

    def messages(self, facts: Facts) -> tuple[str, ...]:
        """Return what was changed and skipped."""
        summary = ImageSummary(len(self.found.files), Changes(**facts["changes"]), self.found.skipped)
        height, width, _ = facts["shape"]
        return tuple(summary.lines(self.name, (height, width), self.found.rule))

    def inputs(self, layout: Facts) -> dict[str, Source]:
        """Return the files of each part."""
        shape = tuple(layout["shape"])
        return {
            part: ImageFiles(self.found.root, tuple(file for file, _ in files), shape, self.found.rule)
            for part, files in self.found.parts.items()
        }

    def targets(self) -> tuple[Arrays, Facts]:
        """Return the class index of each file."""
        return {part: np.array([label for _, label in files], np.int32) for part, files in self.found.parts.items()}, {}


@dataclass(frozen=True, eq=False)
class ImageFiles:
    """A `Source` of images in files, which are decoded on demand.

    Attributes:
      root: the folder to which paths in messages are relative.
      files: one file for each example.
      example_shape: `(height, width, channels)` of the decoded images.
      rule: how images of other sizes are brought to this shape.
    """

    root: Path
    files: tuple[Path, ...]
    example_shape: tuple[int, ...]
    rule: ImageRule

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape `(N, height, width, channels)`."""
        return (len(self), *self.example_shape)

    @property
    def dtype(self) -> np.dtype:
        """The dtype, uint8."""
        return np.dtype(np.uint8)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.files)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """Decode the images at `indices`; an image that cannot be read raises an InputError that names it."""
        return decode_files(self.root, [self.files[i] for i in indices.tolist()], self.example_shape, self.rule)


def folder_pieces(path: Path, preprocessor: Preprocessor, note: Note | None = None) -> Iterator[Piece]:
    """Read all images below a folder in the shape and range used in training; the ids are their relative paths.

    Raises:
      InputError: the model is for tables, there is no image, an image cannot be read, or a link leads outside the
        folder.
    """
    if preprocessor.kind != "image":
        raise InputError(f"input {str(path)!r}: a folder of images, the model was trained on a table")
    images = images_of(path, preprocessor.shape, preprocessor.image_rule or ImageRule(), note)
    names = [file.relative_to(images.root).as_posix() for file in images.files]
    start = 0
    for x in slices(as_rows(path.name, images)):
        stop = start + len(x)
        if preprocessor.pixel_max != 255.0:
            # Files contain values in 0..255; floating-point images in training are in [0, 1].
            x = x * np.float32((preprocessor.pixel_max or 1.0) / 255.0)
        yield Piece(x, names[start:stop], stop / len(names))
        start = stop


def images_of(
    path: str | os.PathLike[str],
    shape: tuple[int, ...],
    rule: ImageRule,
    note: Note | None = None,
) -> ImageFiles:
    """Find all images below a folder, in the order of their relative paths, to be decoded as in training.

    Args:
      path: the folder, flat or nested.
      shape: `(H, W, C)`, C in (1, 3).
      rule: how images of other sizes are brought to this shape.
      note: a function that is called with messages about conversions and skipped files.

    Raises:
      InputError: there is no image, the header of one cannot be read, or a link leads outside the folder.
    """
    root = Path(path).resolve()
    if len(shape) != 3 or shape[-1] not in (1, 3):
        raise InputError(f"{root.name}: a model for inputs of shape {shape} reads no image files; use .npz")
    files, skipped = list_images(root)
    if not files:
        raise InputError(f"{root.name}: no images; accepted: {', '.join(SUFFIXES)}")
    if note is not None:
        changed = changes([header(root, file) for file in files], shape, rule)
        for line in ImageSummary(len(files), changed, skipped).lines(root.name, (shape[0], shape[1]), rule):
            note(line)
    return ImageFiles(root, tuple(files), shape, rule)
