"""What the predictions of two rows look like in detail: the baseline, and the row that is best on validation."""

from __future__ import annotations

import base64
import importlib.util
import io
from collections.abc import Sequence

import numpy as np

from regjax.analysis import Predictions, mean_interval
from regjax.analysis.metrics import contributions, metrics_of, reaches
from regjax.comparison.layout import Layout
from regjax.comparison.plan import Plan
from regjax.core.typing import Json
from regjax.data import Rows, Splits

MOST_CLASSES = 20  # of a confusion matrix that can be read
MISTAKES = 10
GRID = np.linspace(0.0, 1.0, 51)  # of false positive rate and recall
POINTS = 400  # of predicted against true
MOST_TARGETS = 4  # whose residuals are shown
MOST_COLUMNS = 12  # of an example that is shown


def details_of(plan: Plan, predictions: Predictions, rows: Sequence[str], layout: Layout) -> dict[str, Json]:
    """Return the details of the predictions of some rows, as JSON types, by the name of the row.

    - Classification: `confusion`, counts over all runs by label and prediction, for up to 20 classes; `per_class`, with
      precision, recall and F1 as means over runs, and the mean number of test examples; `roc` and `precision_recall`,
      means over runs on a grid with 95% intervals over the runs alone, of the second class of two, otherwise the mean
      over classes, each against the rest; `roc_auc` and `average_precision` with intervals over fresh splits, seeds and
      test examples; `mistakes`, the ten examples of the surest wrong predictions.
    - Multilabel: `labels`, a list with the `name` of each, its `base_rate` among the test examples, `precision`,
      `recall` and `f1` as means over runs, and the mean number of test `examples` that have it.
    - Regression: `points`, up to 400 pairs of target and prediction, evenly over the runs; and `residuals`, the
      quantiles 5, 25, 50, 75 and 95% of target minus prediction over all runs; `largest_share`, the share of its
      squared error that the largest 1% of the errors of each run make. Of several targets there is a list `targets`
      with the `name` of each, its `r2`, `mae` and `rmse` as means over runs, and of the first four the above.

    Args:
      plan: on the first split.
      predictions: of all runs.
      rows: names of rows.
      layout: of the runs.
    """
    if predictions.task == "regression":
        return {name: _of_numbers(predictions.outputs[name], predictions.y, plan.splits.targets) for name in rows}
    if predictions.task == "multilabel":
        return {name: _of_labels(predictions.outputs[name], predictions.y, plan.splits.targets) for name in rows}
    names = plan.splits.class_names or tuple(map(str, range(plan.splits.num_classes)))
    return {name: _of_classes(plan, predictions, name, names, layout) for name in rows}


def _of_numbers(outputs: np.ndarray, y: np.ndarray, names: Sequence[str]) -> dict[str, Json]:
    targets = y.reshape(*y.shape[:2], -1).astype(np.float64)
    predicted = outputs.reshape(targets.shape).astype(np.float64)
    if not names:
        return _of_target(targets[..., 0], predicted[..., 0])
    listed = []
    for d, name in enumerate(names):
        runs = [metrics_of("regression", p[:, d], t[:, d]) for p, t in zip(predicted, targets, strict=True)]
        found = {metric: _short(float(np.mean([run[metric] for run in runs]))) for metric in ("r2", "mae", "rmse")}
        shown = _of_target(targets[..., d], predicted[..., d]) if d < MOST_TARGETS else {}
        listed.append({"name": name, **found, **shown})
    return {"targets": listed}


def _of_labels(outputs: np.ndarray, y: np.ndarray, names: Sequence[str]) -> dict[str, Json]:
    truth, guess = y > 0.5, outputs > 0.5
    counts = [array.sum(axis=1) for array in (truth, guess, truth & guess)]
    listed = []
    for k, name in enumerate(names):
        of_label, of_guess, right = (count[:, k] for count in counts)
        rates = _of_class(name, of_label[:, None], of_guess[:, None], right)
        listed.append({**rates, "base_rate": _short(float(truth[..., k].mean()))})
    return {"labels": listed}


def _of_target(target: np.ndarray, predicted: np.ndarray) -> dict[str, Json]:
    picked = np.linspace(0, target.size - 1, min(POINTS, target.size)).astype(int)
    residuals = target - predicted
    return {
        "points": [
            [_short(t), _short(p)] for t, p in zip(target.ravel()[picked], predicted.ravel()[picked], strict=True)
        ],
        "residuals": {f"{q}": _short(np.percentile(residuals, q)) for q in (5, 25, 50, 75, 95)},
        "largest_share": _short(_share_of_largest(np.square(residuals))),
    }


def _share_of_largest(squares: np.ndarray) -> float:
    """The share of the squared errors `[runs, N]` that the largest 1% of each run make, which is at least one."""
    few = max(1, round(squares.shape[1] / 100))
    return float(np.sort(squares, axis=1)[:, -few:].sum() / max(float(squares.sum()), 1e-300))


def _of_classes(
    plan: Plan, predictions: Predictions, row: str, names: Sequence[str], layout: Layout
) -> dict[str, Json]:
    p, y = predictions.outputs[row], predictions.y
    k, guesses = p.shape[2], p.argmax(axis=2)
    counts = np.stack([np.bincount(t * k + g, minlength=k * k).reshape(k, k) for t, g in zip(y, guesses, strict=True)])
    per_class = [_of_class(name, counts[:, i], counts[:, :, i], counts[:, i, i]) for i, name in enumerate(names)]
    shown = [1] if k == 2 else list(range(k))
    curves = [(c, [(y_run == c, p_run[:, c]) for p_run, y_run in zip(p, y, strict=True)]) for c in shown]
    both = [(t, s) for _, runs in curves for t, s in runs]
    usable = all(0 < t.sum() < len(t) for t, _ in both)
    out: dict[str, Json] = {
        "classes": list(names),
        "confusion": counts.sum(axis=0).tolist() if k <= MOST_CLASSES else None,
        "per_class": per_class,
        "mistakes": _mistakes(plan, predictions, row, names),
    }
    if not usable:
        return out
    for name, metric, curve in (("roc", "roc_auc", _roc), ("precision_recall", "average_precision", _precision_recall)):
        values = np.mean([[curve(t, s) for t, s in runs] for _, runs in curves], axis=0)
        intervals = [mean_interval(column) for column in values.T]
        out[name] = {
            "x": GRID.round(4).tolist(),
            "mean": [_short(i.mean) for i in intervals],
            "low": [_short(max(i.low, 0.0)) for i in intervals],
            "high": [_short(min(i.high, 1.0)) for i in intervals],
        }
        runs = list(zip(p, y, strict=True))
        interval = layout.interval(
            [contributions(metric, *run) for run in runs], [reaches(metric, *run) for run in runs]
        )
        ends = [_short(max(interval.low, 0.0)), _short(min(interval.high, 1.0))]
        out[metric] = {"mean": _short(interval.mean), "ci95": ends}
    return out


def _of_class(name: str, of_label: np.ndarray, of_guess: np.ndarray, right: np.ndarray) -> dict[str, Json]:
    """Precision, recall and F1 of a class, means over the runs in which they are defined; counts are `[runs, K]`."""
    labels, guesses = of_label.sum(axis=1), of_guess.sum(axis=1)

    def mean(above: np.ndarray, below: np.ndarray) -> float | None:
        known = below > 0
        return _short(np.mean(above[known] / below[known])) if known.any() else None

    return {
        "name": name,
        "precision": mean(right, guesses),
        "recall": mean(right, labels),
        "f1": mean(2.0 * right, labels + guesses),
        "examples": _short(labels.mean()),
    }


def _roc(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The true positive rate on the grid of false positive rates; ties are a straight piece."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    right, wrong = np.cumsum(truth[order])[last], np.cumsum(~truth[order])[last]
    return np.interp(GRID, np.append(0, wrong / wrong[-1]), np.append(0, right / right[-1]))


def _precision_recall(truth: np.ndarray, score: np.ndarray) -> np.ndarray:
    """The precision on the grid of recalls: the one at the first threshold that reaches the recall."""
    order = np.argsort(-score, kind="stable")
    last = np.append(np.flatnonzero(np.diff(score[order])), len(order) - 1)
    right = np.cumsum(truth[order])[last]
    precision = right / (last + 1)
    return precision[np.minimum(np.searchsorted(right / right[-1], GRID - 1e-9), len(last) - 1)]


def _mistakes(plan: Plan, predictions: Predictions, row: str, names: Sequence[str]) -> list[dict[str, Json]]:
    """The examples whose wrong predictions are surest: by the mean probability of a wrong class over the runs."""
    p, y = predictions.outputs[row], predictions.y
    ids = np.broadcast_to(np.arange(y.shape[1]), y.shape) if predictions.rows is None else predictions.rows
    guess, surest = p.argmax(axis=2), p.max(axis=2).astype(np.float64)
    wrong = guess != y
    examples, place = np.unique(ids, return_inverse=True)
    place = place.ravel()
    tested = np.bincount(place)
    sure = np.bincount(place, (surest * wrong).ravel()) / tested
    times = np.bincount(place, wrong.ravel()).astype(int)
    found_wrong = [int(i) for i in np.argsort(-sure, kind="stable")[:MISTAKES] if times[i]]
    out: list[dict[str, Json]] = []
    for i in found_wrong:
        of_example = place.reshape(y.shape) == i
        guesses = np.bincount(guess[of_example & wrong], minlength=len(names))
        out.append(
            {
                "example": int(examples[i]),
                "label": names[int(y[of_example][0])],
                "predicted": names[int(guesses.argmax())],
                "confidence": _short(float((surest * wrong)[of_example].sum() / times[i])),
                "wrong": int(times[i]),
                "tested": int(tested[i]),
                **_shown(plan, int(examples[i]), from_test=predictions.rows is None),
            }
        )
    return out


def _shown(plan: Plan, example: int, *, from_test: bool) -> dict[str, Json]:
    """How an example is shown: an image, or the columns of a row."""
    splits = plan.splits
    source = splits.x_test if from_test or plan.dataset is None else plan.dataset.x
    if plan.dataset is None and not from_test:  # the splits were given
        example = int(np.flatnonzero(splits.indices["test"] == example)[0])
    x = source.take(np.array([example]))[0] if isinstance(source, Rows) else np.asarray(source[example])
    if splits.kind == "image":
        return {"image": _png(x)} if importlib.util.find_spec("PIL") else {}
    return {"inputs": described(splits, x)} if splits.kind == "table" else {}


def column_places(splits: Splits) -> dict[str, list[int]]:
    """The positions of the inputs of each column of a table."""
    if splits.schema is not None:
        return splits.schema.places
    width = splits.x_train.shape[1]
    names = splits.columns or tuple(f"column {i}" for i in range(width))
    return {name: [i] for i, name in enumerate(names)}


def described(splits: Splits, x: np.ndarray) -> dict[str, Json]:
    """The columns of a row of a table, as they were before they were encoded; at most `MOST_COLUMNS`."""
    used = splits.schema.used if splits.schema else ()
    levels = {column.name: column.levels for column in used if column.role == "category"}
    cells: dict[str, Json] = {}
    for name, places in list(column_places(splits).items())[:MOST_COLUMNS]:
        if name in levels:
            present = np.flatnonzero(x[places] > 0.5)
            cells[name] = "another level"
            if present.size:
                cells[name] = levels[name][present[0]] if present[0] < len(levels[name]) else "missing"
        else:
            value = x[places[0]]
            cells[name] = "missing" if np.isnan(value) else _short(value)
    return cells


def _png(x: np.ndarray) -> str:
    """An image as PNG in base64."""
    from PIL import Image

    pixels = x if x.dtype == np.uint8 else np.round(255 * np.clip(x, 0, 1)).astype(np.uint8)
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels[:, :, :3])
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


def _short(value: float) -> float:
    """A number with five significant digits."""
    return float(f"{float(value):.5g}")
