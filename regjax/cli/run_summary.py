"""What is known of a run before it starts, and the summary of it when it has ended."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from regjax.catalog import DEFAULT_LOSS, LOSSES, METRICS, SCORE
from regjax.cli import app, cluster, workdirs
from regjax.cli.final import without_validation

if TYPE_CHECKING:
    from regjax.cli.setup import Loaded
    from regjax.data import Splits
    from regjax.training.compilations import CompilationCounter
    from regjax.training.events import FitResult
    from regjax.training.spec import Hparams, Spec
    from regjax.training.state import TrainData
    from regjax.training.stream import StreamLoader


@dataclasses.dataclass(frozen=True)
class Prepared:
    """What is known before the run: directory, data, specification and hyperparameters."""

    workdir: Path
    loaded: Loaded
    spec: Spec
    hparams: Hparams
    arrays: TrainData
    loader: StreamLoader | None
    final: bool = False  # whether validation examples are among the training examples


def devices_of(workdir: Path) -> list[int]:
    """Return the numbers of devices that shared the batches, with one entry for each change."""
    counts = (workdirs.read_config(workdir) or {}).get("devices")
    return [int(n) for n in counts] if isinstance(counts, list) and all(isinstance(n, int) for n in counts) else []


def summary_of(result: FitResult, prepared: Prepared, compilations: CompilationCounter) -> dict[str, Any]:
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
        "loss": spec.loss,
        "average": None if hparams.average is None else hparams.average.kind,
        "gradients_per_update": 1 if hparams.sam is None else 2,
        **({} if prepared.final else {f"test/{name}": value for name, value in _tested(result, prepared).items()}),
        "zero_fraction": zero_fraction(weights.params),
        "params_sha256": params_sha256(weights.params),
        "compilations": compilations.count,
        "compile_seconds": round(compilations.seconds, 3),
        "devices": 1 if spec.mesh is None else spec.mesh.size,
        "devices_before": devices_of(prepared.workdir)[:-1],
        "processes": cluster.count(),
        "seconds": round(result.seconds, 3),
    }
    if prepared.final:
        for name in ("best_epoch", "best_val_loss"):
            del summary[name]
        return app.without_nan(summary | {"final": True, "train_examples": len(prepared.loaded.splits.y_train)})
    return app.without_nan(summary | _diagnosis(result, prepared))


def _tested(result: FitResult, prepared: Prepared) -> dict[str, float]:
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
            if spec.task == "classification" or splits.targets:
                outputs.append(np.asarray(predicted(weights, examples), np.float32))
            yield examples, y[start : start + size]

    test = evaluate_parts(apply_fn, *weights, parts(), task=spec.task, **_loss_of(prepared))
    if spec.task == "classification":
        test |= _calibration(np.concatenate(outputs), y)
    elif spec.task == "multilabel":
        test |= _of_labels(np.concatenate(outputs), splits)
    elif splits.targets:
        test |= _by_target(pre.target_inverse(np.concatenate(outputs)), splits)
    elif pre.y_scale is not None:
        test["mse"] *= float(np.mean(np.square(pre.y_scale)))  # convert to the units of the target
    return test


def _of_labels(logits: Any, splits: Splits) -> dict[str, float]:
    """Return the metrics of several labels, and accuracy and average precision of each."""
    import numpy as np
    from scipy.special import expit

    from regjax.analysis.metrics import each_label, metrics_of

    y, q = splits.y_test, expit(logits.astype(np.float64))
    found = metrics_of("multilabel", q, y)
    for name, of_label in zip(splits.targets, each_label(q, y), strict=True):
        metrics = metrics_of("classification", *of_label)
        found |= {f"{name}/{metric}": metrics[metric] for metric in ("accuracy", "average_precision")}
    return {name: value for name, value in found.items() if name != "accuracy"}  # it is there, of the logits


def _by_target(predicted: Any, splits: Splits) -> dict[str, float]:
    """Return R2, MAE and RMSE of each target in its unit, and their MSE, which is a mean over targets."""
    import numpy as np

    from regjax.analysis.metrics import metrics_of

    y = splits.y_test
    found: dict[str, float] = {"mse": float(np.mean(np.square(predicted.astype(np.float64) - y)))}
    for d, name in enumerate(splits.targets):
        found |= {
            f"{name}/{metric}": value for metric, value in metrics_of("regression", predicted[:, d], y[:, d]).items()
        }
    return found


def _loss_of(prepared: Prepared) -> dict[str, Any]:
    """Return the data loss of a run as arguments of `evaluate`."""
    loss = prepared.spec.loss
    return {"loss": loss, "loss_parameter": prepared.hparams.loss_parameter(loss)}


def _diagnosis(result: FitResult, prepared: Prepared) -> dict[str, Any]:
    """Return the diagnosis of the learning curves."""
    import jax
    import numpy as np

    from regjax.analysis import diagnose
    from regjax.losses import best_constant, constant_losses

    spec, loaded = prepared.spec, prepared.loaded
    y = loaded.preprocessor.target_transform(loaded.splits.y_train)
    y = np.reshape(y, -1) if spec.task == "classification" else y  # of sequences, all tokens
    of_run = _loss_of(prepared)
    loss, parameter = of_run["loss"], of_run["loss_parameter"]
    weights = prepared.hparams.class_weights
    weights = None if weights is None else np.asarray(weights)
    # A net with constant outputs would learn the least weighted loss; the curves have no weights.
    guess = best_constant(loss, y, parameter, spec.num_classes, weights)
    chance = float(constant_losses(loss, guess, y, parameter).mean())
    n_val = loaded.splits.independent("stop", len(prepared.arrays.x_val))  # of a group, all examples count as one
    trained_on = min(int(np.asarray(prepared.hparams.n_train)), spec.eval_train_examples)
    n_train = min(trained_on, loaded.splits.independent("train"))
    found = diagnose(jax.device_get(result.state.history), chance_loss=chance, n_val=n_val, n_train=n_train)
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


def loss_words(loss: str) -> str:
    """Return how a data loss is called in sentences: `"loss"` if it is the default of its task.

    Example:
      >>> loss_words("mse"), loss_words("mae")
      ('loss', 'loss (MAE)')
    """
    record = LOSSES[loss]
    return "loss" if loss == DEFAULT_LOSS[record.task] else f"loss ({record.title})"


def draw(result: FitResult, workdir: Path, task: str, summary: dict[str, Any]) -> None:
    """Draw the curves of the run into `curves.png`."""
    import jax

    from regjax.report import write_curves

    if int(result.state.epoch) == 0:
        return
    on_host = jax.device_get(result.state.history)  # on the host, taking a column compiles no program
    history = {name: column[on_host.valid].tolist() for name, column in on_host.values.items()}
    history = without_validation(history) if summary.get("final") else history
    write_curves(
        history,
        workdir / "curves.png",
        title=f"{workdir.name}: {task}",
        diagnosis=summary,
        loss=loss_words(summary["loss"]),
        task=LOSSES[summary["loss"]].task,
    )


def describe(summary: dict[str, Any], workdir: Path, compilations: CompilationCounter) -> None:
    """Print how the run ended."""
    if summary.get("final"):
        print(
            f"{summary['status']} after {summary['epochs_run']} epochs on {summary['train_examples']} training and "
            "validation examples\nnot tested: what to expect is what the comparison found on its test examples"
        )
        print(f"{compilations.describe()}; {summary['seconds']:.1f} s in all")
        print(f"files: {workdir}")
        return
    metric = next(name for name in SCORE.values() if f"test/{name}" in summary)
    reason = f" ({summary['stop_reason']})" if summary["stop_reason"] else ""
    weights = f"{summary['weights']}{f', {average} average' if (average := summary['average']) else ''}"
    print(f"{summary['status']}{reason} after {summary['epochs_run']} epochs; weights: {weights}")
    test = [summary["test/loss"], summary[f"test/{metric}"]]
    shown = ["not finite" if value is None else f"{value:.4f}" for value in test]
    task = LOSSES[summary["loss"]].task
    title = METRICS[metric].title_in(task) if task == "multilabel" else metric
    print(f"test {loss_words(summary['loss'])} {shown[0]}, test {title} {shown[1]}")
    by_target = [name for name in summary if name.startswith("test/") and name.endswith("/r2") and name != "test/r2"]
    if by_target:
        each = ", ".join(f"{name[5:-3]} {summary[name]:.4f}" for name in by_target[:8])
        print(f"test r2 of each target: {each}{', ...' if len(by_target) > 8 else ''}; r2 is their mean")
    onset = "" if summary["onset_epoch"] is None else f" from epoch {summary['onset_epoch']} on"
    print(f"diagnosis: {summary['diagnosis']}{onset}")
    for sentence in summary["evidence"]:
        print(f"  {sentence}")
    print(f"{compilations.describe()}; {summary['seconds']:.1f} s in all")
    print(f"files: {workdir}")
