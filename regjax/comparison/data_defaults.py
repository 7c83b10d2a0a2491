"""What the options of a comparison, or of a run, are on certain data: sizes, label noise, weights and augmentation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Mapping, Sequence

import flax.linen as nn
import numpy as np

from regjax.augment import Augmentation, make
from regjax.catalog import DEFAULT_TECHNIQUES, NOISES
from regjax.comparison.techniques import Technique
from regjax.core.checks import in_short
from regjax.core.errors import InputError
from regjax.core.typing import ModelLike, Value
from regjax.data import Splits
from regjax.losses import class_weights
from regjax.training.options import TrainingOptions


def class_counts(splits: Splits) -> tuple[int, ...] | None:
    """Return how many training examples each class has; None without exclusive classes."""
    if splits.task != "classification":
        return None
    return tuple(np.bincount(splits.y_train, minlength=splits.num_classes).tolist())


def weights_of_classes(options: TrainingOptions, counts: Sequence[int] | None) -> np.ndarray | None:
    """Return the weights of the classes that the options ask for; None for none.

    Raises:
      InputError: there are no classes.
    """
    if options.class_weight is None:
        return None
    if counts is None:
        raise InputError(
            f"class_weight {options.class_weight!r} needs exclusive classes, not numbers or several labels; leave "
            "it out, or weigh examples (weight_column of a table, weights of from_arrays)"
        )
    return class_weights(counts, options.class_weight)


def described_arguments(always: Mapping[str, Value]) -> list[str]:
    """Describe the arguments of `make_hparams` that every run has, such as `["l2(0.01)", "dropout 0.5"]`."""
    out = []
    for name, value in always.items():
        if name == "penalties":
            out += [_described(term) for penalty in value.values() for term in penalty.flat()]
        elif name == "rates":
            out += [f"{NOISES[rate].title if rate in NOISES else rate} {float(size):g}" for rate, size in value.items()]
        elif name == "output_penalties":
            out += [penalty.kind.replace("_", " ") for penalty in value]
        else:
            title = name.replace("_", " ")
            out.append(f"{title} {float(value):g}" if isinstance(value, int | float | np.number) else title)
    return out


def _described(term: Value) -> str:
    strength = term.strength
    one_number = not callable(strength) and not isinstance(strength, dict) and np.ndim(strength) == 0
    return f"{term.kind}({float(strength):g})" if one_number else str(term.kind)


def described_model(model: ModelLike) -> str:
    """Describe a model in one line, such as `MLP(num_outputs=10, widths=(256,))`."""
    if not dataclasses.is_dataclass(model):
        return "(init, apply)"
    names = [field.name for field in dataclasses.fields(model) if field.name not in ("parent", "name")]
    return f"{type(model).__name__}({', '.join(f'{name}={_value(getattr(model, name))}' for name in names)})"


def _value(value: object) -> str:
    if isinstance(value, nn.Module):
        return described_model(value)
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_value, value))})"
    return getattr(value, "__name__", None) or in_short(value)


FEWEST_OF_CURVE = 8
"""Training examples of a point of the learning curve at least."""

RATES = (3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3)
"""Learning rates among which a comparison searches; those of plain gradient descent are ten times as large."""
WIDER = 2
"""So many of these at each end are tried only if the best one is next to them."""
_PLAIN = ("sgd", "momentum", "nesterov")


def learning_rates_of(options: TrainingOptions, splits: Splits) -> tuple[float, ...]:
    """Return the learning rates among which the comparison searches; one if it is given, or in the demonstration."""
    if options.learning_rate is not None:
        return (options.learning_rate,)
    factor = 10.0 if options.optimizer in _PLAIN else 1.0
    return (3e-3 * factor,) if is_demonstration(splits) else tuple(round(factor * rate, 12) for rate in RATES)


def batch_size_of(wanted: int | None, n_train: int) -> int:
    """Return the number of examples in an update: `wanted`, or a fiftieth of the training set, a power of 2.

    It is from 32 to 1024: small sets need the noise, and large ones fewer updates for a pass.

    Example:
      >>> [batch_size_of(None, size) for size in (100, 2_000, 10_000, 1_000_000)], batch_size_of(7, 100)
      ([32, 32, 256, 1024], 7)
    """
    if wanted is not None:
        return wanted
    return int(min(max(2 ** round(math.log2(max(n_train, 50) / 50)), 32), 1024))


def epochs_of(wanted: int | None, steps: int) -> int:
    """Return the number of passes: `wanted`, or at least 800 updates and 50 passes, but on large sets fewer.

    50 passes of more than 200 updates each are cut to 10,000 updates, and to no fewer than 10 passes.

    Example:
      >>> [epochs_of(None, steps) for steps in (4, 100, 500, 5_000)]
      [200, 50, 20, 10]
    """
    if wanted is not None:
        return wanted
    return max(math.ceil(800 / steps), min(50, max(10, 10_000 // steps)))


def curve_sizes(techniques: Collection[str | Technique] | None, splits: Splits, n_train: int) -> tuple[int, ...]:
    """Return the sizes of the learning curve: an eighth, a quarter and half of the training examples.

    There is one if more data are wanted and all training examples are in use; sizes with fewer than `FEWEST_OF_CURVE`
    examples, or fewer than two for each class, are left out.
    """
    wanted = DEFAULT_TECHNIQUES if techniques is None else techniques
    if "more_data" not in wanted or n_train < len(splits.y_train):
        return ()
    return smaller_sizes(splits, n_train)


def smaller_sizes(splits: Splits, n_train: int | None) -> tuple[int, ...]:
    """Return an eighth, a quarter and half of the training examples, without sizes that are too small for a net."""
    n_train = n_train or len(splits.y_train)
    least = max(FEWEST_OF_CURVE, 2 * splits.num_classes)
    return tuple(size for size in (n_train // 8, n_train // 4, n_train // 2) if size >= least)


def is_demonstration(splits: Splits) -> bool:
    """Whether the data are the embedded digits, for which the defaults provoke overfitting."""
    return splits.embedded and splits.name == "digits"


def label_noise_of(wanted: float | None, splits: Splits) -> float:
    """Return the fraction of training labels to corrupt: `wanted`, or by default 0, and 10% in the demonstration."""
    if wanted is None:
        return 0.1 if is_demonstration(splits) else 0.0
    if wanted and splits.task == "regression":
        raise InputError(f"label_noise {wanted} needs classes; {splits.name} is a regression set")
    return wanted


def train_examples_of(wanted: int | None, splits: Splits) -> int:
    """Return the size of the training set: `wanted`, or by default the whole pool, and 128 in the demonstration."""
    pool = len(splits.y_train)
    if wanted is None:
        return 128 if is_demonstration(splits) else pool
    if wanted > pool:
        raise InputError(f"train_examples {wanted} is more than the {pool} training examples of {splits.name}")
    return int(wanted)


def default_augmentation(splits: Splits) -> Augmentation:
    """Return the default augmentation: shift, rotation and noise for images, noise for tables, none for other data."""
    if splits.kind == "array":
        return Augmentation()
    if splits.kind == "table":
        return make("noise=0.2")
    side = min(splits.x_train.shape[1:3])
    return make(f"shift={max(1, round(side / 12))},rotate=15,noise=0.5")


def as_augmentation(augmentation: Augmentation | str | None, splits: Splits) -> Augmentation:
    """Make the augmentation from its description, and check that it fits the data."""
    if not isinstance(augmentation, Augmentation):
        augmentation = default_augmentation(splits) if augmentation is None else make(augmentation)
    if splits.kind == "array" and augmentation.steps:
        raise InputError(f"augmentation '{augmentation}' is for images and tables, {splits.name} has neither")
    augmentation.check_fits(splits.kind, splits.name, splits.x_train.shape[1:], splits.x_train.dtype)
    return augmentation
