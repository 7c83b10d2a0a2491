"""Loads datasets by embedded name, by path or by TFDS name, and reads examples for prediction.

Ambiguous input is never guessed: an error of one line names the file, the position and what is accepted. Pickles are
never read.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from regjax.catalog import TASKS
from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.data.dataset import EMBEDDED, Dataset
from regjax.data.grouping import with_duplicates_together
from regjax.data.inputs import Piece
from regjax.data.near_duplicates import with_near_duplicates_noted
from regjax.data.preprocess import Preprocessor
from regjax.data.readers import FORMATS, Format
from regjax.data.readers.embedded import load_embedded
from regjax.data.readers.tfds import load_tfds
from regjax.data.readers.tfds_find import prepared_name
from regjax.data.tables import TableOptions
from regjax.data.test_file import with_test_file

_ONLY = {
    "target": "only tables have a target column, and .npy files a file of targets",
    "table": "only tables have columns with roles",
    "image_size": "only folders of images are resized",
    "image_fit": "only folders of images are resized",
    "image_background": "only folders of images have transparent ones",
    "allow_empty": "only folders of images have class folders",
}


def load(
    name: str | os.PathLike[str],
    *,
    data_dir: str | os.PathLike[str] | None = None,
    target: str | Sequence[str] | None = None,
    task: str | None = None,
    table: TableOptions | None = None,
    image_size: tuple[int, int] | int | None = None,
    image_fit: str | None = None,
    image_background: str | None = None,
    allow_empty: bool = False,
    test_file: str | os.PathLike[str] | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    lazy: bool = False,
) -> Dataset:
    """Load a dataset by embedded name, by path, or by TFDS name; nothing is downloaded.

    `name` is looked up among the embedded datasets first, then among files and folders, then in TFDS; with `data_dir`,
    TFDS comes before files. A folder with a prepared TFDS dataset is read as such.

    Args:
      name: one of `EMBEDDED`; a `.npz`, a `.npy` with the targets in another one (`x.npy` and `y.npy`), a table
        (`load_table`) or a folder; or a TFDS name, such as `mnist` or `mnist:3.0.1`.
      data_dir: directory of prepared TFDS datasets; None looks in `$TFDS_DATA_DIR` and `~/tensorflow_datasets`.
      target: target column of a table (default `target`), or several in a sequence or separated by commas; or the
        `.npy` of the targets, if its name does not tell.
      task: one of `regjax.catalog.TASKS`; None infers it from the targets.
      table: how to read a table, and what its columns are.
      image_size: `(height, width)` for a folder of images, or one number for both; see `load_folder`.
      image_fit: `"crop"` (default) or `"pad"`, for images of another shape in a folder.
      image_background: colour below transparent pixels: `"white"` (default), `"gray"` or `"black"`.
      allow_empty: whether to leave out classes without images, instead of refusing the folder.
      test_file: a file or folder in the form of `name` whose examples are the test set.
      cache_dir: see `cache_root`.
      lazy: keep the inputs on disk, as `Rows` that are read on demand, for datasets that do not fit in memory. The
        targets are read into memory. A table is read as a whole; a `.npz` must not be compressed.

    Returns:
      The dataset, in memory unless `lazy`.

    Raises:
      InputError: the dataset cannot be read; the message says why and what is accepted.
    """
    text = os.fspath(name)
    if not text:
        raise InputError("dataset '' is empty; accepted: an embedded name, a TFDS name or a path")
    path = Path(os.path.expanduser(text))  # Path.expanduser raises for an unknown ~user
    if task is not None:
        check_choice("task", task, TASKS)
    options = {
        "target": target,
        "table": table,
        "image_size": image_size,
        "image_fit": image_fit,
        "image_background": image_background,
        "allow_empty": allow_empty or None,
    }
    endings = tuple(filter(None, FORMATS))
    looks_like_path = text.endswith((*endings, os.sep)) or text.startswith((".", "~", os.sep))
    is_path = looks_like_path or isinstance(name, os.PathLike) or (data_dir is None and path.exists())
    if text not in EMBEDDED and is_path:
        found = prepared_name(path) if path.is_dir() else None
        if found is None:
            given = {**options, "cache_dir": cache_dir}
            read = _format_of(path, "dataset", "class folders", given)
            wanted = {option: given[option] for option in read.options if given[option] is not None}
            data = read.load(path, task=task, lazy=lazy, **wanted)
            searched = path.is_dir() or data.schema is not None
            data = data if searched else with_near_duplicates_noted(with_duplicates_together(data))
            if test_file is None:
                return data
            return with_test_file(data, path, test_file, read.load, table=table, lazy=lazy)
        text, data_dir = found, path
    for option, value in {**options, "test_file": test_file and os.fspath(test_file)}.items():
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
    """Read examples for prediction, without targets, in the form that `Preprocessor.transform` takes.

    Args:
      path: a `.npz` with `x`; a `.npy`; a table with the columns of the training table, in any order (other columns,
        including the target, are ignored); or a folder of images, flat or nested, which are resized to the size used in
        training.
      preprocessor: the preprocessor of the trained model.
      note: a function that is called with messages about images that were converted or skipped.

    Returns:
      `(x, ids)`: the examples `[N, *shape]`, and the index, row number or relative path of each.

    Raises:
      InputError: the file does not fit the model.
    """
    path = Path(os.path.expanduser(path))
    return _format_of(path, "input", "images").inputs(path, preprocessor, note)


def stream_inputs(
    path: str | os.PathLike[str], preprocessor: Preprocessor, note: Callable[[str], None] | None = None
) -> Iterator[Piece]:
    """Read examples for prediction like `read_inputs`, piece by piece, in memory that does not depend on their number.

    Args:
      path: as of `read_inputs`.
      preprocessor: the preprocessor of the trained model.
      note: a function that is called with messages; those that depend on all examples come at the end.

    Returns:
      An iterator of `(x, ids, share)`, where `share` is the share of the input that has been read.

    Raises:
      InputError: the file does not fit the model, when the iteration reaches the example.
    """
    path = Path(os.path.expanduser(path))
    read = _format_of(path, "input", "images")
    if read.pieces is None:
        return iter([Piece(*read.inputs(path, preprocessor, note))])
    return read.pieces(path, preprocessor, note)


def _format_of(path: Path, what: str, folders: str, given: Mapping[str, object] | None = None) -> Format:
    """Return the format of a file or folder.

    Args:
      path: a file or folder.
      what: what the path is for, in messages.
      folders: the accepted content of folders, in messages.
      given: options; those that the format does not take must be None.

    Raises:
      InputError: the path does not exist, its format is unknown, or an option is for another format.
    """
    if not path.exists():
        raise InputError(f"{what} {str(path)!r}: {_absent(path)}")
    ending = "" if path.is_dir() else _ending(path)
    found = FORMATS.get(ending) if ending or path.is_dir() else None
    for option, message in _ONLY.items():
        value = (given or {}).get(option)
        if value is not None and (found is None or option not in found.options):
            raise InputError(f"{option} {value!r}: {message}, got {str(path)!r}")
    if found is None:
        files = ", ".join(f"{ending} files" for ending in FORMATS if ending)
        raise InputError(f"{what} {str(path)!r}: accepted are {files} and folders of {folders}")
    return found


def _ending(path: Path) -> str:
    """The lower-case extension, with the one before `.gz`."""
    inner = Path(path.stem).suffix.lower() if path.suffix.lower() == ".gz" else ""
    return inner + path.suffix.lower()


def _absent(path: Path) -> str:
    """Describe why a path does not exist, with the closest existing name."""
    if path.is_symlink():
        return f"a link to nothing ({os.readlink(path)}); put the file there, or name another"
    try:
        names = [child.name for child in path.parent.iterdir()]
    except OSError:
        names = []
    near = difflib.get_close_matches(path.name, names, 1, 0.6)
    return "no such file or folder" + (f" (did you mean {str(path.parent / near[0])!r}?)" if near else "")
