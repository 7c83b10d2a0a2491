"""Train one run, with checkpoints and early stopping.

  regjax train --dataset=digits --l2=0.001 --dropout=0.3 --patience=10 --workdir=runs/train

Writes config.json, metrics.jsonl, summary.json, curves.png, preprocess.json and checkpoints/ into --workdir; takes
about 5 seconds with the default flags. Exit codes: 0 done, 2 bad input, 3 diverged, 75 interrupted (use --resume to
continue).
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regjax.catalog import SCORE
from regjax.cli import app, cluster, flags, workdirs
from regjax.cli.metrics import Metrics
from regjax.cli.options import RunOptions, SharedBatchOptions
from regjax.cli.signals import Signals
from regjax.core.extras import require
from regjax.core.options import choice, number, switch, text, whole

if TYPE_CHECKING:
    from regjax.cli.setup import Loaded
    from regjax.training.compilations import CompilationCounter
    from regjax.training.fit import FitResult
    from regjax.training.spec import Hparams, Spec
    from regjax.training.state import RunState, TrainData
    from regjax.training.stream import StreamLoader

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
    read_threads: int = whole("run", 2, "threads that read, with --loader=stream", fixed=False)


@dataclasses.dataclass(frozen=True)
class _Prepared:
    """What is known before the run: options, data, specification and hyperparameters."""

    config: Config
    workdir: Path
    resuming: bool
    loaded: Loaded
    spec: Spec
    hparams: Hparams
    arrays: TrainData
    loader: StreamLoader | None


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

    from regjax.training.compilations import CompilationCounter

    prepared = _prepared(config, workdir, resuming)
    stopping = Signals()
    cluster.first(lambda: _begin(prepared, started))
    with CompilationCounter() as compilations:
        result = _fit(prepared, stopping)
    if not cluster.leads():
        return EXIT_CODE.get(result.status, app.DONE)
    summary = _summary(result, prepared, compilations)
    workdirs.write_json(workdir / "summary.json", summary)
    _draw(result, workdir, prepared.loaded.splits.task, summary)
    _print(summary, workdir, compilations)
    return EXIT_CODE.get(result.status, app.DONE)


def _check_flags(config: Config) -> None:
    """Check that the flags fit each other."""
    flags.check_stopping(config)
    exclusive = config.checkpoint_steps is None or config.checkpoint_seconds is None
    flags.check(exclusive, "checkpoint_steps", "and --checkpoint_seconds exclude each other")
    strength = config.augment_strength == 1.0 or bool(config.augment)
    flags.check(strength, "augment_strength", "is of no use without --augment")
    whole_part = config.validation == "all" or config.loader == "memory"
    flags.check(whole_part, "validation", "is for --loader=memory; a streamed run evaluates what memory holds")


def _checked_for_resume(workdir: Path, config: Config) -> str | None:
    """Check that a run can be resumed with these flags; return its status if it is finished."""
    workdirs.check_same_flags(workdir, "train", config, _free(config))
    before = workdirs.flags_of(workdir)["epochs"]
    grows = isinstance(before, int) and config.epochs >= before
    flags.check(grows, "epochs", f"may grow in a resumed run, which has {before}")
    return _finished(workdir, config.epochs)


def _prepared(config: Config, workdir: Path, resuming: bool) -> _Prepared:
    """Load the data, make specification and hyperparameters, and check the regularizers against them."""
    from regjax.cli import setup
    from regjax.cli.regularizers import check_regularizers
    from regjax.data import Preprocessor, Preprocessors

    streamed = config.loader == "stream"
    if streamed:
        require("grain")
    fitted = None
    if resuming and streamed:
        fitted = Preprocessor.from_json((workdir / "preprocess.json").read_text())
    loaded = setup.load(config, config.split_seed, fitted, lazy=streamed)
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
    return _Prepared(config, workdir, resuming, loaded, spec, hparams, arrays, loader)


def _fit(prepared: _Prepared, stopping: Signals) -> FitResult:
    """Train, with a progress bar, checkpoints and `metrics.jsonl`."""
    from regjax.cli.progress import Bar, epoch_status
    from regjax.core.rng import run_key
    from regjax.training.checkpoint import Checkpoints
    from regjax.training.fit import fit

    config, spec, hparams = prepared.config, prepared.spec, prepared.hparams
    with Bar("epochs", spec.epochs) as bar:
        # Every process trains and has the same results; one of them writes.
        metrics = Metrics(prepared.workdir / "metrics.jsonl", spec.steps_per_epoch)

        def on_start(done: int, state: RunState) -> None:
            if cluster.leads():
                metrics.open(done, state)
            bar.start_at(done)

        def on_epoch(epoch: int, row: dict[str, float], state: RunState) -> None:
            if cluster.leads():
                metrics.write(epoch, row)
            bar.update(epoch + 1, epoch_status(epoch, row, int(state.stop.wait), int(hparams.stopping.patience)))

        return fit(
            spec,
            hparams,
            run_key(config.seed),
            prepared.arrays,
            checkpoints=Checkpoints(prepared.workdir / "checkpoints", config=_identity(config)),
            checkpoint_every=config.checkpoint_every,
            checkpoint_steps=config.checkpoint_steps,
            checkpoint_seconds=config.checkpoint_seconds,
            on_start=on_start,
            on_epoch=on_epoch,
            # All processes must agree, because a process that continues alone would wait for the others.
            interrupted=lambda: cluster.any_of(stopping.received),
            loader=prepared.loader,
        )


def _begin(prepared: _Prepared, started: float) -> None:
    """Claim the working directory for this run, and write its configuration."""
    from regjax.cli.setup import Facts

    config, workdir = prepared.config, prepared.workdir
    devices = 1 if prepared.spec.mesh is None else prepared.spec.mesh.size
    workdirs.claim(config, "train")
    before = []
    if prepared.resuming:
        before = _devices_of(workdir)
        if before and before[-1] != devices:
            print(
                f"begun on {before[-1]} device{'s' if before[-1] > 1 else ''}, goes on with {devices}: sums have "
                f"another order there, so weights agree within {DEVICES_AGREE:g} instead of bit for bit"
            )
    else:
        workdirs.emptied(workdir)
        (workdir / "preprocess.json").write_text(prepared.loaded.preprocessor.to_json())
    facts = Facts.of(prepared.loaded.splits)
    content: dict[str, Any] = {"experiment": "train", "flags": config.to_json(), "facts": facts._asdict()}
    content["devices"] = [*before, *([] if before[-1:] == [devices] else [devices])]
    workdirs.write_json(workdir / "config.json", content | {"reproduce": app.reproduce("train", started)})


def _devices_of(workdir: Path) -> list[int]:
    """Return the numbers of devices that shared the batches, with one entry for each change."""
    counts = (workdirs.read_config(workdir) or {}).get("devices")
    return [int(n) for n in counts] if isinstance(counts, list) and all(isinstance(n, int) for n in counts) else []


def _held(arrays: Any, splits: Any) -> str:
    """Describe which part of a streamed dataset is in memory."""
    sizes = splits.sizes
    return (
        f"streaming {sizes['train']} training examples; in memory, for evaluations: {len(arrays.order)} of them and "
        f"{len(arrays.x_val)} of {sizes['stop'] + sizes['select']} validation examples"
    )


def _summary(result: FitResult, prepared: _Prepared, compilations: CompilationCounter) -> dict[str, Any]:
    """Return the content of `summary.json`: how the run ended, the test metrics of its weights, and a diagnosis."""
    from regjax.analysis.weights import params_sha256, zero_fraction

    spec, hparams, state, weights = prepared.spec, prepared.hparams, result.state, result.weights
    summary: dict[str, Any] = {
        "status": result.status,
        "stop_reason": None if result.status in ("completed", "interrupted") else state.stop.reason_name,
        "epochs_run": int(state.epoch),
        "best_epoch": int(state.stop.best_step),
        "best_val_loss": float(state.stop.best_value),
        "weights": "best" if bool(hparams.restore_best) else "last",
        "average": None if hparams.average is None else hparams.average.kind,
        "gradients_per_update": 1 if hparams.sam is None else 2,
        **{f"test/{name}": value for name, value in _tested(result, prepared).items()},
        "zero_fraction": zero_fraction(weights.params),
        "params_sha256": params_sha256(weights.params),
        "compilations": compilations.count,
        "compile_seconds": round(compilations.seconds, 3),
        "devices": 1 if spec.mesh is None else spec.mesh.size,
        "devices_before": _devices_of(prepared.workdir)[:-1],
        "processes": cluster.count(),
        "seconds": round(result.seconds, 3),
    }
    return app.without_nan(summary | _diagnosis(result, prepared))


def _tested(result: FitResult, prepared: _Prepared) -> dict[str, float]:
    """Return the metrics on the test examples; of a regression in the units of the target."""
    import jax
    import numpy as np

    from regjax.models.interface import as_model
    from regjax.training.evaluate import evaluate_parts, predict

    spec, weights, pre = prepared.spec, result.weights, prepared.loaded.preprocessor
    splits = prepared.loaded.splits
    x, y, size = splits.x_test, pre.target_transform(splits.y_test), spec.eval_batch_size
    apply_fn, outputs = as_model(spec.model).apply, []
    predicted = jax.jit(lambda weights, x: predict(apply_fn, weights.params, weights.model_state, x, task=spec.task))

    def parts() -> Iterator[tuple[Any, Any]]:
        for start in range(0, len(y), size):
            examples = pre.transform(x[start : start + size])  # read once, for the metrics and for calibration
            if spec.task == "classification":
                outputs.append(np.asarray(predicted(weights, examples), np.float32))
            yield examples, y[start : start + size]

    test = evaluate_parts(apply_fn, *weights, parts(), task=spec.task)
    if outputs:
        test |= _calibration(np.concatenate(outputs), y)
    if pre.y_scale is not None:
        test["mse"] *= float(np.mean(np.square(pre.y_scale)))  # convert to the units of the target
    return test


def _diagnosis(result: FitResult, prepared: _Prepared) -> dict[str, Any]:
    """Return the diagnosis of the learning curves."""
    import jax
    import numpy as np

    from regjax.analysis import diagnose

    spec, loaded = prepared.spec, prepared.loaded
    y = loaded.preprocessor.target_transform(loaded.splits.y_test)
    chance = float(np.log(spec.num_classes)) if spec.task == "classification" else float(np.var(y))
    found = diagnose(jax.device_get(result.state.history), chance_loss=chance, n_val=len(prepared.arrays.x_val))
    return {
        "diagnosis": found.verdict,
        "fit": found.fit,
        "generalization": found.generalization,
        "course": found.course,
        "generalization_gap": found.generalization_gap,
        "onset_epoch": found.onset_epoch,
        "evidence": list(found.evidence),
    }


def _calibration(outputs: Any, y: Any) -> dict[str, float]:
    """Return the calibration of logits; NaN if they are not finite."""
    import jax
    import numpy as np

    from regjax.analysis import brier_score, expected_calibration_error

    probabilities = np.asarray(jax.nn.softmax(outputs)).reshape(-1, outputs.shape[-1])
    if not np.isfinite(probabilities).all():
        return {"ece": np.nan, "brier": np.nan}
    labels = np.reshape(y, -1)  # of sequences, all tokens
    return {"ece": expected_calibration_error(probabilities, labels), "brier": brier_score(probabilities, labels)}


def _draw(result: FitResult, workdir: Path, task: str, summary: dict[str, Any]) -> None:
    import jax

    from regjax.report import write_curves

    if int(result.state.epoch) == 0:
        return
    on_host = jax.device_get(result.state.history)  # on the host, taking a column compiles no program
    history = {name: column[on_host.valid].tolist() for name, column in on_host.values.items()}
    write_curves(history, workdir / "curves.png", title=f"{workdir.name}: {task}", diagnosis=summary)


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


def _print(summary: dict[str, Any], workdir: Path, compilations: CompilationCounter) -> None:
    metric = next(name for name in SCORE.values() if f"test/{name}" in summary)
    reason = f" ({summary['stop_reason']})" if summary["stop_reason"] else ""
    weights = f"{summary['weights']}{f', {average} average' if (average := summary['average']) else ''}"
    print(f"{summary['status']}{reason} after {summary['epochs_run']} epochs; weights: {weights}")
    test = [summary["test/loss"], summary[f"test/{metric}"]]
    shown = ["not finite" if value is None else f"{value:.4f}" for value in test]
    print(f"test loss {shown[0]}, test {metric} {shown[1]}")
    onset = "" if summary["onset_epoch"] is None else f" from epoch {summary['onset_epoch']} on"
    print(f"diagnosis: {summary['diagnosis']}{onset}")
    for sentence in summary["evidence"]:
        print(f"  {sentence}")
    print(f"{compilations.describe()}; {summary['seconds']:.1f} s in all")
    print(f"files: {workdir}")
