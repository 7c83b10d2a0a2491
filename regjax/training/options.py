"""The training options that the commands and `rj.compare` share. JAX is not imported here."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from regjax import catalog
from regjax.core.errors import InputError
from regjax.core.options import Options, choice, number, text, whole

if TYPE_CHECKING:
    from regjax.core.typing import Value


@dataclasses.dataclass(frozen=True)
class SplitOptions(Options):
    """The task and the sizes of the parts, which files and arrays take alike.

    Attributes:
      task: `"classification"`, `"regression"` or `"multilabel"`; None infers it from the targets.
      validation_fraction: fraction of the examples for validation, unless the data have a validation set.
      test_fraction: fraction of the examples for the test, unless the data have a test set.
    """

    task: str | None = text(
        "data", None, "classification, regression or multilabel, in place of what the targets suggest"
    )
    validation_fraction: float = number(
        "data", 0.2, "fraction of the examples for validation", high=1.0, low_open=True, high_open=True
    )
    test_fraction: float = number(
        "data", 0.2, "fraction of the examples for the test", high=1.0, low_open=True, high_open=True
    )

    def fractions(self) -> dict[str, float]:
        """Return the sizes of the parts, as `regjax.data.split` takes them."""
        return {"validation_fraction": self.validation_fraction, "test_fraction": self.test_fraction}


def _parameter(name: str) -> Value:
    """A field for the number of a data loss."""
    record = catalog.LOSS_PARAMETERS[name]
    default = next(loss.default for loss in catalog.LOSSES.values() if loss.parameter == name)
    return number(
        "training",
        None,
        f"{record.help}; default {default:g}",
        high=record.high,
        low_open=record.low_open,
        high_open=record.high_open,
    )


@dataclasses.dataclass(frozen=True)
class TrainingOptions(SplitOptions):
    """Options of training: the training data, the optimizer, and when to stop.

    Attributes:
      train_examples: size of the training set. The rest of the pool is not used, except by the technique "more data".
        None uses the whole pool (128 examples for `rj.compare` on the embedded digits, a demonstration).
      label_noise: fraction of the training labels that are replaced by another class. None is 0 (0.1 for `rj.compare`
        on the embedded digits, which its first line states).
      split_seed: seed of the split into training, validation and test sets. Runs are comparable only if it is the same.
      seed: seed of the run. It determines the initialization, the training set, the labels that are corrupted, the
        order of the examples and the noise. A run with several seeds uses `seed`, `seed + 1`, ...
      epochs: maximum number of passes over the training set.
      batch_size: number of examples per update.
      optimizer: a name of `rj.make_optimizer`.
      loss: the data loss, a name of `regjax.catalog.LOSSES`; early stopping and the validation loss use it, too. None
        is `"cross_entropy"` for classification, `"mse"` for regression and `"binary_cross_entropy"` for multilabel.
      huber_delta: of the loss `"huber"`: from which error on it is linear, in standard deviations of the training
        targets, by which they are divided. None is 1.
      quantile: of the loss `"quantile"`: which quantile the model is to give, in (0, 1). None is 0.5, the median.
      focal_gamma: of the loss `"focal"`: >= 0, how much less easy examples weigh. None is 2.
      learning_rate: base learning rate, which the schedule multiplies.
      schedule: shape of the learning rate over all updates: `"constant"`, `"cosine"` or `"linear"`.
      precision: dtype of the computations of the model in updates, `"float32"` or `"bfloat16"`.
      class_weight: weights of the classes in the loss of updates, by their numbers of training examples:
        `"balanced"` or `"effective"`, see `rj.class_weights`. None weighs all examples alike.
      smoothing: convention of label smoothing, `"uniform"` or `"others"`; see `rj.smooth_labels`.
      rate_schedule: shape of noise rates over all updates: `"constant"`, `"up"` or `"down"`.
      patience: patience of early stopping, in epochs.
      min_delta: minimum improvement for early stopping.
      stop_criterion: criterion of early stopping: `"patience"`, `"gl"`, `"pq"` or `"up"`.

    Raises:
      InputError: names the option, the value and what is accepted.
    """

    train_examples: int | None = whole("data", None, "training examples used; default all; of compare on digits 128")
    label_noise: float | None = number(
        "data",
        None,
        "fraction of training labels replaced by another class; default 0, of compare on digits 0.1",
        high=1.0,
        high_open=True,
    )
    split_seed: int = whole("data", 0, "of the cut into training, validation and test", low=0)
    seed: int = whole(
        "training", 0, "of a run: initialization, choice of the training examples, wrong labels, order, noise", low=0
    )
    epochs: int | None = whole("training", None, "passes over the training examples at most")
    batch_size: int = whole("training", 32, "examples in an update")
    optimizer: str = choice("training", "adam", catalog.OPTIMIZERS, "optimizer")
    loss: str | None = choice(
        "training",
        None,
        tuple(catalog.LOSSES),
        f"what is minimized: {'; '.join(f'{name}: {loss.help}' for name, loss in catalog.LOSSES.items())}; "
        f"default {' or '.join(catalog.DEFAULT_LOSS.values())}, by the task",
    )
    huber_delta: float | None = _parameter("huber_delta")
    quantile: float | None = _parameter("quantile")
    focal_gamma: float | None = _parameter("focal_gamma")
    learning_rate: float = number("training", 3e-3, "base learning rate", low_open=True)
    schedule: str = choice("training", "constant", catalog.SCHEDULES, "shape of the learning rate over all updates")
    precision: str = choice(
        "training",
        "float32",
        catalog.PRECISIONS,
        "of the model's arithmetic in updates; weights, statistics and evaluations are float32",
    )
    class_weight: str | None = choice(
        "training",
        None,
        catalog.CLASS_WEIGHTS,
        "weights of the classes in the loss: all count the same, or by their effective numbers; default none",
    )
    smoothing: str = choice(
        "regularizers",
        "uniform",
        catalog.SMOOTHINGS,
        "of --label_smoothing: spread e over all classes, or over the others alone",
    )
    rate_schedule: str = choice(
        "noise in training", "constant", catalog.RATE_SCHEDULES, "shape of all noise rates over all updates"
    )
    patience: int | None = whole(
        "stopping", None, "epochs without a gain on validation before stopping; default: never", low=0
    )
    min_delta: float = number("stopping", 0.0, "what a gain has to exceed")
    stop_criterion: str = choice("stopping", "patience", catalog.STOP_CRITERIA, "patience, or Prechelt's GL, PQ, UP")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in catalog.LOSS_PARAMETERS:
            own = next(loss.name for loss in catalog.LOSSES.values() if loss.parameter == name)
            value = getattr(self, name)
            if value is not None and self.loss != own:
                other = "that of the task" if self.loss is None else repr(self.loss)
                raise InputError(f"{name} {value:g} is for loss {own!r}, and the loss is {other}; leave one out")

    @property
    def link(self) -> str:
        """What the outputs of a regression are: `"identity"`, or `"log"` for logarithms of predictions."""
        return catalog.LOSSES[self.loss].link if self.loss else "identity"

    def loss_arguments(self) -> dict[str, Value]:
        """Return the number of the data loss as an argument of `rj.make_hparams`; empty if it has none."""
        record = catalog.LOSSES[self.loss] if self.loss else None
        if record is None or record.default is None:
            return {}
        given = getattr(self, record.parameter)
        return {record.parameter: record.default if given is None else given}


def loss_of_task(task: str, loss: str | None) -> str:
    """Return the name of the data loss for a task; None is the default.

    Raises:
      InputError: the loss is unknown, or that of another task.

    Example:
      >>> loss_of_task("regression", None), loss_of_task("regression", "mae")
      ('mse', 'mae')
    """
    own = [name for name, record in catalog.LOSSES.items() if record.task == task]
    if loss is None or loss in own:
        return loss or catalog.DEFAULT_LOSS[task]
    accepted = f"accepted: {', '.join(own)}"
    if loss not in catalog.LOSSES:
        raise InputError(f"loss {loss!r} is not known; {accepted}")
    other = catalog.LOSSES[loss].task
    raise InputError(f"loss {loss!r} is for {other}, and the task is {task}; {accepted}, or give the task {other!r}")
