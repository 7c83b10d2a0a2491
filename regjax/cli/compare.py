"""Compare the techniques against overfitting: strengths chosen on validation, evaluated once on test, over seeds.

  python -m experiments.compare --workdir=runs/compare

Writes results.json, table.csv, report.html and figures/ into --workdir; about a minute with the default flags on two
cores. A comparison that was stopped (exit code 75) goes on with --resume. All training examples
are used, with their own labels. Only the embedded digits, the default, are a demonstration: 128 examples with 10% wrong
training labels, so that there is something to overfit, unless --train_examples and --label_noise say otherwise. A
regularizer flag, as --l2, acts on every row, baseline included.
"""

from __future__ import annotations

import functools
import time
from pathlib import Path
from typing import Any

from regjax.catalog import DEFAULT_TECHNIQUES, SELECTIONS, TECHNIQUES
from regjax.cli import app, cluster, flags, workdirs

FREE = {"workdir", "overwrite", "resume", "data_dir"}  # what may differ between a comparison and its resumption
_SELECT = "choice on validation: the best mean, or the most regularized setting within one standard error of it"


def define_flags() -> None:
    """The flags of the command."""
    flags.define_data("runs/compare")
    flags.define_training("at least 50, and 800 updates")
    flags.define_stopping()
    flags.text(
        "compare", "techniques", None, f"some of {','.join(TECHNIQUES)}; default the first {len(DEFAULT_TECHNIQUES)}"
    )
    flags.repeated("compare", "grid", "strengths of a technique, as l2=0.001,0.01,0.1; may be repeated")
    flags.repeated(
        "compare",
        "try_penalty",
        "a row for this penalty, at 0.01 to 100 times its strengths, by --penalty_mode; may be repeated",
    )
    flags.whole("compare", "seeds", 10, "how many seeds; with 5 no p can be below 0.0625")
    cluster.define(data_devices=False)
    flags.switch("run", "resume", False, "go on with the comparison in --workdir; finished runs are not repeated")
    flags.choice("compare", "select", "best", SELECTIONS, _SELECT)


def main() -> int:
    """Run the experiment; returns the exit code."""
    started = time.time()
    values = flags.values()
    cluster.first(lambda: workdirs.check(values, "compare"))
    workdir = Path(values["workdir"]).expanduser()
    wanted = _techniques(values)
    flags.check_stopping(values, patience=10)
    if values["resume"] and workdirs.is_finished(values, "compare", FREE):
        print(f"{workdir}: this comparison is finished; nothing to do")
        return app.DONE

    from regjax.cli import setup
    from regjax.cli.progress import Bar
    from regjax.comparison import compare
    from regjax.report import write_compare_report
    from regjax.training.compilations import CompilationCounter

    loaded = setup.load(values)
    known = setup.facts(loaded.splits)
    probe = values | {"epochs": values["epochs"] or 1}
    spec = setup.make_spec(probe, known, loaded)

    example = loaded.preprocessor.transform(loaded.splits.x_train[:1])
    setup.check_regularizers(values, spec, example)
    for technique in setup.penalty_techniques(values, spec, example):
        wanted[technique] = ()
    setup.check_techniques(values, loaded, spec.model, wanted)

    app.terminate_as_interrupt()
    with (
        workdirs.unfinished(values, "compare") as directory,
        CompilationCounter() as compilations,
        Bar("runs", 0) as bar,
    ):
        result = compare(
            spec.model,
            loaded.splits,
            wanted,
            seeds=values["seeds"],
            select=values["select"],
            train_examples=values["train_examples"],
            label_noise=values["label_noise"],
            augmentation=spec.augmentation,
            always=setup.regularizer_arguments(values),
            epochs=values["epochs"],
            batch_size=values["batch_size"],
            optimizer=values["optimizer"],
            learning_rate=values["learning_rate"],
            schedule=values["schedule"],
            precision=values["precision"],
            patience=10 if values["patience"] is None else values["patience"],
            min_delta=values["min_delta"],
            stop_criterion=values["stop_criterion"],
            base_seed=values["seed"],
            directory=directory / "lanes",
            progress=lambda done, total, name: bar.update(done, name if len(name) <= 30 else f"{name[:29]}…", total),
        )
    if not cluster.leads():
        return app.DONE
    with workdirs.written_aside(workdir) as directory:
        content = result.to_json() | {"reproduce": app.reproduce("compare", started)}
        content |= {"compilations": compilations.count, "compile_seconds": round(compilations.seconds, 3)}
        workdirs.write_json(directory / "config.json", {"experiment": "compare", "flags": values})
        workdirs.write_json(directory / "results.json", content)
        (directory / "table.csv").write_text(result.csv())
        write_compare_report(content, directory)
    print(result)
    print(f"\n{compilations.describe()}")
    print(f"report: {workdir / 'report.html'}   numbers: {workdir / 'results.json'}   {time.time() - started:.0f} s")
    return app.DONE


def _techniques(values: dict[str, Any]) -> dict[Any, tuple[float, ...]]:
    """The techniques that were asked for, each with its grid, () meaning the default one."""
    names = list(DEFAULT_TECHNIQUES)
    if values["techniques"] is not None:
        # An empty list leaves the penalties that are tried alone.
        names = [part.strip() for part in values["techniques"].split(",") if part.strip() or not values["try_penalty"]]
    for name in names:
        flags.check(name in TECHNIQUES, "techniques", f"{name!r} is not known; accepted: {', '.join(TECHNIQUES)}")
    grids: dict[Any, tuple[float, ...]] = dict.fromkeys(names, ())
    for item in values["grid"]:
        name, _, text = item.partition("=")
        flags.check(name in grids, "grid", f"{name!r} is not among --techniques: {', '.join(names)}")
        grids[name] = flags.about("grid", functools.partial(_numbers, text))
    return grids


def _numbers(text: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise ValueError("write NAME=NUMBER,NUMBER,...") from None
    if any(not 0 < number < float("inf") for number in numbers):
        raise ValueError("grid values must be finite and > 0")
    return numbers
