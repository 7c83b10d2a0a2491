"""Train a regularization path: one net for each strength, which starts from the net of the strength before.

  regjax path --dataset=breast_cancer --path=l1='logspace(-5,0,16)' --penalty_mode=proximal --workdir=runs/path

Writes results.json, path.csv and report.html into --workdir; this command takes about 25 seconds on two cores. Use
--resume to continue paths that were interrupted (exit code 75). From weak to strong, a penalty takes weights away from
a net that fits; from strong to weak, it lets them in. --epochs are those of each strength, so a point that comes later
has trained longer; every path has a control, which trains for the same epochs with the regularizer off. Scores are on
the validation set; the test set is not used. --path takes values as --sweep of `sweep` does, of one regularizer that is
off at 0.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regjax.catalog import LOSSES, PATH_ORDERS, default_metric
from regjax.cli import app, flags, sweep_table, workdirs
from regjax.cli.grid import REGULARIZERS, Point
from regjax.cli.grid_text import FACTORS, as_options, parse_sweep
from regjax.cli.options import RunOptions
from regjax.cli.path_points import CONTROL, content_of
from regjax.core.options import choice, text, whole

if TYPE_CHECKING:
    from regjax.cli.sweep_runs import SeedRuns, SweepRun
    from regjax.sweeps import Path as Trained
    from regjax.training.spec import Hparams, Spec

MOST_FEATURES = 500
"""Of more features, no paths are written."""


@dataclasses.dataclass(frozen=True)
class Config(RunOptions):
    """The options of the command."""

    workdir: str = text("data", "runs/path", "where the results go", fixed=False)
    epochs: int = whole("training", 20, "passes over the training examples for each strength at most")
    path: str = text("path", "", "NAME=logspace(-6,-1,11), NAME=linspace(0,0.8,5) or NAME=0.1,0.2")
    order: str = choice("path", "both", ("both", *PATH_ORDERS), "from weak to strong (up), from strong to weak (down)")
    seeds: int = whole("path", 6, "paths of each order, from --seed on")


@dataclasses.dataclass(frozen=True)
class _Prepared:
    """What is known before the first path."""

    config: Config
    name: str
    values: list[float]  # ascending
    spec: Spec
    runs: SeedRuns
    columns: tuple[str, ...] | None  # those of which the paths are written


def main(config: Config) -> int:
    """Check the flags, train the paths, and write the results; returns the exit code."""
    started = time.time()
    workdirs.check(config, "path")
    workdir = Path(config.workdir).expanduser()
    name, values = _values(config)
    if name == "augment":
        config = dataclasses.replace(config, augment=config.augment or "default")
    flags.check_stopping(config, {name: values})
    if config.resume and workdirs.is_finished(config, "path"):
        print(f"{workdir}: these paths are finished; nothing to do")
        return app.DONE

    from regjax.report import write_path_report
    from regjax.report.path_words import path_sentences

    prepared = _prepared(config, name, values)
    rows = _train(prepared)
    if prepared.columns and f"norm of {prepared.columns[0]}" not in rows[0]:
        app.note("no paths of features: no weight matrix, or more than one, has a row for each of them")
    content = content_of(rows, name, values, prepared.columns, prepared.runs.examples[0], prepared.spec.task) | {
        "dataset": prepared.runs.loaded.splits.name,
        "metric": default_metric(prepared.spec.task, prepared.spec.loss),
        "loss": sweep_table.loss_entry(config, prepared.spec),
        "seeds": config.seeds,
        "reproduce": app.reproduce("path", started),
    }
    with workdirs.written_aside(workdir) as aside:
        workdirs.write_json(aside / "config.json", {"experiment": "path", "flags": config.to_json()})
        workdirs.write_json(aside / "results.json", content)
        sweep_table.write_csv(aside / "path.csv", rows)
        write_path_report(content, aside)
    print("\n".join(path_sentences(content)))
    print(f"report: {workdir / 'report.html'}   points: {workdir / 'path.csv'}   {time.time() - started:.0f} s")
    return app.DONE


def _values(config: Config) -> tuple[str, list[float]]:
    """Return the name and the ascending values of --path."""
    flags.check(bool(config.path), "path", "give one, as --path=l1='logspace(-5,-1,9)'")
    name, values = flags.about("path", lambda: parse_sweep(config.path))
    flags.check(name in REGULARIZERS, "path", f"{name} is not off at 0; accepted: {', '.join(REGULARIZERS)}")
    flags.check(len(values) > 1, "path", "a path has at least two values")
    needed = name not in FACTORS or bool(getattr(config, name))
    flags.check(needed, "path", f"{name} multiplies the strengths of --{name}; give one")
    return name, sorted(values)


def _prepared(config: Config, name: str, values: list[float]) -> _Prepared:
    """Load the data, and check sizes and regularizers against them."""
    from regjax.cli import setup
    from regjax.cli.regularizers import check_regularizers
    from regjax.cli.sweep_runs import SeedRuns

    loaded = setup.load(config, config.split_seed, link=config.link)
    setup.check_sizes(config, loaded.splits)
    runs = SeedRuns(config, loaded, range(config.seed, config.seed + config.seeds))
    spec = setup.make_spec(config, runs.facts, loaded)
    check_regularizers(config, spec, loaded.preprocessor.transform(loaded.splits.x_train[:1]), present=[name])
    columns = loaded.splits.columns
    known = columns is not None and len(columns) <= MOST_FEATURES and loaded.splits.kind == "table"
    return _Prepared(config, name, values, spec, runs, columns if known else None)


def _train(prepared: _Prepared) -> list[dict[str, Any]]:
    """Train the paths and controls that are not there yet, and return the rows of all of them, one for each point."""
    from regjax.cli.progress import Bar
    from regjax.core.rng import run_key
    from regjax.sweeps import path
    from regjax.training.run import make_run

    config, run, rows = prepared.config, make_run(prepared.spec), []
    orders = PATH_ORDERS if config.order == "both" else (config.order,)
    paths = list(itertools.product((*orders, CONTROL), prepared.runs.runs))
    app.terminate_as_interrupt()
    with workdirs.unfinished(config, "path") as directory, Bar("paths", len(paths)) as bar:
        for number, (order, one) in enumerate(paths, 1):
            file = directory / f"{order}-{one.seed}.json"
            if not file.exists():
                values = _in_order(prepared.values, order)
                hparams, unit = _hparams(prepared, one, values)
                made = path(run, hparams, run_key(one.seed), prepared.runs.arrays, seed=one.row)
                workdirs.write_json(file, _rows(prepared, one, order, values, made, unit))
            rows += json.loads(file.read_text())
            bar.update(number, f"{order}, seed {one.seed}")
    return rows


def _in_order(values: list[float], order: str) -> list[float]:
    """Return the values of a path in the order of training."""
    if order == CONTROL:
        return [0.0] * len(values)
    return values if order == "up" else values[::-1]


def _hparams(prepared: _Prepared, one: SweepRun, values: Sequence[float]) -> tuple[Hparams, float]:
    """Return the stacked hyperparameters of a path, and the factor that gives losses of all seeds one unit."""
    from regjax.cli import setup
    from regjax.training.spec import stack_hparams

    config, own = prepared.config, prepared.runs.preprocessor(one, prepared.config.train_examples)
    made = [
        setup.hparams_of(
            dataclasses.replace(config, **as_options(config, {prepared.name: value})),
            prepared.runs.facts,
            restore_best=False,
            standardization=own.standardization,
            augment=value if prepared.name == "augment" else 1.0,
            present=[prepared.name],
        )
        for value in values
    ]
    return stack_hparams(made), own.loss_unit(prepared.runs.loaded.preprocessor, LOSSES[prepared.spec.loss].power)


def _rows(
    prepared: _Prepared, one: SweepRun, order: str, values: Sequence[float], made: Trained, unit: float
) -> list[dict[str, Any]]:
    """Return a row for each point of a path, in the order of training."""
    import jax
    import numpy as np

    host = jax.tree.map(np.asarray, made)
    results = [jax.tree.map(lambda leaf, i=i: leaf[i], host.result) for i in range(len(values))]
    points = [Point({prepared.name: value}, value == 0) for value in values]
    score = sweep_table.scores_of(prepared.config, prepared.spec, prepared.runs)[one.row]
    rows = sweep_table.rows_of(results, points, [one], [score], [unit] * len(values))
    dropped = ("reference", "best_epoch", "val_score_last")
    out, epochs = [], 0
    for i, row in enumerate(rows):
        epochs += row["epochs"]
        kept = {name: value for name, value in row.items() if name not in dropped}
        # Weights that are not finite have no share of zeros.
        zeros = float(host.zeros[i]) if np.isfinite(host.norm[i]) else None
        kept = {"order": order} | kept | {"total_epochs": epochs, "zeros": zeros, "norm": float(host.norm[i])}
        if prepared.columns is not None and host.inputs is not None:
            names = (f"norm of {column}" for column in prepared.columns)
            kept |= dict(zip(names, map(float, host.inputs[i]), strict=True))
        out.append(app.without_nan(kept))
    return out
