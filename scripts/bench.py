"""Measures regjax against other libraries on the same work, side by side.

  python scripts/bench.py                        every case (about an hour on 2 cores)
  python scripts/bench.py --only=dense_step      one case; may be repeated
  python scripts/bench.py --json=FILE            also write the rows as JSON
  python scripts/bench.py --against=FILE         compare with rows of before, and fail where ours became slower
  python scripts/bench.py --explain=dense_step   where the time of ours goes, by operation
  python scripts/bench.py --brief --against=FILE the same in three minutes: ours and the floor of three cases

Each contender has a process of its own and is warm. All of a case take turns, and the median of the rounds counts, so
compare figures of one call only. The ratio is best peer / ours: above 1, ours is faster than every peer. The floor
is what the matrix products of the same work take on this machine; 1 would be all that it can do. The quality shows that
equal work was done. Peers that are not installed are named as missing: pip install regjax[bench].

Compared with a record are not times, which differ with the machine, but those of ours over those of the others in the
same round. Ours counts as slower if it is beside every contender, by more than 5% and three standard errors.

Exit code 0 done, 1 a contender of ours failed, became slower or could not be compared, 2 bad input.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cases.base import Case

SCRIPTS = Path(__file__).resolve().parent
sys.path[:0] = [str(SCRIPTS / "bench"), str(SCRIPTS.parent)]  # regjax may be a clone that is not installed


def main() -> int:
    """Measure the cases that were asked for; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="measure this case alone")
    parser.add_argument("--all", action="store_true", help="also the cases that take very long")
    parser.add_argument("--json", metavar="FILE", help="write the rows as a JSON list")
    parser.add_argument("--against", metavar="FILE", help="rows of before, from --json, to compare with")
    parser.add_argument("--tolerance", type=float, default=0.05, help="least change that counts, a share: %(default)s")
    parser.add_argument(
        "--brief", action="store_true", help="ours and the floor alone, of the cases with matrix products"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: shows that it runs, no figures")
    parser.add_argument(
        "--explain", action="append", metavar="NAME", help="profile ours in this case instead; may be repeated"
    )
    parser.add_argument("--list", action="store_true", help="name the cases and stop")
    parser.add_argument("--data_dir", metavar="DIR", help="prepared TFDS sets, for the case loading")
    arguments = parser.parse_args()

    from cases.registry import BRIEF, MODULES, UnknownCaseError, find

    try:
        chosen = [find(name) for name in arguments.only or (BRIEF if arguments.brief else MODULES)]
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
    if arguments.explain:
        return _explain(arguments)

    from cases import against, table

    try:
        recorded = {} if arguments.against is None else _recorded(Path(arguments.against))
    except (OSError, ValueError, TypeError, KeyError) as error:
        print(f"error: --against={arguments.against}: not rows from --json ({error})", file=sys.stderr)
        return 2
    missing = [case.name for case in chosen if arguments.against and not recorded.get(case.name, {}).get("rounds")]
    if missing:
        print(f"error: --against={arguments.against}: without rounds of {', '.join(missing)}", file=sys.stderr)
        return 2
    rows, code = [], 0
    print(table.HEADER, flush=True)
    for case in chosen:
        if case.only_on_request and not (arguments.only or arguments.all):
            continue
        if case.needs_data_dir and arguments.data_dir is None:
            print(f"{case.name:<19} skipped: needs --data_dir", flush=True)
            continue
        row = _measured(case, arguments)
        if row is None:
            code = 1
            continue
        rows.append(row)
        if arguments.against:
            found = against.changes(row, recorded.get(case.name, {}), arguments.tolerance)
            print(against.sentence(found), flush=True)
            code = max(code, int(not found or against.slower(found)))
        if arguments.json:  # after every case, so that an interruption keeps what was measured
            partial = Path(f"{arguments.json}.partial")
            partial.write_text(json.dumps(rows, indent=1, allow_nan=False) + "\n")
            partial.rename(arguments.json)
    return code


def _explain(arguments: argparse.Namespace) -> int:
    """Print where the time of ours goes in some cases, and write it with --json."""
    import tempfile

    from cases import explain, table
    from cases.base import Context
    from cases.registry import MODULES, UnknownCaseError, find

    try:
        cases = [find(name) for name in arguments.explain]
    except UnknownCaseError as error:
        print(f"error: {str(error).replace('--only', '--explain')}", file=sys.stderr)
        return 2
    for case in cases:
        if case.program is None:
            accepted = ", ".join(name for name in MODULES if find(name).program)
            print(f"error: --explain={case.name}: has no program of its own; accepted: {accepted}", file=sys.stderr)
            return 2
    entries = []
    for case in cases:
        assert case.program is not None
        assert case.prepare is not None
        with tempfile.TemporaryDirectory(prefix="regjax-bench-") as scratch:
            context = Context(case.name, arguments.quick, {}, None, scratch)
            context = Context(case.name, arguments.quick, case.prepare(context), None, scratch)
            program = case.program(context)
            profile = explain.profiled(program)
        print(program.what, *explain.table(profile), sep="\n")
        entries.append(explain.entry(case.name, profile) | {"versions": table.versions()})
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(entries, indent=1) + "\n")
    return 0


def _recorded(path: Path) -> dict[str, dict[str, Any]]:
    """The rows of a record by case."""
    return {row["case"]: row for row in json.loads(path.read_text())}


def _measured(case: Case, arguments: argparse.Namespace) -> dict[str, Any] | None:
    """Measure a case and print its lines; None if ours failed."""
    from cases import harness, table

    busy = table.busy_share()
    if busy is not None and busy > 0.1:
        print(f"warning: {case.name}: other processes use {busy:.0%} of this machine", file=sys.stderr, flush=True)
    try:
        outcomes = harness.measure(case, quick=arguments.quick, data_dir=arguments.data_dir, brief=arguments.brief)
    except harness.BenchmarkError as error:
        print(f"{case.name:<19} failed", flush=True)
        print(f"error: {error}", file=sys.stderr)
        return None
    row = table.row(case, outcomes, busy)
    print("\n".join(table.lines(case, row, outcomes)), flush=True)
    return row


if __name__ == "__main__":
    sys.exit(main())
