"""Train one run: progress, checkpoints, early stopping, resume.

  python -m experiments.train --dataset=digits --l2=0.001 --dropout=0.3 --patience=10 --workdir=runs/train

Writes config.json, metrics.jsonl, summary.json, curves.png, preprocess.json and checkpoints/ into --workdir; about
5 seconds with the default flags. Exit code 0 done, 2 bad input, 3 diverged, 75 interrupted and resumable (--resume).
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regjax.cli import app, cluster, flags, workdirs
from regjax.cli.metrics import Metrics
from regjax.cli.signals import Signals

if TYPE_CHECKING:
    from regjax.training.compilations import CompilationCounter
    from regjax.training.fit import FitResult
    from regjax.training.state import RunState

EXIT_CODE = {"diverged": app.DIVERGED, "interrupted": app.INTERRUPTED}
# What may differ between a run and its resumption without changing a number.
FREE = {
    "workdir", "overwrite", "resume", "checkpoint_every", "checkpoint_steps", "checkpoint_seconds", "data_dir",
    "read_threads",
}  # fmt: skip

DEVICES_AGREE = 5e-6  # tests/system/devices holds it: weights, of the order of 1, on other numbers of devices


def define_flags() -> None:
    """The flags of the command."""
    flags.define_data("runs/train")
    flags.define_training("50")
    flags.define_stopping()
    flags.switch("stopping", "restore_best", True, "end with the weights of the best evaluation")
    flags.whole("run", "checkpoint_every", 1, "epochs between checkpoints")
    flags.whole("run", "checkpoint_steps", None, "updates between checkpoints instead, for long epochs")
    flags.number("run", "checkpoint_seconds", None, "seconds between checkpoints instead", low=0, low_open=True)
    flags.switch("run", "resume", False, "go on with the run in --workdir")
    cluster.define(data_devices=True)
    flags.choice(
        "run",
        "loader",
        "memory",
        ("memory", "stream"),
        "where the training set lives; stream reads it from disk while it trains, for sets larger than memory",
    )
    flags.whole("run", "read_threads", 2, "threads that read, with --loader=stream")


def main() -> int:
    """Run the experiment; returns the exit code."""
    started = time.time()
    values = flags.values()
    values["epochs"] = values["epochs"] or 50
    flags.check_stopping(values)
    by_steps = values["checkpoint_steps"] is not None
    flags.check(not by_steps or values["checkpoint_seconds"] is None, "checkpoint_steps", "and --checkpoint_seconds "
                "exclude each other")  # fmt: skip
    resume = values["resume"]
    cluster.first(lambda: workdirs.check(values, "train"))
    workdir = Path(values["workdir"]).expanduser()
    resuming = resume and (workdir / "config.json").exists()
    if resuming:
        workdirs.check_same_flags(workdir, "train", values, _free(values))
        before = workdirs.flags_of(workdir)["epochs"]
        grows = isinstance(before, int) and values["epochs"] >= before
        flags.check(grows, "epochs", f"may grow in a resumed run, which has {before}")
        finished = _finished(workdir, values["epochs"])
        if finished is not None:
            print(f"{workdir}: this run is finished ({finished}); nothing to do")
            return EXIT_CODE.get(finished, app.DONE)

    import jax

    from regjax.cli import setup
    from regjax.cli.progress import Bar, epoch_status
    from regjax.data import Preprocessor
    from regjax.training.checkpoint import Checkpoints
    from regjax.training.compilations import CompilationCounter
    from regjax.training.fit import fit

    fitted = None
    if resuming and values["loader"] == "stream":
        fitted = Preprocessor.from_json((workdir / "preprocess.json").read_text())
    loaded = setup.load(values, fitted)
    known = setup.facts(loaded.splits)
    spec = setup.with_mesh(values, setup.make_spec(values, known, loaded))
    hparams = setup.hparams_of(values, known, values["restore_best"])
    loader = None
    if values["loader"] == "stream":
        arrays, loader = setup.stream_data(loaded, values, spec)
        print(_held(arrays, loaded.splits))
    else:
        arrays = setup.train_data(loaded, values, [values["seed"]], validation="all").for_seed(0)
    shapes = setup.check_regularizers(values, spec, arrays.x)
    penalty = setup.penalty_of(values)
    if values["penalty"] and penalty is not None:
        print(penalty.anchored(shapes).plan(shapes))

    stopping = Signals()
    devices = 1 if spec.mesh is None else spec.mesh.size
    cluster.first(lambda: _begin(workdir, values, known, loaded, started, resuming, devices))

    with CompilationCounter() as compilations, Bar("epoch", spec.epochs) as bar:
        # Every process trains and holds the same numbers; one of them writes.
        metrics = Metrics(workdir / "metrics.jsonl", spec.steps_per_epoch)

        def on_start(done: int, state: RunState) -> None:
            if cluster.leads():
                metrics.open(done, state)
            bar.start_at(done)

        def on_epoch(epoch: int, row: dict[str, float], state: RunState) -> None:
            if cluster.leads():
                metrics.write(epoch, row)
            bar.update(epoch + 1, epoch_status(row, int(state.stop.wait), int(hparams.stopping.patience)))

        result = fit(
            spec,
            hparams,
            jax.random.key(values["seed"]),
            arrays,
            checkpoints=Checkpoints(workdir / "checkpoints", config=_identity(values)),
            checkpoint_every=values["checkpoint_every"],
            checkpoint_steps=values["checkpoint_steps"],
            checkpoint_seconds=values["checkpoint_seconds"],
            on_start=on_start,
            on_epoch=on_epoch,
            # All or none: a process that went on alone would wait for the others.
            interrupted=lambda: cluster.any_of(stopping.received),
            loader=loader,
        )
    if not cluster.leads():
        return EXIT_CODE.get(result.status, app.DONE)
    summary = _summary(result, spec, loaded, hparams, compilations, len(arrays.x_val), _devices_of(workdir)[:-1])
    workdirs.write_json(workdir / "summary.json", summary)
    _draw(result, workdir, known["task"], summary)
    _print(summary, workdir, compilations)
    return EXIT_CODE.get(result.status, app.DONE)


def _begin(
    workdir: Path,
    values: dict[str, Any],
    known: dict[str, Any],
    loaded: Any,
    started: float,
    resuming: bool,
    devices: int,
) -> None:
    """Make the working directory that of this run, and keep others out."""
    workdirs.claim(values, "train")
    before = []
    if resuming:
        before = _devices_of(workdir)
        if before and before[-1] != devices:
            print(
                f"begun on {before[-1]} device{'s' if before[-1] > 1 else ''}, goes on with {devices}: sums have "
                f"another order there, so weights agree within {DEVICES_AGREE:g} instead of bit for bit"
            )
    else:
        workdirs.emptied(workdir)
        (workdir / "preprocess.json").write_text(loaded.preprocessor.to_json())
    config: dict[str, Any] = {"experiment": "train", "flags": values, "facts": known}
    config["devices"] = [*before, *([] if before[-1:] == [devices] else [devices])]
    workdirs.write_json(workdir / "config.json", config | {"reproduce": app.reproduce("train", started)})


def _devices_of(workdir: Path) -> list[int]:
    """How many devices shared the batches, one entry for each time that this changed."""
    found = (workdirs.read_config(workdir) or {}).get("devices")
    return [int(n) for n in found] if isinstance(found, list) and all(isinstance(n, int) for n in found) else []


def _held(arrays: Any, splits: Any) -> str:
    """What of a streamed set is in memory."""
    sizes = splits.sizes
    return (
        f"streaming {sizes['train']} training examples; in memory, for evaluations: {len(arrays.order)} of them and "
        f"{len(arrays.x_val)} of {sizes['stop'] + sizes['select']} validation examples"
    )


def _summary(
    result: FitResult,
    spec: Any,
    loaded: Any,
    hparams: Any,
    compilations: CompilationCounter,
    n_val: int,
    earlier: list[int],
) -> dict[str, Any]:
    import jax
    import numpy as np

    from regjax.analysis import diagnose
    from regjax.analysis.weights import params_sha256, zero_fraction
    from regjax.models.interface import as_model
    from regjax.training.evaluate import evaluate_parts

    state, weights, pre = result.state, result.weights, loaded.preprocessor
    x, y, size = loaded.splits.x_test, pre.target_transform(loaded.splits.y_test), spec.eval_batch_size
    parts = ((pre.transform(x[i : i + size]), y[i : i + size]) for i in range(0, len(y), size))
    test = evaluate_parts(as_model(spec.model).apply, *weights, parts, task=spec.task)
    if pre.y_scale is not None:
        test["mse"] *= float(np.mean(np.square(pre.y_scale)))  # in the units of the target
    summary: dict[str, Any] = {
        "status": result.status,
        "stop_reason": None if result.status in ("completed", "interrupted") else state.stop.reason_name,
        "epochs_run": int(state.epoch),
        "best_epoch": int(state.stop.best_step),
        "best_val_loss": float(state.stop.best_value),
        "weights": "best" if bool(hparams.restore_best) else "last",
        "average": None if hparams.average is None else hparams.average.kind,
        "gradients_per_update": 1 if hparams.sam is None else 2,
        **{f"test/{name}": value for name, value in test.items()},
        "zero_fraction": zero_fraction(weights.params),
        "params_sha256": params_sha256(weights.params),
        "compilations": compilations.count,
        "compile_seconds": round(compilations.seconds, 3),
        "devices": 1 if spec.mesh is None else spec.mesh.size,
        "devices_before": earlier,
        "processes": cluster.count(),
        "seconds": round(result.seconds, 3),
    }
    try:
        chance = float(np.log(spec.num_classes)) if spec.task == "classification" else float(np.var(y))
        verdict = diagnose(jax.device_get(state.history), chance_loss=chance, n_val=n_val)
        summary |= {
            "diagnosis": verdict.verdict,
            "generalization_gap": verdict.generalization_gap,
            "onset_epoch": verdict.onset_epoch,
            "evidence": list(verdict.evidence),
        }
    except ValueError:  # no epoch has a finite loss
        summary |= {"diagnosis": None, "generalization_gap": None, "onset_epoch": None, "evidence": []}
    return app.without_nan(summary)


def _draw(result: FitResult, workdir: Path, task: str, summary: dict[str, Any]) -> None:
    import jax

    from regjax.report import write_curves

    if int(result.state.epoch) == 0:
        return
    found = jax.device_get(result.state.history)  # on the host a column is no program
    history = {name: column[found.valid].tolist() for name, column in found.values.items()}
    write_curves(history, workdir / "curves.png", title=f"{workdir.name}: {task}", diagnosis=summary)


def _free(values: dict[str, Any]) -> set[str]:
    """The flags that may differ between a run and its resumption."""
    shaped = values["schedule"] != "constant" or values["rate_schedule"] != "constant"
    return FREE if shaped else FREE | {"epochs"}


def _identity(values: dict[str, Any]) -> dict[str, Any]:
    """The flags that make a run the run that it is, as its checkpoints state them."""
    other = {*_free(values), *cluster.FLAGS}
    return json.loads(json.dumps({name: value for name, value in values.items() if name not in other}))


def _finished(workdir: Path, epochs: int) -> str | None:
    """How the run ended, None if there is something left to do: it was interrupted, or has more epochs now."""
    try:
        summary = json.loads((workdir / "summary.json").read_text())
        status, done = str(summary["status"]), int(summary["epochs_run"])
    except (OSError, ValueError, KeyError, TypeError):  # the checkpoints know
        return None
    return None if status == "interrupted" or (status == "completed" and done < epochs) else status


def _print(summary: dict[str, Any], workdir: Path, compilations: CompilationCounter) -> None:
    metric = "accuracy" if "test/accuracy" in summary else "r2"
    reason = f" ({summary['stop_reason']})" if summary["stop_reason"] else ""
    weights = f"{summary['weights']}{f', {average} average' if (average := summary['average']) else ''}"
    print(f"{summary['status']}{reason} after {summary['epochs_run']} epochs; weights: {weights}")
    test = [summary["test/loss"], summary[f"test/{metric}"]]
    shown = ["not finite" if value is None else f"{value:.4f}" for value in test]
    print(f"test loss {shown[0]}, test {metric} {shown[1]}")
    onset = "" if summary["onset_epoch"] is None else f" from epoch {summary['onset_epoch']} on"
    print(f"diagnosis: {summary['diagnosis'] or 'none, no epoch has a finite loss'}{onset}")
    for sentence in summary["evidence"]:
        print(f"  {sentence}")
    print(f"{compilations.describe()}; {summary['seconds']:.1f} s in all")
    print(f"files: {workdir}")
