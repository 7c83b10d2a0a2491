"""The definition of a run: `Spec` determines the compiled program, `Hparams` contains numbers that do not change it.

A regularizer is part of the program if `Hparams` contains it, as a penalty in a mode, a rate by name, or a strength
that is not None. Its strength is data. So all strengths share one program, and an absent regularizer costs nothing.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from regjax.augment import Augmentation
from regjax.averaging import Average
from regjax.catalog import LOSS_PARAMETERS, LOSSES, PENALTY_MODES, PRECISIONS, RATE_SCHEDULES, SCHEDULES, SMOOTHINGS
from regjax.core.checks import check_choice, check_range
from regjax.core.dtypes import float_dtype
from regjax.core.labels import check_ignore_index
from regjax.core.mesh import data_size
from regjax.core.typing import Array, ArrayLike, DType, ModelLike, PenaltyMode, Value
from regjax.data.standardization import Standardization
from regjax.models.interface import hashable
from regjax.noise import UNBOUNDED
from regjax.optim.optimizers import OPTIMIZERS
from regjax.penalties import Penalty
from regjax.penalties.constraints import Constraint, check_projected
from regjax.penalties.outputs import OutputPenalty
from regjax.stopping import NEVER, EarlyStopping
from regjax.training.evaluate import METRICS
from regjax.training.options import TrainingOptions, loss_of_task


@dataclasses.dataclass(frozen=True)
class Spec:
    """The specification of a compiled program; frozen and hashable.

    Attributes:
      model: a Flax Linen module, or a pair `(init, apply)`; see `regjax.models.interface`.
      task: `"classification"`, `"regression"` or `"multilabel"`.
      loss: name of the data loss, of `regjax.catalog.LOSSES`; empty is the default of the task. Early stopping watches
        it on the validation examples.
      num_classes: number of exclusive classes; label smoothing, mixup and CutMix of classes need it.
      batch_size: number of examples per update.
      steps_per_epoch: number of updates between two evaluations.
      epochs: maximum number of epochs, with one evaluation each.
      optimizer: a name of `rj.make_optimizer`.
      schedule: shape of the learning rate over all updates: `"constant"`, `"cosine"` or `"linear"` (to 0).
      augmentation: from `rj.augment.make`, or None. Its strength is `Hparams.augment`.
      eval_batch_size: number of examples that are evaluated at once; limits the memory of evaluations.
      eval_train_examples: maximum number of training examples for the `train/*` metrics.
      rate_schedule: shape of all noise rates over all updates: `"constant"`, `"up"` (linearly from 0) or `"down"`
        (linearly to 0).
      smoothing: convention of label smoothing, `"uniform"` or `"others"`; see `rj.smooth_labels`.
      micro_batch: size of the micro-batches of an update (`regjax.training.accumulate`). None is the whole batch;
        `"auto"` uses, on CPU, the attribute `cpu_micro_batch` of the model if it divides the batch.
      precision: dtype of the computations of the model in updates, `"float32"` or `"bfloat16"`. Parameters, optimizer,
        statistics, losses and evaluations always use float32.
      ignore_index: a class index that is ignored in the loss and in the metrics, such as padding in sequences.
      mesh: devices from `rj.make_mesh`; each batch is split over the axis `"data"`. None is one device.

    Raises:
      ValueError: a size is below 1, a name is unknown, the loss is for another task, or `ignore_index` is given for a
        regression.
    """

    model: ModelLike
    task: str = "classification"
    num_classes: int = 0
    batch_size: int = 32
    steps_per_epoch: int = 1
    epochs: int = 1
    optimizer: str = "adam"
    schedule: str = "constant"
    augmentation: Augmentation | None = None
    eval_batch_size: int = 2048
    eval_train_examples: int = 2048
    rate_schedule: str = "constant"
    smoothing: str = "uniform"
    micro_batch: int | str | None = "auto"
    precision: str = "float32"
    mesh: Mesh | None = None
    ignore_index: int | None = None
    loss: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", hashable(self.model))
        check_choice("task", self.task, METRICS)
        object.__setattr__(self, "loss", loss_of_task(self.task, self.loss or None))
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_choice("schedule", self.schedule, SCHEDULES)
        check_choice("rate_schedule", self.rate_schedule, RATE_SCHEDULES)
        check_choice("smoothing", self.smoothing, SMOOTHINGS)
        check_choice("precision", self.precision, PRECISIONS)
        for name in ("batch_size", "steps_per_epoch", "epochs", "eval_batch_size", "eval_train_examples"):
            check_range(f"Spec: {name}", getattr(self, name), 1)
        if isinstance(self.micro_batch, str):
            check_choice("Spec: micro_batch", self.micro_batch, ("auto",))
        elif self.micro_batch is not None and (self.micro_batch < 1 or self.batch_size % self.micro_batch):
            raise ValueError(f"Spec: micro_batch must divide the batch size {self.batch_size}, got {self.micro_batch}")
        check_ignore_index("Spec", self.ignore_index)
        if self.ignore_index is not None and self.task != "classification":
            raise ValueError(f"Spec: ignore_index={self.ignore_index} is for classes, got task {self.task!r}")
        devices = data_size(self.mesh)
        if self.batch_size % devices:
            raise ValueError(
                f"Spec: batch_size {self.batch_size} cannot be split over the {devices} devices of the mesh"
            )

    @classmethod
    def of(cls, options: TrainingOptions, **more: Value) -> Spec:
        """Make a `Spec` from options with the same names as its fields, and the other fields from `more`.

        An option that is None, such as a task that is to be inferred, leaves the default of its field.
        """
        names = {field.name for field in dataclasses.fields(cls)} & set(options.options())
        given = {name: value for name in names if (value := getattr(options, name)) is not None}
        return cls(**given | more)

    def micro_batch_size(self) -> int | None:
        """Return the size of a micro-batch on this machine, over all devices; None for the whole batch."""
        if not isinstance(self.micro_batch, str):
            return self.micro_batch
        wanted = getattr(self.model, "cpu_micro_batch", None)
        if wanted is None or jax.default_backend() != "cpu":
            return None
        # It does not depend on the number of devices, so that neither does the noise, which is drawn per micro-batch.
        return wanted if self.batch_size % wanted == 0 and wanted % data_size(self.mesh) == 0 else None

    @property
    def compute_dtype(self) -> DType | None:
        """The dtype of `precision` for `rj.build_loss`."""
        return None if self.precision == "float32" else jnp.dtype(self.precision)

    @property
    def link(self) -> str:
        """What the outputs of a regression are: `"identity"`, or `"log"` for logarithms of predictions."""
        return LOSSES[self.loss].link

    @property
    def total_steps(self) -> int:
        """The number of updates of a run that is not stopped early."""
        return self.steps_per_epoch * self.epochs

    def schedule_shape(self) -> optax.Schedule | None:
        """The learning rate schedule, relative to the base; None if it is constant."""
        if self.schedule == "cosine":
            return optax.cosine_decay_schedule(1.0, self.total_steps)
        if self.schedule == "linear":
            return optax.linear_schedule(1.0, 0.0, self.total_steps)
        return None

    def rates_at(self, rates: Mapping[str, ArrayLike]) -> Mapping[str, ArrayLike | optax.Schedule]:
        """Return the rates with their schedule."""
        if self.rate_schedule == "constant":
            return rates
        ends = (0.0, 1.0) if self.rate_schedule == "up" else (1.0, 0.0)
        shape = optax.linear_schedule(*ends, max(self.total_steps - 1, 1))
        return {name: functools.partial(_scheduled, rate, shape) for name, rate in rates.items()}


class Hparams(NamedTuple):
    """The hyperparameters of a run, which are arrays and may always be traced. Made by `make_hparams`."""

    learning_rate: ArrayLike  # float32
    penalties: dict[str, Penalty]  # by mode: "loss", "coupled", "decoupled", "independent", "proximal"
    output_penalties: tuple[OutputPenalty, ...]  # terms on activations and outputs; their strengths are leaves
    rates: dict[str, ArrayLike]  # float32 by name of the noise, such as "dropout"
    augment: ArrayLike | None  # float32: multiplies every magnitude of Spec.augmentation
    label_smoothing: ArrayLike | None  # float32
    mixup: ArrayLike | None  # float32: alpha of Beta(alpha, alpha)
    cutmix: ArrayLike | None  # float32: alpha of Beta(alpha, alpha)
    constraint: Constraint | None  # satisfied exactly after every update; its limits are leaves
    average: Average | None  # its weights are evaluated and kept; its numbers are leaves
    sam: ArrayLike | None  # float32: radius of sharpness-aware minimization
    gradient_noise: ArrayLike | None  # float32: variance of the noise on the first gradient
    stopping: EarlyStopping  # its numbers are leaves, its criterion is static
    restore_best: ArrayLike  # bool: whether the run ends with the weights of its best evaluation
    n_train: ArrayLike  # int32: number of training examples, a prefix of the order of the seed
    standardization: Standardization | None = None  # from examples to inputs and targets of the model
    class_weights: ArrayLike | None = None  # float32[K]: of the classes in the loss of an update
    huber_delta: ArrayLike | None = None  # float32: of the loss "huber", in the units of the outputs
    quantile: ArrayLike | None = None  # float32: of the loss "quantile"
    focal_gamma: ArrayLike | None = None  # float32: of the loss "focal"

    def standardized(self, x: Array) -> Array:
        """Return standardized examples, the inputs of the model."""
        return x if self.standardization is None else self.standardization.apply(x)

    def standardized_targets(self, y: Array) -> Array:
        """Return standardized targets, in the units of the outputs of the model."""
        return y if self.standardization is None else self.standardization.targets(y)

    def loss_parameter(self, loss: str) -> ArrayLike | None:
        """Return the number of a data loss, by default that of the catalogue; None if it has none.

        Raises:
          ValueError: there is a number of another loss, which would have no effect.
        """
        own = LOSSES[loss].parameter
        for name in LOSS_PARAMETERS:
            if name != own and getattr(self, name) is not None:
                raise ValueError(
                    f"hparams: {name} is not a number of the loss {loss!r}; leave it out, or set Spec.loss"
                )
        given = getattr(self, own) if own else None
        return LOSSES[loss].default if given is None else given

    @property
    def standardizes_inputs(self) -> bool:
        """Whether examples are standardized, so that the model receives float32."""
        return self.standardization is not None and self.standardization.mean is not None


def make_hparams(
    *,
    learning_rate: ArrayLike = 1e-3,
    n_train: int,
    penalties: Mapping[PenaltyMode, Penalty] | None = None,
    output_penalties: Sequence[OutputPenalty] = (),
    rates: Mapping[str, ArrayLike] | None = None,
    augment: ArrayLike | None = None,
    label_smoothing: ArrayLike | None = None,
    mixup: ArrayLike | None = None,
    cutmix: ArrayLike | None = None,
    constraint: Constraint | None = None,
    average: Average | None = None,
    sam: ArrayLike | None = None,
    gradient_noise: ArrayLike | None = None,
    stopping: EarlyStopping | None = None,
    restore_best: bool = False,
    standardization: Standardization | None = None,
    class_weights: ArrayLike | None = None,
    huber_delta: ArrayLike | None = None,
    quantile: ArrayLike | None = None,
    focal_gamma: ArrayLike | None = None,
) -> Hparams:
    """Check the ranges of hyperparameters, and convert each to its dtype.

    Args:
      learning_rate: > 0; the base of the schedule.
      n_train: number of training examples, >= 1.
      penalties: penalties by mode (`penalty_mode`).
      output_penalties: penalties on activations and outputs, such as `rj.confidence(0.1)`.
      rates: strengths by name of the noise: a fraction in [0, 1), or a standard deviation or strength >= 0.
      augment: strength >= 0 that multiplies the magnitudes of `Spec.augmentation`.
      label_smoothing: in [0, 1).
      mixup: alpha >= 0 of mixup; with 0, nothing is mixed.
      cutmix: alpha >= 0 of CutMix, which mixes columns if the data are a table; with 0, nothing is mixed.
      constraint: from `rj.max_norm`, ...; the parameters satisfy it after every update.
      average: from `rj.ema`, `rj.swa`, `rj.lookahead` or `rj.snapshots`. Evaluations, early stopping and the result
        then use the averaged weights or the ensemble.
      sam: radius >= 0 of sharpness-aware minimization, which computes two gradients per update.
      gradient_noise: variance >= 0 of the noise on the first gradient; see `rj.gradient_noise`.
      stopping: early stopping on the validation loss; with None, a run only stops when it diverges.
      restore_best: whether to restore the weights of the best evaluation at the end.
      standardization: standardization of the examples, such as `Preprocessor.standardization`; applied to each batch
        after augmentation, and in evaluations. With None, the model receives the examples unchanged.
      class_weights: a weight >= 0 for each class, such as `rj.class_weights(counts)`: an update averages its losses by
        them, that of a mixed or smoothed label by the mean weight of its classes. Evaluations count every example once.
      huber_delta: > 0, of the loss `"huber"`, in the units of the outputs: standard deviations of the training targets
        where these are standardized. None is 1.
      quantile: in (0, 1), of the loss `"quantile"`. None is 0.5.
      focal_gamma: >= 0, of the loss `"focal"`. None is 2.

    Returns:
      `Hparams` of host arrays. A regularizer that is None is not part of the compiled program; one of strength 0 is.

    Raises:
      ValueError: a number is out of range or NaN, or a mode is unknown.

    Example:
      >>> from regjax.penalties import l2
      >>> hparams = make_hparams(learning_rate=3e-3, n_train=128, penalties={"loss": l2(1e-4)})
      >>> hparams.learning_rate.dtype, int(hparams.n_train)
      (dtype('float32'), 128)
    """
    check_range("learning_rate", learning_rate, 0.0, np.inf, low_open=True, high_open=True)
    check_range("train_examples", n_train, 1)
    for mode in penalties or {}:
        check_choice("penalty_mode", mode, PENALTY_MODES)
    if penalties and "proximal" in penalties:
        check_projected(penalties["proximal"], constraint)
    for name, rate in (rates or {}).items():
        check_range(name, rate, 0.0, np.inf if name in UNBOUNDED else 1.0, high_open=True)
    for name, value, high in (
        ("augment", augment, np.inf),
        ("label_smoothing", label_smoothing, 1.0),
        ("mixup", mixup, np.inf),
        ("cutmix", cutmix, np.inf),
        ("sam", sam, np.inf),
        ("gradient_noise", gradient_noise, np.inf),
    ):
        if value is not None:
            check_range(name, value, 0.0, high, high_open=True)
    losses = {"huber_delta": huber_delta, "quantile": quantile, "focal_gamma": focal_gamma}
    for name, value in losses.items():
        if value is not None:
            record = LOSS_PARAMETERS[name]
            check_range(name, value, 0.0, record.high, low_open=record.low_open, high_open=True)
    if class_weights is not None:
        check_range("class_weights", class_weights, 0.0, high_open=True)
    if sam is not None and gradient_noise is not None:
        raise ValueError("gradient_noise and sam exclude each other: SAM moves on by a second gradient")
    stopping = EarlyStopping(patience=NEVER) if stopping is None else stopping
    if stopping.mode != "min":
        raise ValueError(
            "stopping: runs watch the validation loss, of which mode='max' would keep the worst; use 'min'"
        )
    return Hparams(
        learning_rate=_float(learning_rate),
        penalties=dict(sorted((penalties or {}).items())),
        output_penalties=tuple(output_penalties),
        rates={name: _float(rate) for name, rate in sorted((rates or {}).items())},
        augment=_optional(augment),
        label_smoothing=_optional(label_smoothing),
        mixup=_optional(mixup),
        cutmix=_optional(cutmix),
        constraint=constraint,
        average=average,
        sam=_optional(sam),
        gradient_noise=_optional(gradient_noise),
        stopping=stopping.canonical(),
        restore_best=np.asarray(restore_best, bool),
        n_train=np.asarray(n_train, np.int32),
        standardization=standardization,
        class_weights=_optional(class_weights),
        **{name: _optional(value) for name, value in losses.items()},
    )


def stack_hparams(lanes: list[Hparams]) -> Hparams:
    """Stack the hyperparameters of several lanes along a new leading axis.

    Args:
      lanes: from `make_hparams`, all with the same regularizers.

    Raises:
      ValueError: the lanes have different regularizers.

    Example:
      >>> both = stack_hparams([make_hparams(learning_rate=r, n_train=8) for r in (0.1, 0.2)])
      >>> both.learning_rate
      array([0.1, 0.2], dtype=float32)
    """
    structures = {jax.tree.structure(lane) for lane in lanes}
    if len(structures) != 1:
        raise ValueError(f"stack_hparams: {len(structures)} different sets of regularizers among {len(lanes)} lanes")
    return jax.tree.map(lambda *leaves: np.stack(leaves), *lanes)


def _scheduled(rate: ArrayLike, shape: optax.Schedule, step: ArrayLike) -> ArrayLike:
    return rate * shape(step)


def _float(value: ArrayLike) -> np.ndarray:
    return np.asarray(value, float_dtype())


def _optional(value: ArrayLike | None) -> np.ndarray | None:
    return None if value is None else _float(value)
