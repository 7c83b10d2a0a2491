"""Datasets that need no download: prepared once with their TFDS builders, and then read from the cache."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import warnings
from pathlib import Path

from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.core.extras import require
from regjax.core.files import remove_stale, replace_directory, temporary_sibling
from regjax.data.cache import CacheWarning, cache_root, file_fingerprint
from regjax.data.dataset import EMBEDDED, Dataset
from regjax.data.readers.tfds import StoredTfds
from regjax.data.stored import load_stored

VERSION = "1.1.0"
"""Version of the prepared datasets; equal to that in `regjax.data.readers.builders`, which a test checks."""


def load_embedded(name: str, *, cache_dir: str | os.PathLike[str] | None = None, lazy: bool = False) -> Dataset:
    """Load an embedded dataset. The first call prepares it, and later calls read verified arrays.

    Args:
      name: one of `EMBEDDED`.
      cache_dir: see `regjax.data.cache_root`.
      lazy: keep the inputs in the records, as `Rows` that are read on demand.

    Returns:
      The dataset, in the order of scikit-learn and without an official test split.

    Raises:
      InputError: the name is unknown, or the cache directory cannot be written.
    """
    check_choice("dataset", name, EMBEDDED)
    prepared = prepare(name, cache_dir=cache_dir)
    try:
        return load_stored(_stored(name, prepared), lazy=lazy, cache_dir=cache_dir)
    except Exception as error:  # the remedy is the same for any error of a damaged record
        warnings.warn(f"{prepared} cannot be read ({error}); preparing it again", CacheWarning, stacklevel=2)
    prepare(name, cache_dir=cache_dir, again=True)
    return load_stored(_stored(name, prepared), lazy=lazy, cache_dir=cache_dir)


def _stored(name: str, prepared: Path) -> StoredTfds:
    fingerprint = {"name": name, "version": VERSION, "files": file_fingerprint(prepared)}
    # The version is part of the key, so an entry of another version is ignored without a warning.
    return StoredTfds(name, f"{name}-{VERSION}", fingerprint, prepared, given={"embedded": True})


def prepare(name: str, *, cache_dir: str | os.PathLike[str] | None = None, again: bool = False) -> Path:
    """Write an embedded dataset as a TFDS dataset in array_record files, unless it exists already.

    The dataset is prepared in a temporary directory and renamed. So a killed process does not leave an incomplete
    dataset, and two processes may prepare it at the same time.

    Args:
      name: one of `EMBEDDED`.
      cache_dir: see `regjax.data.cache.cache_root`.
      again: whether to replace an existing dataset.

    Returns:
      The directory of the dataset, `<cache>/tensorflow_datasets/<name>/<version>`.

    Raises:
      InputError: the cache directory cannot be written.
    """
    target = cache_root(cache_dir) / "tensorflow_datasets" / name / VERSION
    if not again and (target / "dataset_info.json").is_file() and (target / "features.json").is_file():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(target.parent)
        scratch = temporary_sibling(target)
        scratch.mkdir()
    except OSError as error:
        raise InputError(
            f"cache directory {cache_root(cache_dir)} cannot be written ({error.strerror}); "
            "set REGJAX_CACHE to one that can"
        ) from None
    try:
        require("sklearn", "importlib_resources", "array_record")
        from regjax.data.readers.builders import BUILDERS

        # Hides the progress of TFDS, because preparation takes a tenth of a second.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            builder = BUILDERS[name](data_dir=scratch, file_format="array_record")
            builder.download_and_prepare()
        replace_directory(scratch / name / VERSION, target, keep=not again)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target
