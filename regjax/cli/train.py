"""Train one run, with checkpoints and early stopping.

  regjax train --dataset=digits --l2=0.001 --dropout=0.3 --patience=10 --workdir=runs/train

Writes config.json, metrics.jsonl, summary.json, curves.png, preprocess.json, validation.npz and checkpoints/ into
--workdir; takes about 5 seconds with the default flags. Exit codes: 0 done, 2 bad input, 3 diverged, 75 interrupted
(use --resume to continue).
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regjax.cli import app, cluster, flags, workdirs
from regjax.cli.options import RunOptions, SharedBatchOptions
from regjax.cli.run_summary import Prepared, describe, devices_of, draw, summary_of
from regjax.cli.signals import Signals
from regjax.core.extras import require
from regjax.core.options import choice, number, switch, text, whole

if TYPE_CHECKING:
    from regjax.training.events import Callback, FitResult

LOGS = {"csv": (), "tensorboard": ("tensorboardX",), "wandb": ("wandb",), "mlflow": ("mlflow",)}
"""Logs beside metrics.jsonl by name, and the packages that each needs; `regjax.cli.logs` writes them."""

EXIT_CODE = {"diverged": app.DIVERGED, "interrupted": app.INTERRUPTED}

DEVICES_AGREE = 5e-6  # difference of weights of order 1 between numbers of devices; see tests/system/devices


@dataclasses.dataclass(frozen=True)
class Config(SharedBatchOptions, RunOptions):
    """The options of the command."""

    workdir: str = text("data", "runs/train", "where the results go", fixed=False)
    epochs: int = whole("training", 50, "passes over the training examples at most")
    steps_per_epoch: int | None = whole(
        "training", None, "updates between two evaluations; default one pass over the training examples"
    )
    augment_strength: float = number("regularizers", 1.0, "multiplies the magnitudes of --augment")
    validation: str = choice(
        "stopping",
        "all",
        ("all", "stop"),
        "what is evaluated after each epoch: all validation examples, or the half (at most 2000) that compare stops by",
    )
    final: bool = switch(
        "training", False, "train on training and validation examples together, without a choice of weights or a test"
    )
    restore_best: bool = switch("stopping", True, "end with the weights of the best evaluation")
    checkpoint_every: int = whole("run", 1, "epochs between checkpoints", fixed=False)
    checkpoint_steps: int | None = whole(
        "run", None, "updates between checkpoints instead, for long epochs", fixed=False
    )
    checkpoint_seconds: float | None = number(
        "run", None, "seconds between checkpoints instead", low=0, low_open=True, fixed=False
    )
    loader: str = choice(
        "run",
        "memory",
        ("memory", "stream"),
        "where the training set lives; stream reads it from disk while it trains, for sets larger than memory",
    )
    log: str = text("run", "", f"logs beside metrics.jsonl, separated by commas: {', '.join(LOGS)}", fixed=False)
    read_threads: int = whole("run", 2, "threads that read, with --loader=stream", fixed=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.final:  # there is no validation example left by which weights could be the best
            object.__setattr__(self, "restore_best", False)


def main(config: Config) -> int:
    """Check the flags, prepare the data, train, and write the summary; returns the exit code."""
    started = time.time()
    _check_flags(config)
    cluster.first(lambda: workdirs.check(config, "train"))
    workdir = Path(config.workdir).expanduser()
    resuming = config.resume and (workdir / "config.json").exists()
    finished = _checked_for_resume(workdir, config) if resuming else None
    if finished is not None:
        print(f"{workdir}: this run is finished ({finished}); nothing to do")
        return EXIT_CODE.get(finished, app.DONE)

    from regjax.cli import held_out
    from regjax.cli.predictor import TrainedModel
    from regjax.training.compilations import CompilationCounter

    prepared = _prepared(config, workdir, resuming)
    stopping = Signals()
    cluster.first(lambda: _begin(config, prepared, started, resuming=resuming))
    with CompilationCounter() as compilations:
        result = _fit(config, prepared, stopping)
    if not cluster.leads():
        return EXIT_CODE.get(result.status, app.DONE)
    summary = summary_of(result, prepared, compilations)
    if not config.final:  # whose validation examples were trained on
        model = TrainedModel(prepared.spec, prepared.hparams, prepared.loaded.preprocessor, result.weights)
        held_out.write(workdir, model, prepared.loaded.splits)
    workdirs.write_json(workdir / "summary.json", summary)
    draw(result, workdir, prepared.loaded.splits.task, summary)
    describe(summary, workdir, compilations)
    return EXIT_CODE.get(result.status, app.DONE)


def _check_flags(config: Config) -> None:
    """Check that the flags fit each other."""
    flags.check_stopping(config)
    exclusive = config.checkpoint_steps is None or config.checkpoint_seconds is None
    flags.check(exclusive, "checkpoint_steps", "and --checkpoint_seconds exclude each other")
    strength = config.augment_strength == 1.0 or bool(config.augment)
    flags.check(strength, "augment_strength", "is of no use without --augment")
    stops = config.patience is not None or config.stop_criterion != "patience"
    flags.check(not (config.final and stops), "final", "leaves no validation examples to stop by; give --epochs alone")
    flags.check(
        not (config.final and config.train_examples), "final", "trains on all examples; leave out --train_examples"
    )
    for name in _logs(config):
        near = difflib.get_close_matches(name, LOGS, 1)
        hint = f" (did you mean {near[0]!r}?)" if near else ""
        flags.check(name in LOGS, "log", f"has no {name!r}{hint}; accepted: {', '.join(LOGS)}")
        require(*LOGS[name], extra="loggers")
    whole_part = config.validation == "all" or config.loader == "memory"
    flags.check(whole_part, "validation", "is for --loader=memory; a streamed run evaluates what memory holds")


def _checked_for_resume(workdir: Path, config: Config) -> str | None:
    """Check that a run can be resumed with these flags; return its status if it is finished."""
    workdirs.check_same_flags(workdir, "train", config, _free(config))
    before = workdirs.flags_of(workdir)["epochs"]
    grows = isinstance(before, int) and config.epochs >= before
    flags.check(grows, "epochs", f"may grow in a resumed run, which has {before}")
    return _finished(workdir, config.epochs)


def _prepared(config: Config, workdir: Path, resuming: bool) -> Prepared:
    """Load the data, make specification and hyperparameters, and check the regularizers against them."""
    from regjax.cli import setup
    from regjax.cli.final import with_validation
    from regjax.cli.regularizers import check_regularizers
    from regjax.data import Preprocessor, Preprocessors

    streamed = config.loader == "stream"
    if streamed:
        require("grain")
    fitted = None
    if resuming and streamed:
        fitted = Preprocessor.from_json((workdir / "preprocess.json").read_text())
    loaded = setup.load(config, config.split_seed, fitted, lazy=streamed, link=config.link)
    loaded = with_validation(loaded) if config.final else loaded
    setup.check_sizes(config, loaded.splits)
    if fitted is None:
        own = Preprocessors(loaded.splits, loaded.preprocessor).of(config.seed, config.train_examples)
        loaded = dataclasses.replace(loaded, preprocessor=own)
    facts = setup.Facts.of(loaded.splits)
    spec = setup.with_mesh(config, setup.make_spec(config, facts, loaded, config.steps_per_epoch))
    hparams = setup.hparams_of(
        config,
        facts,
        restore_best=config.restore_best,
        standardization=loaded.preprocessor.standardization,
        augment=config.augment_strength,
    )
    loader = None
    if streamed:
        arrays, loader = setup.stream_data(loaded, config, spec, config.read_threads)
        print(_held(arrays, loaded.splits))
    else:
        arrays = setup.train_data(loaded, config, [config.seed], validation=config.validation).for_seed(0)
    shapes = check_regularizers(config, spec, loaded.preprocessor.transform(loaded.splits.x_train[:1]))
    if config.penalty:
        for mode, penalty in hparams.penalties.items():
            print(f"--penalty_mode={mode}:\n{penalty.anchored(shapes).plan(shapes)}")
    return Prepared(workdir, loaded, spec, hparams, arrays, loader, config.final)


def _fit(config: Config, prepared: Prepared, stopping: Signals) -> FitResult:
    """Train, with a progress bar, checkpoints and `metrics.jsonl`."""
    from regjax.cli import logs
    from regjax.cli.epoch_bar import EpochBar
    from regjax.cli.metrics import Metrics
    from regjax.cli.progress import Bar
    from regjax.core.rng import run_key
    from regjax.training.checkpoint import Checkpoints
    from regjax.training.fit import fit

    spec, hparams = prepared.spec, prepared.hparams
    with Bar("epochs", spec.epochs) as bar:
        left_out = ("val/",) if config.final else ()
        callbacks: list[Callback] = [EpochBar(bar, int(hparams.stopping.patience), left_out)]
        if cluster.leads():  # every process trains and has the same results; one of them writes
            callbacks.append(Metrics(prepared.workdir / "metrics.jsonl", spec.steps_per_epoch, left_out))
            made = (prepared.workdir, config.to_json(), spec.steps_per_epoch, left_out)
            callbacks += [logs.LOGS[name](*made) for name in _logs(config)]
        return fit(
            spec,
            hparams,
            run_key(config.seed),
            prepared.arrays,
            checkpoints=Checkpoints(prepared.workdir / "checkpoints", config=_identity(config)),
            checkpoint_every=config.checkpoint_every,
            checkpoint_steps=config.checkpoint_steps,
            checkpoint_seconds=config.checkpoint_seconds,
            callbacks=callbacks,
            # All processes must agree, because a process that continues alone would wait for the others.
            interrupted=lambda: cluster.any_of(stopping.received),
            loader=prepared.loader,
        )


def _logs(config: Config) -> list[str]:
    """Return the names of the logs."""
    return list(dict.fromkeys(name for name in config.log.split(",") if name))


def _begin(config: Config, prepared: Prepared, started: float, *, resuming: bool) -> None:
    """Claim the working directory for this run, and write its configuration."""
    from regjax.cli.setup import Facts

    workdir = prepared.workdir
    devices = 1 if prepared.spec.mesh is None else prepared.spec.mesh.size
    workdirs.claim(config, "train")
    before = []
    if resuming:
        before = devices_of(workdir)
        if before and before[-1] != devices:
            print(
                f"begun on {before[-1]} device{'s' if before[-1] > 1 else ''}, goes on with {devices}: sums have "
                f"another order there, so weights agree within {DEVICES_AGREE:g} instead of bit for bit"
            )
    facts = Facts.of(prepared.loaded.splits)
    content: dict[str, Any] = {"experiment": "train", "flags": config.to_json(), "facts": facts._asdict()}
    content["devices"] = [*before, *([] if before[-1:] == [devices] else [devices])]
    content["reproduce"] = app.reproduce("train", started)
    if resuming:
        workdirs.write_json(workdir / "config.json", content)
        return
    with workdirs.written_aside(workdir) as aside:  # a run that is killed here leaves its configuration, or nothing
        (aside / "preprocess.json").write_text(prepared.loaded.preprocessor.to_json())
        workdirs.write_json(aside / "config.json", content)


def _held(arrays: Any, splits: Any) -> str:
    """Describe which part of a streamed dataset is in memory."""
    sizes = splits.sizes
    return (
        f"streaming {sizes['train']} training examples; in memory, for evaluations: {len(arrays.order)} of them and "
        f"{len(arrays.x_val)} of {sizes['stop'] + sizes['select']} validation examples"
    )


def _free(config: Config) -> set[str]:
    """Return the fixed options that may nevertheless change when a run is resumed."""
    shaped = config.schedule != "constant" or config.rate_schedule != "constant"
    return set() if shaped else {"epochs"}


def _identity(config: Config) -> dict[str, Any]:
    """Return the options that identify a run; they are stored in its checkpoints."""
    fixed = {name for name, option in config.options().items() if option.fixed} - _free(config)
    return {name: value for name, value in config.to_json().items() if name in fixed}


def _finished(workdir: Path, epochs: int) -> str | None:
    """Return the status of a finished run; None if it was interrupted, or has more epochs now."""
    try:
        summary = json.loads((workdir / "summary.json").read_text())
        status, done = str(summary["status"]), int(summary["epochs_run"])
    except (OSError, ValueError, KeyError, TypeError):  # the checkpoints decide
        return None
    return None if status == "interrupted" or (status == "completed" and done < epochs) else status
