"""Runs experiments in forked children: imports are paid once, each command still gets a process of its own.

Reads one JSON line a command, `{"argv": [...], "cwd": ..., "env": {...}, "kill_after": seconds or None}`; answers
`{"code", "stdout", "stderr"}`.
"""

import json
import os
import runpy
import signal
import sys
import tempfile
import threading
import traceback
import warnings

import regjax

for name in regjax.__all__:  # no backend is started before the fork
    getattr(regjax, name)


def child(request, stdout, stderr):
    """Run a command in this process and end it with the command's exit code."""
    os.dup2(stdout.fileno(), 1)
    os.dup2(stderr.fileno(), 2)
    os.chdir(request["cwd"])
    os.environ.update(request["env"])
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


def main():
    """Serve until stdin ends."""
    for line in sys.stdin:
        with tempfile.TemporaryFile("w+") as stdout, tempfile.TemporaryFile("w+") as stderr:
            pid = os.fork()
            if pid == 0:
                child(json.loads(line), stdout, stderr)
            request = json.loads(line)
            timer = None
            if request.get("kill_after") is not None:
                # The child is not waited for yet, so its number cannot be another process's.
                timer = threading.Timer(request["kill_after"], os.kill, (pid, signal.SIGKILL))
                timer.start()
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
            if timer is not None:
                timer.cancel()
                timer.join()
            _, status = os.waitpid(pid, 0)
            stdout.seek(0)
            stderr.seek(0)
            answer = {"code": os.waitstatus_to_exitcode(status), "stdout": stdout.read(), "stderr": stderr.read()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
