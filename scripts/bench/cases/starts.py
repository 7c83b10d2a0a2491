"""Fresh processes, until the first epoch is trained."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from typing import Any

from cases.base import Case, Contender, Context, Measured, Round

_BYTECODE = tempfile.TemporaryDirectory(prefix="regjax-bytecode-")


def fresh(name: str, argument: str = "", **environment: str) -> tuple[float, dict[str, Any]]:
    """Seconds from the start of a process to the end of its work, and what it printed; see `cases.fresh`."""
    command = [sys.executable, "-m", "cases.fresh", name, argument]
    # Compiled modules are kept, as Python does by default; an environment that forbids it would be measured instead.
    environment = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": _BYTECODE.name} | environment
    started = time.perf_counter()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=dict(os.environ) | environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines = process.stdout.readlines()
        taken = time.perf_counter() - started
        complaint = process.stderr.read()[-500:]
    if process.returncode:
        raise RuntimeError(f"{name}: {complaint}")
    return taken, json.loads(lines[-1])


def ours_start(context: Context) -> Round:
    """Import, digits from the cache of regjax, one epoch of `fit`; with and without the cache of compiled programs."""
    compiled = os.path.join(context.scratch, "xla")
    data_cache = os.path.join(context.scratch, "data")

    fresh("regjax_epoch", compiled, REGJAX_CACHE=data_cache)  # fills both caches

    def one_round() -> Measured:
        first, _ = fresh("regjax_epoch", REGJAX_CACHE=data_cache)
        second, answer = fresh("regjax_epoch", compiled, REGJAX_CACHE=data_cache)
        return Measured({"with the cache": second, "without": first}, answer["quality"])

    return one_round


def started(name: str, argument: str = "", **environment: str) -> Round:
    """A round that starts a process and waits for the end of its work."""

    def one_round() -> Measured:
        taken, answer = fresh(name, argument, **environment)
        return Measured({"process": taken}, answer["quality"])

    return one_round


CASES = {
    "cold_start": Case(
        name="cold_start",
        summary="a fresh process from its start to the end of the first epoch on digits",
        unit="s",
        quality="validation accuracy",
        rounds=5,
        headline="with the cache",
        contenders={
            "ours": Contender(ours_start, warmups=0),
            "torch": Contender(lambda _: started("torch_epoch"), ("torch",)),
            "keras_jax": Contender(lambda _: started("keras_epoch"), ("keras",)),
        },
    ),
}
