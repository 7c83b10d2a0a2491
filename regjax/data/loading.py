"""One way to a dataset: by embedded name, by path, or by TFDS name; and one to examples to predict.

Nothing that is doubtful is guessed: every refusal is one line that names the file, the place and what is accepted.
Pickles are never read.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from regjax.catalog import TASKS
from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.data.dataset import EMBEDDED, Dataset
from regjax.data.preprocess import Preprocessor
from regjax.data.readers import FORMATS, Format
from regjax.data.readers.embedded import load_embedded
from regjax.data.readers.tfds import load_tfds
from regjax.data.readers.tfds_find import prepared_name

_ONLY = {"target": "only .csv files have a target column", "image_size": "only folders of images are resized"}


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
    text = os.fspath(name)
    if not text:
        raise InputError("dataset '' is empty; accepted: an embedded name, a TFDS name or a path")
    path = Path(os.path.expanduser(text))  # Path.expanduser raises for an unknown ~user
    if task is not None:
        check_choice("task", task, TASKS)
    endings = tuple(filter(None, FORMATS))
    looks_like_path = text.endswith((*endings, os.sep)) or text.startswith((".", "~", os.sep))
    is_path = looks_like_path or isinstance(name, os.PathLike) or (data_dir is None and path.exists())
    if text not in EMBEDDED and is_path:
        found = prepared_name(path) if path.is_dir() else None
        if found is None:
            given = {"target": target, "image_size": image_size, "cache_dir": cache_dir}
            read = _format_of(path, "dataset", "class folders", given)
            options = {option: given[option] for option in read.options if given[option] is not None}
            return read.load(path, task=task, lazy=lazy, **options)
        text, data_dir = found, path
    for option, value in (("target", target), ("image_size", image_size)):
        if value is not None:
            raise InputError(f"{option} {value!r}: only for files, {text!r} is a dataset by name")
    if text not in EMBEDDED:
        return load_tfds(text, data_dir=data_dir, task=task, cache_dir=cache_dir, lazy=lazy)
    data = load_embedded(text, cache_dir=cache_dir, lazy=lazy)
    if task not in (None, data.task):
        raise InputError(f"task {task!r}: {text!r} is a {data.task} dataset")
    return data


def read_inputs(
    path: str | os.PathLike[str], preprocessor: Preprocessor, note: Callable[[str], None] | None = None
) -> tuple[np.ndarray, list[str]]:
    """Examples to predict, without targets, in the form that a trained model wants before `transform`.

    Args:
      path: `.npz` with `x`; `.csv` with the columns of the training table (others, a target included, are
        ignored); a folder of images, flat or nested, resized to the size of training.
      preprocessor: of the trained model.
      note: called with each line on what was done to the images, or skipped.

    Returns:
      `(x, ids)`: `[N, *shape]`, and for each example its index, its row in the file or its relative path.

    Raises:
      InputError: a file that does not fit the model.
    """
    path = Path(os.path.expanduser(path))
    return _format_of(path, "input", "images").inputs(path, preprocessor, note)


def _format_of(path: Path, what: str, folders: str, given: Mapping[str, object] | None = None) -> Format:
    """The format of what is there.

    Args:
      path: a file or folder.
      what: the path is, for messages.
      folders: what is in folders that are accepted.
      given: options, of which those that the format does not take have to be None.

    Raises:
      InputError: nothing there, a kind that is not known, or an option that is for another kind.
    """
    if not path.exists():
        raise InputError(f"{what} {str(path)!r}: {_absent(path)}")
    ending = "" if path.is_dir() else path.suffix.lower()
    found = FORMATS.get(ending) if ending or path.is_dir() else None
    for option, message in _ONLY.items():
        value = (given or {}).get(option)
        if value is not None and (found is None or option not in found.options):
            raise InputError(f"{option} {value!r}: {message}, got {str(path)!r}")
    if found is None:
        files = ", ".join(f"{ending} files" for ending in FORMATS if ending)
        raise InputError(f"{what} {str(path)!r}: accepted are {files} and folders of {folders}")
    return found


def _absent(path: Path) -> str:
    """What is wrong with a path to nothing, with a hint at a file of nearly this name."""
    if path.is_symlink():
        return f"a link to nothing ({os.readlink(path)}); put the file there, or name another"
    try:
        names = [child.name for child in path.parent.iterdir()]
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, names, 1, 0.6)
    return "no such file or folder" + (f" (did you mean {str(path.parent / near[0])!r}?)" if near else "")
