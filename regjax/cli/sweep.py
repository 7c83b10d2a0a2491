"""Sweep hyperparameters over seeds: train every combination of the given values with one compiled program.

  regjax sweep --sweep=l2='logspace(-5,-1,9)' --seeds=3 --workdir=runs/sweep

Writes results.json, lanes.csv and report.html into --workdir; this command takes about 20 seconds on two cores. Use
--resume to continue a sweep that was interrupted (exit code 75). Scores are on the validation set, or with --cv=5 on
the folds of a cross-validation; the test set is not used. Beside the combinations, the reference is trained, in which
every swept regularizer is off. The last lines are the command that compares the best setting with the reference on the
test set.
--sweep takes NAME=logspace(LOW,HIGH,COUNT) with exponents of ten, NAME=linspace(LOW,HIGH,COUNT) or NAME=VALUE,VALUE,...
for l1, l2, penalty and output_penalty (factors on the strengths of the flag), sam, gradient_noise, dropout and the
other noises, learning_rate, label_smoothing, mixup, cutmix, augment (strength), patience, min_delta or train_examples.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regjax.catalog import LAYOUTS, LOSSES, default_metric
from regjax.cli import app, cluster, flags, sweep_table, workdirs
from regjax.cli.grid import Point, off_values, points_of
from regjax.cli.grid_text import FACTORS, MAX_LANES, as_options, parse_sweep
from regjax.cli.options import RunOptions, SharedBatchOptions
from regjax.core.options import choice, switch, text, texts, whole

if TYPE_CHECKING:
    from regjax.cli.setup import Facts, Loaded
    from regjax.cli.sweep_runs import FoldRuns, SeedRuns
    from regjax.sweeps import Lane, LanePlan
    from regjax.training.run import RunResult
    from regjax.training.spec import Spec


@dataclasses.dataclass(frozen=True)
class Config(SharedBatchOptions, RunOptions):
    """The options of the command."""

    workdir: str = text("data", "runs/sweep", "where the results go", fixed=False)
    epochs: int = whole("training", 50, "passes over the training examples at most")
    restore_best: bool = switch("stopping", True, "end with the weights of the best evaluation")
    sweep: tuple[str, ...] = texts(
        "sweep", "NAME=logspace(-6,-1,11), NAME=linspace(0,0.8,5) or NAME=0.1,0.2; may be repeated"
    )
    seeds: int = whole("sweep", 1, "seeds for each combination, from --seed on")
    cv: int | None = whole(
        "sweep",
        None,
        "folds of a cross-validation, which takes the place of the validation set; --seeds is how often it is repeated",
        low=2,
    )
    # The layout is fixed, because sums have another order if lanes run side by side.
    layout: str = choice("devices", "auto", LAYOUTS, "runs one by one on each core, or side by side; default by device")
    chunk: int | None = whole("devices", None, "runs side by side at most; default 64, fewer if memory is short")
    compact: bool = switch(
        "devices", True, "let a run that stops early make room for another, where they are side by side"
    )
    workers: int | None = whole(
        "devices", None, "runs at a time; default one per core on CPU, one per device elsewhere", fixed=False
    )
    memory_limit: str = text("devices", "80%", "of a device's memory that may be used, or a size as 6GiB", fixed=False)
    explain_plan: bool = switch(
        "devices", False, "print how the runs are laid out, the memory they take, and why", fixed=False
    )


@dataclasses.dataclass(frozen=True)
class _Prepared:
    """What is known before any run: options, data, specification and points, with the values of regularizers off."""

    config: Config
    swept: dict[str, list[float]]
    loaded: Loaded
    spec: Spec
    runs: SeedRuns | FoldRuns
    off: dict[str, float]
    points: list[Point]

    @property
    def facts(self) -> Facts:
        """Properties of the data as `train` splits them."""
        from regjax.cli.setup import Facts

        return Facts.of(self.loaded.splits)


def main(config: Config) -> int:
    """Check the flags, prepare data and lanes, run them, and write the results; returns the exit code."""
    started = time.time()
    cluster.first(lambda: workdirs.check(config, "sweep"))
    workdir = Path(config.workdir).expanduser()
    swept = _swept(config)
    if "augment" in swept:
        config = dataclasses.replace(config, augment=config.augment or "default")
    flags.check_stopping(config, swept)
    if config.resume and workdirs.is_finished(config, "sweep"):
        print(f"{workdir}: this sweep is finished; nothing to do")
        return app.DONE

    from regjax.report.sweep_words import sweep_sentences
    from regjax.training.compilations import CompilationCounter

    prepared = _prepared(config, swept)
    lanes, units = _lanes(prepared)
    with CompilationCounter() as compilations:
        results, plan = _run(prepared, lanes)
    if not cluster.leads():
        return app.DONE
    table = sweep_table.rows_of(
        results, prepared.points, prepared.runs.runs, sweep_table.scores_of(config, prepared.spec, prepared.runs), units
    )
    content = _content(prepared, table, plan) | {
        "compilations": compilations.count,
        "compile_seconds": round(compilations.seconds, 3),
        "reproduce": app.reproduce("sweep", started),
    }
    _write(config, workdir, content, table)
    print("\n".join(sweep_sentences(content)))
    print(f"{compilations.describe()}; {time.time() - started:.0f} s in all")
    print(f"report: {workdir / 'report.html'}   runs: {workdir / 'lanes.csv'}")
    return app.DONE


def _prepared(config: Config, swept: dict[str, list[float]]) -> _Prepared:
    """Load the data, and check sizes and regularizers against them."""
    from regjax.cli import setup
    from regjax.cli.final import with_validation
    from regjax.cli.regularizers import check_regularizers
    from regjax.cli.sweep_runs import FoldRuns, SeedRuns

    loaded = setup.load(config, config.split_seed, link=config.link)
    setup.check_sizes(config, (loaded if config.cv is None else with_validation(loaded)).splits)
    seeds = range(config.seed, config.seed + config.seeds)
    runs = SeedRuns(config, loaded, seeds) if config.cv is None else FoldRuns(config, loaded, seeds, config.cv)
    for size in swept.get("train_examples", []):
        flags.check(size <= runs.smallest, "sweep", f"train_examples must be at most {runs.smallest}")
    enough = config.train_examples is None or config.train_examples <= runs.smallest
    flags.check(enough, "train_examples", f"at most {runs.smallest} of {loaded.splits.name} are for training")
    spec = setup.make_spec(config, runs.facts, loaded)
    check_regularizers(config, spec, loaded.preprocessor.transform(loaded.splits.x_train[:1]), present=swept)
    off = off_values(list(swept), config.epochs)
    return _Prepared(config, swept, loaded, spec, runs, off, points_of(swept, off))


def _lanes(prepared: _Prepared) -> tuple[list[Lane], list[float]]:
    """Return a lane for each run of each point, and the factors that give their losses one unit."""
    from regjax.cli import setup
    from regjax.core.rng import run_key
    from regjax.sweeps import Lane
    from regjax.training.run import make_run

    config, run = prepared.config, make_run(prepared.spec)
    lanes: list[Lane] = []
    units, whole = [], prepared.runs.loaded.preprocessor
    for point in prepared.points:
        at_point = dataclasses.replace(config, **as_options(config, point.values))
        hparams_of = functools.cache(
            functools.partial(
                setup.hparams_of,
                at_point,
                restore_best=config.restore_best,
                standardization=None,
                augment=point.values.get("augment", 1.0),
                present=tuple(prepared.swept),
            )
        )
        for one in prepared.runs.runs:
            own = prepared.runs.preprocessor(one, at_point.train_examples)
            hparams = hparams_of(prepared.runs.facts_of(one))._replace(standardization=own.standardization)
            units.append(own.loss_unit(whole, LOSSES[prepared.spec.loss].power))
            lanes.append(Lane(run, hparams, run_key(one.seed), one.row))
    return lanes, units


def _run(prepared: _Prepared, lanes: list[Lane]) -> tuple[list[RunResult], LanePlan]:
    """Plan the layout of the lanes and train them; return the results and the plan."""
    from regjax.cli.progress import Bar
    from regjax.core.mesh import make_mesh
    from regjax.sweeps import LaneStore, plan_lanes, run_lanes

    config, mesh = prepared.config, None
    if config.data_devices > 1:
        mesh = flags.about("data_devices", lambda: make_mesh(data=config.data_devices))
    layout: dict[str, Any] = {name: getattr(config, name) for name in ("layout", "chunk", "workers", "memory_limit")}
    layout |= {"compact": config.compact, "mesh": mesh}
    plan = flags.about("memory_limit", lambda: plan_lanes(lanes, prepared.runs.arrays, **layout))
    if config.explain_plan:
        print(plan.describe())
    app.terminate_as_interrupt()
    with workdirs.unfinished(config, "sweep") as directory, Bar("runs", len(plan.share.lanes)) as bar:
        done = itertools.count(1)
        results = run_lanes(
            lanes,
            prepared.runs.arrays,
            keep_weights=False,  # the table does not need them, and memory must not grow with the number of lanes
            store=LaneStore(directory / "lanes"),
            on_done=lambda i, result, seconds: bar.update(next(done), ""),
            **layout,
        )
    return results, plan


def _content(prepared: _Prepared, table: list[dict[str, Any]], plan: LanePlan) -> dict[str, Any]:
    """Return the content of `results.json`, except what depends on the time."""
    from regjax.cli.repeat import train_command
    from regjax.cli.settings import settings_of

    config, spec, points, off = prepared.config, prepared.spec, prepared.points, prepared.off
    runs = prepared.runs
    commands = [
        train_command(config, _train_options(config, point, spec.steps_per_epoch), one.seed, f"runs/repeat/run-{i}")
        if runs.cross_validation is None
        else None  # train has no folds
        for i, (point, one) in enumerate(itertools.product(points, runs.runs))
    ]
    examples = runs.examples if spec.task == "classification" else None
    found = settings_of(table, points, off, examples, runs.cross_validation)
    return {
        "dataset": prepared.loaded.splits.name,
        "task": spec.task,
        "metric": default_metric(spec.task, spec.loss),
        "loss": sweep_table.loss_entry(config, spec),
        "seeds": config.seeds,
        "parameters": prepared.swept,
        "validation_examples": runs.examples[0] if runs.cross_validation is None else runs.cross_validation.examples,
        "cross_validation": runs.cross_validation and runs.cross_validation._asdict(),
        **found,
        "confirm": _confirm(config, found, points, off, prepared.facts, spec.steps_per_epoch),
        "restore_best": config.restore_best,
        **sweep_table.epoch_choice(table, epochs=config.epochs, restore_best=config.restore_best),
        "lanes": [row | {"command": command} for row, command in zip(table, commands, strict=True)],
        "plan": plan.to_json(),
        "processes": cluster.count(),
    }


def _write(config: Config, workdir: Path, content: dict[str, Any], table: list[dict[str, Any]]) -> None:
    """Write the files of the sweep, which appear together."""
    from regjax.report import write_sweep_report

    with workdirs.written_aside(workdir) as aside:
        workdirs.write_json(aside / "config.json", {"experiment": "sweep", "flags": config.to_json()})
        workdirs.write_json(aside / "results.json", content)
        sweep_table.write_csv(aside / "lanes.csv", table)
        write_sweep_report(content, aside)


def _swept(config: Config) -> dict[str, list[float]]:
    """Return the checked values of --sweep by name."""
    flags.check(bool(config.sweep), "sweep", "give at least one, as --sweep=l2='logspace(-6,-1,11)'")
    swept = dict(flags.about("sweep", lambda: [parse_sweep(one) for one in config.sweep]))
    flags.check(len(swept) == len(config.sweep), "sweep", "a name is given twice")
    count = config.seeds * (config.cv or 1)
    for grid in swept.values():
        count *= len(grid)
    flags.check(count <= MAX_LANES, "sweep", f"{count} runs are too many; at most {MAX_LANES}")
    for name in FACTORS:
        needed = name not in swept or bool(getattr(config, name))
        flags.check(needed, "sweep", f"{name} multiplies the strengths of --{name}; give one")
    return swept


def _train_options(config: Config, point: Point, steps_per_epoch: int) -> dict[str, Any]:
    """Return the options of `train` at a point."""
    values, options = point.values, as_options(config, point.values)
    options |= {"steps_per_epoch": steps_per_epoch} if "train_examples" in values else {}
    return options | ({"augment_strength": values["augment"]} if "augment" in values else {})


def _confirm(
    config: Config, found: dict[str, Any], points: Sequence[Point], off: dict[str, float], facts: Facts, steps: int
) -> dict[str, Any] | None:
    """Return the commands that confirm the best setting, and the position of the setting that they compare it with.

    None if no setting can be called best, or the best is the reference, whose gain is 0.
    """
    from regjax.cli.confirm import Setting, confirmation

    best = found["best"]
    if best is None or points[best["setting"]].reference:
        return None
    difference = found["settings"][best["setting"]]["over_reference"] or best["over_second"]
    other = None if difference is None else difference["setting"]

    def setting(i: int) -> Setting:
        return Setting(points[i].values, _train_options(config, points[i], steps))

    seeds = range(config.seed, config.seed + config.seeds)
    compared = None if other is None else setting(other)
    return {"with": other, **confirmation(config, seeds, setting(best["setting"]), compared, off, facts)}
