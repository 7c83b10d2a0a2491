"""Sweep hyperparameters over seeds: every combination of the given values, one compiled program.

  python -m experiments.sweep --sweep=l2='logspace(-5,-1,9)' --seeds=3 --workdir=runs/sweep

Writes results.json, lanes.csv and report.html into --workdir; about 20 seconds with this command on two cores. A
sweep that was stopped (exit code 75) goes on with --resume. Scores are on validation; the test part is not touched.
--sweep takes NAME=logspace(LOW,HIGH,COUNT) with exponents of ten, NAME=linspace(LOW,HIGH,COUNT) or NAME=VALUE,VALUE,...
for l1, l2, penalty and output_penalty (factors on the strengths of the flag), sam, gradient_noise, dropout and the
other noises, learning_rate, label_smoothing, mixup, cutmix, augment (strength), patience, min_delta or train_examples.
"""

from __future__ import annotations

import csv
import itertools
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regjax.catalog import NOISES, NUMBERS
from regjax.cli import app, cluster, flags, workdirs

if TYPE_CHECKING:
    from regjax.training.run import RunResult

NAMES = (
    "l1", "l2", "penalty", "output_penalty", "sam", "gradient_noise", *NOISES, "learning_rate", "label_smoothing",
    "mixup", "cutmix", "augment", "patience", "min_delta", "train_examples",
)  # fmt: skip
FACTORS = ("penalty", "output_penalty")  # sweeping these multiplies the strengths of the flag
WHOLE = ("patience", "train_examples")
BELOW_ONE = tuple(name for name, method in (NOISES | NUMBERS).items() if method.high_open)
MAX_LANES = 100_000
LAYOUTS = ("auto", "map", "vmap")
# What may differ between a sweep and its resumption. The layout may not: side by side, sums have another order.
FREE = {"workdir", "overwrite", "resume", "data_dir", "explain_plan", "memory_limit", "workers"}


def define_flags() -> None:
    """The flags of the command."""
    flags.define_data("runs/sweep")
    flags.define_training("50")
    flags.define_stopping()
    flags.switch("stopping", "restore_best", True, "end with the weights of the best evaluation")
    flags.repeated("sweep", "sweep", "NAME=logspace(-6,-1,11), NAME=linspace(0,0.8,5) or NAME=0.1,0.2; may be repeated")
    flags.whole("sweep", "seeds", 1, "seeds for each combination")
    flags.switch("run", "resume", False, "go on with the sweep in --workdir; finished runs are not repeated")
    flags.choice(
        "devices", "layout", "auto", LAYOUTS, "runs one by one on each core, or side by side; default by device"
    )
    flags.whole("devices", "chunk", None, "runs side by side at most; default 64, fewer if memory is short")
    flags.whole("devices", "workers", None, "runs at a time; default one per core on CPU, one per device elsewhere")
    flags.text("devices", "memory_limit", "80%", "of a device's memory that may be used, or a size as 6GiB")
    flags.switch(
        "devices", "compact", True, "let a run that stops early make room for another, where they are side by side"
    )
    flags.switch("devices", "explain_plan", False, "print how the runs are laid out, the memory they take, and why")
    cluster.define(data_devices=True)


def parse_sweep(text: str) -> tuple[str, list[float]]:
    """`"l2=logspace(-6,-1,11)"` as a name and its values; nothing is evaluated.

    Raises:
      ValueError: what is wrong with it.
    """
    name, equals, body = (part.strip() for part in text.partition("="))
    if not equals or name not in NAMES:
        raise ValueError(f"{name!r} cannot be swept; accepted: {', '.join(NAMES)}")
    spaced = re.fullmatch(r"(logspace|linspace)\(\s*([^,]+),([^,]+),\s*(\d+)\s*\)", body)
    try:
        if spaced:
            low, high, count = float(spaced[2]), float(spaced[3]), int(spaced[4])
            if not 1 <= count <= MAX_LANES:
                raise ValueError
            steps = [low + (high - low) * i / max(count - 1, 1) for i in range(count)]
            values = [10.0**step for step in steps] if spaced[1] == "logspace" else steps
        else:
            values = [float(part) for part in body.split(",")]
    except (ValueError, OverflowError):
        raise ValueError(f"{body!r}: write logspace(LOW,HIGH,COUNT), linspace(LOW,HIGH,COUNT) or VALUE,VALUE") from None
    if name in WHOLE:
        values = [float(round(value)) if abs(value) < 2**31 else value for value in values]
    low_end = 1.0 if name == "train_examples" else 0.0
    for value in values:
        bad = not low_end <= value < (1.0 if name in BELOW_ONE else 2**31 - 1)
        if bad or (name == "learning_rate" and value == 0):
            accepted = "in [0, 1)" if name in BELOW_ONE else "> 0" if name == "learning_rate" else f">= {low_end:g}"
            raise ValueError(f"{name} must be {accepted}, got {value:g}")
    if len(set(values)) < len(values):
        raise ValueError(f"{name} has a value twice")
    return name, values


def main() -> int:
    """Run the experiment; returns the exit code."""
    started = time.time()
    values = flags.values()
    values["epochs"] = values["epochs"] or 50
    cluster.first(lambda: workdirs.check(values, "sweep"))
    workdir = Path(values["workdir"]).expanduser()
    swept = _swept(values)
    flags.check_stopping(values, swept)
    if values["resume"] and workdirs.is_finished(values, "sweep", FREE):
        print(f"{workdir}: this sweep is finished; nothing to do")
        return app.DONE

    import jax

    from regjax.cli import setup
    from regjax.cli.progress import Bar
    from regjax.core.mesh import make_mesh
    from regjax.report import write_sweep_report
    from regjax.sweeps import Lane, LaneStore, plan_lanes, run_lanes
    from regjax.training.compilations import CompilationCounter
    from regjax.training.evaluate import SCORE
    from regjax.training.run import make_run

    loaded = setup.load(values)
    known = setup.facts(loaded.splits)
    for size in swept.get("train_examples", []):
        flags.check(size <= known["pool"], "sweep", f"train_examples must be at most {known['pool']}")
    spec = setup.make_spec(values, known, loaded)
    seeds = list(range(values["seed"], values["seed"] + values["seeds"]))
    arrays = setup.train_data(loaded, values, seeds, validation="all")
    setup.check_regularizers(values, spec, arrays.x, present=tuple(swept))
    run = make_run(spec)
    points = [dict(zip(swept, point, strict=True)) for point in itertools.product(*swept.values())]
    lanes = [
        Lane(
            run,
            setup.hparams_of(values | _typed(point), known, values["restore_best"], present=tuple(swept)),
            jax.random.key(seed),
            i,
        )
        for point in points
        for i, seed in enumerate(seeds)
    ]
    layout = {name: values[name] for name in ("layout", "chunk", "workers", "memory_limit", "compact")}
    share = values["data_devices"]
    layout["mesh"] = None if share == 1 else flags.about("data_devices", lambda: make_mesh(data=share))
    with CompilationCounter() as compilations:
        plan = flags.about("memory_limit", lambda: plan_lanes(lanes, arrays, **layout))
        if values["explain_plan"]:
            print(plan.describe())
        app.terminate_as_interrupt()
        with workdirs.unfinished(values, "sweep") as directory, Bar("runs", len(plan.share.lanes)) as bar:
            done = itertools.count(1)
            results = run_lanes(
                lanes,
                arrays,
                keep_weights=False,  # the table needs none, and memory must not grow with the lanes
                store=LaneStore(directory / "lanes"),
                on_done=lambda i, result, seconds: bar.update(next(done), ""),
                **layout,
            )
    if not cluster.leads():
        return app.DONE
    table = _table(results, points, seeds, spec.task)
    content = {
        "dataset": loaded.splits.name,
        "task": spec.task,
        "metric": SCORE[spec.task],
        "seeds": values["seeds"],
        "parameters": swept,
        "lanes": table,
        "plan": plan.to_json(),
        "processes": cluster.count(),
        "compilations": compilations.count,
        "compile_seconds": round(compilations.seconds, 3),
        "reproduce": app.reproduce("sweep", started),
    }
    with workdirs.written_aside(workdir) as aside:
        workdirs.write_json(aside / "config.json", {"experiment": "sweep", "flags": values})
        workdirs.write_json(aside / "results.json", content)
        with (aside / "lanes.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
        write_sweep_report(content, aside)
    best = _best(points, table, len(seeds))
    print(f"best of {len(points)} settings on validation: {best}")
    print(f"{compilations.describe()}; {time.time() - started:.0f} s in all")
    print(f"report: {workdir / 'report.html'}   runs: {workdir / 'lanes.csv'}")
    return app.DONE


def _swept(values: dict[str, Any]) -> dict[str, list[float]]:
    """The values of --sweep by name, checked."""
    flags.check(bool(values["sweep"]), "sweep", "give at least one, as --sweep=l2='logspace(-6,-1,11)'")
    swept = dict(flags.about("sweep", lambda: [parse_sweep(text) for text in values["sweep"]]))
    flags.check(len(swept) == len(values["sweep"]), "sweep", "a name is given twice")
    count = values["seeds"]
    for grid in swept.values():
        count *= len(grid)
    flags.check(count <= MAX_LANES, "sweep", f"{count} runs are too many; at most {MAX_LANES}")
    if "augment" in swept:
        values["augment"] = values["augment"] or "default"
    for name in FACTORS:
        needed = name not in swept or bool(values[name])
        flags.check(needed, "sweep", f"{name} multiplies the strengths of --{name}; give one")
    return swept


def _table(
    results: Sequence[RunResult], points: list[dict[str, float]], seeds: list[int], task: str
) -> list[dict[str, Any]]:
    """One row for each lane."""
    from regjax.stopping import REASONS
    from regjax.training.evaluate import SCORE

    table = []
    for result, (point, seed) in zip(results, itertools.product(points, seeds), strict=True):
        end = int(result.end_epoch)
        row = {name: float(column[end]) for name, column in result.history.values.items()}
        table.append(
            app.without_nan(
                {
                    **point,
                    "seed": seed,
                    "val_score": row[f"val/{SCORE[task]}"],
                    "val_loss": row["val/loss"],
                    "train_score": row[f"train/{SCORE[task]}"],
                    "train_loss": row["train/data_loss"],
                    "epochs": int(result.epochs),
                    "best_epoch": int(result.best_epoch),
                    "status": "diverged" if REASONS[int(result.reason)] == "diverged" else "completed",
                }
            )
        )
    return table


def _typed(point: dict[str, float]) -> dict[str, Any]:
    """A point as values of flags; strengths of augmentation and penalty are not their texts."""
    typed: dict[str, Any] = {name: int(value) if name in WHOLE else value for name, value in point.items()}
    if "augment" in typed:
        typed["augment_strength"] = typed.pop("augment")
    for name in FACTORS:
        if name in typed:
            typed[f"{name}_factor"] = typed.pop(name)
    return typed


def _best(points: list[dict[str, float]], table: list[dict[str, Any]], seeds: int) -> str:
    import numpy as np

    scores = [[row["val_score"] for row in table[i * seeds : (i + 1) * seeds]] for i in range(len(points))]
    means = [np.mean([-np.inf if s is None else s for s in row]) for row in scores]
    index = int(np.argmax(means))
    setting = ", ".join(f"{name}={value:g}" for name, value in points[index].items())
    return f"{setting} with mean score {means[index]:.4f} over {seeds} seed{'s' if seeds > 1 else ''}"
