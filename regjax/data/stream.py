"""Datasets whose examples stay where they are: targets in memory, inputs as `Rows` that are read when asked for.

The same names, parts, classes and numbers as the loaders that read everything, so that both train alike.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import numpy as np

from regjax.core.checks import check_choice
from regjax.data.cache import Arrays, cached_arrays, file_fingerprint
from regjax.data.class_folders import list_folder
from regjax.data.csv_table import DEFAULT_TARGET, load_csv
from regjax.data.dataset import EMBEDDED, Dataset
from regjax.data.embedded import PIXEL_MAX, prepare
from regjax.data.files import check_path, load_npz
from regjax.data.folder import common_shape, decode_files, folder_dataset, folder_fingerprint
from regjax.data.rows import Rows, as_rows, joined
from regjax.data.tfds_find import find_prepared
from regjax.data.tfds_source import CHUNK, cache_key, decode_all, open_prepared, train_splits


def stream_path(
    path: str | os.PathLike[str],
    *,
    target: str | None = None,
    task: str | None = None,
    image_size: tuple[int, int] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """A `.npz` file or a folder of class folders of images, read when asked for; a `.csv` is read as a whole.

    Args:
      path: the file or folder.
      target: target column, CSV only.
      task: overrides the task that the targets suggest.
      image_size: `(height, width)` that images of a folder are resized to.
      cache_dir: where the size of the images of a folder is kept.

    Raises:
      InputError: as `regjax.data.load_path`; a compressed `.npz`.
    """
    path = check_path(path, target=target, image_size=image_size)
    if path.is_dir():
        return _stream_folder(path, task=task, image_size=image_size, cache_dir=cache_dir)
    if path.suffix.lower() == ".npz":
        return load_npz(path, task=task, lazy=True)
    read = load_csv(path, target=target or DEFAULT_TARGET, task=task)
    return _dataset(read.name, read.task, as_rows(read.name, read.x), read.y, read.class_names, read.columns)


def stream_tfds(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    task: str | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """A prepared TFDS set, its records read when asked for; the targets are read once and kept in the cache.

    Args:
      name: TFDS name, with optional `/config` and `:version`.
      data_dir: where it is prepared; see `regjax.data.find_prepared`.
      task: overrides what the target feature implies.
      cache_dir: see `regjax.data.cache_root`.

    Raises:
      InputError: as `regjax.data.load_tfds`.
    """
    return _stream_prepared(find_prepared(name, data_dir), name, task, cache_dir, None)


def stream_embedded(name: str, *, cache_dir: str | os.PathLike[str] | None = None) -> Dataset:
    """An embedded dataset, its records read when asked for.

    Args:
      name: one of `EMBEDDED`.
      cache_dir: see `regjax.data.cache_root`.

    Raises:
      InputError: unknown name, or a cache directory that cannot be written.
    """
    check_choice("dataset", name, EMBEDDED)
    made = _stream_prepared(prepare(name, cache_dir=cache_dir), name, None, cache_dir, PIXEL_MAX.get(name))
    return dataclasses.replace(made, embedded=True)


def _stream_prepared(
    path: Path, name: str, task: str | None, cache_dir: str | os.PathLike[str] | None, pixel_max: float | None
) -> Dataset:
    source = open_prepared(path)
    used = [*train_splits(source), *(["test"] if source.splits.get("test") else [])]
    examples = {split: source.examples(split) for split in used}

    def read_targets(split: str) -> tuple[np.ndarray, np.ndarray]:
        count = len(examples[split].source)
        chunks = [range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK)]
        # No inputs: one byte an example stands for them, so that the parts are put together as in memory.
        return np.zeros(count, np.uint8), np.asarray([y for chunk in chunks for y in examples[split].read(chunk)])

    def decode() -> tuple[Arrays, dict[str, Any]]:
        arrays, facts = decode_all(source, task, read_targets)
        return {key: value for key, value in arrays.items() if key.startswith("y")}, facts

    key = cache_key("targets", name, task, path)
    fingerprint = {"files": file_fingerprint(path), "task": task}
    arrays, facts = cached_arrays(key, fingerprint, decode, cache_dir=cache_dir)
    inputs = joined([source.rows(split, pixel_max) for split in train_splits(source)])
    return _dataset(
        name,
        facts["task"],
        inputs,
        arrays["y"],
        tuple(facts["class_names"]) if facts["class_names"] else None,
        tuple(facts["columns"]) if facts["columns"] else None,
        test=(source.rows("test", pixel_max), arrays["y_test"]) if "y_test" in arrays else None,
    )


def _stream_folder(
    path: Path, *, task: str | None, image_size: tuple[int, int] | None, cache_dir: str | os.PathLike[str] | None
) -> Dataset:
    found = list_folder(path, task=task, image_size=image_size)

    def headers() -> tuple[Arrays, dict[str, Any]]:
        shape, notes = common_shape(found, float("inf"))
        return {"shape": np.array(shape)}, {"notes": notes}

    key = f"shape-{found.cache_key}"
    arrays, facts = cached_arrays(key, folder_fingerprint(found), headers, cache_dir=cache_dir)
    shape = tuple(arrays["shape"].tolist())

    def rows(part: list[tuple[Path, int]]) -> Rows:
        def read(index: np.ndarray) -> np.ndarray:
            return decode_files(found.root, [part[i][0] for i in index.tolist()], shape)

        return Rows(found.root.name, read, np.arange(len(part)), shape, np.dtype(np.uint8), 255.0)

    parts = {
        suffix: (rows(part), np.array([label for _, label in part], np.int32)) for suffix, part in found.parts.items()
    }
    return folder_dataset(found, parts, facts["notes"])


def _dataset(
    name: str,
    task: str,
    x: Any,
    y: np.ndarray,
    class_names: tuple[str, ...] | None,
    columns: tuple[str, ...] | None = None,
    test: Any = None,
) -> Dataset:
    pixel_max = x.pixel_max if x.ndim == 4 else None
    return Dataset(name, task, x, y, class_names, columns, test, pixel_max)
