"""Working directories: checks and locks them, and writes their files atomically."""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from regjax.cli import app, cluster, flags
from regjax.cli.options import ResumableOptions, WorkdirOptions

# The files of a run; anything else in its directory belongs to the user.
OUR_FILES = {
    "config.json", "metrics.jsonl", "summary.json", "curves.png", "preprocess.json", "checkpoints", "results.json",
    "claims.json", "table.csv", "report.html", "figures", "lanes.csv", "path.csv", "unfinished", "config.json.partial",
    "summary.json.partial", "results.json.partial", "predictions.npz", "validation.npz", "flags", "winner",
}  # fmt: skip
UNFINISHED = "unfinished"  # the finished runs of a sweep or comparison, inside its working directory


def check(config: WorkdirOptions, experiment: str) -> Path:
    """Check that the working directory may be used, without creating it, and return its path.

    Args:
      config: the options of the command.
      experiment: name of the command in config.json; --resume only continues runs of the same command.

    Raises:
      FlagError: the path is a file, or has content that neither --overwrite nor --resume permits to change.
    """
    workdir, overwrite, resume = config.workdir, config.overwrite, config.resume
    flags.check(not (resume and overwrite), "resume", "and --overwrite exclude each other")
    flags.check(bool(workdir), "workdir", "must name a directory")
    path = Path(workdir).expanduser()
    try:
        parent = next(p for p in [path, *path.absolute().parents] if p.exists())
    except OSError as error:  # the name is too long, or a parent is a file
        flags.check(False, "workdir", f"cannot be made ({error.strerror})")
    flags.check(path == parent or parent.is_dir(), "workdir", f"cannot be made: {parent} is a file")
    flags.check(path.resolve() not in [Path.cwd(), *Path.cwd().parents], "workdir", "holds the current directory")
    flags.check(not path.exists() or path.is_dir(), "workdir", "is a file; name a directory")
    names = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    experiments = [saved["experiment"] for saved in (read_config(path), read_config(path / UNFINISHED)) if saved]
    if names and (not experiments or names - OUR_FILES):
        flags.check(False, "workdir", "is not empty and holds no run of this project; name another directory")
    if names and not (overwrite or resume):
        begun = isinstance(config, ResumableOptions) and _unfinished_experiment(path) == experiment
        what = "an unfinished run; go on with --resume," if begun else "another run;"
        flags.check(False, "workdir", f"holds {what} use --overwrite to replace it or name another directory")
    if names and not overwrite:
        flags.check(experiment in experiments, "workdir", f"holds no run of {experiment}")
    flags.check(os.access(parent, os.W_OK), "workdir", "cannot be written to")
    return path


def _unfinished_experiment(path: Path) -> str | None:
    """Return the command whose run in a directory has not ended; None if it has."""
    saved = read_config(path / UNFINISHED)
    if saved is None and not any((path / name).exists() for name in ("summary.json", "results.json", "claims.json")):
        saved = read_config(path)
    return saved["experiment"] if saved else None


def claim(config: WorkdirOptions, experiment: str) -> Path:
    """Check the working directory and lock it until this process ends.

    It creates the parent directories, so it is called after all flags and data have been checked.

    Raises:
      FlagError: as in `check`, or another process uses the directory.
    """
    from regjax.core.files import Lock, LockedError

    path = Path(config.workdir).expanduser().absolute()
    new_parents = [parent for parent in path.parents if not parent.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if app.is_full(error):
            raise
        flags.check(False, "workdir", f"cannot be made ({error.strerror})")
    lock = Lock(path.parent / f".{path.name}.lock")
    try:
        lock.acquire()
    except LockedError:
        flags.check(False, "workdir", "another run is writing there; wait for it or name another directory")
    app.at_end(lambda: _release(lock, new_parents))
    for stale in path.parent.glob(f"{glob.escape(_aside_prefix(path))}*"):  # left behind by a killed process
        shutil.rmtree(stale, ignore_errors=True)
    return check(config, experiment)


def _release(lock: Any, new_parents: list[Path]) -> None:
    """Release a lock, and remove the directories that were created for it if they are empty."""
    lock.release()
    with contextlib.suppress(OSError):
        for parent in new_parents:
            parent.rmdir()


def read_config(workdir: Path) -> dict[str, Any] | None:
    """Read the config.json of a run; None if the directory has none."""
    try:
        config = json.loads((workdir / "config.json").read_text())
    except (OSError, ValueError, RecursionError):
        return None
    ours = isinstance(config, dict) and isinstance(config.get("flags"), dict) and "experiment" in config
    return config if ours else None


@contextlib.contextmanager
def written_aside(workdir: Path) -> Iterator[Path]:
    """Yield a new directory that replaces `workdir` at the end, or is removed if the block fails."""
    from regjax.core.files import replace_directory

    aside = _aside(workdir)
    try:
        yield aside
        replace_directory(aside, workdir)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_same_flags(workdir: Path, experiment: str, config: WorkdirOptions, free: Iterable[str] = ()) -> None:
    """Check that a run is resumed with the same flags.

    Args:
      workdir: directory of the run.
      experiment: name of the command in config.json.
      config: the current options.
      free: names of fixed options that may differ nevertheless.

    Raises:
      FlagError: names every flag that differs, with both values.
    """
    saved = read_config(workdir) or {}
    flags.check(saved.get("experiment") == experiment, "workdir", f"holds no run of {experiment}")
    before, now = flags_of(workdir), config.to_json()
    loose = {name for name, option in config.options().items() if not option.fixed}
    names = sorted((set(before) | set(now)) - {*free, *loose})
    changed = [name for name in names if before.get(name) != now.get(name)]
    diff = ", ".join(f"--{name} was {before.get(name)} and is {now.get(name)}" for name in changed)
    flags.check(not changed, "resume", f"the run in {workdir} has other flags: {diff}")


@contextlib.contextmanager
def unfinished(config: WorkdirOptions, experiment: str) -> Iterator[Path]:
    """Yield a directory inside --workdir for finished runs, which --resume reads, and lock --workdir.

    Old results stay next to it until `written_aside` replaces everything. The directory is removed if the block fails
    because of bad input.

    Args:
      config: the options of the command.
      experiment: name of the command in config.json.
    """
    from regjax.core.errors import InputError
    from regjax.core.files import replace_directory

    workdir = Path(config.workdir).expanduser()
    place = workdir / UNFINISHED

    def begin() -> bool:
        claim(config, experiment)
        if config.resume and read_config(place) is not None:
            return False
        aside = _aside(workdir)
        write_json(aside / "config.json", {"experiment": experiment, "flags": config.to_json()})
        workdir.mkdir(exist_ok=True)
        replace_directory(aside, place)
        return True

    fresh = cluster.first(begin)
    try:
        yield place
    except (flags.FlagError, InputError):
        if fresh:
            shutil.rmtree(place, ignore_errors=True)
            with contextlib.suppress(OSError):  # the directory has old results
                workdir.rmdir()
        raise


def is_finished(config: WorkdirOptions, experiment: str, file: str = "results.json") -> bool:
    """Whether a resumed command is already finished.

    Args:
      config: the current options.
      experiment: name of the command in config.json.
      file: what the command writes at its end.

    Raises:
      FlagError: the existing results have other flags.
    """
    workdir = Path(config.workdir).expanduser()
    begun = read_config(workdir / UNFINISHED) is not None
    if begun or read_config(workdir) is not None:
        check_same_flags(workdir / UNFINISHED if begun else workdir, experiment, config)
    return not begun and (workdir / file).exists()


def _aside_prefix(path: Path) -> str:
    return f".{path.name}.regjax-"


def _aside(path: Path) -> Path:
    """Create a new directory next to `path`."""
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=_aside_prefix(path), dir=path.absolute().parent))
    aside.chmod(0o755)
    return aside


def flags_of(workdir: Path) -> dict[str, Any]:
    """Return the flags of the run in a directory; {} without a run."""
    return (read_config(workdir) or {}).get("flags", {})


def write_json(path: Path, content: Any) -> None:
    """Write JSON atomically, so that a reader never sees an incomplete file."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    partial.rename(path)
