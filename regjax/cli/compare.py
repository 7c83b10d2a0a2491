"""Compare techniques against overfitting: tune each on the validation set and evaluate it once on the test set.

  regjax compare --workdir=runs/compare

Writes results.json, table.csv, report.html, figures/, predictions.npz, flags/ (a flag file of train for each row, and
best.flags) and winner/ (the model of the row that is best on validation, which predict reads) into --workdir; one to
two minutes with the default flags on two cores. Use --resume to continue a comparison that was interrupted (exit code
75). All training examples are used, with their original labels. The embedded digits, which are the default, are a
demonstration of overfitting: 128 training examples, of which 10% have wrong labels, unless --train_examples and
--label_noise are given. A regularizer flag such as --l2 applies to every row, including the baseline.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from regjax.catalog import DEFAULT_TECHNIQUES, TECHNIQUES
from regjax.cli import app, cluster, flags, workdirs
from regjax.cli.options import DeviceOptions, RunOptions
from regjax.comparison.options import CompareOptions
from regjax.core.options import text, texts, whole

if TYPE_CHECKING:
    import flax.linen as nn

    from regjax.cli.setup import Facts
    from regjax.cli.train import Config as TrainConfig
    from regjax.comparison.budget import Forecast
    from regjax.comparison.techniques import Technique
    from regjax.core.typing import PenaltyMode, PyTree
    from regjax.data import Dataset

Techniques = dict[Any, tuple[float, ...]]  # the techniques with their grids, where () is the default grid


@dataclasses.dataclass(frozen=True)
class Config(CompareOptions, DeviceOptions, RunOptions):
    """The options of the command."""

    workdir: str = text("data", "runs/compare", "where the results go", fixed=False)
    epochs: int | None = whole(
        "training", None, "passes over the training examples at most; default at least 50, and 800 updates"
    )
    techniques: str | None = text(
        "compare", None, f"some of {','.join(TECHNIQUES)}; default the first {len(DEFAULT_TECHNIQUES)}"
    )
    grid: tuple[str, ...] = texts("compare", "strengths of a technique, as l2=0.001,0.01,0.1; may be repeated")
    try_penalty: tuple[str, ...] = texts(
        "compare", "a row for this penalty, at 0.01 to 100 times its strengths, by --penalty_mode; may be repeated"
    )


def main(config: Config) -> int:
    """Run the experiment; returns the exit code."""
    started = time.time()
    cluster.first(lambda: workdirs.check(config, "compare"))
    workdir = Path(config.workdir).expanduser()
    wanted = _techniques(config)
    flags.check_stopping(config, patience=10)
    if config.resume and workdirs.is_finished(config, "compare"):
        print(f"{workdir}: this comparison is finished; nothing to do")
        return app.DONE

    from regjax.analysis import write_predictions
    from regjax.cli.progress import Bar
    from regjax.cli.repeat import command_of
    from regjax.cli.winner import WINNER, next_commands, winner_of, write_flags, write_model
    from regjax.comparison.procedure import compare
    from regjax.report import write_compare_report
    from regjax.training.compilations import CompilationCounter

    model, dataset, wanted, options, facts = _prepared(config, wanted)
    app.terminate_as_interrupt()
    with (
        workdirs.unfinished(config, "compare") as directory,
        CompilationCounter() as compilations,
        Bar("runs", 0) as bar,
    ):
        result = compare(
            model,
            dataset,
            wanted,
            options,
            directory=directory / "lanes",
            announce=_announce,
            progress=lambda done, total, name: bar.update(done, name if len(name) <= 30 else f"{name[:29]}…", total),
        )
    if not cluster.leads():
        return app.DONE
    content = result.to_json()
    runs = _runs(content, config)
    for row in (content["baseline"], *content["techniques"].values()):
        if row["name"] in runs:
            row["commands"] = [command_of(run) for run in runs[row["name"]]]
    best = winner_of(content)
    steps = next_commands(config, best, content)
    content |= {"winner": {key: best[key] for key in ("name", "title")}, "next": steps}
    content |= {"reproduce": app.reproduce("compare", started)}
    content |= {"compilations": compilations.count, "compile_seconds": round(compilations.seconds, 3)}
    with workdirs.written_aside(workdir) as directory:
        workdirs.write_json(directory / "config.json", {"experiment": "compare", "flags": config.to_json()})
        workdirs.write_json(directory / "results.json", content)
        (directory / "table.csv").write_text(result.csv())
        write_flags(directory, runs, best["name"], best["kept_epochs"])
        write_model(directory, result, runs[best["name"]], best["name"], facts)
        _keep_validation(directory / WINNER, dataset)
        if result.predictions is not None:
            write_predictions(result.predictions, directory / "predictions.npz")
        write_compare_report(content, directory)
    print(result)
    print("\nnext:")
    for step in steps:
        print(f"  {step['what']}:\n    {step['command']}")
    print(f"\n{compilations.describe()}")
    print(f"report: {workdir / 'report.html'}   numbers: {workdir / 'results.json'}   {time.time() - started:.0f} s")
    return app.DONE


def _announce(forecast: Forecast) -> None:
    """Say what will be trained and how long it takes."""
    from regjax.report.words import duration

    cut = forecast.cut
    if cut is not None:
        strengths = "every strength" if cut.every == 1 else f"one of {cut.every} strengths"
        print(f"within the budget: {cut.seeds} runs of each setting, {strengths} of each grid", file=sys.stderr)
    runs = f"{forecast.runs} runs of {forecast.epochs} epochs"
    print(f"{runs}: about {duration(forecast.seconds)}", file=sys.stderr, flush=True)


def _keep_validation(directory: Path, dataset: Dataset) -> None:
    """Keep what the model of the winner says for the validation examples of its run, if there is a model."""
    from regjax import data
    from regjax.cli import held_out
    from regjax.cli.restored import restore

    if not directory.exists():
        return
    with contextlib.suppress(flags.FlagError):  # `predict` says why a model cannot be restored
        restored = restore(directory)
        options = restored.options
        splits = data.split(dataset, seed=options.split_seed, **options.fractions())
        held_out.write(directory, restored.model, splits)


def _prepared(config: Config, wanted: Techniques) -> tuple[nn.Module, Dataset, Techniques, CompareOptions, Facts]:
    """Prepare and check model, data, techniques and options before any run."""
    from regjax.cli import setup
    from regjax.cli.regularizers import check_regularizers, regularizer_arguments
    from regjax.cli.repeat import check_flags
    from regjax.comparison.data_defaults import batch_size_of
    from regjax.comparison.plan import technique_context
    from regjax.comparison.registry import resolve

    loaded = setup.load(config, config.split_seed, link=config.link)
    setup.check_sizes(config, loaded.splits)
    size = batch_size_of(config.batch_size, config.train_examples or len(loaded.splits.y_train))
    once = dataclasses.replace(config, epochs=config.epochs or 1, batch_size=size)
    spec = setup.make_spec(once, setup.Facts.of(loaded.splits), loaded)
    shapes = check_regularizers(config, spec, loaded.preprocessor.transform(loaded.splits.x_train[:1]))
    wanted = wanted | dict.fromkeys(_penalty_techniques(config, shapes), ())
    context = technique_context(config, loaded.splits, spec.model, has_augmentation=True)
    techniques, _ = flags.about("grid" if config.grid else "techniques", lambda: resolve(wanted, context))
    for technique in techniques:
        flags.about("techniques", functools.partial(check_flags, technique))
    options = dataclasses.replace(config, augmentation=spec.augmentation, always=regularizer_arguments(config))
    return spec.model, loaded.dataset, wanted, options, setup.Facts.of(loaded.splits)


def _penalty_techniques(config: Config, shapes: PyTree) -> list[Technique]:
    """Make a technique for each --try_penalty.

    Raises:
      FlagError: the text is not a penalty, or the penalty does not fit the model or the mode.
    """
    from regjax.cli.regularizers import try_penalty
    from regjax.comparison.techniques import penalty_technique
    from regjax.penalties import parse_penalty

    techniques: list[Technique] = []
    mode = cast("PenaltyMode", config.penalty_mode)

    def technique(name: str) -> Technique:
        if any(name == other.name for other in techniques):
            raise ValueError("is given twice")
        penalty = parse_penalty(name)
        try_penalty(penalty, mode, config.optimizer, shapes)
        row = penalty_technique(name, penalty, mode, taken=[other.title for other in techniques])
        return dataclasses.replace(row, flags=lambda factor: {"penalty": f"{factor!r} * ({name})"})

    for name in config.try_penalty:
        techniques.append(flags.about("try_penalty", functools.partial(technique, name), name))
    return techniques


def _runs(content: dict[str, Any], config: Config) -> dict[str, list[TrainConfig]]:
    """Return the options of `train` that repeat each run of each row."""
    from regjax.cli.repeat import comparison_runs

    rows = {"baseline": content["baseline"], **content["techniques"]}
    of_rows = {name: row["flags"] for name, row in rows.items()}
    return comparison_runs(config, content["settings"], of_rows, content["runs"])


def _techniques(config: Config) -> Techniques:
    """Return the requested techniques with their grids, where () is the default grid."""
    names = list(DEFAULT_TECHNIQUES)
    if config.techniques is not None:
        # With an empty list, only the penalties of --try_penalty are compared.
        names = [part.strip() for part in config.techniques.split(",") if part.strip() or not config.try_penalty]
    for name in names:
        flags.check(name in TECHNIQUES, "techniques", f"{name!r} is not known; accepted: {', '.join(TECHNIQUES)}")
    grids: Techniques = dict.fromkeys(names, ())
    for item in config.grid:
        name, _, numbers = item.partition("=")
        flags.check(name in grids, "grid", f"{name!r} is not among --techniques: {', '.join(names)}")
        grids[name] = flags.about("grid", functools.partial(_numbers, numbers))
    return grids


def _numbers(listed: str) -> tuple[float, ...]:
    try:
        numbers = tuple(float(part) for part in listed.split(","))
    except ValueError:
        raise ValueError("write NAME=NUMBER,NUMBER,...") from None
    if any(not 0 < number < float("inf") for number in numbers):
        raise ValueError("grid values must be finite and > 0")
    return numbers
