"""What a comparison needs before it starts: splits, standardized arrays, defaults that depend on the data."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np

from regjax.augment import Augmentation, make
from regjax.comparison import techniques as tech
from regjax.comparison.registry import Setting
from regjax.core.checks import check_range, in_short
from regjax.core.errors import InputError
from regjax.data import Dataset, Preprocessor, Splits, from_arrays, nested_order, noisy_labels, split
from regjax.data.targets import task_reason
from regjax.models.call import takes_rates
from regjax.models.interface import as_model
from regjax.training.preflight import output_shape
from regjax.training.spec import Spec
from regjax.training.state import TrainData

MAX_STOP_EXAMPLES = 2000  # validation examples that are looked at in every epoch; selection uses all of its own


def prepare(
    splits: Splits,
    preprocessor: Preprocessor,
    setting: Setting,
    techniques: Sequence[tech.Technique],
    seeds: int,
    label_noise: float,
    base_seed: int,
) -> TrainData:
    """The standardized arrays that training uses: pool, orders and labels of all seeds, the stop part."""
    largest = max(
        [
            setting.train_examples,
            *(int(t.arguments(v).get("n_train", 0)) for t in techniques for v in t.values),
        ]
    )
    order = nested_order(splits.y_train, seeds, splits.task, base_seed, size=largest)
    y = preprocessor.target_transform(splits.y_train)
    if splits.task == "classification":
        labels = noisy_labels(splits.y_train, label_noise, splits.num_classes, seeds, base_seed)
    else:
        labels = np.broadcast_to(y, (seeds, *y.shape))
    stop = slice(0, MAX_STOP_EXAMPLES)
    return TrainData(
        x=jnp.asarray(preprocessor.transform(splits.x_train)),
        y=jnp.asarray(labels),
        order=jnp.asarray(order),
        x_val=jnp.asarray(preprocessor.transform(splits.x_stop[stop])),
        y_val=jnp.asarray(preprocessor.target_transform(splits.y_stop[stop])),
    )


def settings_of(
    spec: Spec,
    setting: Setting,
    train: TrainData,
    splits: Splits,
    learning_rate: float,
    label_noise: float,
    base_seed: int,
) -> dict[str, Any]:
    """The settings that results and report state."""
    return {
        "model": _described(spec.model),
        "train_examples": setting.train_examples,
        "pool": setting.pool,
        "stop_examples": int(train.x_val.shape[0]),
        "select_examples": len(splits.y_select),
        "test_examples": len(splits.y_test),
        "batch_size": spec.batch_size,
        "steps_per_epoch": spec.steps_per_epoch,
        "epochs": spec.epochs,
        "updates": spec.total_steps,
        "optimizer": spec.optimizer,
        "learning_rate": learning_rate,
        "schedule": spec.schedule,
        "label_noise": label_noise,
        "demonstration": is_demonstration(splits),
        "augmentation": str(spec.augmentation),
        "patience": setting.patience,
        "min_delta": setting.min_delta,
        "stop_criterion": setting.criterion,
        "base_seed": base_seed,
    }


def _described(model: Any) -> str:
    """A model in one line, as `MLP(num_outputs=10, widths=(256,))`."""
    if not dataclasses.is_dataclass(model):
        return "(init, apply)"
    names = [field.name for field in dataclasses.fields(model) if field.name not in ("parent", "name")]
    return f"{type(model).__name__}({', '.join(f'{name}={_value(getattr(model, name))}' for name in names)})"


def _value(value: Any) -> str:
    if isinstance(value, nn.Module):
        return _described(value)
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_value, value))})"
    return getattr(value, "__name__", None) or in_short(value)


def as_splits(
    data: Splits | Dataset | tuple[np.ndarray, np.ndarray], base_seed: int, task: str | None = None
) -> Splits:
    """Splits of whatever was given; arrays are read as `regjax.data.from_arrays` reads them.

    Raises:
      InputError: arrays that cannot be used, or a task that is not that of the dataset.
    """
    if not isinstance(data, Splits | Dataset) and not (isinstance(data, tuple | list) and len(data) == 2):
        raise InputError(f"data must be arrays (x, y), a Dataset or Splits, got {in_short(data)}")
    dataset = data if isinstance(data, Splits | Dataset) else from_arrays(*data, task=task)
    if task not in (None, dataset.task):
        raise InputError(f"task {task!r}: {dataset.name} is a {dataset.task} set")
    return dataset if isinstance(dataset, Splits) else split(dataset, seed=base_seed)


def described_task(data: Any, splits: Splits, task: str | None) -> str:
    """The task, and of arrays why it is that."""
    if isinstance(data, Splits | Dataset):
        return splits.task
    return f"{splits.task} ({'as asked for' if task else task_reason(np.asarray(data[1]))})"


def noises_of(model: Any) -> tuple[str, ...]:
    """The names of the noises that a model has; one that takes `rates` and does not tell has dropout."""
    told = getattr(model, "accepted_rates", None)
    return told if told is not None else ("dropout",) if takes_rates(as_model(model).apply) else ()


def check_outputs(model: Any, x: np.ndarray, splits: Splits) -> None:
    """Refuse a model that cannot take the inputs, be told that it trains, or give the outputs that the targets need.

    Raises:
      InputError: the shapes that do not belong together.
    """
    splits.check_classes()
    output_shape(model, x, train=True)  # can it be told that it trains?
    shape = output_shape(model, x)
    wanted: tuple[int, ...] = (1, splits.num_outputs)
    if splits.task == "regression":
        wanted = (1, *splits.y_train.shape[1:])
    if shape != wanted:
        raise InputError(f"the model gives outputs of shape {list(shape)}; {splits.name} needs {list(wanted)}")


def is_demonstration(splits: Splits) -> bool:
    """Whether the data are the embedded digits, on which the defaults make something to overfit."""
    return splits.embedded and splits.name == "digits"


def label_noise_of(wanted: float | None, splits: Splits) -> float:
    """The fraction of wrong training labels: as wanted, or 0; 10% in the demonstration."""
    if wanted is None:
        return 0.1 if is_demonstration(splits) else 0.0
    check_range("label_noise", wanted, 0.0, 1.0, high_open=True)
    if wanted and splits.task != "classification":
        raise InputError(f"label_noise {wanted} needs classes; {splits.name} is a regression set")
    return wanted


def train_examples_of(wanted: int | None, splits: Splits) -> int:
    """The size of the training part: as wanted, or all of the pool; 128 in the demonstration."""
    pool = len(splits.y_train)
    if wanted is None:
        return 128 if is_demonstration(splits) else pool
    check_range("train_examples", wanted, 1)
    if wanted > pool:
        raise InputError(f"train_examples {wanted} is more than the {pool} training examples of {splits.name}")
    return int(wanted)


def default_augmentation(splits: Splits) -> Augmentation:
    """What augmentation is by default: of images shift, rotation and noise, of tables noise, else none."""
    if splits.kind == "array":
        return Augmentation()
    if splits.kind == "table":
        return make("noise=0.2")
    side = min(splits.x_train.shape[1:3])
    return make(f"shift={max(1, round(side / 12))},rotate=15,noise=0.5")


def as_augmentation(
    augmentation: Augmentation | str | None, splits: Splits, preprocessor: Preprocessor
) -> Augmentation:
    """The augmentation that was described, with the data's own black and white."""
    if not isinstance(augmentation, Augmentation):
        made = default_augmentation(splits) if augmentation is None else make(augmentation)
        augmentation = made.between(preprocessor.background, preprocessor.white)
    if splits.kind == "array" and augmentation.steps:
        raise InputError(f"augmentation '{augmentation}' is for images and tables, {splits.name} has neither")
    augmentation.check_fits(splits.kind, splits.name, splits.x_train.shape[1:])
    return augmentation
