"""Runs experiments in forked children: imports are paid once, each command still gets a process of its own.

Reads one JSON line a command, `{"argv": [...], "cwd": ..., "env": {...}, "kill_after": seconds or None}`; answers
`{"code", "stdout", "stderr"}`. The seconds count from the start, or from the next change of the files that match the
glob pattern `"once_written"`.
Packages of the list `"hidden"` cannot be imported.
"""

import contextlib
import glob
import importlib
import json
import os
import pkgutil
import runpy
import signal
import sys
import tempfile
import threading
import traceback
import warnings

import regjax

# What most commands import, also late: half of the time of a small one. No backend is started before the fork.
LIBRARIES = ("jinja2", "matplotlib.backends.backend_agg", "matplotlib.figure", "orbax.checkpoint", "scipy.linalg")


def preload():
    """Import all of the library and what its commands need.

    Not the commands themselves: their options are made from the catalogue, to which a plugin adds before.
    """
    for name in regjax.__all__:
        getattr(regjax, name)
    for module in pkgutil.walk_packages(regjax.__path__, "regjax."):
        if not module.name.startswith("regjax.cli."):
            importlib.import_module(module.name)
    for name in LIBRARIES:
        importlib.import_module(name)


def hide(package):
    """Have imports of a package fail as if it were not installed."""
    for name in [package, *(name for name in sys.modules if name.startswith(f"{package}."))]:
        sys.modules[name] = None


def child(request, stdout, stderr):
    """Run a command in this process and end it with the command's exit code."""
    os.dup2(stdout.fileno(), 1)
    os.dup2(stderr.fileno(), 2)
    os.chdir(request["cwd"])
    os.environ.update(request["env"])
    for package in request.get("hidden", ()):
        hide(package)
    sys.argv = [request["argv"][0], *request["argv"][1:]]
    warnings.resetwarnings()  # as Python starts: the server itself ignores those of its imports
    for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
        warnings.simplefilter("ignore", category)
    code = 1
    try:
        runpy.run_module(f"experiments.{request['argv'][0]}", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as error:
        code = error.code or 0
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def versions(pattern):
    """What differs once a file that matches the pattern has been written to."""
    found = {}
    for path in glob.iglob(pattern, recursive=True):
        with contextlib.suppress(FileNotFoundError):  # removed since it was listed
            state = os.stat(path)
            found[path] = (state.st_ino, state.st_size, state.st_mtime_ns)
    return found


def kill(pid, ended, seconds, pattern, before):
    """Kill a process after so many seconds, counted from a change of files if one is named, unless it has ended."""
    while pattern is not None and versions(pattern) == before:
        if ended.wait(0.002):
            return
    if not ended.wait(seconds):
        # It is not waited for yet, so its number cannot be another process's.
        os.kill(pid, signal.SIGKILL)


def main():
    """Serve until stdin ends."""
    preload()
    for line in sys.stdin:
        request = json.loads(line)
        written = request.get("once_written")
        pattern = written and os.path.join(glob.escape(request["cwd"]), written)
        before = pattern and versions(pattern)
        with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
            pid = os.fork()
            if pid == 0:
                child(request, stdout, stderr)
            killer, ended = None, threading.Event()
            if request.get("kill_after") is not None:
                killer = threading.Thread(target=kill, args=(pid, ended, request["kill_after"], pattern, before))
                killer.start()
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            ended.set()
            if killer is not None:
                killer.join()
            _, status = os.waitpid(pid, 0)
            stdout.seek(0)
            stderr.seek(0)
            answer = {"code": os.waitstatus_to_exitcode(status), "stdout": stdout.read(), "stderr": stderr.read()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
