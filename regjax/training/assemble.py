"""Builds the loss, the optimizer and the learning rate of a run from its `Spec` and `Hparams`."""

from __future__ import annotations

import jax.numpy as jnp
import optax

from regjax.augment import cutmix, mixup, row_cutmix
from regjax.core.labels import as_indices, is_indices
from regjax.core.rng import AUGMENT, CUTMIX, MIXUP, stream
from regjax.core.typing import Array, ArrayLike, Batch, PRNGKey, PyTree
from regjax.losses import smooth_binary, smooth_labels
from regjax.models.interface import as_model
from regjax.optim.gradient_noise import gradient_noise
from regjax.optim.optimizers import with_penalties
from regjax.optim.sam import sam
from regjax.optim.transforms import BaseAndShape
from regjax.penalties.outputs import OutputPenalty
from regjax.training.loss import LossFn, build_loss
from regjax.training.spec import Hparams, Spec


def loss_of(spec: Spec) -> LossFn:
    """Build the loss of a run; its regularizers are functions of the hyperparameters."""
    return build_loss(
        as_model(spec.model).apply,
        spec.loss,
        penalty=lambda hparams: hparams.penalties.get("loss"),
        output_penalties=lambda hparams: _fitting(spec, hparams.output_penalties),
        rates=lambda hparams: spec.rates_at(hparams.rates),
        transform_batch=lambda key, batch, hparams: _transform_batch(spec, key, batch, hparams),
        compute_dtype=spec.compute_dtype,
        ignore_index=spec.ignore_index,
        loss_parameter=lambda hparams: hparams.loss_parameter(spec.loss),
    )


def _transform_batch(spec: Spec, key: PRNGKey, batch: Batch, hparams: Hparams) -> Batch:
    """Apply augmentation, standardization, label smoothing, mixup and cutmix, as far as `hparams` contains them."""
    if spec.augmentation is not None and hparams.augment is not None:
        batch = spec.augmentation.apply(stream(key, AUGMENT), batch, hparams.augment, hparams.standardized)
    else:
        batch = batch._replace(x=hparams.standardized(batch.x))
    batch = batch._replace(y=hparams.standardized_targets(batch.y))
    if hparams.label_smoothing is not None:
        batch = batch._replace(y=_smoothed(spec, batch.y, hparams.label_smoothing))
    classes = spec.num_classes if spec.task == "classification" else None
    if hparams.mixup is not None:
        batch = mixup(stream(key, MIXUP), batch, hparams.mixup, num_classes=classes)
    if hparams.cutmix is not None:
        mix = cutmix if batch.x.ndim == 4 else row_cutmix
        batch = mix(stream(key, CUTMIX), batch, hparams.cutmix, num_classes=classes)
    return batch if hparams.class_weights is None else _weighted(spec, batch, jnp.asarray(hparams.class_weights))


def _smoothed(spec: Spec, y: Array, smoothing: ArrayLike) -> Array:
    if spec.task == "multilabel":
        return smooth_binary(y, smoothing, convention=spec.smoothing)
    return smooth_labels(y, smoothing, spec.num_classes, convention=spec.smoothing)


def _weighted(spec: Spec, batch: Batch, class_weights: Array) -> Batch:
    """Return the batch with the weight of each example's class, or the mean one of its distribution over classes.

    Raises:
      ValueError: there is not one weight for each class; JAX would take the last one for every class beyond.
    """
    if spec.task != "classification" or class_weights.shape != (spec.num_classes,):
        raise ValueError(
            f"class_weights must have one number for each of the {spec.num_classes} classes of Spec.num_classes, got "
            f"shape {list(class_weights.shape)} for task {spec.task!r}"
        )
    y = batch.y
    weight = class_weights[as_indices(y)] if is_indices(y) else y @ class_weights.astype(y.dtype)
    if batch.weight is not None:
        weight *= batch.weight.reshape(*batch.weight.shape, *[1] * (weight.ndim - batch.weight.ndim))
    return batch._replace(weight=weight)


def learning_rate_of(spec: Spec, hparams: Hparams) -> BaseAndShape:
    """Return the base learning rate and its schedule.

    Raises:
      ValueError: there is a schedule, but the average has its own cycles.
    """
    average, shape = hparams.average, spec.schedule_shape()
    cycles = None if average is None else average.schedule_shape()
    if average is not None and cycles is not None and shape is not None:
        raise ValueError(f"schedule must be constant, since {average.kind} has cycles of its own; got {spec.schedule}")
    return BaseAndShape(hparams.learning_rate, cycles or shape)


def optimizer_of(spec: Spec, hparams: Hparams) -> optax.GradientTransformation:
    """Build the optimizer, with the penalties in their modes."""
    by_mode = {mode: penalty for mode, penalty in hparams.penalties.items() if mode != "loss"}
    tx = with_penalties(spec.optimizer, learning_rate_of(spec, hparams), by_mode)
    if hparams.gradient_noise is not None:
        # The noise comes first, so that the optimizer and its penalties see the noisy gradient.
        tx = optax.chain(gradient_noise(hparams.gradient_noise), tx)
    return tx if hparams.sam is None else sam(tx, hparams.sam)


def _fitting(spec: Spec, penalties: tuple[OutputPenalty, ...]) -> tuple[OutputPenalty, ...]:
    """Return the penalties after checking that the task supports them."""
    for penalty in penalties:
        if penalty.needs_classes and spec.task != "classification":
            raise ValueError(f"{penalty.kind} needs a classification task, got {spec.task}")
    return penalties


def penalty_value(hparams: Hparams, params: PyTree, step: Array) -> Array:
    """Return the value of all penalties, in all modes."""
    return sum((p.value(params, step) for p in hparams.penalties.values()), start=jnp.float32(0.0))
