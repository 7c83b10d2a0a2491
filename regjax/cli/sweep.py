"""Sweep hyperparameters over seeds: train every combination of the given values with one compiled program.

  regjax sweep --sweep=l2='logspace(-5,-1,9)' --seeds=3 --workdir=runs/sweep
  regjax sweep --search=halving --sweep=l2='loguniform(1e-6,1e-1)' --sweep=dropout='uniform(0,0.8)' --cv=5

Writes results.json, lanes.csv and report.html into --workdir; this command takes about 20 seconds on two cores. Use
--resume to continue a sweep that was interrupted (exit code 75). Scores are on the validation set, or with --cv=5 on
the folds of a cross-validation; the test set is not used. Beside the combinations, the reference is trained, in which
every swept regularizer is off. The last lines are the command that compares the best setting with the reference on the
test set.
--sweep takes NAME=logspace(LOW,HIGH,COUNT) with exponents of ten, NAME=linspace(LOW,HIGH,COUNT) or NAME=VALUE,VALUE,...
for l1, l2, penalty and output_penalty (factors on the strengths of the flag), sam, gradient_noise, dropout and the
other noises, learning_rate, label_smoothing, mixup, cutmix, augment (strength), patience, min_delta or train_examples.
Other values of --search take NAME=uniform(LOW,HIGH), NAME=loguniform(LOW,HIGH), or a list of choices, and draw --trials
settings at random or by a Sobol sequence. Halving and asha train all for a few epochs and go on with the best ones;
optuna asks its TPE sampler (extra optuna). A trial is scored by the mean over its seeds or folds.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regjax.catalog import LAYOUTS, default_metric
from regjax.cli import app, cluster, flags, sweep_table, workdirs
from regjax.cli.grid import CONDITION, Point, off_values, points_of, references_for, trial_points
from regjax.cli.grid_text import FACTORS, MAX_LANES, as_options, parse_space, parse_sweep
from regjax.cli.search_options import SearchOptions, check_search
from regjax.core.extras import require
from regjax.core.options import choice, switch, text, texts, whole
from regjax.core.ranges import Range

if TYPE_CHECKING:
    from regjax.cli.setup import Facts, Loaded
    from regjax.cli.sweep_runs import FoldRuns, SeedRuns
    from regjax.cli.trials import Trained
    from regjax.sweeps import LanePlan
    from regjax.training.spec import Spec


@dataclasses.dataclass(frozen=True)
class Config(SearchOptions):
    """The options of the command."""

    workdir: str = text("data", "runs/sweep", "where the results go", fixed=False)
    sweep: tuple[str, ...] = texts(
        "sweep",
        "NAME=logspace(-6,-1,11), NAME=linspace(0,0.8,5) or NAME=0.1,0.2; of a --search also NAME=uniform(0,0.8) or "
        "NAME=loguniform(1e-6,1e-1), and NAME=optional(RANGE) leaves the regularizer out in half of the trials; may be "
        "repeated",
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
    """What is known before any run: options, data, specification, and the values of regularizers that are off."""

    config: Config
    swept: dict[str, list[float] | Range]
    loaded: Loaded
    spec: Spec
    runs: SeedRuns | FoldRuns
    off: dict[str, float]

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
    scores = sweep_table.scores_of(config, prepared.spec, prepared.runs)
    with CompilationCounter() as compilations:
        trained, units, plan = _run(prepared, scores)
    if not cluster.leads():
        return app.DONE
    results = list(itertools.chain(*trained.results))
    table = sweep_table.rows_of(results, trained.points, prepared.runs.runs, scores, units)
    content = _content(prepared, trained, table, plan) | {
        "compilations": compilations.count,
        "compile_seconds": round(compilations.seconds, 3),
        "reproduce": app.reproduce("sweep", started),
    }
    _write(config, workdir, content, table)
    print("\n".join(sweep_sentences(content)))
    print(f"{compilations.describe()}; {time.time() - started:.0f} s in all")
    print(f"report: {workdir / 'report.html'}   runs: {workdir / 'lanes.csv'}")
    return app.DONE


def _prepared(config: Config, swept: dict[str, list[float] | Range]) -> _Prepared:
    """Load the data, and check sizes and regularizers against them."""
    from regjax.cli import setup
    from regjax.cli.final import with_validation
    from regjax.cli.regularizers import check_regularizers
    from regjax.cli.sweep_runs import FoldRuns, SeedRuns

    loaded = setup.load(config, config.split_seed, link=config.link)
    setup.check_sizes(config, (loaded if config.cv is None else with_validation(loaded)).splits)
    seeds = range(config.seed, config.seed + config.seeds)
    runs = SeedRuns(config, loaded, seeds) if config.cv is None else FoldRuns(config, loaded, seeds, config.cv)
    for size in _values(swept.get(CONDITION, [])):
        flags.check(size <= runs.smallest, "sweep", f"train_examples must be at most {runs.smallest}")
    enough = config.train_examples is None or config.train_examples <= runs.smallest
    flags.check(enough, "train_examples", f"at most {runs.smallest} of {loaded.splits.name} are for training")
    spec = setup.make_spec(config, runs.facts, loaded)
    check_regularizers(config, spec, loaded.preprocessor.transform(loaded.splits.x_train[:1]), present=swept)
    off = off_values(list(swept), config.epochs)
    return _Prepared(config, swept, loaded, spec, runs, off)


def _run(prepared: _Prepared, scores: list[sweep_table.Score]) -> tuple[Trained, list[float], LanePlan]:
    """Plan the layout of the lanes and train them.

    Returns:
      What was trained, the factors that give the losses of all runs one unit, and the plan.
    """
    from regjax.cli import trials
    from regjax.cli.sweep_lanes import SweepLanes
    from regjax.core.mesh import make_mesh
    from regjax.sweeps import plan_lanes

    config, off, mesh = prepared.config, prepared.off, None
    if config.data_devices > 1:
        mesh = flags.about("data_devices", lambda: make_mesh(data=config.data_devices))
    layout: dict[str, Any] = {name: getattr(config, name) for name in ("layout", "chunk", "workers", "memory_limit")}
    layout |= {"compact": config.compact, "mesh": mesh}
    lanes = SweepLanes(config, prepared.spec, prepared.runs, prepared.swept)
    ahead = config.search in ("grid", "random", "sobol")  # all points are known
    points, count = _points(prepared)
    planned = [lane for point in points for lane in lanes.of(point)]
    if not ahead:  # the first trial stands for those that are under way together
        planned *= config.trial_count(prepared.swept) if config.search == "halving" else config.places_or_default
    predict = ahead or config.explain_plan
    plan = flags.about("memory_limit", lambda: plan_lanes(planned, prepared.runs.arrays, **layout, predict=predict))
    if config.explain_plan:
        print(plan.describe())
    app.terminate_as_interrupt()
    with workdirs.unfinished(config, "sweep") as directory:
        trainer = trials.Trainer(lanes, scores, layout, directory)
        if ahead:
            trained = trials.train_grid(trainer, points, count)
        else:
            trained = trials.train_trials(trainer, config, prepared.swept, off)
    return trained, [unit for point in trained.points for unit in lanes.units(point)], plan


def _points(prepared: _Prepared) -> tuple[list[Point], int]:
    """The points that are known before any run, and how many of them are not added as references.

    Where a search halts trials or asks for them, this is one that stands for all.
    """
    config, swept, off = prepared.config, prepared.swept, prepared.off
    if config.search == "grid":
        grid = {name: _values(values) for name, values in swept.items()}
        return points_of(grid, off), math.prod(map(len, grid.values()))
    from regjax.cli.trials import points_before

    if config.search == "optuna":
        low = {name: values.low if isinstance(values, Range) else values[0] for name, values in swept.items()}
        return [Point(low, False)], 1
    points = trial_points(points_before(config, swept), off)
    if config.search in ("halving", "asha"):
        return points[:1], 1
    return [*points, *references_for(points, off, points)], len(points)


def _content(prepared: _Prepared, trained: Trained, table: list[dict[str, Any]], plan: LanePlan) -> dict[str, Any]:
    """Return the content of `results.json`, except what depends on the time."""
    from regjax.cli.repeat import train_command
    from regjax.cli.settings import settings_of
    from regjax.cli.trials import search_entry

    config, spec, points, off = prepared.config, prepared.spec, trained.points, prepared.off
    runs, each = prepared.runs, len(prepared.runs.runs)
    whole = [i // each in trained.finished for i in range(len(table))]
    commands = [
        train_command(config, _train_options(config, point, spec.steps_per_epoch), one.seed, f"runs/repeat/run-{i}")
        if runs.cross_validation is None and whole[i]
        else None  # train has no folds, and halts no run
        for i, (point, one) in enumerate(itertools.product(points, runs.runs))
    ]
    examples = runs.examples if spec.task == "classification" else None
    found = settings_of(table, points, off, examples, runs.cross_validation, trained.finished)
    tried = {
        name: sorted({point.values[name] for point in points[: trained.trials]})
        if isinstance(values, Range)
        else values
        for name, values in prepared.swept.items()
    }
    return {
        "dataset": prepared.loaded.splits.name,
        "task": spec.task,
        "metric": default_metric(spec.task, spec.loss),
        "loss": sweep_table.loss_entry(config, spec),
        "seeds": config.seeds,
        "parameters": tried,
        "search": search_entry(config, prepared.swept, trained, spec.steps_per_epoch, each),
        "validation_examples": runs.examples[0] if runs.cross_validation is None else runs.cross_validation.examples,
        "cross_validation": runs.cross_validation and runs.cross_validation._asdict(),
        **found,
        "confirm": _confirm(config, found, points, off, prepared.facts, spec.steps_per_epoch),
        "restore_best": config.restore_best,
        **sweep_table.epoch_choice(
            [row for row, ended in zip(table, whole, strict=True) if ended],
            epochs=config.epochs,
            restore_best=config.restore_best,
        ),
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


def _swept(config: Config) -> dict[str, list[float] | Range]:
    """Return the checked values of --sweep by name."""
    flags.check(bool(config.sweep), "sweep", "give at least one, as --sweep=l2='logspace(-6,-1,11)'")
    parse = parse_sweep if config.search == "grid" else parse_space
    swept: dict[str, list[float] | Range] = dict(flags.about("sweep", lambda: [parse(one) for one in config.sweep]))
    flags.check(len(swept) == len(config.sweep), "sweep", "a name is given twice")
    check_search(config, swept)
    if config.search == "optuna":
        require("optuna", extra="optuna")
    count = config.seeds * (config.cv or 1) * config.trial_count(swept)
    flags.check(count <= MAX_LANES, "sweep", f"{count} runs are too many; at most {MAX_LANES}")
    for name in FACTORS:
        needed = name not in swept or bool(getattr(config, name))
        flags.check(needed, "sweep", f"{name} multiplies the strengths of --{name}; give one")
    return swept


def _values(values: list[float] | Range) -> list[float]:
    """The values of a list, which those of a grid and of the number of training examples are."""
    assert not isinstance(values, Range)
    return values


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
