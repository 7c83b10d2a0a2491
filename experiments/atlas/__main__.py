"""Measure the atlas, or go on where it was interrupted.

  python -m experiments.atlas --packages=DIR --workdir=runs/atlas

Each data set is written to --workdir when it is done, and is not measured again by the same command; one that was
interrupted goes on with the runs that are left. --packages is the directory of the archives that are fetched by

  DOWNLOAD

At the end the record, with its summary, is written to --workdir/atlas.json, and the table of `compare` to
--workdir/table.json; --keep also puts them where the repository has them.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
import warnings
from pathlib import Path

from experiments.atlas import data, figure, packages, protocol, run, summarize
from experiments.commands import compact, exit_code, spread
from regjax.cli import app
from regjax.core.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
RECORD, TABLE = ROOT / "experiments/records/atlas.json", ROOT / "regjax/comparison/atlas.json"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code, 1 if a data set could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m experiments.atlas", description=described(), allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--workdir", type=Path, default=Path("runs/atlas"), help="where the results go")
    parser.add_argument("--packages", type=Path, help="directory of the downloaded archives of packages")
    parser.add_argument("--only", help="names of data sets, separated by commas")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many data sets at the same time")
    parser.add_argument("--measure_only", action="store_true", help="measure, and do not summarize")
    parser.add_argument("--summary_only", action="store_true", help="measure nothing; summarize what there is")
    parser.add_argument("--keep", action="store_true", help="write record and table into the repository too")
    parser.add_argument("--list", action="store_true", help="list the data sets and end")
    wanted = parser.parse_args(arguments)
    return exit_code(lambda: made(wanted))


def made(wanted: argparse.Namespace) -> bool:
    """Do what the flags ask for; returns whether every data set could be measured."""
    entries = chosen(wanted.only)
    if wanted.list:
        print("\n".join(f"{entry.name:24}{entry.source}" for entry in entries))
        return True
    wanted.workdir.mkdir(parents=True, exist_ok=True)
    app.terminate_as_interrupt()
    started, done = time.time(), True
    if wanted.processes > 1 and not wanted.summary_only:
        flags = [f"--workdir={wanted.workdir}", "--measure_only"]
        flags += [] if wanted.packages is None else [f"--packages={wanted.packages}"]
        done = spread("experiments.atlas", [entry.name for entry in entries], flags, wanted.processes)
    elif not wanted.summary_only:
        done = not measured(entries, wanted.workdir, wanted.packages)
    if not wanted.measure_only:
        write(entries, wanted.workdir, keep=wanted.keep)
        print(f"{wanted.workdir / 'atlas.json'}: {time.time() - started:.0f} s")
    return done


def described() -> str:
    """The description of the command."""
    return (__doc__ or "").replace("DOWNLOAD", packages.DOWNLOAD)


def write(entries: list[data.Entry], workdir: Path, *, keep: bool) -> None:
    """Write the record of the data sets that were measured, and the table for `compare`.

    Raises:
      InputError: fewer than 6 families were measured.
    """
    found = [json.loads(path.read_text()) for entry in entries if (path := workdir / f"{entry.name}.json").exists()]
    families = len({one["family"] for one in found})
    if families < summarize.TOO_FEW:
        raise InputError(f"{workdir}: {families} families of data sets are measured; a summary takes 6")
    summary = summarize.summarized(found)
    record = {
        "command": "python -m experiments.atlas --packages=DIR --workdir=runs/atlas --keep",
        "seconds": round(sum(one["seconds"] for one in found)),
        "runs": sum(run.runs_of(one) for one in found),
        "platform": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": found[0]["versions"],
        "packages": packages.VERSIONS,
        "protocol": protocol.described(),
        "summary": summary,
        "data_sets": found,
    }
    table = summarize.table_for_package(found, summary)
    for name, content in (("atlas.json", record), ("table.json", table)):
        compact(workdir / name, content)
    figure.draw(summary, workdir / "atlas.png")
    if keep:
        compact(RECORD, record)
        compact(TABLE, table)
        shutil.copyfile(workdir / "atlas.png", RECORD.with_suffix(".png"))


def chosen(only: str | None) -> list[data.Entry]:
    """The data sets with these names; None for all.

    Raises:
      InputError: a name is unknown.
    """
    by_name = {entry.name: entry for entry in data.ENTRIES}
    if only is None:
        return list(by_name.values())
    for name in only.split(","):
        if name not in by_name:
            raise InputError(f"--only: {name!r} is not known; accepted: {', '.join(by_name)}")
    return [by_name[name] for name in only.split(",")]


def measured(entries: list[data.Entry], workdir: Path, archives: Path | None) -> list[str]:
    """Measure the data sets; returns the names of those that failed, after the others are done."""
    import jax

    warnings.filterwarnings("ignore", module="sklearn")
    # What takes long is to compile; data sets of the same shape, and a second start, share programs.
    jax.config.update("jax_compilation_cache_dir", str(workdir.resolve() / "unfinished" / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    failed = []
    for number, entry in enumerate(entries, 1):
        started = time.time()
        try:
            found = run.measure(entry, workdir, archives)
        except InputError as error:
            print(f"error: {entry.name}: {error}", file=sys.stderr, flush=True)
            failed.append(entry.name)
            continue
        took = time.time() - started
        print(f"{number}/{len(entries)} {entry.name}: {found['seconds']:.0f} s, now {took:.0f} s", flush=True)
        jax.clear_caches()  # or the memory grows with each data set
    return failed


if __name__ == "__main__":
    sys.exit(main())
