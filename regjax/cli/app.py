"""How every experiment starts and ends: flags, exit codes, signals, JAX settings."""

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

from regjax.cli import cluster, flags
from regjax.cli.options import DeviceOptions, ResumableOptions
from regjax.core.errors import InputError
from regjax.core.options import Options

Config = TypeVar("Config", bound=Options)

_at_end: list[Callable[[], None]] = []
DONE, FAILED, BAD_INPUT, DIVERGED, INTERRUPTED = 0, 1, 2, 3, 75


def run(name: str, main: Callable[[Config], int], options: type[Config], description: str) -> None:
    """Parse flags, run `main` on them, and exit with its code; what the user got wrong is one line and code 2."""
    gc.set_threshold(100_000)  # imports and traces make objects that stay; looking through them again takes a tenth
    warnings.showwarning = _show_warning
    resumable = issubclass(options, ResumableOptions)
    devices, workdir = DeviceOptions(), ""
    flags.define(options)
    try:
        config = flags.parse(sys.argv, options, description)
        workdir = getattr(config, "workdir", "")
        devices = config if isinstance(config, DeviceOptions) else devices
        cluster.check(devices)
        if cluster.is_watcher(devices):
            sys.exit(cluster.watch(name))
        _setup()
        cluster.join(devices)
        code = main(config)
    except flags.FlagError as error:
        print(f"error: {error}", file=sys.stderr)
        code = BAD_INPUT
    except KeyboardInterrupt:
        print(f"interrupted; {'go on with --resume' if resumable else 'nothing was written'}", file=sys.stderr)
        code = INTERRUPTED if resumable else FAILED
        if devices.distributed:
            _finish()
            os._exit(code)  # in order, it would wait for the others, who may know nothing
    except OSError as error:
        # A full disk, a directory that cannot be written to, a file that went away: the first alone needs room.
        # A write to a file that was open already knows no name: it is below --workdir.
        said = error.strerror or " ".join(str(error).split())
        place = error.filename or workdir
        print(f"error: {said}" if not place or str(place) in said else f"error: {place}: {said}", file=sys.stderr)
        if resumable and is_full(error):
            print("what was saved stays; go on with --resume when there is room", file=sys.stderr)
        code = FAILED
    except InputError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        code = BAD_INPUT
    except Exception as error:  # a bug: it keeps its traceback
        if devices.distributed and cluster.lost_another(error):
            cluster.end_after_loss(error)
        raise
    finally:
        _finish()
    gc.freeze()  # nothing of it is garbage that has to go before the process does
    sys.exit(code)


def at_end(function: Callable[[], None]) -> None:
    """Have a function called when the command ends, however it does."""
    _at_end.append(function)


def _finish() -> None:
    """What has to happen however a command ends."""
    while _at_end:
        _at_end.pop()()
    sys.stderr.flush()


def _show_warning(message: Warning | str, *rest: Any, **others: Any) -> None:
    """A warning in one line, without the place in the code that gave it."""
    print(f"warning: {' '.join(str(message).split())}", file=sys.stderr)


def is_full(error: BaseException | None) -> bool:
    """Whether an error, or one that it came from, says that a disk is full or a quota used up."""
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT):
            return True
        if any(os.strerror(number) in str(error) for number in (errno.ENOSPC, errno.EDQUOT)):
            return True  # orbax reports it as a ValueError of tensorstore
        error = error.__cause__
    return False


def note(message: str) -> None:
    """A line on what was made of the input, to stderr; of several processes the first says it."""
    if cluster.leads():
        print(f"note: {message}", file=sys.stderr)


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


def terminate_as_interrupt() -> None:
    """Let the first SIGTERM do what SIGINT does, a KeyboardInterrupt in the main thread, and ignore others."""

    def interrupt(number: int, frame: Any) -> None:
        del number, frame
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def without_nan(content: dict[str, Any]) -> dict[str, Any]:
    """Numbers that are not finite as None, because JSON has no word for them."""
    bad = {name for name, value in content.items() if isinstance(value, float) and not abs(value) < float("inf")}
    return {name: None if name in bad else value for name, value in content.items()}


def reproduce(name: str, started: float) -> dict[str, Any]:
    """What it takes to run the same again: the exact command, versions, machine."""
    import importlib.metadata

    import jax

    names = ("jax", "jaxlib", "flax", "optax", "numpy")
    return {
        # Without --resume: where nothing was begun, it says nothing, and where it was, it says to do nothing.
        "command": shlex.join([*program(name), *[a for a in sys.argv[1:] if a.lstrip("-") != "resume"]]),
        "versions": {"regjax": _version(), **{name: importlib.metadata.version(name) for name in names}},
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "devices": ", ".join(sorted({device.device_kind for device in jax.devices()})),
        "commit": _commit(),
        "started": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(started)),
        "seconds": round(time.time() - started, 1),
    }


def program(name: str) -> list[str]:
    """How the command was started: as installed, or from the checkout."""
    return ["regjax", name] if Path(sys.argv[0]).stem == "regjax" else ["python", "-m", f"experiments.{name}"]


def _version() -> str:
    import regjax

    return regjax.__version__


def _commit() -> str | None:
    """The commit of the checkout that runs, read from .git; None outside a checkout."""
    git = Path(__file__).resolve().parents[2] / ".git"
    try:
        head = (git / "HEAD").read_text().strip()
        return (git / head[5:]).read_text().strip()[:12] if head.startswith("ref: ") else head[:12]
    except OSError:
        return None
