"""The datasets that need no download: prepared once through their TFDS builders, then read from the cache."""

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
"""Version of the prepared sets; `regjax.data.readers.builders` writes the same, and a test compares them."""


def load_embedded(name: str, *, cache_dir: str | os.PathLike[str] | None = None, lazy: bool = False) -> Dataset:
    """Load an embedded dataset; the first call prepares it, later ones read verified arrays.

    Args:
      name: one of `EMBEDDED`.
      cache_dir: see `regjax.data.cache_root`.
      lazy: leave the inputs in the records, as `Rows` that are read when asked for.

    Returns:
      The dataset, examples in scikit-learn's order, no official test split.

    Raises:
      InputError: unknown name, or a cache directory that cannot be written.
    """
    check_choice("dataset", name, EMBEDDED)
    prepared = prepare(name, cache_dir=cache_dir)
    try:
        return load_stored(_stored(name, prepared), lazy=lazy, cache_dir=cache_dir)
    except Exception as error:  # whatever a damaged record raises, the remedy is the same
        warnings.warn(f"{prepared} cannot be read ({error}); preparing it again", CacheWarning, stacklevel=2)
    prepare(name, cache_dir=cache_dir, again=True)
    return load_stored(_stored(name, prepared), lazy=lazy, cache_dir=cache_dir)


def _stored(name: str, prepared: Path) -> StoredTfds:
    fingerprint = {"name": name, "version": VERSION, "files": file_fingerprint(prepared)}
    # An entry of another version is no entry of this one, and nothing to warn of.
    return StoredTfds(name, f"{name}-{VERSION}", fingerprint, prepared, given={"embedded": True})


def prepare(name: str, *, cache_dir: str | os.PathLike[str] | None = None, again: bool = False) -> Path:
    """Write an embedded dataset as a TFDS set in array_record files, unless that is done already.

    The set is prepared in a temporary directory and renamed, so a killed process leaves nothing that a
    later one would trust, and two processes may prepare at once.

    Args:
      name: one of `EMBEDDED`.
      cache_dir: see `regjax.data.cache.cache_root`.
      again: replace a prepared set.

    Returns:
      Its directory, `<cache>/tensorflow_datasets/<name>/<version>`.

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

        # TFDS prints progress of what takes a tenth of a second here.
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            builder = BUILDERS[name](data_dir=scratch, file_format="array_record")
            builder.download_and_prepare()
        replace_directory(scratch / name / VERSION, target, keep=not again)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return target
