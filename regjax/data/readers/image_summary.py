"""Says which image files were skipped and how many images were changed; training and prediction share the words."""

from __future__ import annotations

from typing import NamedTuple

from regjax.data.image_rule import ImageRule


class Skipped(NamedTuple):
    """What a folder of images contains that is not read; paths are relative to the folder.

    Attributes:
      no_images: files with other endings than those of images.
      in_no_class: images outside the class folders.
      ignored: hidden files and folders, and those of operating systems.
      empty_classes: class folders without images.
    """

    no_images: tuple[str, ...] = ()
    in_no_class: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    empty_classes: tuple[str, ...] = ()


class Changes(NamedTuple):
    """How many images were not taken as they are stored.

    Attributes:
      oriented: rotated or mirrored according to their EXIF orientation.
      flattened: drawn over the background because they have transparency.
      sixteen_bit: rounded to 8 bits per channel.
      cmyk: converted from CMYK.
      palette: converted from a palette.
      animated: only the first of several frames was read.
      grayed: converted from colour, because the model takes one channel.
      resized: scaled with their proportions.
      cropped: scaled, and cut to another shape.
      padded: scaled, and filled up to another shape.
      stretched: scaled with other proportions, by a run of an earlier version.
    """

    oriented: int = 0
    flattened: int = 0
    sixteen_bit: int = 0
    cmyk: int = 0
    palette: int = 0
    animated: int = 0
    grayed: int = 0
    resized: int = 0
    cropped: int = 0
    padded: int = 0
    stretched: int = 0


_SKIPPED = {
    "no_images": ("file is not an image, skipped", "files are not images, skipped"),
    "in_no_class": ("image is in no class folder, skipped", "images are in no class folder, skipped"),
    "ignored": ("hidden or system file or folder is ignored", "hidden or system files and folders are ignored"),
    "empty_classes": ("class folder has no images, left out", "class folders have no images, left out"),
}
_CHANGED = {
    "oriented": "are turned as their EXIF orientation says",
    "flattened": "have transparency, shown over {background}",
    "sixteen_bit": "have more than 8 bits per channel, rounded to 8",
    "cmyk": "have CMYK colours, converted to RGB",
    "palette": "have a palette, converted to its colours",
    "animated": "have several frames, of which the first is read",
    "grayed": "have colours, converted to gray as the model needs",
    "resized": "are scaled to {height}x{width}",
    "cropped": "have another shape, scaled and cropped at the centre to {height}x{width}",
    "padded": "have another shape, scaled and padded with {background} to {height}x{width}",
    "stretched": "have another shape, stretched to {height}x{width} as when the model was trained",
}


class ImageSummary(NamedTuple):
    """What was read of a folder of images, what was changed and what was skipped.

    Attributes:
      images: number of images.
      changes: how many of them were changed.
      skipped: what was not read.

    Example:
      >>> ImageSummary(5, Changes(oriented=2), Skipped(no_images=("a.txt",))).lines("pets", (8, 8), ImageRule())
      ['pets: 1 file is not an image, skipped: a.txt', 'pets: 2 of 5 images are turned as their EXIF orientation says']
    """

    images: int
    changes: Changes
    skipped: Skipped

    def lines(self, name: str, size: tuple[int, int], rule: ImageRule) -> list[str]:
        """Return a message for each kind of skipped file and of change that occurs.

        Args:
          name: name of the folder.
          size: `(height, width)` of the examples.
          rule: how images were brought to this size.
        """
        skipped = {why: paths for why, paths in self.skipped._asdict().items() if paths}
        said = [f"{_count(paths, *_SKIPPED[why])}: {_first(paths)}" for why, paths in skipped.items()]
        facts = {"background": rule.background, "height": size[0], "width": size[1]}
        for change, count in self.changes._asdict().items():
            if count:
                said.append(f"{count} of {self.images} images {_CHANGED[change].format(**facts)}")
        return [f"{name}: {line}" for line in said]


def _count(paths: tuple[str, ...], one: str, several: str) -> str:
    return f"1 {one}" if len(paths) == 1 else f"{len(paths)} {several}"


def _first(paths: tuple[str, ...]) -> str:
    return ", ".join(paths[:3]) + (", ..." if len(paths) > 3 else "")
