"""Runs of several processes with `jax.distributed`, started by Slurm, Kubernetes, TPU slices, MPI or by hand.

With --distributed, a command starts itself again in a second process and watches it. When another process of the run
dies, JAX aborts this one before it can print a message. The watcher then explains the error and how to resume.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

from regjax.cli import flags
from regjax.cli.options import DeviceOptions

_MEMBER = "REGJAX_CLUSTER_MEMBER"
_HEARTBEAT_SECONDS = 20  # a process without a heartbeat for this long is considered dead
_GONE = 76  # exit code of a process that lost another one

Result = TypeVar("Result")


def check(config: DeviceOptions) -> None:
    """Check that the flags can be combined.

    Raises:
      FlagError: names the flag.
    """
    by_hand = [name for name in ("coordinator", "num_processes", "process_id") if getattr(config, name) is not None]
    for name in by_hand:
        flags.check(config.distributed, name, "is for --distributed")
        flags.check(len(by_hand) == 3, name, "give --coordinator, --num_processes and --process_id together")
    if config.coordinator is not None and config.process_id is not None and config.num_processes is not None:
        host, colon, port = config.coordinator.rpartition(":")
        flags.check(bool(host and colon) and port.isdecimal(), "coordinator", "must be HOST:PORT")
        flags.check(config.process_id < config.num_processes, "process_id", "must be below --num_processes")


def is_watcher(config: DeviceOptions) -> bool:
    """Whether this process is the watcher, which starts the process that does the work."""
    return config.distributed and not os.environ.get(_MEMBER)


def watch(name: str) -> int:
    """Start this command again as a member of the run, forward signals, explain errors, and return the exit code."""
    spec = sys.modules["__main__"].__spec__
    program = [sys.argv[0]] if spec is None else ["-m", "regjax.cli"]
    member = subprocess.Popen(
        [sys.executable, *program, name, *sys.argv[1:]], env=os.environ | {_MEMBER: "1"}, preexec_fn=_die_with_parent
    )

    def pass_on(number: int, frame: FrameType | None) -> None:
        del frame
        member.send_signal(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, pass_on)
    code = member.wait()
    if code in (_GONE, -signal.SIGABRT):
        return _explain("another process of the run died or cannot be reached any more")
    if code < 0:
        return _explain(f"it was ended by {signal.Signals(-code).name}")
    return code


def _explain(reason: str) -> int:
    print(f"interrupted: {reason}; what was saved stays, start all processes again with --resume", file=sys.stderr)
    return 75


def join(config: DeviceOptions) -> None:
    """Join the run before JAX starts, and silence stdout except on process 0.

    Raises:
      FlagError: the other processes are not known, or cannot be reached.
    """
    import jax

    if config.cpu_devices is not None:
        jax.config.update("jax_num_cpu_devices", config.cpu_devices)
    if not config.distributed:
        return
    try:
        jax.distributed.initialize(
            config.coordinator,
            config.num_processes,
            config.process_id,
            heartbeat_timeout_seconds=_HEARTBEAT_SECONDS,
        )
    except (ValueError, RuntimeError) as error:
        first = str(error).splitlines()[0]
        raise flags.FlagError(
            f"--distributed: the other processes cannot be found ({first}); start them by Slurm, Kubernetes, TPU or "
            "MPI, or give --coordinator, --num_processes and --process_id"
        ) from None
    if not leads():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - for the rest of the process


def lost_another(error: BaseException) -> bool:
    """Whether an error comes from communication with a process that has died."""
    import jax

    if not isinstance(error, jax.errors.JaxRuntimeError) or jax.process_count() == 1:
        return False
    text = str(error).lower()
    return any(word in text for word in ("gloo", "connection", "heartbeat", "unavailable", "deadline", "peer", "nccl"))


def end_after_loss(error: BaseException) -> None:
    """End this process immediately, because a normal shutdown would wait for the process that has died."""
    print(f"lost another process: {str(error).splitlines()[0][:300]}", file=sys.stderr, flush=True)
    os._exit(_GONE)


def leads() -> bool:
    """Whether this is process 0, which writes files and prints."""
    import jax

    return jax.process_index() == 0


def count() -> int:
    """Return the number of processes of the run."""
    import jax

    return jax.process_count()


def first(function: Callable[[], Result]) -> Result | None:
    """Call a function on process 0 only; the other processes wait for it, and fail if it fails.

    Returns:
      The result of the function; None on the other processes.

    Raises:
      FlagError: process 0 failed; on process 0, the exception of the function is raised instead.
    """
    if count() == 1:
        return function()
    result, failure = None, None
    if leads():
        try:
            result = function()
        except Exception as error:
            failure = error
    if any_of(failure is not None):
        raise failure or flags.FlagError("process 0 ended; its message says why")
    return result


def any_of(mine: bool) -> bool:
    """Whether `mine` is true in any process; all processes must call this."""
    if count() == 1:
        return mine
    import numpy as np
    from jax.experimental import multihost_utils

    return bool(np.any(multihost_utils.process_allgather(np.asarray(mine))))


def _die_with_parent() -> None:
    """Make this member end together with its watcher, so that it does not run on unnoticed (on Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)
