"""Lists the images of a folder with their classes and parts, without decoding them.

The same rules apply to training and prediction: images are found at any depth, hidden and system files are ignored,
links are followed only to files inside the folder, and other files are skipped; all of them are counted.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from regjax.core.errors import InputError
from regjax.data.image_rule import ImageRule
from regjax.data.readers.image_summary import Skipped

SUFFIXES = (".png", ".jpg", ".jpeg", ".jfif", ".bmp", ".gif", ".webp", ".pgm", ".ppm", ".tif", ".tiff")
"""Files with other endings are skipped; hidden ones and those of operating systems are ignored."""

PARTS = {
    "train": "", "training": "", "val": "_val", "valid": "_val", "validation": "_val", "dev": "_val", "test": "_test",
    "testing": "_test",
}  # fmt: skip
"""Lower-case names of the folders of parts, and the suffixes of their arrays."""

_SYSTEM = (
    "__macosx", "@eadir", "$recycle.bin", "system volume information", "lost+found", "thumbs.db", "desktop.ini",
    "icon\r",
)  # fmt: skip


@dataclass(frozen=True)
class ImageFolder:
    """The files of a folder of class folders.

    Attributes:
      root: the folder.
      class_names: sorted names of the class folders.
      parts: files with their labels, by suffix: `""` and possibly `"_val"` and `"_test"`.
      image_size: the requested `(height, width)`, or None.
      rule: how images of other sizes are brought to one size.
      skipped: what is not read.
    """

    root: Path
    class_names: tuple[str, ...]
    parts: dict[str, list[tuple[Path, int]]]
    image_size: tuple[int, int] | None
    rule: ImageRule
    skipped: Skipped

    @property
    def files(self) -> list[Path]:
        """Return all images, in the order of the parts."""
        return [file for part in self.parts.values() for file, _ in part]

    @property
    def cache_key(self) -> str:
        """The key of the cache entry, which depends on the path, the image size and the rule."""
        named = f"{self.root}|{self.image_size}|{self.rule}"
        return f"folder-{hashlib.sha256(named.encode()).hexdigest()[:16]}"


def list_folder(
    path: str | os.PathLike[str],
    *,
    image_size: tuple[int, int] | None = None,
    rule: ImageRule | None = None,
    allow_empty: bool = False,
) -> ImageFolder:
    """List the images of class folders without reading them.

    Args:
      path: the folder. If it contains `train` with class folders inside, then `train`, `val` (or `valid`, `validation`)
        and `test` are the parts.
      image_size: `(height, width)`.
      rule: how images of other sizes are brought to one size; None is the default.
      allow_empty: whether to leave out classes without training images, instead of refusing them.

    Raises:
      InputError: there are no class folders, a class is missing in the training part, a folder is neither a part nor a
        class, a class folder is empty, or a link is broken or leads outside the folder.
    """
    root = Path(path).resolve()
    scan = _Scan(root)
    roots = _part_folders(scan)
    if roots[""] != root:
        scan.skip_files(root)
    held: dict[str, dict[str, list[Path]]] = {}
    empty: list[str] = []
    for suffix, part in roots.items():
        scan.skip_files(part)
        folders = scan.children(part).folders
        held[suffix] = {folder.name: scan.images(folder) for folder in folders}
        empty += [scan.inside(folder) for folder in folders if not held[suffix][folder.name]]
    if not held[""]:
        raise InputError(f"{root.name}: no class folders; accepted: one folder of images for each class")
    for suffix, part in roots.items():
        if not held[suffix]:
            raise InputError(f"{root.name}: part {part.name!r} has no class folders")
        unknown = sorted(set(held[suffix]) - set(held[""]))
        if unknown:
            raise InputError(f"{root.name}: class {unknown[0]!r} of the {part.name} part is not in train")
    if empty and not allow_empty:
        folders_have = f"class folder {empty[0]!r} has" if len(empty) == 1 else f"class folders {_quoted(empty)} have"
        raise InputError(
            f"{root.name}: {folders_have} no images ({', '.join(SUFFIXES)}); put images there, remove what is empty, "
            "or leave it out with allow_empty (--allow_empty)"
        )
    class_names = tuple(name for name, images in held[""].items() if images)
    for suffix, part in roots.items():
        if not any(held[suffix].values()):
            raise InputError(f"{root.name}: all class folders of {part.name!r} are empty; at least one image is needed")
        for name, images in held[suffix].items():
            if images and name not in class_names:
                raise InputError(f"{root.name}: class {name!r} of the {part.name} part has no images in train")
    parts = {
        suffix: [(file, class_names.index(name)) for name in class_names for file in classes.get(name, ())]
        for suffix, classes in held.items()
    }
    return ImageFolder(root, class_names, parts, image_size, rule or ImageRule(), scan.skipped(tuple(empty)))


def list_images(root: Path) -> tuple[list[Path], Skipped]:
    """List the images below a folder at any depth, in the order of their paths, and what is skipped.

    Args:
      root: the resolved folder; links must not lead outside it.

    Raises:
      InputError: a link leads outside the root, or a folder cannot be read.
    """
    scan = _Scan(root)
    return scan.images(root), scan.skipped()


class _Listed(NamedTuple):
    """The sorted content of a folder, without hidden files and folders and those of operating systems."""

    folders: list[Path]
    images: list[Path]
    others: list[Path]


class _Scan:
    """Lists the folders below a root, each once, and remembers what is skipped.

    Args:
      root: the resolved folder; links must not lead outside it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._listed: dict[Path, _Listed] = {}
        self._no_images: list[Path] = []
        self._in_no_class: list[Path] = []
        self._ignored: list[Path] = []

    def inside(self, path: Path) -> str:
        """Return a path relative to the root, for messages."""
        return path.relative_to(self.root).as_posix() if path != self.root else path.name

    def children(self, folder: Path) -> _Listed:
        """Return the content of a folder."""
        if folder not in self._listed:
            self._listed[folder] = self._read(folder)
        return self._listed[folder]

    def images(self, folder: Path) -> list[Path]:
        """Return the images below a folder at any depth, in the order of their paths."""
        listed = self.children(folder)
        self._no_images += listed.others
        found = list(listed.images)
        for child in listed.folders:
            found += self.images(child)
        return sorted(found)

    def skip_files(self, folder: Path) -> None:
        """Skip the files in a folder of class folders or of parts."""
        listed = self.children(folder)
        self._no_images += listed.others
        self._in_no_class += listed.images

    def skipped(self, empty_classes: tuple[str, ...] = ()) -> Skipped:
        """Return what is not read."""
        return Skipped(
            self._inside(self._no_images), self._inside(self._in_no_class), self._inside(self._ignored), empty_classes
        )

    def _inside(self, paths: list[Path]) -> tuple[str, ...]:
        return tuple(map(self.inside, sorted(paths)))

    def _read(self, folder: Path) -> _Listed:
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            raise InputError(f"{self.root.name}: {self.inside(folder)} cannot be read ({error.strerror})") from None
        listed = _Listed([], [], [])
        for entry in found:
            path = Path(entry.path)
            if entry.name.startswith(".") or entry.name.lower() in _SYSTEM:
                self._ignored.append(path)
                continue
            if entry.is_symlink():
                self._check_link(path)
            if entry.is_dir():
                listed.folders.append(path)
            elif entry.is_file() and path.suffix.lower() in SUFFIXES:
                listed.images.append(path)
            else:
                listed.others.append(path)
        return listed

    def _check_link(self, link: Path) -> None:
        place = f"{self.root.name}: {self.inside(link)}"
        if not link.exists():
            raise InputError(f"{place} is a link to nothing ({os.readlink(link)}); remove it, or put the file there")
        if not link.resolve().is_relative_to(self.root):
            raise InputError(f"{place} is a link that leaves the folder; not followed")
        if link.is_dir():
            raise InputError(f"{place} is a link to another folder of the set, whose images would count twice")


def _quoted(names: list[str]) -> str:
    return ", ".join(map(repr, names[:3])) + (", ..." if len(names) > 3 else "")


def _part_folders(scan: _Scan) -> dict[str, Path]:
    """Return the folders that contain class folders, by suffix: those of the parts, or the root itself."""
    root = scan.root
    folders = scan.children(root).folders
    parts = [folder for folder in folders if folder.name.lower() in PARTS and _holds_folders_alone(scan, folder)]
    if not parts:
        return {"": root}
    others = [folder.name for folder in folders if folder not in parts]
    accepted = (
        "accepted: train (or training), with val (valid, validation, dev) and test (testing), or one folder of images "
        "for each class"
    )
    if others:
        raise InputError(f"{root.name}: {others[0]!r} is not a part of the data as {parts[0].name!r} is; {accepted}")
    found: dict[str, Path] = {}
    for folder in parts:
        other = found.setdefault(PARTS[folder.name.lower()], folder)
        if other is not folder:
            raise InputError(f"{root.name}: {other.name!r} and {folder.name!r} are the same part; {accepted}")
    if "" not in found:
        raise InputError(f"{root.name}: no part 'train' beside {parts[0].name!r}; {accepted}")
    return {suffix: found[suffix] for suffix in ("", "_val", "_test") if suffix in found}


def _holds_folders_alone(scan: _Scan, folder: Path) -> bool:
    listed = scan.children(folder)
    return bool(listed.folders) and not listed.images
