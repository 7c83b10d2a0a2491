"""Measures regjax against other libraries on the same work, side by side.

  python scripts/bench.py                        every case (about 20 minutes on 2 cores)
  python scripts/bench.py --only=dense_step      one case; may be repeated
  python scripts/bench.py --json=FILE            also write the rows as JSON

Each contender has a process of its own and is warm. All of a case take turns, and the median of the rounds counts, so
compare figures of one call only. The ratio is best peer / ours: above 1, ours is faster than every peer. The floor
is what the matrix products of the same work take on this machine; 1 would be all that it can do. The quality shows that
equal work was done. Peers that are not installed are named as missing: pip install regjax[bench].

Exit code 0 done, 1 a contender of ours failed, 2 bad input.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent / "bench")]


def main() -> int:
    """Measure the cases that were asked for; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="measure this case alone")
    parser.add_argument("--all", action="store_true", help="also the cases that take very long")
    parser.add_argument("--json", metavar="FILE", help="write the rows as a JSON list")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: shows that it runs, no figures")
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument("--data_dir", metavar="DIR", help="prepared TFDS sets, for the case loading")
    arguments = parser.parse_args()

    from cases.registry import MODULES, UnknownCaseError, find

    try:
        chosen = [find(name) for name in arguments.only or MODULES]
    except UnknownCaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if arguments.list:
        for case in chosen:
            print(f"{case.name:<19} {case.summary}")
        return 0
    if arguments.json and not Path(arguments.json).absolute().parent.is_dir():
        print(f"error: --json={arguments.json}: its directory does not exist", file=sys.stderr)
        return 2

    from cases import harness, table

    rows, code = [], 0
    print(table.HEADER, flush=True)
    for case in chosen:
        if case.only_on_request and not (arguments.only or arguments.all):
            continue
        if case.needs_data_dir and arguments.data_dir is None:
            print(f"{case.name:<19} skipped: needs --data_dir", flush=True)
            continue
        busy = table.busy_share()
        if busy is not None and busy > 0.1:
            print(f"warning: {case.name}: other processes use {busy:.0%} of this machine", file=sys.stderr, flush=True)
        try:
            outcomes = harness.measure(case, quick=arguments.quick, data_dir=arguments.data_dir)
        except harness.BenchmarkError as error:
            print(f"{case.name:<19} failed", flush=True)
            print(f"error: {error}", file=sys.stderr)
            code = 1
            continue
        rows.append(table.row(case, outcomes, busy))
        print("\n".join(table.lines(case, rows[-1], outcomes)), flush=True)
        if arguments.json:  # after every case, so that an interruption keeps what was measured
            partial = Path(f"{arguments.json}.partial")
            partial.write_text(json.dumps(rows, indent=1, allow_nan=False) + "\n")
            partial.rename(arguments.json)
    return code


if __name__ == "__main__":
    sys.exit(main())
