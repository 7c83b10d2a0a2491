"""What the commands of studies over data sets share: processes, exit codes and the form of a record."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from regjax.cli import app
from regjax.core.errors import InputError


def spread(module: str, names: Sequence[str], flags: Sequence[str], processes: int) -> bool:
    """Run a module in several processes, each of which takes every n-th name; returns whether all succeeded.

    What takes long is to compile, which a process does on one core.

    Args:
      module: `MODULE` of `python -m MODULE --only=NAMES --processes=1`.
      names: of what there is to do.
      flags: that each process gets too.
      processes: how many.
    """
    shares = [names[number::processes] for number in range(processes)]
    command = [sys.executable, "-m", module, "--processes=1", *flags]
    running = [subprocess.Popen([*command, f"--only={','.join(share)}"]) for share in shares if share]
    try:
        codes = [process.wait() for process in running]
    except BaseException:
        for process in running:
            process.terminate()
        raise
    return not any(codes)


def exit_code(work: Callable[[], bool]) -> int:
    """Do the work of a study; returns the exit code.

    Args:
      work: returns whether everything could be done. What it cannot use it refuses by an `InputError`; interrupted, it
        has lost nothing.
    """
    try:
        return app.DONE if work() else app.FAILED
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        return app.BAD_INPUT
    except KeyboardInterrupt:
        print("interrupted; the same command goes on", file=sys.stderr)
        return app.INTERRUPTED


def compact(path: Path, content: dict[str, Any]) -> None:
    """Write JSON with one line for each key and each data set, so that a change shows where it is."""

    def line(value: Any) -> str:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))

    head = [f" {line(name)}: {line(value)}" for name, value in content.items() if name != "data_sets"]
    sets = ",\n".join(f"  {line(one)}" for one in content["data_sets"])
    partial = path.with_name(path.name + ".partial")
    partial.write_text("{\n" + ",\n".join([*head, f' "data_sets": [\n{sets}\n ]']) + "\n}\n")
    partial.rename(path)
