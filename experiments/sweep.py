"""Sweep hyperparameters over seeds: every combination of the given values, one compiled program.

  python -m experiments.sweep --sweep=l2='logspace(-5,-1,9)' --seeds=3 --workdir=runs/sweep

Writes results.json, lanes.csv and report.html into --workdir; about 20 seconds with this command on two cores. Scores
are on validation; the test part is not touched. --sweep takes NAME=logspace(LOW,HIGH,COUNT) with exponents of ten,
NAME=linspace(LOW,HIGH,COUNT) or NAME=VALUE,VALUE,... for l1, l2, penalty and output_penalty (factors on the strengths
of the flag), sam, gradient_noise, dropout and the other noises, learning_rate, label_smoothing, mixup, cutmix, augment
(strength), patience, min_delta or train_examples.
"""

from __future__ import annotations

import csv
import itertools
import re
import time
from typing import Any

from experiments import app, flags

NAMES = (
    "l1", "l2", "penalty", "output_penalty", "sam", "gradient_noise", *flags.NOISES, "learning_rate", "label_smoothing",
    "mixup", "cutmix", "augment", "patience", "min_delta", "train_examples",
)  # fmt: skip
FACTORS = ("penalty", "output_penalty")  # sweeping these multiplies the strengths of the flag
WHOLE = ("patience", "train_examples")
BELOW_ONE = ("label_smoothing", *(name for name, (_, fraction) in flags.NOISES.items() if fraction))
MAX_LANES = 100_000

flags.define_data("runs/sweep")
flags.define_training("50")
flags.define_stopping()
flags.switch("stopping", "restore_best", True, "end with the weights of the best evaluation")
flags.repeated("sweep", "sweep", "NAME=logspace(-6,-1,11), NAME=linspace(0,0.8,5) or NAME=0.1,0.2; may be repeated")
flags.whole("sweep", "seeds", 1, "seeds for each combination")


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
    workdir = app.check_workdir(values["workdir"], overwrite=values["overwrite"])
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

    import jax
    import numpy as np

    from experiments import setup
    from experiments.progress import Bar
    from regjax.evaluate import SCORE
    from regjax.report import write_sweep_report
    from regjax.run import make_run
    from regjax.stopping import REASONS
    from regjax.sweep import Lane, run_lanes

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
    with Bar("runs", len(lanes)) as bar:
        done = itertools.count(1)
        results = run_lanes(lanes, arrays, on_done=lambda i, result, seconds: bar.update(next(done), ""))

    metric = SCORE[spec.task]
    table = []
    for result, (point, seed) in zip(results, itertools.product(points, seeds), strict=True):
        end = int(result.end_epoch)
        row = {name: float(column[end]) for name, column in result.history.values.items()}
        table.append(
            app.without_nan(
                {
                    **point,
                    "seed": seed,
                    "val_score": row[f"val/{metric}"],
                    "val_loss": row["val/loss"],
                    "train_score": row[f"train/{metric}"],
                    "train_loss": row["train/data_loss"],
                    "epochs": int(result.epochs),
                    "best_epoch": int(result.best_epoch),
                    "status": "diverged" if REASONS[int(result.reason)] == "diverged" else "completed",
                }
            )
        )
    content = {
        "dataset": loaded.splits.name,
        "task": spec.task,
        "metric": metric,
        "seeds": values["seeds"],
        "parameters": swept,
        "lanes": table,
        "reproduce": app.reproduce("experiments.sweep", started),
    }
    with app.written_aside(workdir) as directory:
        app.write_json(directory / "config.json", {"experiment": "sweep", "flags": values})
        app.write_json(directory / "results.json", content)
        with (directory / "lanes.csv").open("w", newline="") as file:
            writer = csv.DictWriter(file, list(table[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(table)
        write_sweep_report(content, directory)
    best = _best(points, table, len(seeds), np)
    print(f"best of {len(points)} settings on validation: {best}")
    print(f"report: {workdir / 'report.html'}   runs: {workdir / 'lanes.csv'}   {time.time() - started:.0f} s")
    return app.DONE


def _typed(point: dict[str, float]) -> dict[str, Any]:
    """A point as values of flags; strengths of augmentation and penalty are not their texts."""
    typed: dict[str, Any] = {name: int(value) if name in WHOLE else value for name, value in point.items()}
    if "augment" in typed:
        typed["augment_strength"] = typed.pop("augment")
    for name in FACTORS:
        if name in typed:
            typed[f"{name}_factor"] = typed.pop(name)
    return typed


def _best(points: list[dict[str, float]], table: list[dict[str, Any]], seeds: int, np: Any) -> str:
    scores = [[row["val_score"] for row in table[i * seeds : (i + 1) * seeds]] for i in range(len(points))]
    means = [np.mean([-np.inf if s is None else s for s in row]) for row in scores]
    index = int(np.argmax(means))
    setting = ", ".join(f"{name}={value:g}" for name, value in points[index].items())
    return f"{setting} with mean score {means[index]:.4f} over {seeds} seed{'s' if seeds > 1 else ''}"


if __name__ == "__main__":
    app.run(main, __doc__ or "")
