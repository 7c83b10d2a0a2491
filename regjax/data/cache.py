"""A cache of decoded arrays on disk, which are verified by SHA-256 whenever they are read.

An entry is a directory with one `.npy` file per array and a `manifest.json` with the shape, dtype, size and SHA-256
of each array (in pieces, which two threads hash), metadata such as class names, and a fingerprint of the source.
An entry that fails verification is never returned: the source is decoded again, with a `CacheWarning`.
"""

from __future__ import annotations

import json
import os
import shutil
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from regjax.core.errors import InputError
from regjax.core.files import file_digests, remove_stale, replace_directory, seal, temporary_sibling

FORMAT = 2
Arrays = dict[str, np.ndarray]


class CacheWarning(UserWarning):
    """A cache entry could not be used, so its data were decoded or prepared again."""


class _Unusable(Exception):
    """An entry cannot be used; the message says why."""


class _Outdated(_Unusable):
    """An earlier version wrote the entry, which is no damage."""


def cache_root(cache_dir: str | os.PathLike[str] | None = None) -> Path:
    """Return the directory of all caches: `cache_dir`, `$REGJAX_CACHE`, `$XDG_CACHE_HOME/regjax` or `~/.cache/regjax`.

    Example:
      >>> cache_root("/tmp/somewhere").name
      'somewhere'
    """
    if cache_dir is not None:
        return Path(cache_dir).expanduser()
    if os.environ.get("REGJAX_CACHE"):
        return Path(os.environ["REGJAX_CACHE"]).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "regjax"


def file_fingerprint(root: Path, files: Iterable[Path] | None = None) -> dict[str, Any]:
    """Return the sizes and modification times of files, which change when a source is replaced or edited.

    Args:
      root: directory of the source.
      files: the files of the source; None means every regular file below `root`.

    Returns:
      `{"relative/path": [size in bytes, mtime in ns], ...}`, sorted.
    """
    found = sorted(path for path in root.rglob("*") if path.is_file()) if files is None else list(files)
    stats = ((path.relative_to(root).as_posix(), path.stat()) for path in found)
    return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in stats}


def cached_arrays(
    key: str,
    fingerprint: dict[str, Any],
    decode: Callable[[], tuple[Arrays, dict[str, Any]]],
    *,
    cache_dir: str | os.PathLike[str] | None = None,
) -> tuple[Arrays, dict[str, Any]]:
    """Return the arrays of `decode()`, from the cache if it has a valid entry with this fingerprint.

    Args:
      key: name of the entry and of its directory.
      fingerprint: JSON that identifies the source; an entry with another fingerprint is not used.
      decode: a function that returns named arrays and JSON metadata; called if there is no valid entry.
      cache_dir: see `cache_root`.

    Returns:
      `(arrays, facts)`, whether decoded or read from the cache.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     first, _ = cached_arrays("a", {"v": 1}, lambda: ({"x": np.arange(3)}, {}), cache_dir=folder)
      ...     again, _ = cached_arrays("a", {"v": 1}, lambda: 1 / 0, cache_dir=folder)
      >>> again["x"]
      array([0, 1, 2])
    """
    entry = cache_root(cache_dir) / "arrays" / key
    fingerprint = json.loads(json.dumps(fingerprint))  # tuples become lists, as in the manifest
    if entry.is_dir():
        try:
            return _read_twice(entry, fingerprint)
        except _Outdated:
            pass
        except _Unusable as reason:
            warnings.warn(f"cache entry {entry} is not used: {reason}; decoding again", CacheWarning, stacklevel=2)
    arrays, facts = decode()
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    try:
        _write(entry, fingerprint, arrays, facts)
    except OSError as error:
        # If the disk is full or read-only, the next start has to decode again, but these arrays are correct.
        warnings.warn(f"cache entry {entry} could not be written: {error}", CacheWarning, stacklevel=2)
    return arrays, facts


def _read_twice(entry: Path, fingerprint: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    # Another process may replace the entry while it is read, so it counts as damaged only if it fails twice.
    try:
        return _read(entry, fingerprint)
    except _Unusable:
        return _read(entry, fingerprint)


def _read(entry: Path, fingerprint: dict[str, Any]) -> tuple[Arrays, dict[str, Any]]:
    try:
        manifest = json.loads((entry / "manifest.json").read_bytes())
        sound = isinstance(manifest, dict) and manifest.get("seal") == seal(manifest)
    except (OSError, ValueError) as error:
        raise _Unusable(f"its manifest cannot be read ({error})") from None
    if not sound:
        raise _Unusable("its manifest does not match its own checksum")
    if (found := manifest["format"]) != FORMAT:
        kind = _Outdated if found < FORMAT else _Unusable
        raise kind(f"it has format {found}, this version writes {FORMAT}")
    if manifest["fingerprint"] != fingerprint:
        raise _Unusable("its source has changed")
    arrays = {}
    for name, facts in manifest["arrays"].items():
        path, written = entry / f"{name}.npy", facts["file_bytes"]
        try:
            if (size := path.stat().st_size) != written:
                raise _Unusable(f"{name}.npy has {size} bytes, {written} were written")
            raw = np.empty(written, np.uint8)
            digests = file_digests(path, raw.data)
        except OSError as error:
            raise _Unusable(f"{name}.npy cannot be read ({error})") from None
        if digests != facts["sha256"]:
            raise _Unusable(f"{name}.npy does not match its SHA-256")
        # The bytes are hashed before they are interpreted, so unverified data are never parsed; a view needs no copy.
        data = raw[raw.size - facts["bytes"] :]
        arrays[name] = data.view(np.dtype(facts["dtype"])).reshape(facts["shape"])
    return arrays, manifest["facts"]


def _is_sound(entry: Path, fingerprint: dict[str, Any]) -> bool:
    try:
        _read(entry, fingerprint)
    except _Unusable:
        return False
    return True


def _write(entry: Path, fingerprint: dict[str, Any], arrays: Arrays, facts: dict[str, Any]) -> None:
    entry.parent.mkdir(parents=True, exist_ok=True)
    remove_stale(entry.parent)
    scratch = temporary_sibling(entry)
    scratch.mkdir()
    try:
        described = {}
        for name, array in arrays.items():
            if array.dtype.kind not in "biuf":
                raise InputError(f"cache: array {name!r} must be numeric, got dtype {array.dtype}")
            path = scratch / f"{name}.npy"
            np.save(path, array, allow_pickle=False)
            described[name] = {
                "shape": list(array.shape),
                "dtype": array.dtype.str,
                "count": len(array),
                "bytes": array.nbytes,
                "file_bytes": path.stat().st_size,
                "sha256": file_digests(path),
            }
        manifest = {"format": FORMAT, "fingerprint": fingerprint, "facts": facts, "arrays": described}
        manifest["seal"] = seal(json.loads(json.dumps(manifest)))
        (scratch / "manifest.json").write_text(json.dumps(manifest, indent=1))
        if not _is_sound(entry, fingerprint):  # another process may have written the same entry in the meantime
            replace_directory(scratch, entry)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
