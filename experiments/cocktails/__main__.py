"""Search for cocktails of regularizers, compare them with other learners, and measure what their parts contribute.

  python -m experiments.cocktails --packages=DIR --data_dir=DIR --workdir=runs/cocktails

Each data set is written to --workdir when it is done, and is not measured again by the same command; one that was
interrupted goes on with what is left. --packages is the directory of the archives that are fetched by

  DOWNLOAD

and --data_dir that of the prepared MNIST of TFDS. XGBoost and RealMLP (pytabkit) are of the extra `bench`; they are
left out where they are not installed. At the end the record, with its summary, is written to
--workdir/cocktails.json; --keep also puts it where the repository has it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from pathlib import Path

from experiments.atlas.packages import DOWNLOAD
from experiments.cocktails.problem import NAMES, load
from experiments.commands import compact, exit_code, spread
from regjax.cli import app
from regjax.core.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "experiments/records/cocktails.json"


def main(arguments: list[str] | None = None) -> int:
    """Run the command; returns the exit code, 1 if a data set could not be measured."""
    text = (__doc__ or "").replace("DOWNLOAD", DOWNLOAD)
    parser = argparse.ArgumentParser(prog="python -m experiments.cocktails", description=text, allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--workdir", type=Path, default=Path("runs/cocktails"), help="where the results go")
    parser.add_argument("--packages", type=Path, help="directory of the downloaded archives of packages")
    parser.add_argument("--data_dir", type=Path, help="directory of the prepared data sets of TFDS")
    parser.add_argument("--only", default=",".join(NAMES), help="names of data sets, separated by commas")
    parser.add_argument("--processes", type=int, default=os.cpu_count(), help="how many data sets at the same time")
    parser.add_argument("--measure_only", action="store_true", help="measure, and do not summarize")
    parser.add_argument("--keep", action="store_true", help="write the record into the repository too")
    wanted = parser.parse_args(arguments)
    return exit_code(lambda: made(wanted))


def made(wanted: argparse.Namespace) -> bool:
    """Do what the flags ask for; returns whether every data set could be measured."""
    names, started = wanted.only.split(","), time.time()
    for name in names:
        if name not in NAMES:
            raise InputError(f"--only: {name!r} is not known; accepted: {', '.join(NAMES)}")
    wanted.workdir.mkdir(parents=True, exist_ok=True)
    app.terminate_as_interrupt()
    if wanted.processes > 1:
        given = {"workdir": wanted.workdir, "packages": wanted.packages, "data_dir": wanted.data_dir}
        flags = [f"--{key}={value}" for key, value in given.items() if value is not None]
        done = spread("experiments.cocktails", names, ["--measure_only", *flags], wanted.processes)
    else:
        done = measured(names, wanted)
    if done and not wanted.measure_only:
        write(names, wanted.workdir, started, keep=wanted.keep)
    return done


def measured(names: list[str], wanted: argparse.Namespace) -> bool:
    """Measure the data sets, one after the other; returns whether all could be."""
    import jax

    from experiments.cocktails.learners import missing
    from experiments.cocktails.measure import measure

    # A second start does not compile again.
    jax.config.update("jax_compilation_cache_dir", str(wanted.workdir.resolve() / "unfinished" / "xla"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    if missing():
        print(f"left out, because they are not installed: {', '.join(missing())} (extra: bench)", file=sys.stderr)
    done = True
    for name in names:
        started = time.time()
        try:
            measure(
                name, load(name, wanted.packages, wanted.data_dir), wanted.workdir, say=lambda s: print(s, flush=True)
            )
        except InputError as error:
            print(f"error: {name}: {error}", file=sys.stderr, flush=True)
            done = False
            continue
        print(f"{name}: {time.time() - started:.0f} s", flush=True)
        jax.clear_caches()  # or the memory grows with each data set
    return done


def write(names: list[str], workdir: Path, started: float, *, keep: bool) -> None:
    """Write the record of the data sets."""
    from experiments.cocktails.figure import draw
    from experiments.cocktails.summarize import record_of

    record = record_of([workdir / f"{name}.json" for name in names], started)
    compact(workdir / "cocktails.json", record)
    draw(record["summary"], workdir / "cocktails.png")
    if keep:
        compact(RECORD, record)
        shutil.copyfile(workdir / "cocktails.png", RECORD.with_suffix(".png"))
    print(f"{workdir / 'cocktails.json'}: {time.time() - started:.0f} s")


if __name__ == "__main__":
    sys.exit(main())
