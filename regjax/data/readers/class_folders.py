"""Lists the images of a folder with their classes and parts, without decoding them.

The same rules apply to training and prediction: images are found at any depth, hidden and system files are ignored,
links are followed only to files inside the folder, and other files are skipped and counted.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from regjax.core.errors import InputError

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
      skipped: files that are not images or not in a class folder.
    """

    root: Path
    class_names: tuple[str, ...]
    parts: dict[str, list[tuple[Path, int]]]
    image_size: tuple[int, int] | None
    skipped: tuple[Path, ...] = ()

    @property
    def files(self) -> list[Path]:
        """Return all images, in the order of the parts."""
        return [file for part in self.parts.values() for file, _ in part]

    @property
    def cache_key(self) -> str:
        """The key of the cache entry, which depends on the path and the image size."""
        return f"folder-{hashlib.sha256(f'{self.root}|{self.image_size}'.encode()).hexdigest()[:16]}"


def list_folder(
    path: str | os.PathLike[str], *, task: str | None = None, image_size: tuple[int, int] | None = None
) -> ImageFolder:
    """List the images of class folders without reading them.

    Args:
      path: the folder. If it contains `train` with class folders inside, then `train`, `val` (or `valid`, `validation`)
        and `test` are the parts.
      task: must be classification.
      image_size: `(height, width)`.

    Raises:
      InputError: there are no class folders, a class is missing in the training part, a folder is neither a part nor a
        class, or a link is broken or leads outside the folder.
    """
    root = Path(path).resolve()
    if task not in (None, "classification"):
        raise InputError(f"{root.name}: a folder of class folders is classification, got task {task!r}")
    if image_size is not None and min(image_size) < 1:
        raise InputError(f"{root.name}: image_size must be positive (height, width), got {image_size}")
    roots = _part_folders(root)
    skipped = [] if roots[""] == root else _children(root, root)[1]
    class_names = [child.name for child in _children(root, roots[""])[0]]
    if not class_names:
        raise InputError(f"{root.name}: no class folders; accepted: one folder of images for each class")
    parts: dict[str, list[tuple[Path, int]]] = {}
    for suffix, part in roots.items():
        folders, loose = _children(root, part)
        skipped += loose
        parts[suffix] = []
        for folder in folders:
            if folder.name not in class_names:
                name = f"{part.name} part"
                raise InputError(f"{root.name}: class {folder.name!r} of the {name} is not in train")
            images, others = list_images(root, folder)
            skipped += others
            if not images:
                raise InputError(f"{root.name}: class folder {folder.name!r} has no images ({', '.join(SUFFIXES)})")
            parts[suffix] += [(file, class_names.index(folder.name)) for file in images]
        if not parts[suffix]:
            raise InputError(f"{root.name}: part {part.name!r} has no class folders")
    return ImageFolder(root, tuple(class_names), parts, image_size, tuple(skipped))


def list_images(root: Path, folder: Path) -> tuple[list[Path], list[Path]]:
    """List the images below a folder at any depth, in the order of their paths, and the files that are not images.

    Args:
      root: the resolved root of the dataset; links must not lead outside it.
      folder: the root or a folder inside it.

    Raises:
      InputError: a link leads outside the root, or a folder cannot be read.
    """
    folders, files = _children(root, folder)
    found = [file for file in files if _is_image(file)]
    others = [file for file in files if not _is_image(file)]
    for child in folders:
        inside, outside = list_images(root, child)
        found += inside
        others += outside
    return sorted(found), others


def skipped_note(name: str, root: Path, skipped: tuple[Path, ...]) -> list[str]:
    """Return a message about the skipped files, if there are any."""
    if not skipped:
        return []
    shown = ", ".join(file.relative_to(root).as_posix() for file in skipped[:3])
    count = "1 file is" if len(skipped) == 1 else f"{len(skipped)} files are"
    return [f"{name}: {count} skipped, no image or in no class folder: {shown}{', ...' if len(skipped) > 3 else ''}"]


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in SUFFIXES and file.is_file()


def _children(root: Path, folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the sorted folders and files in a folder, without hidden ones and those of operating systems."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise InputError(f"{root.name}: {_inside(root, folder)} cannot be read ({error.strerror})") from None
    folders: list[Path] = []
    files: list[Path] = []
    for entry in found:
        if entry.name.startswith(".") or entry.name.lower() in _SYSTEM:
            continue
        path = Path(entry.path)
        if entry.is_symlink():
            _check_link(root, path)
        (folders if entry.is_dir() else files).append(path)
    return folders, files


def _check_link(root: Path, link: Path) -> None:
    place = f"{root.name}: {_inside(root, link)}"
    if not link.exists():
        raise InputError(f"{place} is a link to nothing ({os.readlink(link)}); remove it, or put the file there")
    if not link.resolve().is_relative_to(root):
        raise InputError(f"{place} is a link that leaves the folder; not followed")
    if link.is_dir():
        raise InputError(f"{place} is a link to another folder of the set, whose images would count twice")


def _inside(root: Path, path: Path) -> str:
    return path.relative_to(root).as_posix() if path != root else path.name


def _part_folders(root: Path) -> dict[str, Path]:
    """Return the folders that contain class folders, by suffix: those of the parts, or the root itself."""
    folders, _ = _children(root, root)
    parts = [folder for folder in folders if folder.name.lower() in PARTS and _holds_folders_alone(root, folder)]
    if not parts:
        return {"": root}
    others = [folder.name for folder in folders if folder not in parts]
    accepted = (
        "accepted: train (or training), with val (valid, validation, dev) and test (testing), or one folder of images "
        "for each class"
    )
    if others:
        raise InputError(f"{root.name}: {others[0]!r} is no part of the data as {parts[0].name!r} is; {accepted}")
    found: dict[str, Path] = {}
    for folder in parts:
        other = found.setdefault(PARTS[folder.name.lower()], folder)
        if other is not folder:
            raise InputError(f"{root.name}: {other.name!r} and {folder.name!r} are the same part; {accepted}")
    if "" not in found:
        raise InputError(f"{root.name}: no part 'train' beside {parts[0].name!r}; {accepted}")
    return {suffix: found[suffix] for suffix in ("", "_val", "_test") if suffix in found}


def _holds_folders_alone(root: Path, folder: Path) -> bool:
    folders, files = _children(root, folder)
    return bool(folders) and not any(map(_is_image, files))
