"""Scores trained weights on one part of the data."""

from __future__ import annotations

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from regjax.analysis.metrics import contributions, reaches
from regjax.catalog import DEFAULT_LOSS, LOSSES, METRICS
from regjax.comparison.explained import explained, least_loss
from regjax.core.typing import ApplyFn, Array, ArrayLike
from regjax.data import Preprocessor, Splits, Standardization
from regjax.losses import (
    ChosenLoss,
    best_constant,
    constant_losses,
    correct,
    get_loss,
    labels_correct,
    predicted_numbers,
    probabilities,
    squared_error,
)
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
    hits: np.ndarray  # [N], how many of its answers are right; empty if the metric is not the accuracy
    outputs: np.ndarray = np.zeros(0)  # class probabilities [N, K], or numbers like y; empty on the selection part
    squares: np.ndarray = np.zeros(0)  # [N], of a regression the squared error of each example
    contributions: np.ndarray | None = None  # [N], of each example to the score; None of accuracy and R2 of one target
    diverged: bool = False  # the scores are those of the constant guess
    reaches: np.ndarray | None = None  # [N], how far an answer moves its contribution; None with hits, and for numbers
    answers: int = 1  # for an example, of which hits are right: the number of its labels

    @property
    def scores(self) -> np.ndarray:
        """What each example contributes to the score, `[N]`; their mean is the score."""
        if self.contributions is not None:
            return self.contributions
        if self.hits.size or not self.squares.any():
            return self.hits / self.answers if self.hits.size else np.full(len(self.losses), self.score)
        return 1.0 - (1.0 - self.score) / self.squares.mean() * self.squares

    @property
    def reach(self) -> np.ndarray:
        """How far one answer moves what its example contributes to the score, `[N]`; 0 where nothing is answered."""
        if self.reaches is not None:
            return self.reaches
        return np.full(len(self.losses), float(self.hits.size > 0))


class Chance(NamedTuple):
    """The scores of a constant guess: the best one under the data loss for the targets of the training set.

    By the default losses, it is the class frequencies or the mean target.
    """

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
      loss: the data loss; None is the default of the task.
    """

    def __init__(
        self,
        apply_fn: ApplyFn,
        splits: Splits,
        preprocessor: Preprocessor,
        part: str,
        metric: str | None = None,
        loss: ChosenLoss | None = None,
    ):
        examples = getattr(splits, f"x_{part}"), getattr(splits, f"y_{part}")
        self._keep(apply_fn, splits, preprocessor, *examples, metric, loss)
        self._keeps_outputs = part == "test"  # those of all settings on the selection part would fill the memory

    @classmethod
    def of_examples(
        cls,
        apply_fn: ApplyFn,
        splits: Splits,
        preprocessor: Preprocessor,
        examples: tuple[ArrayLike, np.ndarray],
        metric: str | None = None,
        loss: ChosenLoss | None = None,
    ) -> Scorer:
        """Make the scorer of other examples `(x, y)`, as they are before standardization; it keeps no outputs."""
        scorer = cls.__new__(cls)
        scorer._keep(apply_fn, splits, preprocessor, *examples, metric, loss)
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
        loss: ChosenLoss | None,
    ) -> None:
        self.task = splits.task
        self._loss = loss or ChosenLoss(DEFAULT_LOSS[splits.task])
        self.metric = metric or SCORE[splits.task]
        self._apply = apply_fn
        self._whole = preprocessor
        self._x = jax.device_put(x)
        self._targets = y
        self._y = jax.device_put(preprocessor.target_transform(y))
        self.chance = chance_of(splits, preprocessor, y, metric, self._loss)
        self._guess = _constant_guess(splits, preprocessor, self._loss)
        self._least = least_loss(self._loss, np.asarray(self._y)) if self.metric == "d2" else 1.0

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
            fixed = (self._apply, self.task, self._loss.name)
            parameter = self._loss.parameter
            pieces = [_per_example(*fixed, parameter, weights, *inputs, x[cut], self._y[cut]) for cut in cuts]
            losses = np.concatenate([piece[0] for piece in pieces]).astype(np.float64)
            if np.all(np.isfinite(losses)):
                loss = float(losses.mean())
                outputs = np.concatenate([piece[2] for piece in pieces])
                outputs = self._whole.target_inverse(outputs) if self.task == "regression" else outputs
                other = np.concatenate([piece[1] for piece in pieces]).astype(np.float64)
                return self._evaluation(loss, losses, other, outputs)
        return self._of_guess()

    def _of_guess(self) -> Evaluation:
        y, guess = np.asarray(self._y), predicted_by_constant(self._guess, self._whole, self.task, len(self._y))
        losses = constant_losses(self._loss.name, self._guess, y, self._loss.parameter)
        if self.task == "classification":
            other = (guess.argmax(axis=1) == y).astype(np.float64)
        elif self.task == "multilabel":
            other = np.sum((guess > 0.5) == (y > 0.5), axis=1, dtype=np.float64)
        else:
            other = _squares(self._whole.target_transform(guess), y)
        return self._evaluation(self.chance.loss, losses, other, guess)._replace(diverged=True)

    def _evaluation(self, loss: float, losses: np.ndarray, other: np.ndarray, outputs: np.ndarray) -> Evaluation:
        """Return the evaluation; `other` are the hits, or of a regression the squared errors."""
        kept, none = outputs if self._keeps_outputs else np.zeros(0), np.zeros(0)
        squares = other if self.task == "regression" else none
        if self.metric == "accuracy":
            answers = self._y.shape[1] if self.task == "multilabel" else 1
            return Evaluation(float(other.sum() / (len(other) * answers)), loss, losses, other, kept, answers=answers)
        if self.metric == "d2":
            scores = explained(losses, self._least)
            return Evaluation(float(scores.mean()), loss, losses, none, kept, squares, scores)
        if self.metric == "r2" and _is_single(self._targets):
            score = 1.0 - float(squares.mean()) / _variance(np.asarray(self._y))
            return Evaluation(score, loss, losses, none, kept, squares)
        scores = METRICS[self.metric].sign * contributions(self.metric, outputs, self._targets)
        reach = reaches(self.metric, outputs, self._targets) if self._keeps_outputs else None
        return Evaluation(float(scores.mean()), loss, losses, none, kept, squares, scores, reaches=reach)


def chance_of(
    splits: Splits,
    preprocessor: Preprocessor,
    y: np.ndarray,
    metric: str | None = None,
    loss: ChosenLoss | None = None,
    class_weights: np.ndarray | None = None,
) -> Chance:
    """Score the constant guess from the training set on the targets `y`; `metric` and `loss` are as in `Scorer`.

    With weights of the classes, it is the guess with the least weighted loss, as a net with constant outputs would be.
    """
    metric, loss = metric or SCORE[splits.task], loss or ChosenLoss(DEFAULT_LOSS[splits.task])
    guess = _constant_guess(splits, preprocessor, loss, class_weights)
    targets = preprocessor.target_transform(y)
    mean = float(constant_losses(loss.name, guess, targets, loss.parameter).mean())
    if metric == "d2":
        return Chance(1.0 - mean / least_loss(loss, targets), mean)
    predicted = predicted_by_constant(guess, preprocessor, splits.task, len(y))
    if metric == "r2" and _is_single(y):
        squares = _squares(preprocessor.target_transform(predicted), targets)
        return Chance(1.0 - float(squares.mean()) / _variance(targets), mean)
    return Chance(float((METRICS[metric].sign * contributions(metric, predicted, y)).mean()), mean)


def _constant_guess(
    splits: Splits, preprocessor: Preprocessor, loss: ChosenLoss, class_weights: np.ndarray | None = None
) -> np.ndarray:
    """The outputs of a model, for one example, with the least mean loss on the training targets."""
    targets = preprocessor.target_transform(splits.y_train)
    return best_constant(loss.name, targets, loss.parameter, splits.num_classes, class_weights)


def predicted_by_constant(guess: np.ndarray, preprocessor: Preprocessor, task: str, size: int) -> np.ndarray:
    """The predictions for `size` examples by a model that gives the outputs `guess` for all, as in `Evaluation`."""
    if task == "regression":
        of_one = preprocessor.target_inverse(guess)
    else:
        of_one = np.exp(guess) if task == "classification" else np.asarray(probabilities(jnp.asarray(guess), task))
    return np.broadcast_to(np.asarray(of_one, np.float32), (size, *guess.shape))


def _squares(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    return np.square(outputs - targets).reshape(len(targets), -1).mean(axis=1, dtype=np.float64)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _per_example(
    apply_fn: ApplyFn,
    task: str,
    loss: str,
    loss_parameter: ArrayLike | None,
    weights: Weights,
    standardization: Standardization | None,
    units: tuple[Array, Array] | None,
    x: Array,
    y: Array,
) -> tuple[Array, Array, Array]:
    """The loss of each example, its right answers or squared error, and the outputs: probabilities or numbers."""
    inputs = x if standardization is None else standardization.apply(x)
    outputs = predict(apply_fn, *weights, inputs, task=task, link=LOSSES[loss].link)
    if units is not None:
        outputs = outputs * units[0] + units[1]
    losses = get_loss(loss)(outputs, y) if loss_parameter is None else get_loss(loss)(outputs, y, loss_parameter)
    if task == "regression":
        return losses, squared_error(predicted_numbers(loss, outputs), y), outputs
    if task == "multilabel":
        return (
            losses,
            jnp.round(labels_correct(outputs, y) * y.shape[1]),
            probabilities(outputs, task).astype(jnp.float32),
        )
    return losses, correct(outputs, y), jax.nn.softmax(outputs.astype(jnp.float32))


def _is_single(y: np.ndarray) -> bool:
    """Whether there is one target; R2 of several is the mean of theirs, which the squared errors alone do not tell."""
    return y.ndim == 1 or y.shape[1] == 1


def _variance(y: np.ndarray) -> float:
    spread_of_y = float(np.var(y))
    return spread_of_y if spread_of_y > 0 else 1.0
