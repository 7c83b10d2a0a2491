"""How every experiment starts and ends: flags, exit codes, JAX settings, the working directory."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import platform
import shlex
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from experiments import cluster, flags

# What a run leaves in its directory; anything else there is somebody's own.
OUR_FILES = {
    "config.json", "metrics.jsonl", "summary.json", "curves.png", "preprocess.json", "checkpoints", "results.json",
    "table.csv", "report.html", "figures", "lanes.csv", "lanes", "config.json.partial", "summary.json.partial",
    "results.json.partial",
}  # fmt: skip
_at_end: list[Callable[[], None]] = []
DONE, FAILED, BAD_INPUT, DIVERGED, INTERRUPTED = 0, 1, 2, 3, 75


def run(main: Callable[[], int], description: str, *, resumable: bool = False) -> None:
    """Parse flags, run `main`, and exit with its code; what the user got wrong is one line on stderr and code 2."""
    gc.set_threshold(100_000)  # imports and traces make objects that stay; looking through them again takes a tenth
    warnings.showwarning = _show_warning
    values: dict[str, Any] = {}
    try:
        flags.parse(sys.argv, description)
        values = flags.values()
        cluster.check(values)
        if cluster.is_watcher(values):
            sys.exit(cluster.watch())
        _setup()
        cluster.join(values)
        code = main()
    except flags.FlagError as error:
        print(f"error: {error}", file=sys.stderr)
        code = BAD_INPUT
    except KeyboardInterrupt:
        print(f"interrupted; {'go on with --resume' if resumable else 'nothing was written'}", file=sys.stderr)
        code = INTERRUPTED if resumable else FAILED
        if values.get("distributed"):
            _finish()
            os._exit(code)  # in order, it would wait for the others, who may know nothing
    except OSError as error:
        # A full disk, a directory that cannot be written to, a file that went away.
        where = f"{error.filename}: " if error.filename else ""
        print(f"error: {where}{error.strerror or ' '.join(str(error).split())}", file=sys.stderr)
        if resumable:
            print("what was saved stays; go on with --resume when there is room", file=sys.stderr)
        code = FAILED
    except Exception as error:
        if values.get("distributed") and cluster.lost_another(error):
            cluster.end_after_loss(error)
        # Input that a library check refused; anything else is a bug and keeps its traceback.
        if type(error).__name__ != "InputError":
            raise
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        code = BAD_INPUT
    finally:
        _finish()
    gc.freeze()  # nothing of it is garbage that has to go before the process does
    sys.exit(code)


def _finish() -> None:
    """What has to happen however a command ends."""
    while _at_end:
        _at_end.pop()()
    sys.stderr.flush()


def _show_warning(message: Warning | str, *rest: Any, **others: Any) -> None:
    """A warning in one line, without the place in the code that gave it."""
    print(f"warning: {' '.join(str(message).split())}", file=sys.stderr)


def _setup() -> None:
    """Settings that have to come before JAX starts."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # XLA's notes about cached code are not for users
    logging.getLogger("absl").setLevel(logging.CRITICAL)  # orbax logs what it raises, with the stack of its threads
    import jax

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "regjax" / "xla"
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(cache))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def check_workdir(workdir: str, *, overwrite: bool, resume: bool = False) -> Path:
    """The working directory, if it may be used; nothing is created.

    Raises:
      FlagError: it is a file, or holds something that neither --overwrite nor --resume allows to touch.
    """
    flags.check(bool(workdir), "workdir", "must name a directory")
    path = Path(workdir).expanduser()
    flags.check(path.resolve() not in [Path.cwd(), *Path.cwd().parents], "workdir", "holds the current directory")
    flags.check(not path.exists() or path.is_dir(), "workdir", "is a file; name a directory")
    names = {entry.name for entry in path.iterdir()} if path.is_dir() else set()
    if names and (read_config(path) is None or names - OUR_FILES):
        flags.check(False, "workdir", "is not empty and holds no run of this project; name another directory")
    if names and not (overwrite or resume):
        flags.check(False, "workdir", "holds another run; use --overwrite to replace it or name another directory")
    parent = next(p for p in [path, *path.absolute().parents] if p.exists())
    flags.check(os.access(parent, os.W_OK), "workdir", "cannot be written to")
    return path


def claim_workdir(workdir: str, *, overwrite: bool, resume: bool = False) -> Path:
    """`check_workdir`, and nobody else may write there while this process lives.

    Called when all flags and data are known to be good: it makes the directory above.

    Raises:
      FlagError: as `check_workdir`, or another process writes there.
    """
    from regjax.files import Lock, LockedError

    path = Path(workdir).expanduser().absolute()
    made = [parent for parent in path.parents if not parent.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = Lock(path.parent / f".{path.name}.lock")
    try:
        lock.acquire()
    except LockedError:
        flags.check(False, "workdir", "another run is writing there; wait for it or name another directory")
    _at_end.append(lambda: _release(lock, made))
    return check_workdir(workdir, overwrite=overwrite, resume=resume)


def _release(lock: Any, made: list[Path]) -> None:
    """Give a lock back, and remove the directories that were made for it, if nothing came into them."""
    lock.release()
    with contextlib.suppress(OSError):
        for parent in made:
            parent.rmdir()


def read_config(workdir: Path) -> dict[str, Any] | None:
    """The config.json of a run of ours, None if there is none."""
    try:
        config = json.loads((workdir / "config.json").read_text())
    except (OSError, ValueError):
        return None
    ours = isinstance(config, dict) and isinstance(config.get("flags"), dict) and "experiment" in config
    return config if ours else None


@contextlib.contextmanager
def written_aside(workdir: Path) -> Iterator[Path]:
    """A fresh directory beside `workdir` that replaces it at the end, or vanishes if the block fails."""
    workdir.absolute().parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{workdir.name}-", dir=workdir.absolute().parent))
    aside.chmod(0o755)
    from regjax.files import replace_directory

    try:
        yield aside
        replace_directory(aside, workdir)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def terminate_as_interrupt() -> None:
    """Let the first SIGTERM do what SIGINT does, a KeyboardInterrupt in the main thread, and ignore others."""

    def interrupt(number: int, frame: Any) -> None:
        del number, frame
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def check_same_flags(workdir: Path, experiment: str, values: dict[str, Any], free: Iterable[str]) -> None:
    """Refuse to go on with a run whose flags differ.

    Args:
      workdir: of the run.
      experiment: its name in config.json.
      values: flags now.
      free: those that may differ, because they change no number.

    Raises:
      FlagError: names every flag that differs, with both values.
    """
    config = read_config(workdir) or {}
    flags.check(config.get("experiment") == experiment, "workdir", f"holds no run of experiments.{experiment}")
    before, now = flags_of(workdir), json.loads(json.dumps(values))
    names = sorted((set(before) | set(now)) - {*free, *cluster.FLAGS})
    changed = [name for name in names if before.get(name) != now.get(name)]
    diff = ", ".join(f"--{name} was {before.get(name)} and is {now.get(name)}" for name in changed)
    flags.check(not changed, "resume", f"the run in {workdir} has other flags: {diff}")


def empty_directory(path: Path) -> None:
    """Make `path` an empty directory; what was there is renamed away first, then deleted."""
    path.absolute().parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.absolute().parent))
    fresh.chmod(0o755)
    from regjax.files import replace_directory

    replace_directory(fresh, path)


def flags_of(workdir: Path) -> dict[str, Any]:
    """The flags of the run in a directory, {} if there is none."""
    return (read_config(workdir) or {}).get("flags", {})


def without_nan(content: dict[str, Any]) -> dict[str, Any]:
    """Numbers that are not finite as None, because JSON has no word for them."""
    bad = {name for name, value in content.items() if isinstance(value, float) and not abs(value) < float("inf")}
    return {name: None if name in bad else value for name, value in content.items()}


def write_json(path: Path, content: Any) -> None:
    """Write JSON by a rename, so that a reader never sees half of it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
    partial.rename(path)


def reproduce(module: str, started: float) -> dict[str, Any]:
    """What it takes to run the same again: the exact command, versions, machine."""
    import importlib.metadata

    import jax

    names = ("jax", "jaxlib", "flax", "optax", "numpy")
    return {
        "command": shlex.join(["python", "-m", module, *sys.argv[1:]]),
        "versions": {"regjax": _version(), **{name: importlib.metadata.version(name) for name in names}},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "devices": ", ".join(sorted({device.device_kind for device in jax.devices()})),
        "commit": _commit(),
        "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
    }


def _version() -> str:
    import regjax

    return regjax.__version__


def _commit() -> str | None:
    """The commit of the checkout that runs, read from .git; None outside a checkout."""
    git = Path(__file__).resolve().parent.parent / ".git"
    try:
        head = (git / "HEAD").read_text().strip()
        return (git / head[5:]).read_text().strip()[:12] if head.startswith("ref: ") else head[:12]
    except OSError:
        return None
