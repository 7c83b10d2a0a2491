"""What a run is: `Spec` holds what changes the compiled program, `Hparams` the numbers that do not.

A regularizer exists in the program if `Hparams` has a place for it: a penalty in a mode, a rate by name, a strength
that is not None. The number in that place is data. So every strength shares one program, and a regularizer that
is absent costs nothing.
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
from regjax.catalog import PENALTY_MODES, PRECISIONS, RATE_SCHEDULES, SCHEDULES, SMOOTHINGS
from regjax.core.checks import check_choice, check_range
from regjax.core.dtypes import float_dtype
from regjax.core.labels import check_ignore_index
from regjax.core.mesh import data_size
from regjax.core.typing import Array, ArrayLike, DType, ModelLike, PenaltyMode, Value
from regjax.data.preprocess import Standardization
from regjax.models.interface import hashable
from regjax.noise import UNBOUNDED
from regjax.optim.optimizers import OPTIMIZERS
from regjax.penalties import Penalty
from regjax.penalties.constraints import Constraint, check_projected
from regjax.penalties.outputs import OutputPenalty
from regjax.stopping import NEVER, EarlyStopping
from regjax.training.evaluate import METRICS
from regjax.training.options import TrainingOptions


@dataclasses.dataclass(frozen=True)
class Spec:
    """What changes the compiled program; frozen and hashable.

    Attributes:
      model: a Flax Linen module, or a pair `(init, apply)`; see `regjax.models.interface`.
      task: `"classification"` or `"regression"`.
      num_classes: classes of a classification task; label smoothing and mixtures need it.
      batch_size: examples in an update.
      steps_per_epoch: updates between two evaluations.
      epochs: evaluations at most.
      optimizer: a name of `rj.make_optimizer`.
      schedule: shape of the learning rate over all updates: `"constant"`, `"cosine"` or `"linear"` (to 0).
      augmentation: from `rj.augment.make`, or None. Its strength is `Hparams.augment`.
      eval_batch_size: examples at a time in evaluations; bounds their memory.
      eval_train_examples: `train/*` metrics use at most so many training examples.
      rate_schedule: shape of all noise rates over all updates: `"constant"`, `"up"` (linearly from 0) or `"down"`
        (linearly to 0).
      smoothing: convention of label smoothing, `"uniform"` or `"others"`; see `rj.smooth_labels`.
      micro_batch: examples at a time in the gradient of an update (`regjax.training.accumulate`). None is the whole
        batch; `"auto"` takes, on CPU, what the model names as `cpu_micro_batch` where it divides the batch.
      precision: of the model's arithmetic in updates: `"float32"` or `"bfloat16"`. Parameters, optimizer, statistics
        and losses are float32 either way, and so are evaluations.
      ignore_index: a class index that counts for nothing, in the loss and in the metrics, as padding in sequences.
      mesh: devices over whose axis `"data"` each batch is split, from `rj.make_mesh`; None is one device.

    Raises:
      ValueError: a size below 1, an unknown name, or an `ignore_index` of a regression.
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

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", hashable(self.model))
        check_choice("task", self.task, METRICS)
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
        """The `Spec` whose fields are those of the options with the same names; the other fields are `more`."""
        names = {field.name for field in dataclasses.fields(cls)} & set(options.options())
        return cls(**{name: getattr(options, name) for name in names} | more)

    def micro_batch_size(self) -> int | None:
        """Examples at a time in the gradient on this machine, over all devices; None for the whole batch."""
        if not isinstance(self.micro_batch, str):
            return self.micro_batch
        wanted = getattr(self.model, "cpu_micro_batch", None)
        if wanted is None or jax.default_backend() != "cpu":
            return None
        # The same on any number of devices, so that noise, which is drawn by micro-batch, is the same too.
        return wanted if self.batch_size % wanted == 0 and wanted % data_size(self.mesh) == 0 else None

    @property
    def compute_dtype(self) -> DType | None:
        """The dtype of `precision` for `rj.build_loss`."""
        return None if self.precision == "float32" else jnp.dtype(self.precision)

    @property
    def total_steps(self) -> int:
        """Updates of a run that is not stopped early."""
        return self.steps_per_epoch * self.epochs

    def schedule_shape(self) -> optax.Schedule | None:
        """The shape of the learning rate, 1 at the start; None when it is constant."""
        if self.schedule == "cosine":
            return optax.cosine_decay_schedule(1.0, self.total_steps)
        if self.schedule == "linear":
            return optax.linear_schedule(1.0, 0.0, self.total_steps)
        return None

    def rates_at(self, rates: Mapping[str, ArrayLike]) -> Mapping[str, ArrayLike | optax.Schedule]:
        """The rates with their schedule."""
        if self.rate_schedule == "constant":
            return rates
        ends = (0.0, 1.0) if self.rate_schedule == "up" else (1.0, 0.0)
        shape = optax.linear_schedule(*ends, max(self.total_steps - 1, 1))
        return {name: functools.partial(_scheduled, rate, shape) for name, rate in rates.items()}


class Hparams(NamedTuple):
    """The numbers of a run: arrays only, always safe to trace. Make one with `make_hparams`."""

    learning_rate: ArrayLike  # float32
    penalties: dict[str, Penalty]  # by mode: "loss", "coupled", "decoupled", "independent", "proximal"
    output_penalties: tuple[OutputPenalty, ...]  # terms on activations and outputs; their strengths are leaves
    rates: dict[str, ArrayLike]  # float32 by noise name, as "dropout"
    augment: ArrayLike | None  # float32: multiplies every magnitude of Spec.augmentation
    label_smoothing: ArrayLike | None  # float32
    mixup: ArrayLike | None  # float32: alpha of Beta(alpha, alpha)
    cutmix: ArrayLike | None  # float32: alpha of Beta(alpha, alpha)
    constraint: Constraint | None  # holds exactly after every update; its limits are leaves
    average: Average | None  # whose weights are evaluated and kept; its numbers are leaves
    sam: ArrayLike | None  # float32: radius of sharpness-aware minimization
    gradient_noise: ArrayLike | None  # float32: variance of the noise on the first gradient
    stopping: EarlyStopping  # its numbers are leaves, its criterion is static
    restore_best: ArrayLike  # bool: whether the run ends with the weights of its best evaluation
    n_train: ArrayLike  # int32: training examples used, a prefix of the seed's order
    standardization: Standardization | None = None  # from examples as they were read to inputs of the model

    def standardized(self, x: Array) -> Array:
        """Examples as the model takes them."""
        return x if self.standardization is None else self.standardization.apply(x)


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
) -> Hparams:
    """Check the ranges of hyperparameters and bring each to one type.

    Args:
      learning_rate: > 0; the base of the schedule.
      n_train: training examples used, >= 1.
      penalties: a penalty for each mode (`penalty_mode`) in use.
      output_penalties: terms on activations and outputs, as `rj.confidence(0.1)`.
      rates: strength by name of the noise: a fraction in [0, 1), or a standard deviation or strength >= 0.
      augment: strength >= 0 that multiplies the magnitudes of `Spec.augmentation`.
      label_smoothing: in [0, 1).
      mixup: alpha >= 0; 0 mixes nothing.
      cutmix: alpha >= 0 of CutMix, of rows if the data is a table; 0 mixes nothing.
      constraint: from `rj.max_norm`, ...; every update ends inside it.
      average: from `rj.ema`, `rj.swa`, `rj.lookahead` or `rj.snapshots`. Then the averaged weights, or the ensemble,
        are evaluated, watched by early stopping, and kept.
      sam: radius >= 0 of sharpness-aware minimization; each update then takes two gradients.
      gradient_noise: variance >= 0 of the noise on the first gradient; see `rj.gradient_noise`.
      stopping: watches the validation loss; None never stops early (but still ends a diverged run).
      restore_best: whether to end with the weights of the best evaluation.
      standardization: of examples as they were read, as `Preprocessor.standardization`; applied to each batch after the
        augmentation of its pixels, and in evaluations. None gives the model what the data holds.

    Returns:
      `Hparams` of host arrays. A None is absent from the compiled program; a 0 is a number in it.

    Raises:
      ValueError: a number out of its range or NaN; an unknown mode.

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
    )


def stack_hparams(lanes: list[Hparams]) -> Hparams:
    """One `Hparams` with a leading axis of lanes; all lanes must have the same regularizers.

    Args:
      lanes: from `make_hparams`.

    Raises:
      ValueError: the lanes differ in structure.

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
