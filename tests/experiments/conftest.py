import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """One cache of datasets and compiled programs for all commands of the session."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def environment(cache):
    return {"XDG_CACHE_HOME": str(cache), "PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}


@pytest.fixture(scope="session")
def server(environment):
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("server.py"))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, env={**os.environ, **environment}, **pipes) as process:
        yield process


@pytest.fixture
def run(server, environment, tmp_path):
    """Run a command in `tmp_path` and check its exit code."""

    def command(module, *arguments, code=0):
        request = {"argv": [module, *arguments], "cwd": str(tmp_path), "env": environment}
        server.stdin.write(json.dumps(request) + "\n")
        server.stdin.flush()
        done = SimpleNamespace(**json.loads(server.stdout.readline()))
        assert done.code == code, f"exit {done.code}\n{done.stdout}\n{done.stderr}"
        return done

    return command
