"""Share the data sets of a study among processes: what takes long is to compile, which a process does on one core."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence


def spread(module: str, names: Sequence[str], flags: Sequence[str], processes: int) -> bool:
    """Run a module in several processes, each of which takes every n-th name; returns whether all succeeded.

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
