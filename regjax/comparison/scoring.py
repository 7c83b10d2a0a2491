"""Scores trained weights on one part of the data."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.analysis.metrics import contributions
from regjax.catalog import DEFAULT_LOSS, METRICS
from regjax.core.typing import ApplyFn, Array, ArrayLike
from regjax.data import Preprocessor, Splits, Standardization
from regjax.losses import correct, get_loss
from regjax.training.evaluate import SCORE, predict
from regjax.training.state import Weights

BATCH = 4096  # number of examples that are evaluated at once


class Evaluation(NamedTuple):
    """The scores of one run on one part of the data.

    The score is the metric of the comparison, negated where a lower value is better: a higher score is always better.
    """

    score: float
    loss: float
    losses: np.ndarray  # [N], the loss of each example
    hits: np.ndarray  # [N], 1 for a correct prediction; empty if the metric is not the accuracy
    outputs: np.ndarray = np.zeros(0)  # class probabilities [N, K], or numbers like y; empty on the selection part
    contributions: np.ndarray | None = None  # [N], of each example to the score, if it is neither accuracy nor R2
    diverged: bool = False  # the scores are those of the constant guess

    @property
    def scores(self) -> np.ndarray:
        """What each example contributes to the score, `[N]`; their mean is the score."""
        if self.contributions is not None:
            return self.contributions
        if self.hits.size or not self.loss:
            return self.hits if self.hits.size else np.full(len(self.losses), self.score)
        return 1.0 - (1.0 - self.score) / self.loss * self.losses


class Chance(NamedTuple):
    """The scores of a constant guess: the class frequencies or the mean target of the training set."""

    score: float
    loss: float


class Scorer:
    """Evaluates weights on one part of the data; it does not keep the other parts.

    Args:
      apply_fn: the apply function of the model.
      splits: the splits; the training targets determine the constant guess.
      preprocessor: the one of the whole pool, which gives the losses of all runs one unit.
      part: `"select"` or `"test"`.
      metric: name of the metric; None is the default of the task.
    """

    def __init__(
        self, apply_fn: ApplyFn, splits: Splits, preprocessor: Preprocessor, part: str, metric: str | None = None
    ):
        self._keep(apply_fn, splits, preprocessor, getattr(splits, f"x_{part}"), getattr(splits, f"y_{part}"), metric)
        self._keeps_outputs = part == "test"  # those of all settings on the selection part would fill the memory

    @classmethod
    def of_examples(
        cls,
        apply_fn: ApplyFn,
        splits: Splits,
        preprocessor: Preprocessor,
        examples: tuple[ArrayLike, np.ndarray],
        metric: str | None = None,
    ) -> Scorer:
        """Make the scorer of other examples `(x, y)`, as they are before standardization; it keeps no outputs."""
        scorer = cls.__new__(cls)
        scorer._keep(apply_fn, splits, preprocessor, *examples, metric)
        scorer._keeps_outputs = False
        return scorer

    def _keep(
        self,
        apply_fn: ApplyFn,
        splits: Splits,
        preprocessor: Preprocessor,
        x: ArrayLike,
        y: np.ndarray,
        metric: str | None,
    ) -> None:
        self.task = splits.task
        self.metric = metric or SCORE[splits.task]
        self._apply = apply_fn
        self._whole = preprocessor
        self._x = jnp.asarray(x)
        self._targets = y
        self._y = jnp.asarray(preprocessor.target_transform(y))
        self.chance = chance_of(splits, preprocessor, y, metric)
        self._guess = _constant_guess(splits, len(y))

    def __call__(
        self, weights: Weights, diverged: bool, preprocessor: Preprocessor | None = None, x: Array | None = None
    ) -> Evaluation:
        """Evaluate the weights of a run with its preprocessor; None is that of the whole pool.

        A diverged run gets the score and loss of a constant guess. `x` stands in for the inputs of the examples.
        """
        own, size, x = preprocessor or self._whole, len(self._y), self._x if x is None else x
        if not diverged:
            cuts = [slice(i, i + BATCH) for i in range(0, size, BATCH)]
            inputs = (own.standardization, own.units_of(self._whole))
            pieces = [_per_example(self._apply, self.task, weights, *inputs, x[cut], self._y[cut]) for cut in cuts]
            losses = np.concatenate([piece[0] for piece in pieces]).astype(np.float64)
            if np.all(np.isfinite(losses)):
                loss = float(losses.mean())
                outputs = np.concatenate([piece[2] for piece in pieces])
                outputs = self._whole.target_inverse(outputs) if self.task == "regression" else outputs
                hits = np.concatenate([piece[1] for piece in pieces]).astype(np.float64) if pieces[0][1].size else None
                return self._evaluation(loss, losses, hits, outputs)
        return self._of_guess()

    def _of_guess(self) -> Evaluation:
        guess, y = self._guess, np.asarray(self._y)
        if self.task == "classification":
            losses = -np.log(np.maximum(guess[np.arange(len(y)), y], 1e-12, dtype=np.float64))
            hits = (guess.argmax(axis=1) == y).astype(np.float64)
        else:
            errors = np.square(self._whole.target_transform(guess) - y)
            losses, hits = errors.reshape(len(y), -1).mean(axis=1, dtype=np.float64), None
        return self._evaluation(self.chance.loss, losses, hits, guess)._replace(diverged=True)

    def _evaluation(self, loss: float, losses: np.ndarray, hits: np.ndarray | None, outputs: np.ndarray) -> Evaluation:
        kept = outputs if self._keeps_outputs else np.zeros(0)
        if self.metric == "accuracy" and hits is not None:
            return Evaluation(float(hits.mean()), loss, losses, hits, kept)
        if self.metric == "r2":
            return Evaluation(1.0 - loss / _variance(np.asarray(self._y)), loss, losses, np.zeros(0), kept)
        scores = METRICS[self.metric].sign * contributions(self.metric, outputs, self._targets)
        return Evaluation(float(scores.mean()), loss, losses, np.zeros(0), kept, scores)


def chance_of(splits: Splits, preprocessor: Preprocessor, y: np.ndarray, metric: str | None = None) -> Chance:
    """Score the constant guess from the training set on the targets `y`; `metric` is as in `Scorer`."""
    metric = metric or SCORE[splits.task]
    if metric not in SCORE.values():
        scores = METRICS[metric].sign * contributions(metric, _constant_guess(splits, len(y)), y)
        return Chance(float(scores.mean()), chance_of(splits, preprocessor, y).loss)
    if splits.task == "regression":
        guess = preprocessor.target_transform(splits.y_train).mean(axis=0)
        targets = preprocessor.target_transform(y)
        loss = float(np.mean(np.square(targets - guess)))
        return Chance(1.0 - loss / _variance(targets), loss)
    share = np.bincount(splits.y_train, minlength=splits.num_classes) / len(splits.y_train)
    counts = np.bincount(y, minlength=splits.num_classes) / len(y)
    loss = -np.sum(counts * np.log(np.maximum(share, 1e-12)))
    return Chance(float(counts[int(np.argmax(share))]), float(loss))


def _constant_guess(splits: Splits, size: int) -> np.ndarray:
    """The outputs of the constant guess for `size` examples, as in `Evaluation`."""
    if splits.task == "regression":
        guess = np.mean(splits.y_train, axis=0, dtype=np.float64)
    else:
        guess = np.bincount(splits.y_train, minlength=splits.num_classes) / len(splits.y_train)
    return np.broadcast_to(guess.astype(np.float32), (size, *guess.shape))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _per_example(
    apply_fn: ApplyFn,
    task: str,
    weights: Weights,
    standardization: Standardization | None,
    units: tuple[Array, Array] | None,
    x: Array,
    y: Array,
) -> tuple[Array, Array, Array]:
    """The loss, whether it is right, and the prediction of each example: probabilities, or standardized targets."""
    outputs = predict(apply_fn, *weights, x if standardization is None else standardization.apply(x), task=task)
    if units is not None:
        outputs = outputs * units[0] + units[1]
    losses = get_loss(DEFAULT_LOSS[task])(outputs, y)
    if task == "regression":
        return losses, jnp.zeros(0), outputs
    return losses, correct(outputs, y), jax.nn.softmax(outputs.astype(jnp.float32))


def _variance(y: np.ndarray) -> float:
    spread_of_y = float(np.mean(np.var(y.reshape(len(y), -1), axis=0)))
    return spread_of_y if spread_of_y > 0 else 1.0
