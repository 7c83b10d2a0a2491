"""What the estimators share: their parameters, how they train, and what they keep."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from regjax.averaging import Average, parse_average
from regjax.catalog import LOSSES
from regjax.core.checks import check_choice
from regjax.core.errors import InputError
from regjax.core.typing import ModelLike, PenaltyMode, PRNGKey, Value
from regjax.data.standardization import Standardization
from regjax.models import make_model
from regjax.penalties import PENALTY_MODES, Penalty, parse_penalty_modes
from regjax.penalties.constraints import Constraint, parse_constraint
from regjax.penalties.outputs import OutputPenalty, parse_output_penalties
from regjax.sklearn import programs
from regjax.sklearn.programs import Part
from regjax.stopping import NEVER, REASONS, EarlyStopping
from regjax.training.run import RunResult
from regjax.training.spec import Hparams, Spec, make_hparams
from regjax.training.state import TrainState, Weights

BATCH_SIZE = 200
"""The batch size `"auto"`, or all examples if there are fewer; as in scikit-learn's own nets."""


class Examples(NamedTuple):
    """What an estimator trains on: `float32[N, F]`, targets as the model takes them, and `float32[N]` or None."""

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None

    def without_weightless(self) -> Examples:
        """Leave out examples of weight 0, whose number must not matter."""
        if self.weight is None or np.all(self.weight > 0):
            return self
        return self.of(np.flatnonzero(self.weight))

    def of(self, rows: np.ndarray) -> Examples:
        """Return the examples of these rows."""
        return Examples(self.x[rows], self.y[rows], None if self.weight is None else self.weight[rows])


class Plan(NamedTuple):
    """A run: its program, its numbers, its root key and its examples."""

    spec: Spec
    hparams: Hparams
    key: PRNGKey
    part: Part


class Progress(NamedTuple):
    """Where `partial_fit` is: the state, the number of passes, and what does not change between them."""

    state: TrainState | None
    passes: int
    key: np.ndarray
    weights: Weights | None
    standardization: Standardization | None


@dataclasses.dataclass(eq=False, repr=False)
class Regularized(BaseEstimator):  # type: ignore[misc]
    """The parameters that all estimators have.

    Numbers such as `dropout` are data of the compiled program, None leaves a regularizer out of it. Features are
    standardized with the mean and the standard deviation of the training examples.

    Attributes:
      hidden_layer_sizes: units of the hidden layers of a multilayer perceptron; `()` is a linear model.
      model: a Flax Linen module or a pair `(init, apply)` in place of the perceptron.
      penalty: on the weights, as text (`"l1(1e-3)"`, `"l2(0.01) + l1(1e-3, mode='proximal')"`), a `rj.Penalty`, or
        penalties by mode.
      penalty_mode: how penalties without a mode of their own enter training: `"loss"`, `"coupled"`, `"decoupled"`,
        `"independent"` or `"proximal"`.
      constraint: on the weights after each update, as text (`"max_norm(3)"`) or a `rj.Constraint`.
      output_penalty: on activations or outputs, as text (`"confidence(0.1)"`) or a sequence of `rj.OutputPenalty`.
      dropout: fraction of the hidden units that is dropped.
      input_dropout: fraction of the features that is dropped.
      noise: other noises by name, such as `{"gaussian_noise": 0.1}`.
      mixup: alpha of mixup.
      average: of the weights, as text (`"ema(0.99)"`) or from `rj.ema`, `rj.swa`, ...
      sam: radius of sharpness-aware minimization.
      gradient_noise: variance of the noise on the first gradient.
      loss: the data loss, a name of `regjax.catalog.LOSSES` for the task.
      loss_parameter: the number of the loss: delta of `"huber"`, the quantile of `"quantile"`, gamma of `"focal"`.
      optimizer: a name of `rj.make_optimizer`.
      learning_rate_init: base learning rate.
      schedule: of the learning rate over `max_iter` epochs: `"constant"`, `"cosine"` or `"linear"`.
      batch_size: examples in an update; `"auto"` is 200, or all if there are fewer.
      max_iter: passes over the training examples at most.
      early_stopping: whether a part of the examples is held out, and training stops when the loss on it does not fall
        any more; the weights are then those of the best epoch.
      validation_fraction: fraction of the examples that is held out for early stopping.
      n_iter_no_change: epochs without a gain that early stopping allows.
      tol: a gain must exceed it.
      random_state: of the held-out part, the initialization, the order of the examples and the noise.
    """

    hidden_layer_sizes: tuple[int, ...] = (256,)
    _: dataclasses.KW_ONLY
    model: ModelLike = None
    penalty: str | Penalty | Mapping[str, Penalty] | None = None
    penalty_mode: str = "loss"
    constraint: str | Constraint | None = None
    output_penalty: str | tuple[OutputPenalty, ...] | None = None
    dropout: float | None = None
    input_dropout: float | None = None
    noise: Mapping[str, float] | None = None
    mixup: float | None = None
    average: str | Average | None = None
    sam: float | None = None
    gradient_noise: float | None = None
    loss: str | None = None
    loss_parameter: float | None = None
    optimizer: str = "adam"
    learning_rate_init: float = 1e-3
    schedule: str = "constant"
    batch_size: int | str = "auto"
    max_iter: int = 100
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int = 10
    tol: float = 1e-4
    random_state: Value = None

    task: ClassVar[str]

    # What each kind of estimator does in its own way.

    def _targets(self, y: np.ndarray, classes: Value = None) -> np.ndarray:
        """Return the targets as the model takes them, and keep what undoes this."""
        raise NotImplementedError

    def _num_outputs(self, y: np.ndarray) -> int:
        raise NotImplementedError

    def _own_hparams(self, y: np.ndarray) -> dict[str, Value]:
        """Return the hyperparameters that only this kind has, for these training targets."""
        return {}

    def _standardization(self, examples: Examples) -> Standardization:
        """Return the standardization by these training examples."""
        return Standardization(*moments(examples.x, examples.weight))

    def _stratified(self, y: np.ndarray) -> np.ndarray | None:
        """Return what the held-out part is stratified by."""
        return None

    # Training.

    def fit(self, X: Value, y: Value, sample_weight: Value = None) -> Regularized:
        """Train from the beginning.

        Args:
          X: features `[N, F]`.
          y: targets, `[N]`.
          sample_weight: weights >= 0 of the examples in the loss, `[N]`; None weighs all alike.

        Returns:
          The estimator itself.

        Raises:
          ValueError: a parameter or the data cannot be used, or the loss is not finite any more.
        """
        examples = self._examples(X, y, sample_weight).without_weightless()
        plan = self._plan(examples, np.arange(len(examples.x)))
        data = programs.train_data(*examples, [plan.part])
        result = programs.train(plan.spec, plan.hparams, plan.key, data)
        self._keep(plan, result)
        key = np.asarray(jax.random.key_data(plan.key))
        self._progress = Progress(None, 0, key, result.weights, plan.hparams.standardization)
        return self

    def _partial_fit(self, X: Value, y: Value, sample_weight: Value, classes: Value = None) -> Regularized:
        """Train for one pass over some examples, from the weights of before if there are any."""
        for name in ("early_stopping", "average"):
            if getattr(self, name):
                raise ValueError(f"partial_fit: {name}={getattr(self, name)!r} needs all epochs; use fit")
        before: Progress | None = getattr(self, "_progress", None)
        first = before is None
        examples = self._examples(X, y, sample_weight, reset=first, classes=classes).without_weightless()
        part = Part(np.arange(len(examples.x)), np.arange(1))
        spec, hparams = self._spec(examples.y, len(part.train)), self._hparams(examples, part)
        if before is None:
            seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
            start = np.asarray(jax.random.key_data(jax.random.key(seed)))
            before = Progress(None, 0, start, None, hparams.standardization)
            self.loss_curve_ = []
        state, passes, data, weights, standardization = before
        hparams = hparams._replace(standardization=standardization)
        key: PRNGKey = jax.random.wrap_key_data(jnp.asarray(data))
        done = programs.train_once(spec, hparams, key, programs.train_data(*examples, [part]), passes, state, weights)
        if not np.isfinite(done.loss):
            raise ValueError(_DIVERGED.format(passes + 1))
        self._progress = before._replace(state=done.train, passes=passes + 1)
        self.spec_, self.hparams_, self.n_iter_ = spec, hparams, passes + 1
        self.weights_ = Weights(done.train.params, done.train.model_state)
        self.loss_curve_.append(float(done.loss))
        return self

    def _examples(
        self, X: Value, y: Value, sample_weight: Value, reset: bool = True, classes: Value = None
    ) -> Examples:
        """Check what `fit` was called with."""
        x, y = validate_data(
            self, X, y, reset=reset, dtype=np.float32, multi_output=True, y_numeric=self.task == "regression"
        )
        weight = None if sample_weight is None else _check_sample_weight(sample_weight, x, dtype=np.float32)
        if weight is not None and np.any(weight < 0):  # scikit-learn refuses those that are all 0
            raise ValueError(f"sample_weight must be >= 0, got {weight.min():g}")
        return Examples(x, self._targets(y, classes), weight)

    def _plan(self, examples: Examples, rows: np.ndarray) -> Plan:
        """Return what a run on these rows of the examples is."""
        rng = check_random_state(self.random_state)
        key = jax.random.key(rng.randint(np.iinfo(np.int32).max))
        part = self._part(rows, examples.y, rng)
        return Plan(self._spec(examples.y, len(part.train)), self._hparams(examples, part), key, part)

    def _part(self, rows: np.ndarray, y: np.ndarray, rng: np.random.RandomState) -> Part:
        """Hold out a part of the rows for early stopping."""
        if not self.early_stopping:
            return Part(rows, rows[:1])  # of which only whether its loss is finite matters
        train, watched = train_test_split(
            rows, test_size=self.validation_fraction, random_state=rng, stratify=self._stratified(y[rows])
        )
        return Part(train, watched)

    def _spec(self, y: np.ndarray, n_train: int) -> Spec:
        """Return the program that trains on this many examples."""
        if self.batch_size != "auto" and (isinstance(self.batch_size, str) or self.batch_size < 1):
            raise InputError(f"batch_size {self.batch_size!r}: accepted are 'auto' and whole numbers >= 1")
        batch = min(BATCH_SIZE if self.batch_size == "auto" else int(self.batch_size), n_train)
        outputs = self._num_outputs(y)
        return Spec(
            self._model(outputs),
            task=self.task,
            loss=self.loss or "",
            num_classes=outputs if self.task == "classification" else 0,
            batch_size=batch,
            steps_per_epoch=-(-n_train // batch),
            epochs=self.max_iter,
            optimizer=self.optimizer,
            schedule=self.schedule,
            eval_train_examples=1,
        )

    def _model(self, outputs: int) -> ModelLike:
        if self.model is not None:
            return self.model
        widths = tuple(np.atleast_1d(self.hidden_layer_sizes).tolist())
        if not widths:
            return make_model("linear", num_outputs=outputs, task=self.task)
        return make_model("mlp", num_outputs=outputs, widths=widths, task=self.task)

    def _hparams(self, examples: Examples, part: Part) -> Hparams:
        """Return the numbers of a run."""
        rates = {"dropout": self.dropout, "input_dropout": self.input_dropout, **(self.noise or {})}
        penalties = self.output_penalty
        number = LOSSES[self.loss].parameter if self.loss is not None and self.loss in LOSSES else None
        if self.loss_parameter is not None and number is None:
            raise InputError(f"loss_parameter={self.loss_parameter}: the loss {self.loss!r} has no number")
        return make_hparams(
            learning_rate=self.learning_rate_init,
            n_train=len(part.train),
            penalties=self._penalties(),
            output_penalties=parse_output_penalties(penalties) if isinstance(penalties, str) else penalties or (),
            rates={name: rate for name, rate in rates.items() if rate is not None},
            mixup=self.mixup,
            constraint=parse_constraint(self.constraint) if isinstance(self.constraint, str) else self.constraint,
            average=parse_average(self.average) if isinstance(self.average, str) else self.average,
            sam=self.sam,
            gradient_noise=self.gradient_noise,
            stopping=EarlyStopping(
                patience=self.n_iter_no_change if self.early_stopping else NEVER, min_delta=self.tol
            ),
            restore_best=bool(self.early_stopping),
            standardization=self._standardization(examples.of(part.train)),
            **({number: self.loss_parameter} if number else {}),
            **self._own_hparams(examples.y[part.train]),
        )

    def _penalties(self) -> Mapping[PenaltyMode, Penalty]:
        check_choice("penalty_mode", self.penalty_mode, PENALTY_MODES)
        if self.penalty is None:
            return {}
        found: Value = self.penalty
        if isinstance(found, str):
            found = parse_penalty_modes(found, self.penalty_mode)
        by_mode: Value = found if isinstance(found, Mapping) else {self.penalty_mode: found}
        return dict(by_mode)

    def _keep(self, plan: Plan, result: RunResult) -> None:
        """Keep the result of a run.

        Raises:
          ValueError: the loss was not finite, and there are no weights of an earlier epoch.
        """
        epochs = int(result.epochs)
        if REASONS[int(result.reason)] == "diverged":
            if not self.early_stopping or int(result.best_epoch) < 0:
                raise ValueError(_DIVERGED.format(epochs))
            warnings.warn(ConvergenceWarning(_DIVERGED.format(epochs)), stacklevel=3)
        curves = {name: column[:epochs].astype(float).tolist() for name, column in result.history.values.items()}
        self.spec_, self.n_iter_ = plan.spec, epochs
        self.hparams_, self.weights_ = plan.hparams, result.weights
        self.loss_curve_ = curves["train/running_loss"]
        self.validation_loss_curve_ = curves["val/loss"] if self.early_stopping else None
        self.best_iter_ = int(result.best_epoch) + 1 if self.early_stopping else None

    # Outputs.

    def _outputs(self, X: Value) -> np.ndarray:
        """Return the outputs of the model for features `[N, F]`."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=np.float32)
        return programs.outputs(self.spec_, self.weights_, self.hparams_, x)


_DIVERGED = "the loss is not finite any more in epoch {}; use a smaller learning_rate_init or a weaker penalty"


def moments(values: np.ndarray, weight: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation of each column, of weighted rows; 1 where a column is constant."""
    wide = values.astype(np.float64)
    mean = np.average(wide, axis=0, weights=weight)
    deviation = np.sqrt(np.average((wide - mean) ** 2, axis=0, weights=weight))
    negligible = deviation <= 1e-7 * np.abs(mean)  # of a constant column, that of rounding
    scale = np.where(negligible, 1.0, deviation)
    return mean.astype(np.float32), scale.astype(np.float32)
