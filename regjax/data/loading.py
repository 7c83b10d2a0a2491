"""One way to a dataset: by embedded name, by path, or by TFDS name."""

from __future__ import annotations

import os
from pathlib import Path

from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.data.dataset import EMBEDDED, TASKS, Dataset
from regjax.data.embedded import load_embedded
from regjax.data.files import load_path
from regjax.data.stream import stream_embedded, stream_path, stream_tfds
from regjax.data.tfds_find import prepared_name
from regjax.data.tfds_source import load_tfds


def load(
    name: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    target: str | None = None,
    task: str | None = None,
    image_size: tuple[int, int] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    lazy: bool = False,
) -> Dataset:
    """Load a dataset by embedded name, by path, or by TFDS name; nothing is downloaded.

    An embedded name comes first, then a file or folder that exists, then TFDS; with `data_dir`, TFDS comes
    before files. A folder that holds a prepared TFDS set is read as that.

    Args:
      name: one of `EMBEDDED`; a `.npz`, a `.csv` or a folder; or a TFDS name, as `mnist` or `mnist:3.0.1`.
      data_dir: where TFDS sets are prepared; None looks in `$TFDS_DATA_DIR` and `~/tensorflow_datasets`.
      target: target column of a `.csv` (default `target`).
      task: `"classification"` or `"regression"` in place of what the targets suggest.
      image_size: `(height, width)` for a folder of images.
      cache_dir: see `cache_root`.
      lazy: leave the inputs where they are, as `Rows` that are read when asked for; for sets that do not fit in
        memory. Targets are in memory. A `.csv` is read as a whole; a `.npz` must not be compressed.

    Returns:
      The dataset, in memory unless `lazy`.

    Raises:
      InputError: one line that says what is wrong and what is accepted.
    """
    from_path = stream_path if lazy else load_path
    from_tfds = stream_tfds if lazy else load_tfds
    from_embedded = stream_embedded if lazy else load_embedded
    text = os.fspath(name)
    if not text:
        raise InputError("dataset '' is empty; accepted: an embedded name, a TFDS name or a path")
    path = Path(os.path.expanduser(text))  # Path.expanduser raises for an unknown ~user
    if task is not None:
        check_choice("task", task, TASKS)
    looks_like_path = text.endswith((".npz", ".csv", os.sep)) or text.startswith((".", "~", os.sep))
    is_path = looks_like_path or isinstance(name, os.PathLike) or (data_dir is None and path.exists())
    if text not in EMBEDDED and is_path:
        found = prepared_name(path) if path.is_dir() else None
        if found is None:
            return from_path(path, target=target, task=task, image_size=image_size, cache_dir=cache_dir)
        text, data_dir = found, path
    for option, value in (("target", target), ("image_size", image_size)):
        if value is not None:
            raise InputError(f"{option} {value!r}: only for files, {text!r} is a dataset by name")
    if text not in EMBEDDED:
        return from_tfds(text, data_dir=data_dir, task=task, cache_dir=cache_dir)
    data = from_embedded(text, cache_dir=cache_dir)
    if task not in (None, data.task):
        raise InputError(f"task {task!r}: {text!r} is a {data.task} dataset")
    return data
