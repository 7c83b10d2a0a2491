"""Working directories: whose they are, how they are taken, and how files appear in them whole."""

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
from regjax.cli.options import WorkdirOptions

# What a run leaves in its directory; anything else there is somebody's own.
OUR_FILES = {
    "config.json", "metrics.jsonl", "summary.json", "curves.png", "preprocess.json", "checkpoints", "results.json",
    "table.csv", "report.html", "figures", "lanes.csv", "unfinished", "config.json.partial", "summary.json.partial",
    "results.json.partial",
}  # fmt: skip
UNFINISHED = "unfinished"  # inside a working directory, what a sweep or comparison has done so far


def check(config: WorkdirOptions, experiment: str) -> Path:
    """The working directory, if it may be used; nothing is created.

    Args:
      config: the options of the command.
      experiment: its name in config.json; --resume goes on with a run of no other.

    Raises:
      FlagError: it is a file, or holds something that neither --overwrite nor --resume allows to touch.
    """
    workdir, overwrite, resume = config.workdir, config.overwrite, config.resume
    flags.check(not (resume and overwrite), "resume", "and --overwrite exclude each other")
    flags.check(bool(workdir), "workdir", "must name a directory")
    path = Path(workdir).expanduser()
    try:
        parent = next(p for p in [path, *path.absolute().parents] if p.exists())
    except OSError as error:  # a name that is too long, or a file among the directories above it
        flags.check(False, "workdir", f"cannot be made ({error.strerror})")
    flags.check(path == parent or parent.is_dir(), "workdir", f"cannot be made: {parent} is a file")
    flags.check(path.resolve() not in [Path.cwd(), *Path.cwd().parents], "workdir", "holds the current directory")
    flags.check(not path.exists() or path.is_dir(), "workdir", "is a file; name a directory")
    names = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    experiments = [saved["experiment"] for saved in (read_config(path), read_config(path / UNFINISHED)) if saved]
    if names and (not experiments or names - OUR_FILES):
        flags.check(False, "workdir", "is not empty and holds no run of this project; name another directory")
    if names and not (overwrite or resume):
        flags.check(False, "workdir", "holds another run; use --overwrite to replace it or name another directory")
    if names and not overwrite:
        flags.check(experiment in experiments, "workdir", f"holds no run of experiments.{experiment}")
    flags.check(os.access(parent, os.W_OK), "workdir", "cannot be written to")
    return path


def claim(config: WorkdirOptions, experiment: str) -> Path:
    """`check`, and nobody else may write there while this process lives.

    Called when all flags and data are known to be good: it makes the directory above.

    Raises:
      FlagError: as `check`, or another process writes there.
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
    for stale in path.parent.glob(f"{glob.escape(_aside_prefix(path))}*"):  # of a process that was killed
        shutil.rmtree(stale, ignore_errors=True)
    return check(config, experiment)


def _release(lock: Any, new_parents: list[Path]) -> None:
    """Give a lock back, and remove the directories that were made for it, if nothing came into them."""
    lock.release()
    with contextlib.suppress(OSError):
        for parent in new_parents:
            parent.rmdir()


def read_config(workdir: Path) -> dict[str, Any] | None:
    """The config.json of a run of ours, None if there is none."""
    try:
        config = json.loads((workdir / "config.json").read_text())
    except (OSError, ValueError, RecursionError):
        return None
    ours = isinstance(config, dict) and isinstance(config.get("flags"), dict) and "experiment" in config
    return config if ours else None


@contextlib.contextmanager
def written_aside(workdir: Path) -> Iterator[Path]:
    """A fresh directory beside `workdir` that replaces it at the end, or vanishes if the block fails."""
    from regjax.core.files import replace_directory

    aside = _aside(workdir)
    try:
        yield aside
        replace_directory(aside, workdir)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def check_same_flags(workdir: Path, experiment: str, config: WorkdirOptions, free: Iterable[str] = ()) -> None:
    """Refuse to go on with a run whose flags differ.

    Args:
      workdir: of the run.
      experiment: its name in config.json.
      config: the options now.
      free: those that may differ beside the options that are not fixed.

    Raises:
      FlagError: names every flag that differs, with both values.
    """
    saved = read_config(workdir) or {}
    flags.check(saved.get("experiment") == experiment, "workdir", f"holds no run of experiments.{experiment}")
    before, now = flags_of(workdir), config.to_json()
    loose = {name for name, option in config.options().items() if not option.fixed}
    names = sorted((set(before) | set(now)) - {*free, *loose})
    changed = [name for name in names if before.get(name) != now.get(name)]
    diff = ", ".join(f"--{name} was {before.get(name)} and is {now.get(name)}" for name in changed)
    flags.check(not changed, "resume", f"the run in {workdir} has other flags: {diff}")


def emptied(path: Path) -> None:
    """Make `path` an empty directory; what was there is renamed away first, then deleted."""
    from regjax.core.files import replace_directory

    replace_directory(_aside(path), path)


@contextlib.contextmanager
def unfinished(config: WorkdirOptions, experiment: str) -> Iterator[Path]:
    """A directory inside --workdir for what is done so far, which --resume finds; others are kept out.

    Old results beside it stay until `written_aside` replaces everything. It is not left behind if the block finds
    that its input is bad.

    Args:
      config: the options of the command.
      experiment: its name in config.json.
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
            with contextlib.suppress(OSError):  # old results are there
                workdir.rmdir()
        raise


def is_finished(config: WorkdirOptions, experiment: str) -> bool:
    """Whether --resume has nothing to do.

    Args:
      config: the options now.
      experiment: its name in config.json.

    Raises:
      FlagError: what is there has other flags.
    """
    workdir = Path(config.workdir).expanduser()
    begun = read_config(workdir / UNFINISHED) is not None
    if begun or read_config(workdir) is not None:
        check_same_flags(workdir / UNFINISHED if begun else workdir, experiment, config)
    return not begun and (workdir / "results.json").exists()


def _aside_prefix(path: Path) -> str:
    return f".{path.name}.regjax-"


def _aside(path: Path) -> Path:
    """A fresh directory beside `path`."""
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=_aside_prefix(path), dir=path.absolute().parent))
    aside.chmod(0o755)
    return aside


def flags_of(workdir: Path) -> dict[str, Any]:
    """The flags of the run in a directory, {} if there is none."""
    return (read_config(workdir) or {}).get("flags", {})


def write_json(path: Path, content: Any) -> None:
    """Write JSON by a rename, so that a reader never sees half of it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    partial.rename(path)
