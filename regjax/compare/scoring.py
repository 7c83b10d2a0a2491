"""Scores of trained weights, and what they say over seeds."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.analysis import (
    diagnose,
    holm,
    mean_interval,
    minimum_detectable_effect,
    sign_flip_p,
    two_way_bootstrap,
)
from regjax.compare.result import GridPoint, Improvement, Spread, TechniqueResult, spread
from regjax.compare.techniques import Technique
from regjax.data import Splits
from regjax.epoch import Weights
from regjax.losses import TASK_LOSSES, correct, get_loss
from regjax.objective import call_model
from regjax.run import RunResult
from regjax.tree import select

if TYPE_CHECKING:
    from regjax.compare.prepare import Prepared

BATCH = 4096  # examples at a time
SMALL = 1e-3  # a weight below this is "small" in the histogram


class Evaluation(NamedTuple):
    """How one run does on one part of the data."""

    score: float  # accuracy or R2
    loss: float
    losses: np.ndarray  # [N] of each example
    hits: np.ndarray  # [N] 1 where right; empty for regression


class Scorer:
    """Evaluates weights on the selection part, and on the test part once for each chosen run."""

    def __init__(self, apply_fn: Callable[..., Any], prepared: Prepared, splits: Splits):
        self.task = splits.task
        self._apply = apply_fn
        pre = prepared.preprocessor
        self._select = _part(pre, splits.x_select, splits.y_select)
        self._test = _part(pre, splits.x_test, splits.y_test)
        self._mse_unit = 1.0 if pre.y_scale is None else float(np.mean(np.square(pre.y_scale)))
        self.n_val = int(prepared.train.x_val.shape[0])
        self.chance = _chance(self.task, splits, self._test[1])

    def on_select(self, weights: Weights, diverged: bool) -> Evaluation:
        """On the selection part; a diverged run has the score and loss of a constant guess."""
        return self._evaluate(weights, self._select, diverged)

    def on_test(self, weights: Weights, diverged: bool) -> Evaluation:
        """On the test part; a diverged run has the score and loss of a constant guess."""
        return self._evaluate(weights, self._test, diverged)

    def mse(self, loss: float) -> float:
        """Mean squared error in the units of the target."""
        return loss * self._mse_unit

    def spread(self, values: Sequence[float]) -> Spread:
        """Mean, interval and values over seeds."""
        return spread(values, mean_interval(values))

    def diagnose(self, results: Sequence[RunResult]) -> dict[str, Any]:
        """The diagnosis of the mean baseline run, and what it is seed by seed."""
        each = [
            diagnose(result.history, chance_loss=self.chance.loss, n_val=self.n_val)
            for result in results
            if np.isfinite(result.history.values["val/loss"]).any()
        ]
        if not each:
            return {
                "verdict": "diverged",
                "onset_epochs": [],
                "median_onset": None,
                "evidence": [],
                "verdicts": {},
            }
        names = [d.verdict for d in each]
        verdicts = {name: names.count(name) for name in sorted(set(names))}
        verdict = max(verdicts, key=lambda name: verdicts[name])
        onsets = [d.onset_epoch for d in each]
        known = [onset for onset in onsets if onset is not None]
        typical = next(d for d in each if d.verdict == verdict)
        return {
            "verdict": verdict,
            "verdicts": verdicts,
            "onset_epochs": onsets,
            "median_onset": float(np.median(known)) if known else None,
            "generalization_loss": float(np.mean([d.generalization_loss for d in each])),
            "generalization_gap": float(np.mean([d.generalization_gap for d in each])),
            "metric_gap": float(np.mean([d.metric_gap for d in each if d.metric_gap is not None] or [math.nan])),
            "evidence": list(typical.evidence),
        }

    def _evaluate(self, weights: Weights, part: tuple[Any, Any], diverged: bool) -> Evaluation:
        x, y = part
        if diverged:
            return self._constant(y)
        pieces = [
            jax.device_get(_per_example(self._apply, self.task, weights, x[i : i + BATCH], y[i : i + BATCH]))
            for i in range(0, len(x), BATCH)
        ]
        losses = np.concatenate([piece[0] for piece in pieces]).astype(np.float64)
        if not np.all(np.isfinite(losses)):
            return self._constant(y)
        if self.task == "classification":
            hits = np.concatenate([piece[1] for piece in pieces])
            return Evaluation(float(hits.mean()), float(losses.mean()), losses, hits)
        return Evaluation(
            1.0 - float(losses.mean()) / _variance(np.asarray(y)), float(losses.mean()), losses, np.zeros(0)
        )

    def _constant(self, y: Any) -> Evaluation:
        hits = np.full(len(y) if self.task == "classification" else 0, self.chance.score)
        return Evaluation(self.chance.score, self.chance.loss, np.full(len(y), self.chance.loss), hits)


class Chance(NamedTuple):
    """What a constant guess achieves."""

    score: float
    loss: float


def summarize_row(
    technique: Technique,
    chosen: dict[str, Any],
    grid: tuple[GridPoint, ...],
    results: Sequence[RunResult],
    tests: Sequence[Evaluation],
    scorer: Scorer,
    *,
    diverged: int,
    lanes: int,
    seconds: float,
) -> TechniqueResult:
    """One row of the comparison, still without its statistics against the baseline."""
    metric = {"classification": "accuracy", "regression": "r2"}[scorer.task]
    train = [_at_end(result, f"train/{metric}", scorer.chance.score) for result in results]
    test = [evaluation.score for evaluation in tests]
    loss = [evaluation.loss for evaluation in tests]
    regression = scorer.task == "regression"
    return TechniqueResult(
        name=technique.name,
        title=technique.title,
        chosen=chosen,
        grid=grid,
        test=scorer.spread(test),
        test_loss=scorer.spread(loss),
        test_mse=scorer.spread([scorer.mse(value) for value in loss]) if regression else None,
        train=scorer.spread(train),
        train_loss=scorer.spread([_at_end(result, "train/data_loss", scorer.chance.loss) for result in results]),
        generalization_gap=scorer.spread([a - b for a, b in zip(train, test, strict=True)]),
        improvement=None,
        loss_improvement=None,
        zero_fraction=float(np.mean([_zero_fraction(result.weights.params) for result in results])),
        epochs=scorer.spread([float(result.epochs) for result in results]),
        diverged=diverged,
        lanes=lanes,
        seconds=seconds,
        curves=_curves(results, metric),
        weights=_histogram(results),
    )


def test_statistics(
    rows: Mapping[str, TechniqueResult],
    tests: Mapping[str, Sequence[Evaluation]],
    baseline: Sequence[Evaluation],
    task: str,
) -> dict[str, TechniqueResult]:
    """The rows with their paired improvements over the baseline, corrected over all rows."""
    scores = {n: [a.score - b.score for a, b in zip(tests[n], baseline, strict=True)] for n in rows}
    losses = {n: [b.loss - a.loss for a, b in zip(tests[n], baseline, strict=True)] for n in rows}
    hits = {}
    if task == "classification":
        hits = {n: np.stack([a.hits - b.hits for a, b in zip(tests[n], baseline, strict=True)]) for n in rows}
    gaps = {n: np.stack([b.losses - a.losses for a, b in zip(tests[n], baseline, strict=True)]) for n in rows}
    by_score = _improvements(scores, hits)
    by_loss = _improvements(losses, gaps)
    return {
        n: dataclasses.replace(row, improvement=by_score[n], loss_improvement=by_loss[n]) for n, row in rows.items()
    }


def _improvements(
    differences: Mapping[str, Sequence[float]], by_example: Mapping[str, np.ndarray]
) -> dict[str, Improvement]:
    p_values = {name: sign_flip_p(d) for name, d in differences.items()}
    corrected = dict(zip(p_values, holm(list(p_values.values())), strict=True))
    out = {}
    for name, d in differences.items():
        interval = mean_interval(d)
        wide = two_way_bootstrap(by_example[name]) if name in by_example else None
        out[name] = Improvement(
            mean=interval.mean,
            ci95=(interval.low, interval.high),
            ci95_two_way=None if wide is None else (wide.low, wide.high),
            p=p_values[name],
            p_holm=corrected[name],
            minimum_detectable_effect=minimum_detectable_effect(d),
        )
    return out


@functools.partial(jax.jit, static_argnums=(0, 1))
def _per_example(apply_fn: Callable[..., Any], task: str, weights: Weights, x: Any, y: Any) -> tuple[Any, Any]:
    outputs, _ = call_model(apply_fn, weights.params, weights.model_state, x, train=False)
    losses = get_loss(TASK_LOSSES[task])(outputs, y)
    return losses, correct(outputs, y) if task == "classification" else jnp.zeros(())


def _part(preprocessor: Any, x: np.ndarray, y: np.ndarray) -> tuple[Any, Any]:
    return jnp.asarray(preprocessor.transform(x)), jnp.asarray(preprocessor.target_transform(y))


def _chance(task: str, splits: Splits, y_test: Any) -> Chance:
    """The guess that needs no input: the classes' shares in train, or the mean."""
    if task == "regression":
        return Chance(0.0, _variance(np.asarray(y_test)))
    share = np.bincount(splits.y_train, minlength=splits.num_classes) / len(splits.y_train)
    counts = np.bincount(splits.y_test, minlength=splits.num_classes) / len(splits.y_test)
    log_share = np.log(np.maximum(share, 1e-12))
    return Chance(float(counts[int(np.argmax(share))]), float(-np.sum(counts * log_share)))


def _variance(y: np.ndarray) -> float:
    spread_of_y = float(np.mean(np.var(y.reshape(len(y), -1), axis=0)))
    return spread_of_y if spread_of_y > 0 else 1.0


def _at_end(result: RunResult, column: str, otherwise: float) -> float:
    """A column of the history at the epoch whose weights the run ended with."""
    values = result.history.values[column]
    rows = np.flatnonzero(result.history.valid)
    value = float(values[int(result.end_epoch)]) if rows.size else math.nan
    return value if math.isfinite(value) else otherwise


def _weight_values(params: Any) -> np.ndarray:
    chosen = select(params, None)
    leaves = [np.ravel(leaf) for leaf, use in zip(jax.tree.leaves(params), chosen, strict=True) if use]
    return np.concatenate(leaves)


def _zero_fraction(params: Any) -> float:
    return float(np.mean(_weight_values(params) == 0))


def _histogram(results: Sequence[RunResult], bins: int = 60) -> dict[str, Any]:
    """Histogram of the penalizable weights of all seeds; exact zeros are counted apart."""
    values = np.concatenate([_weight_values(result.weights.params) for result in results])
    values = values[np.isfinite(values)]
    rest = values[values != 0]
    reach = float(np.quantile(np.abs(rest), 0.999)) if rest.size else 1.0
    counts, edges = np.histogram(np.clip(rest, -reach, reach), bins=bins, range=(-reach, reach))
    total = max(values.size, 1)
    return {
        "edges": [round(float(edge), 6) for edge in edges],
        "counts": counts.tolist(),
        "zero_fraction": float((values == 0).sum() / total),
        "small_fraction": float((np.abs(rest) < SMALL).sum() / total),
    }


def _curves(results: Sequence[RunResult], metric: str, points: int = 200) -> dict[str, Any]:
    """Means and 95% intervals over the seeds that are still running, at most 200 epochs of them."""
    columns = {
        "train_loss": "train/data_loss",
        "val_loss": "val/loss",
        "train_score": f"train/{metric}",
        "val_score": f"val/{metric}",
    }
    valid = np.stack([result.history.valid for result in results])
    last = int(valid.any(axis=0).sum())
    epochs = np.unique(np.linspace(0, last - 1, min(points, last)).round().astype(int)) if last else np.array([], int)
    out: dict[str, Any] = {"epoch": epochs.tolist(), "runs": valid[:, epochs].sum(axis=0).tolist()}
    for name, column in columns.items():
        table = np.stack([result.history.values[column] for result in results])
        running = [table[valid[:, e] & np.isfinite(table[:, e]), e] for e in epochs]
        intervals = [mean_interval(values) if values.size else None for values in running]
        out[name] = {
            part: [None if i is None else float(f"{getattr(i, part):.5g}") for i in intervals]
            for part in ("mean", "low", "high")
        }
    return out
