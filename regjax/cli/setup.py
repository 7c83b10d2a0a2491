"""From flags to data, `Spec` and `Hparams`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import numpy as np

from regjax import data
from regjax.augment import Augmentation
from regjax.augment import make as make_augmentation
from regjax.cli import app, flags
from regjax.cli.options import DataOptions, RunOptions, SharedBatchOptions
from regjax.cli.regularizers import regularizer_arguments
from regjax.comparison.plan import MAX_STOP_EXAMPLES, check_outputs, default_augmentation
from regjax.core.mesh import make_mesh
from regjax.models import parse_model
from regjax.stopping import NEVER, EarlyStopping
from regjax.training.options import TrainingOptions
from regjax.training.spec import Hparams, Spec, make_hparams
from regjax.training.state import TrainData
from regjax.training.stream import StreamLoader, validation_limit


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A dataset, split, and how it is standardized."""

    splits: data.Splits
    preprocessor: data.Preprocessor


class Facts(NamedTuple):
    """What of the data a model depends on; `config.json` of a run has it."""

    task: str
    num_classes: int
    num_outputs: int
    pool: int

    @classmethod
    def of(cls, splits: data.Splits) -> Facts:
        """The facts of a dataset."""
        return cls(splits.task, splits.num_classes, splits.num_outputs, len(splits.y_train))


def load(
    options: DataOptions, split_seed: int, preprocessor: data.Preprocessor | None = None, *, lazy: bool = False
) -> Loaded:
    """The dataset that the flags name.

    Args:
      options: which data.
      split_seed: of the cut into training, validation and test.
      preprocessor: of a run that goes on; None fits one, which reads a streamed training pool twice.
      lazy: leave the inputs on disk.

    Raises:
      FlagError: it cannot be read.
    """
    dataset = flags.about(
        "dataset",
        lambda: data.load(options.dataset, data_dir=options.data_dir, target=options.target, lazy=lazy),
    )
    for line in dataset.notes:
        app.note(line)
    splits = flags.about("dataset", lambda: data.split(dataset, seed=split_seed))
    flags.about("dataset", splits.check_classes)
    return Loaded(splits, preprocessor or flags.about("dataset", lambda: data.Preprocessor.for_splits(splits)))


def check_sizes(options: TrainingOptions, splits: data.Splits) -> None:
    """Refuse a training part and wrong labels that the data cannot have.

    Raises:
      FlagError: names the flag.
    """
    pool = len(splits.y_train)
    enough = options.train_examples is None or options.train_examples <= pool
    flags.check(enough, "train_examples", f"at most {pool} of {splits.name} are for training")
    classes = not options.label_noise or splits.task == "classification"
    flags.check(classes, "label_noise", f"{splits.name} is a regression set, it has no classes")


def make_model(config: RunOptions, facts: Facts, loaded: Loaded | None = None) -> nn.Module:
    """The model of --model and --widths.

    Raises:
      FlagError: it cannot be read, or does not fit the data.
    """
    if config.model == "linear" and config.widths:
        raise flags.FlagError(f"--widths={config.widths}: a linear model has no hidden layers")
    outputs, task = facts.num_outputs, facts.task
    model = flags.about(
        "model", lambda: parse_model(config.model, num_outputs=outputs, widths=config.widths, task=task)
    )
    if loaded is not None:
        example = loaded.preprocessor.transform(loaded.splits.x_train[:1])
        flags.about("model", lambda: check_outputs(model, example, loaded.splits))
    return model


def make_spec(config: RunOptions, facts: Facts, loaded: Loaded | None = None, steps: int | None = None) -> Spec:
    """The `Spec` of the flags.

    Args:
      config: the flags.
      facts: of the data.
      loaded: the data, where they are there: the model is tried on them.
      steps: updates in an epoch; None is one pass over the training examples.

    Raises:
      FlagError: a flag that does not fit the model or the data.
    """
    classification = facts.task == "classification"
    n_train = config.train_examples or facts.pool
    flags.check(not config.label_smoothing or classification, "label_smoothing", "needs a classification set")
    return Spec.of(
        config,
        model=make_model(config, facts, loaded),
        task=facts.task,
        num_classes=facts.num_classes,
        steps_per_epoch=steps or math.ceil(n_train / config.batch_size),
        augmentation=None if loaded is None else augmentation(config, loaded),
        eval_train_examples=min(n_train, Spec.eval_train_examples),
    )


def with_mesh(options: SharedBatchOptions, spec: Spec) -> Spec:
    """The `Spec` with its batches split over --data_devices.

    Raises:
      FlagError: more devices than there are, or a batch that they cannot share.
    """
    if options.data_devices == 1:
        return spec
    mesh = flags.about("data_devices", lambda: make_mesh(1, options.data_devices))
    return flags.about("data_devices", lambda: dataclasses.replace(spec, mesh=mesh))


def augmentation(config: RunOptions, loaded: Loaded) -> Augmentation | None:
    """The augmentation of --augment, or None.

    Raises:
      FlagError: it cannot be read, or does not fit the data.
    """
    if not config.augment:
        return None
    if config.augment == "default":
        parsed = default_augmentation(loaded.splits)
    else:
        parsed = flags.about("augment", lambda: make_augmentation(config.augment))
    splits = loaded.splits
    shape, dtype = splits.x_train.shape[1:], splits.x_train.dtype
    flags.about("augment", lambda: parsed.check_fits(splits.kind, splits.name, shape, dtype))
    return parsed


def hparams_of(
    config: RunOptions,
    facts: Facts,
    *,
    restore_best: bool,
    standardization: data.Standardization | None,
    augment: float = 1.0,
    present: Collection[str] = (),
) -> Hparams:
    """The `Hparams` of the flags.

    Args:
      config: the flags.
      facts: of the data.
      restore_best: whether the run ends with its best weights.
      standardization: of the examples; None where they are standardized already.
      augment: strength of the augmentation, where there is one.
      present: regularizers that exist even at strength 0.
    """
    stopping = EarlyStopping(
        patience=NEVER if config.patience is None else config.patience,
        min_delta=config.min_delta,
        criterion=config.stop_criterion,
    )
    return make_hparams(
        learning_rate=config.learning_rate,
        n_train=config.train_examples or facts.pool,
        augment=augment if config.augment else None,
        stopping=stopping,
        restore_best=restore_best,
        standardization=standardization,
        **regularizer_arguments(config, present),
    )


def train_data(loaded: Loaded, config: RunOptions, seeds: Sequence[int], *, validation: str = "all") -> TrainData:
    """Arrays for training, inputs as they were read.

    Args:
      loaded: the data.
      config: the flags.
      seeds: whose orders and labels there are.
      validation: what early stopping watches: `"all"` of the validation part, or its half `"stop"`, as a comparison.
    """
    splits, pre = loaded.splits, loaded.preprocessor
    y, order = _targets_and_order(loaded, config, seeds)
    x_val, y_val = validation_part(splits)
    if validation == "stop":
        x_val, y_val = splits.x_stop[:MAX_STOP_EXAMPLES], splits.y_stop[:MAX_STOP_EXAMPLES]
    # Put, not jnp.asarray, which compiles a program for each shape.
    return TrainData(
        x=jax.device_put(splits.x_train),
        y=jax.device_put(y),
        order=jax.device_put(order),
        x_val=jax.device_put(x_val),
        y_val=jax.device_put(pre.target_transform(y_val)),
    )


def stream_data(loaded: Loaded, config: RunOptions, spec: Spec, threads: int) -> tuple[TrainData, StreamLoader]:
    """What evaluations look at, in memory, and the loader of the rest; as `train_data` of one seed.

    Raises:
      FlagError: a record that cannot be read.
    """
    splits, pre = loaded.splits, loaded.preprocessor
    y, order = _targets_and_order(loaded, config, [config.seed])
    loader = StreamLoader(splits.x_train, y[0], order[0], threads=threads)
    x_val, y_val = validation_part(splits)
    limit = validation_limit(x_val.shape[1:], x_val.dtype)
    x_val, y_val = x_val[:limit], y_val[:limit]
    if isinstance(splits.x_test, data.Rows):
        # What is damaged there should be known before the training, not after it.
        flags.about("dataset", splits.x_test.check)
    y_val = pre.target_transform(y_val)
    return flags.about("dataset", lambda: loader.evaluation_data(spec, x_val, y_val)), loader


def validation_part(splits: data.Splits) -> tuple[Any, Any]:
    """The whole validation part: inputs (`Rows` if they are not in memory) and targets."""
    return data.joined([splits.x_stop, splits.x_select]), np.concatenate([splits.y_stop, splits.y_select])


def _targets_and_order(loaded: Loaded, config: RunOptions, seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Targets of the pool as the model sees them, `[S, N, ...]`, and the order in which examples are used."""
    splits = loaded.splits
    order = data.nested_order(splits.y_train, seeds, splits.task)
    y = np.stack([loaded.preprocessor.target_transform(splits.y_train)] * len(seeds))
    if config.label_noise:
        y = data.noisy_labels(splits.y_train, config.label_noise, splits.num_classes, seeds)
    return y, order
