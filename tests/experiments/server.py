"""Runs experiments in forked children: imports are paid once, each command still gets a process of its own.

Reads one JSON line a command, `{"argv": [...], "cwd": ..., "env": {...}}`; answers `{"code", "stdout", "stderr"}`.
"""

import json
import os
import runpy
import sys
import tempfile
import traceback

import regjax  # noqa: F401  no backend is started before the fork


def child(request, stdout, stderr):
    """Run a command in this process and end it with the command's exit code."""
    os.dup2(stdout.fileno(), 1)
    os.dup2(stderr.fileno(), 2)
    os.chdir(request["cwd"])
    os.environ.update(request["env"])
    sys.argv = [request["argv"][0], *request["argv"][1:]]
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
            _, status = os.waitpid(pid, 0)
            stdout.seek(0)
            stderr.seek(0)
            answer = {"code": os.waitstatus_to_exitcode(status), "stdout": stdout.read(), "stderr": stderr.read()}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
