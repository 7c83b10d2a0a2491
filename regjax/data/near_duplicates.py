"""Finds images that are almost the same, such as a picture saved twice: in two parts, they make a test too easy."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from regjax.data.dataset import Dataset
from regjax.data.source import slices

LEAST_SIDE = 24
"""Smaller images are not compared: digits of 8 x 8 pixels look alike without being one picture."""

ALIKE = 0.99
"""Correlation of the thumbnails of two images from which on they are near-duplicates."""

LEAST_CONTRAST = 0.05
"""Standard deviation of a thumbnail, in parts of the range of the pixels, below which an image is taken for blank."""

MOST_IMAGES = 50_000
"""Sets of more images are not searched, which takes ten seconds for so many."""

_SIDE, _BLOCK = 16, 512  # pixels of a thumbnail, and images that are compared at once


def near_duplicates(images: np.ndarray) -> np.ndarray:
    """Return pairs of images that are almost the same, `int64[P, 2]`: each image with the first one that it is like.

    Two images are a pair if their thumbnails of 16 x 16 gray pixels have a correlation of at least `ALIKE`, so that
    neither brightness nor contrast matters; blank images are left out. All pairs are compared, because the bits of a
    perceptual hash change with the noise of smooth regions, and found half as many copies.

    Args:
      images: `[N, H, W, C]`, any number type.

    Example:
      >>> x = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 1)).astype(np.uint8)
      >>> x[2] = x[0] // 2 + 40
      >>> near_duplicates(x).tolist()
      [[0, 2]]
    """
    thumbnails = np.concatenate([_thumbnails(part) for part in slices(images)])
    whole = float(np.ptp(thumbnails)) or 1.0
    spread = thumbnails.std(axis=1)
    seen = np.flatnonzero(spread >= LEAST_CONTRAST * whole)
    scaled = thumbnails[seen] - thumbnails[seen].mean(axis=1, keepdims=True)
    scaled /= spread[seen, None] * _SIDE
    first = np.full(len(seen), -1)
    for start in reversed(range(0, len(seen), _BLOCK)):
        alike = scaled[start : start + _BLOCK] @ scaled[start:].T >= ALIKE
        rows, columns = np.nonzero(np.triu(alike, 1))
        first[columns[::-1] + start] = rows[::-1] + start  # of several, the last one counts: the first image
    later = np.flatnonzero(first >= 0)
    return np.stack([seen[first[later]], seen[later]], axis=1)


def with_near_duplicates_noted(data: Dataset, files: Sequence[Path] = ()) -> Dataset:
    """Return the dataset with a note on near-duplicates among its images, if there are any.

    Args:
      data: a dataset; one of other data than images in memory, or of small images, is returned as it is.
      files: of the examples, for the note.
    """
    x = data.x
    if data.kind != "image" or not isinstance(x, np.ndarray) or min(x.shape[1:3]) < LEAST_SIDE or len(x) > MOST_IMAGES:
        return data
    pairs = near_duplicates(x)
    pairs = np.array([pair for pair in pairs if not np.array_equal(*x[pair])], np.int64).reshape(-1, 2)
    if not len(pairs):
        return data
    one, other = ("/".join(files[i].parts[-2:]) if files else f"example {i}" for i in pairs[0])
    count = f"{len(pairs)} images look" if len(pairs) > 1 else "1 image looks"
    note = (
        f"{count} almost like another one, such as {other} like {one}; in different parts they make the test too easy: "
        "remove them, or keep them together as groups"
    )
    return dataclasses.replace(data, notes=(*data.notes, note))


def _thumbnails(images: np.ndarray) -> np.ndarray:
    """Mean gray levels of 16 x 16 cells, `float32[N, 256]`."""
    gray = images.mean(axis=-1, dtype=np.float32)
    for axis in (1, 2):
        edges = np.arange(_SIDE + 1) * gray.shape[axis] // _SIDE
        counts = np.diff(edges).astype(np.float32).reshape([-1 if i == axis else 1 for i in range(3)])
        gray = np.add.reduceat(gray, edges[:-1], axis=axis) / counts
    return gray.reshape(len(gray), -1)
