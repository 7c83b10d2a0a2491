"""Makes data, `Spec` and `Hparams` from flags."""

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
from regjax.comparison.data_defaults import class_counts, default_augmentation, weights_of_classes
from regjax.comparison.plan import MAX_STOP_EXAMPLES, check_outputs
from regjax.core.mesh import make_mesh
from regjax.models import parse_model
from regjax.stopping import NEVER, EarlyStopping
from regjax.training.options import TrainingOptions, loss_of_task
from regjax.training.preflight import check_targets
from regjax.training.spec import Hparams, Spec, make_hparams
from regjax.training.state import TrainData
from regjax.training.stream import StreamLoader, validation_limit


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A dataset and its split, with the preprocessor of the whole pool, or of the run that is made."""

    dataset: data.Dataset
    splits: data.Splits
    preprocessor: data.Preprocessor


class Facts(NamedTuple):
    """The properties of the data on which a model depends; they are stored in the `config.json` of a run."""

    task: str
    num_classes: int
    num_outputs: int
    pool: int
    class_counts: Sequence[int] | None = None  # of the pool

    @classmethod
    def of(cls, splits: data.Splits) -> Facts:
        """Return the properties of a dataset."""
        return cls(splits.task, splits.num_classes, splits.num_outputs, len(splits.y_train), class_counts(splits))


def load(
    options: DataOptions,
    split_seed: int,
    preprocessor: data.Preprocessor | None = None,
    *,
    lazy: bool = False,
    link: str = "identity",
) -> Loaded:
    """Load and split the dataset that the flags name.

    Args:
      options: options of the data.
      split_seed: seed of the split into training, validation and test sets.
      preprocessor: preprocessor of a resumed run; None fits one on the whole training pool, for which a streamed pool
        is read twice.
      lazy: whether to keep the inputs on disk.
      link: that of the preprocessor which is fitted.

    Raises:
      FlagError: the dataset cannot be read.
    """
    dataset = flags.about(
        "dataset",
        lambda: data.load(
            options.dataset,
            data_dir=options.data_dir,
            target=options.target,
            task=options.task,
            test_file=options.test_file,
            table=table_options(options),
            lazy=lazy,
            **_of_images(options),
        ),
    )
    splits = flags.about("dataset", lambda: data.split(dataset, seed=split_seed, **options.fractions()))
    flags.about("dataset", splits.check_targets)
    for line in dataset.notes:
        app.note(line)
    if dataset.groups is not None and (left := len(dataset.y) - sum(map(len, splits.indices.values()))):
        app.note(f"{left} of {len(dataset.y)} examples are in no part: groups and duplicates stay whole, parts fill up")
    fitted = preprocessor or flags.about("dataset", lambda: data.Preprocessor.for_splits(splits, link=link))
    return Loaded(dataset, splits, fitted)


def _of_images(options: DataOptions) -> dict[str, Any]:
    """Return the options of folders of images that differ from their defaults, which other datasets refuse."""
    names = ("image_size", "image_fit", "image_background", "allow_empty")
    return {name: getattr(options, name) for name in names if getattr(options, name) != getattr(DataOptions, name)}


def table_options(options: DataOptions) -> data.TableOptions | None:
    """Return what the flags say about a table; None if they say nothing.

    Raises:
      FlagError: a column is named by two flags, or a flag has a value that is not accepted.
    """
    lists = {
        name: tuple(column.strip() for column in getattr(options, name).split(",") if column.strip())
        for name in ("ignore", "categorical", "numeric", "dates")
    }
    separator = {"tab": "\t", "\\t": "\t", "space": " "}.get(options.separator or "", options.separator)
    made = flags.about(
        "dataset",
        lambda: data.TableOptions(
            **lists,
            group=options.group,
            time=options.time,
            weight=options.weight_column,
            id_column=options.id_column,
            impute=options.impute,
            encoding=options.encoding,
            separator=separator,
        ),
    )
    return None if made == data.TableOptions() else made


def check_sizes(options: TrainingOptions, splits: data.Splits) -> None:
    """Check that the data have enough examples for --train_examples, classes for --label_noise, and fit --loss.

    Raises:
      FlagError: names the flag.
    """
    pool = len(splits.y_train)
    enough = options.train_examples is None or options.train_examples <= pool
    flags.check(enough, "train_examples", f"at most {pool} of {splits.name} are for training")
    classes = not options.label_noise or splits.task != "regression"
    flags.check(classes, "label_noise", f"{splits.name} is a regression set, it has no classes")
    flags.about("loss", lambda: check_targets(loss_of_task(splits.task, options.loss), splits))
    weighted = not options.class_weight or splits.task == "classification"
    instead = "no exclusive classes; leave it out, or weigh rows with --weight_column"
    flags.check(weighted, "class_weight", f"{splits.name} is a {splits.task} set, it has {instead}")


def make_model(config: RunOptions, facts: Facts, loaded: Loaded | None = None) -> nn.Module:
    """Make the model of --model and --widths.

    Raises:
      FlagError: the flag cannot be parsed, or the model does not fit the data.
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
    """Make the `Spec` of the flags.

    Args:
      config: the flags.
      facts: properties of the data.
      loaded: the data, if they are available, to check that the model fits them.
      steps: number of updates per epoch; None is one pass over the training examples.

    Raises:
      FlagError: a flag does not fit the model or the data.
    """
    n_train = config.train_examples or facts.pool
    has_labels = facts.task != "regression"
    flags.check(not config.label_smoothing or has_labels, "label_smoothing", "needs a set with classes or labels")
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
    """Return the `Spec` with batches that are split over --data_devices.

    Raises:
      FlagError: there are not enough devices, or the batch cannot be divided evenly.
    """
    if options.data_devices == 1:
        return spec
    mesh = flags.about("data_devices", lambda: make_mesh(1, options.data_devices))
    return flags.about("data_devices", lambda: dataclasses.replace(spec, mesh=mesh))


def augmentation(config: RunOptions, loaded: Loaded) -> Augmentation | None:
    """Make the augmentation of --augment, or None.

    Raises:
      FlagError: the flag cannot be parsed, or the augmentation does not fit the data.
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
    """Make the `Hparams` of the flags.

    Args:
      config: the flags.
      facts: properties of the data.
      restore_best: whether to restore the best weights at the end.
      standardization: standardization of examples and targets; None if they are already standardized.
      augment: strength of the augmentation, if there is one.
      present: names of regularizers to include even if they are 0.
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
        class_weights=weights_of_classes(config, facts.class_counts),
        **config.loss_arguments(),
        **regularizer_arguments(config, present),
    )


def train_data(loaded: Loaded, config: RunOptions, seeds: Sequence[int], *, validation: str = "all") -> TrainData:
    """Return the arrays for training; inputs and targets are not standardized.

    Args:
      loaded: the data.
      config: the flags.
      seeds: seeds of the orders and labels.
      validation: data for early stopping: `"all"` of the validation set, or its half `"stop"`, as in a comparison.
    """
    splits = loaded.splits
    y, order = _targets_and_order(splits, config, seeds)
    x_val, y_val = validation_part(splits)
    if validation == "stop":
        x_val, y_val = splits.x_stop[:MAX_STOP_EXAMPLES], splits.y_stop[:MAX_STOP_EXAMPLES]
    # Not jnp.asarray, which compiles a program for each shape.
    return TrainData(
        x=jax.device_put(splits.x_train),
        y=jax.device_put(y),
        order=jax.device_put(order),
        x_val=jax.device_put(x_val),
        y_val=jax.device_put(y_val),
        weight=None if splits.weight_train is None else jax.device_put(splits.weight_train),
    )


def stream_data(loaded: Loaded, config: RunOptions, spec: Spec, threads: int) -> tuple[TrainData, StreamLoader]:
    """Return the data of evaluations in memory and a loader for training, like `train_data` for one seed.

    Raises:
      FlagError: a record cannot be read.
    """
    splits = loaded.splits
    flags.check(splits.weight_train is None, "weight_column", "is for --loader=memory")
    y, order = _targets_and_order(splits, config, [config.seed])
    loader = StreamLoader(splits.x_train, y[0], order[0], threads=threads)
    x_val, y_val = validation_part(splits)
    limit = validation_limit(x_val.shape[1:], x_val.dtype)
    x_val, y_val = x_val[:limit], y_val[:limit]
    if isinstance(splits.x_test, data.Rows):
        # Damaged records should be found before training, not after it.
        flags.about("dataset", splits.x_test.check)
    return flags.about("dataset", lambda: loader.evaluation_data(spec, x_val, y_val)), loader


def validation_part(splits: data.Splits) -> tuple[Any, Any]:
    """Return the whole validation set: inputs (`Rows` if they are not in memory) and targets."""
    return data.joined([splits.x_stop, splits.x_select]), np.concatenate([splits.y_stop, splits.y_select])


def _targets_and_order(splits: data.Splits, config: RunOptions, seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the targets of the pool, `[S, N, ...]`, and the orders of the examples."""
    order = data.nested_order(splits.y_train, seeds, splits.task)
    y = np.stack([splits.y_train] * len(seeds))
    if config.label_noise:
        y = data.noisy_targets(splits.y_train, config.label_noise, splits.task, splits.num_classes, seeds)
    return y, order
