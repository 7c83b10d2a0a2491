"""The process of one contender: sets up, then measures one round for each line on stdin.

Every answer is one line of JSON on the original stdout; whatever libraries print goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from cases.base import Context
from cases.registry import find


def main() -> None:
    """Answer the harness until stdin closes."""
    case_name, contender_name, options = sys.argv[1:4]
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    given = json.loads(options)
    case = find(case_name)
    try:
        context = Context(case_name, given["quick"], _arrays(given["shared"]), given["data_dir"], given["scratch"])
        if contender_name == "prepare":
            import numpy as np

            assert case.prepare is not None
            np.savez(given["shared"], **case.prepare(context))
            answer({"ready": True})
            return
        contender = case.contenders[contender_name]
        one_round = contender.setup(context)
        cold = []
        for _ in range(contender.warmups):
            started = time.perf_counter()
            one_round()
            cold.append(time.perf_counter() - started)
        started = time.perf_counter()
        measured = one_round()
        warm = time.perf_counter() - started
    except Exception as error:
        answer({"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"})
        raise
    compile_seconds = max(cold[0] - warm, 0.0) if cold else None
    answer({"ready": True, "compile_seconds": compile_seconds, **measured._asdict()})
    for _ in sys.stdin:
        answer(one_round()._asdict())


def _arrays(path: str) -> dict[str, Any]:
    if not os.path.exists(path):
        return {}
    import numpy as np

    with np.load(path) as file:
        return dict(file)


if __name__ == "__main__":
    main()
