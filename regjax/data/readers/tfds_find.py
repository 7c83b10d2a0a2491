"""Finds a prepared TFDS dataset on disk, or says how to prepare it.

The existence is checked here first, because TFDS itself tries to load a missing dataset from the network for minutes.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from pathlib import Path

from regjax.core.errors import InputError
from regjax.core.extras import require
from regjax.data.dataset import EMBEDDED
from regjax.data.readers import FORMATS

_NAME = re.compile(r"(?P<name>[a-z0-9_]+)(/(?P<config>[\w.+-]+))?(:(?P<version>\d+\.\d+\.\d+))?")


def search_path(data_dir: str | os.PathLike[str] | None = None) -> list[Path]:
    """Return the directories in which prepared datasets are searched.

    Args:
      data_dir: the only directory to search; None means `$TFDS_DATA_DIR` and `~/tensorflow_datasets`.

    Example:
      >>> search_path("/data")
      [PosixPath('/data')]
    """
    if data_dir is not None:
        return [Path(data_dir).expanduser()]
    named = os.environ.get("TFDS_DATA_DIR")
    return [Path(folder).expanduser() for folder in ([named] if named else []) + ["~/tensorflow_datasets"]]


def find_prepared(name: str, data_dir: str | os.PathLike[str] | None = None) -> Path:
    """Find the directory of the newest version of a prepared dataset, without importing TFDS or downloading anything.

    Args:
      name: `name`, `name/config`, each with an optional `:1.2.3`.
      data_dir: TFDS data directory, or the directory of the dataset or of its version.

    Returns:
      The directory with `dataset_info.json`.

    Raises:
      InputError: the name is not a TFDS name, or the dataset is not prepared; the message says how to prepare it.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise InputError(f"dataset {name!r} is neither a file, a folder nor a TFDS name, as mnist or mnist:3.0.1")
    base, config, version = match["name"], match["config"], match["version"]
    roots = [root.absolute() for root in search_path(data_dir)]
    if data_dir is not None and not roots[0].is_dir():
        raise InputError(f"data_dir {str(data_dir)!r} is not a directory")
    for root in roots:
        for folder in (root / base, root):
            if folder.name != base and not _is_version_of(folder, base):
                continue
            found = _versions(folder / config if config else folder, base)
            if not found and not config and folder.is_dir():
                configs = sorted(child.name for child in folder.iterdir() if _versions(child, base))
                if len(configs) > 1:
                    raise InputError(
                        f"dataset {base!r} is prepared in several configurations; "
                        f"choose one of {', '.join(f'{base}/{child}' for child in configs)}"
                    )
                found = _versions(folder / configs[0], base) if configs else {}
            if version:
                found = {key: path for key, path in found.items() if ".".join(map(str, key)) == version}
            if found:
                return found[max(found)]
    raise InputError(_absent(name, base, roots))


def prepared_name(folder: Path) -> str | None:
    """Return the name of the TFDS dataset in `folder`, which may be that of a version; None if there is none."""
    for path in (folder, *sorted(folder.glob("*.*.*"))):
        try:
            return json.loads((path / "dataset_info.json").read_text())["name"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None


def _versions(folder: Path, base: str) -> dict[tuple[int, ...], Path]:
    """Return the prepared versions below `folder`, or `folder` itself if it is one."""
    candidates = [folder]
    if folder.is_dir():
        candidates += folder.iterdir()
    return {
        tuple(map(int, path.name.split("."))): path
        for path in candidates
        if re.fullmatch(r"\d+\.\d+\.\d+", path.name) and _is_version_of(path, base)
    }


def _is_version_of(path: Path, base: str) -> bool:
    try:
        return json.loads((path / "dataset_info.json").read_text())["name"] == base
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _absent(name: str, base: str, roots: list[Path]) -> str:
    """Say in one line why a name cannot be loaded and what to do."""
    require("importlib_resources")
    import tensorflow_datasets as tfds

    known = tfds.list_builders(with_community_datasets=False)
    if base not in known:
        near = difflib.get_close_matches(base, EMBEDDED, 1, 0.6) or difflib.get_close_matches(base, known, 1, 0.6)
        files = ", ".join(f"a {ending} file" for ending in FORMATS if ending)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        return (
            f"dataset {name!r} is not known{hint}; accepted: {', '.join(EMBEDDED)}, a TFDS name, "
            f"or a path to {files} or a folder of class folders"
        )
    return (
        f"dataset {name!r} is not prepared in {' or '.join(map(str, roots))}; prepare it once, with network: "
        f"pip install 'regjax[tensorflow]' && tfds build {name} --file_format=array_record "
        f"--data_dir={roots[0]}; or pass --data_dir=DIR that holds a prepared copy"
    )
