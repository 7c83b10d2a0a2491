"""Starts and ends every command: flags, exit codes, signals and JAX settings."""

from __future__ import annotations

import errno
import gc
import logging
import os
import platform
import shlex
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from regjax.cli import cluster, flags, program_cache
from regjax.cli.options import DeviceOptions, ResumableOptions
from regjax.core.errors import InputError
from regjax.core.extras import MissingPackage, require
from regjax.core.options import Options

Config = TypeVar("Config", bound=Options)

CHECKOUT = Path(__file__).resolve().parents[2]  # of an installed package it holds neither experiments nor .git
_at_end: list[Callable[[], None]] = []
DONE, FAILED, BAD_INPUT, DIVERGED, INTERRUPTED = 0, 1, 2, 3, 75

# What each command imports of the extra `run`, whatever its flags are. The readers check what a kind of file needs.
NEEDS = {
    "train": ("matplotlib", "orbax", "rich"),
    "predict": ("orbax",),
    "compare": ("jinja2", "matplotlib", "rich"),
    "sweep": ("jinja2", "matplotlib", "rich"),
    "path": ("jinja2", "matplotlib", "rich"),
    "claims": ("jinja2", "matplotlib", "rich", "scipy", "sklearn"),
    "export": ("flatbuffers", "orbax", "safetensors"),
    "gallery": ("PIL", "jinja2"),
}


def run(name: str, main: Callable[[Config], int], options: type[Config], description: str) -> None:
    """Parse flags, run `main` with them, and exit with its code. Errors of the user print one line and exit with 2.

    Args:
      name: name of the command.
      main: the command.
      options: the options that become flags.
      description: the beginning of `--help`, with an example that starts as `regjax NAME`.
    """
    description = description.replace(f"  regjax {name} ", f"  {' '.join(program(name))} ")
    gc.set_threshold(100_000)  # imports and traces create permanent objects; scanning them takes a tenth of the time
    warnings.showwarning = _show_warning
    resumable = issubclass(options, ResumableOptions)
    devices, workdir = DeviceOptions(), ""
    flags.define(options)
    try:
        config = flags.parse(sys.argv, options, description)
        require(*NEEDS[name])
        workdir = getattr(config, "workdir", "")
        devices = config if isinstance(config, DeviceOptions) else devices
        cluster.check(devices)
        if cluster.is_watcher(devices):
            sys.exit(cluster.watch(name))
        _setup()
        cluster.join(devices)
        code = main(config)
    except (flags.FlagError, MissingPackage) as error:
        print(f"error: {error}", file=sys.stderr)
        code = BAD_INPUT
    except KeyboardInterrupt:
        print(f"interrupted; {'go on with --resume' if resumable else 'nothing was written'}", file=sys.stderr)
        code = INTERRUPTED if resumable else FAILED
        if devices.distributed:
            _finish()
            os._exit(code)  # a normal exit would wait for the other processes, which may not know of the error
    except OSError as error:
        # The disk is full, a directory cannot be written to, or a file is gone; only the first needs more space.
        # An error of a write to an open file has no name, but the file is below --workdir.
        said = error.strerror or " ".join(str(error).split())
        place = error.filename or workdir
        print(f"error: {said}" if not place or str(place) in said else f"error: {place}: {said}", file=sys.stderr)
        if resumable and is_full(error):
            print("what was saved stays; go on with --resume when there is room", file=sys.stderr)
        code = FAILED
    except InputError as error:
        print(f"error: {flags.as_flags(' '.join(str(error).split()))}", file=sys.stderr)
        code = BAD_INPUT
    except Exception as error:  # a bug, which is shown with its traceback
        if devices.distributed and cluster.lost_another(error):
            cluster.end_after_loss(error)
        if resumable and workdir and Path(workdir).expanduser().is_dir():
            print("what was saved stays; once the cause is mended, go on with --resume", file=sys.stderr)
        raise
    finally:
        _finish()
    gc.freeze()  # no garbage has to be collected before the process ends
    sys.exit(code)


def at_end(function: Callable[[], None]) -> None:
    """Register a function to be called when the command ends, even after an error."""
    _at_end.append(function)


def _finish() -> None:
    """Call the registered functions and flush stderr."""
    while _at_end:
        _at_end.pop()()
    sys.stderr.flush()


def _show_warning(message: Warning | str, *rest: Any, **others: Any) -> None:
    """Print a warning in one line, without its position in the code."""
    print(f"warning: {' '.join(str(message).split())}", file=sys.stderr)


def is_full(error: BaseException | None) -> bool:
    """Whether an error or one of its causes says that a disk is full or a quota is exceeded."""
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            return True
        if any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT)):
            return True  # orbax reports it as a ValueError from tensorstore
        error = error.__cause__
    return False


def note(message: str) -> None:
    """Print a message about the input to stderr, on the first process only."""
    if cluster.leads():
        print(f"note: {flags.as_flags(message)}", file=sys.stderr)


def _setup() -> None:
    """Apply the settings that JAX reads when it starts."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # users do not need the messages of XLA about cached code
    logging.getLogger("absl").setLevel(logging.CRITICAL)  # orbax logs its exceptions, with the stacks of its threads
    import jax

    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        program_cache.prune(program_cache.folder())
        jax.config.update("jax_compilation_cache_dir", str(program_cache.folder()))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
        jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def terminate_as_interrupt() -> None:
    """Make the first SIGTERM raise a KeyboardInterrupt in the main thread, like SIGINT, and ignore further ones."""

    def interrupt(number: int, frame: Any) -> None:
        del number, frame
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def without_nan(content: dict[str, Any]) -> dict[str, Any]:
    """Replace numbers that are not finite by None, because JSON cannot represent them."""
    bad = {name for name, value in content.items() if isinstance(value, float) and not abs(value) < float("inf")}
    return {name: None if name in bad else value for name, value in content.items()}


def reproduce(name: str, started: float) -> dict[str, Any]:
    """Return the metadata that is needed to reproduce a run: the exact command, versions and machine."""
    import importlib.metadata

    import jax

    names = ("jax", "jaxlib", "flax", "optax", "numpy")
    return {
        # Without --resume, because it has no effect on a new run, and a finished run would not be repeated.
        "command": shlex.join([*program(name), *[a for a in sys.argv[1:] if a.lstrip("-") != "resume"]]),
        "versions": {"regjax": version(), **{name: importlib.metadata.version(name) for name in names}},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "devices": ", ".join(sorted({device.device_kind for device in jax.devices()})),
        "commit": _commit(),
        "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
    }


def program(name: str) -> list[str]:
    """Return the start of the command line: the installed command, or the module of the checkout."""
    in_checkout = (CHECKOUT / "experiments/train.py").is_file() and Path(sys.argv[0]).stem != "regjax"
    return ["python", "-m", f"experiments.{name}"] if in_checkout else ["regjax", name]


def version() -> str:
    """Return the version of the package."""
    import regjax

    return regjax.__version__


def _commit() -> str | None:
    """Read the commit of the checkout, also of a linked worktree, from .git; None outside a checkout."""
    git = CHECKOUT / ".git"
    try:
        if git.is_file():  # of a worktree: `gitdir: PATH`, whose branches are in the common directory
            git = CHECKOUT / git.read_text().strip().removeprefix("gitdir: ")
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref: "):
            return head[:12]
        common = git / (git / "commondir").read_text().strip() if (git / "commondir").is_file() else git
        return (common / head[5:]).read_text().strip()[:12]
    except OSError:
        return None
