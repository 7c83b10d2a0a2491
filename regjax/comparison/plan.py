"""The plan of a comparison, made before the first run: data, options, program and techniques."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np

from regjax.catalog import COMBINATION, TECHNIQUES, default_metric
from regjax.comparison.checks import check_metric, check_splits, check_technique
from regjax.comparison.data_defaults import (
    WIDER,
    as_augmentation,
    batch_size_of,
    class_counts,
    curve_sizes,
    described_arguments,
    described_model,
    epochs_of,
    is_demonstration,
    label_noise_of,
    learning_rates_of,
    smaller_sizes,
    train_examples_of,
    weights_of_classes,
)
from regjax.comparison.options import CompareOptions
from regjax.comparison.registry import TechniqueContext, resolve
from regjax.comparison.techniques import Technique
from regjax.core.checks import in_short
from regjax.core.errors import InputError
from regjax.core.typing import Json, ModelLike, PyTree, Value
from regjax.data import Dataset, Preprocessor, Splits, from_arrays, nested_order, noisy_targets, split
from regjax.data.targets import task_reason
from regjax.losses import ChosenLoss
from regjax.models import make_model
from regjax.models.call import takes_rates
from regjax.models.interface import as_model
from regjax.training.options import loss_of_task
from regjax.training.preflight import check_targets, output_shape
from regjax.training.program import weight_shapes
from regjax.training.spec import Spec
from regjax.training.state import TrainData

MAX_STOP_EXAMPLES = 2000  # validation examples that are evaluated after every epoch; selection uses all of its own
PATIENCE = 10  # epochs; for the technique "early stopping"
SEARCH_RUNS = 3  # of each learning rate on a split, at most

Data = Splits | Dataset | tuple[np.ndarray, np.ndarray]
Wanted = Sequence[str | Technique] | Mapping[str, Sequence[float]] | None


class Search(NamedTuple):
    """The search for a learning rate on one split: the baseline with each of them.

    Attributes:
      rates: the learning rates that were tried, rising.
      scores: the mean metric of each on the selection part.
      runs: the number of runs of each.
      chosen: the best one.
    """

    rates: tuple[float, ...]
    scores: tuple[float, ...]
    runs: int
    chosen: float

    @property
    def at_end(self) -> bool:
        """Whether the best one is the lowest or the highest that was tried."""
        return self.chosen in (self.rates[0], self.rates[-1])


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that is needed to start a comparison.

    Attributes:
      options: the options, with defaults in place of None.
      splits: the training, validation and test sets.
      preprocessor: the preprocessor of the whole pool; each run has its own.
      unit: the preprocessor of the first split, which gives the losses of all splits one unit.
      task: the task; for arrays, with the reason why it was chosen.
      spec: the program of every run.
      params: the shapes of the parameters.
      techniques: the techniques, without the baseline and the combination.
      with_combination: whether to try the combination too.
      curve_sizes: smaller numbers of training examples of the learning curve, rising; empty if there is none.
      rates: the learning rates among which each split searches; one if it is known.
      search: the search on this split, once it was made.
      cut: what a budget of time has left; None without a budget.
      number: the number of the split, from 0.
      dataset: the data from which other splits are made; None if the splits were given.
    """

    options: CompareOptions
    splits: Splits
    preprocessor: Preprocessor
    unit: Preprocessor
    task: str
    spec: Spec
    params: PyTree
    techniques: tuple[Technique, ...]
    with_combination: bool
    curve_sizes: tuple[int, ...]
    rates: tuple[float, ...]
    search: Search | None
    number: int
    dataset: Dataset | None
    cut: Mapping[str, Json] | None = None

    @property
    def loss(self) -> ChosenLoss:
        """The data loss."""
        return ChosenLoss(self.spec.loss, next(iter(self.options.loss_arguments().values()), None))

    @property
    def always(self) -> Mapping[str, Value]:
        """The arguments of `make_hparams` that every run gets."""
        weights = weights_of_classes(self.options, class_counts(self.splits))
        own = {} if weights is None else {"class_weights": weights}
        return {**(self.options.always or {}), **self.options.loss_arguments(), **own}

    @property
    def seeds(self) -> range:
        """The seeds of the runs on this split."""
        return self.options.seeds_of(self.number)

    @property
    def trials(self) -> int:
        """The number of settings that are trained on a split, with the sizes of the learning curve."""
        combined = self.with_combination * len(TECHNIQUES[COMBINATION].grid)
        settings = 1 + combined + sum(len(technique.values) for technique in self.techniques)
        return settings + len(self.curve_sizes) + len(self.sizes_of_rows) * self.rows_tested

    @property
    def runs_of_rows(self) -> int:
        """The number of runs of all rows on a split, with those that are trained anew for the test."""
        return (self.trials + (self.rows_tested if self.options.fresh_seeds else 0)) * len(self.seeds)

    @property
    def search_runs(self) -> int:
        """The number of runs of each learning rate on a split; 0 if it is known."""
        return min(SEARCH_RUNS, len(self.seeds)) if len(self.rates) > 1 else 0

    @property
    def runs_of_split(self) -> int:
        """The number of runs on a split, if its search for a learning rate ends where it begins."""
        return self.search_runs * (len(self.rates) - 2 * WIDER) + self.runs_of_rows

    @property
    def sizes_of_rows(self) -> tuple[int, ...]:
        """Smaller numbers of training examples, for the learning curves of all rows; empty without these."""
        return smaller_sizes(self.splits, self.options.train_examples) if self.options.learning_curves else ()

    @property
    def rows_tested(self) -> int:
        """The number of rows of the result."""
        return 1 + len(self.techniques) + self.with_combination

    @property
    def stop_examples(self) -> int:
        """The number of validation examples that are evaluated after every epoch."""
        return min(len(self.splits.y_stop), MAX_STOP_EXAMPLES)

    @property
    def stop_independent(self) -> int:
        """The effective number of these that are independent of each other."""
        return self.splits.independent("stop", MAX_STOP_EXAMPLES)

    @property
    def metric(self) -> str:
        """The metric by which settings are chosen and tested."""
        return self.options.metric or default_metric(self.splits.task, self.spec.loss)

    @property
    def population(self) -> int:
        """The number of examples that some split may test: those of the test set, or if splits make it, all of them."""
        resampled = self.dataset if "test" in self.splits.indices else None
        return len(self.splits.y_test) if resampled is None else len(resampled)

    def settings(self) -> dict[str, Json]:
        """Return the settings that the results and the report list."""
        options, splits, spec, dataset = self.options, self.splits, self.spec, self.dataset
        return {
            "model": described_model(spec.model),
            "inputs": math.prod(splits.x_train.shape[1:]),
            "classes": splits.num_classes,
            "train_examples": options.train_examples,
            "pool": len(splits.y_train),
            "stop_examples": self.stop_examples,
            "select_examples": len(splits.y_select),
            "test_examples": len(splits.y_test),
            "population": self.population,
            "groups": None if dataset is None or dataset.groups is None else len(np.unique(dataset.groups)),
            "batch_size": spec.batch_size,
            "steps_per_epoch": spec.steps_per_epoch,
            "epochs": spec.epochs,
            "updates": spec.total_steps,
            "loss": self.loss._asdict(),
            "optimizer": spec.optimizer,
            "learning_rate": options.learning_rate,
            "schedule": spec.schedule,
            "label_noise": options.label_noise,
            "class_weight": options.class_weight,
            "targets": list(splits.targets) or None,
            "class_names": list(splits.class_names or ()) if splits.num_classes == 2 else None,
            "always": described_arguments(options.always or {}),
            "demonstration": is_demonstration(splits),
            "augmentation": str(spec.augmentation),
            "patience": options.patience,
            "min_delta": options.min_delta,
            "stop_criterion": options.stop_criterion,
            "seed": options.seed,
            "split_seed": options.split_seed,
            "splits": options.splits,
            "data": [] if self.dataset is None else list(self.dataset.notes),
            "fresh_seeds": options.fresh_seeds,
            "budget": None if self.cut is None else dict(self.cut),
            "task": self.task,
        }


def make_plan(model: ModelLike, data: Data, techniques: Wanted, options: CompareOptions) -> Plan:
    """Make the plan of a comparison on its first split, and check that every technique can run.

    Raises:
      InputError: the data, the model, a technique or an option cannot be used.
    """
    dataset = as_dataset(data, options.task)
    splits = dataset if isinstance(dataset, Splits) else split(dataset, seed=options.split_seed, **options.fractions())
    if options.splits is None:
        one = isinstance(dataset, Splits) or dataset.times is not None
        options = dataclasses.replace(options, splits=1 if one else options.seeds)
    check_splits(dataset, options)
    check_metric(options, splits)
    check_targets(loss_of_task(splits.task, options.loss), splits)
    module = make_model(model, num_outputs=splits.num_outputs, task=splits.task) if isinstance(model, str) else model
    preprocessor = Preprocessor.for_splits(splits, standardize=options.standardize, link=options.link)
    augmentation = as_augmentation(options.augmentation, splits)
    options, n_train, steps = filled_in(options, splits)
    context = technique_context(options, splits, module, has_augmentation=bool(augmentation.steps))
    chosen, with_combination = resolve(techniques, context)
    example = preprocessor.transform(splits.x_train[:1])
    check_outputs(module, example, splits)
    spec = Spec.of(
        options,
        model=module,
        task=splits.task,
        num_classes=splits.num_classes,
        steps_per_epoch=steps,
        augmentation=augmentation,
        eval_train_examples=min(n_train, Spec.eval_train_examples),
    )
    params = weight_shapes(spec, example).params
    for technique in chosen:
        check_technique(technique, spec, params, options, example, splits)
    task = described_task(data, splits, options.task)
    source = None if isinstance(dataset, Splits) else dataset
    return Plan(
        options=options,
        splits=splits,
        preprocessor=preprocessor,
        unit=preprocessor,
        task=task,
        spec=spec,
        params=params,
        techniques=tuple(chosen),
        with_combination=with_combination,
        curve_sizes=curve_sizes(techniques, splits, n_train),
        rates=learning_rates_of(options, splits),
        search=None,
        number=0,
        dataset=source,
    )


def plan_of_split(first: Plan, number: int) -> Plan:
    """Return the plan on another split of the data, which has its own seeds; 0 is the first one."""
    if number == 0 or first.dataset is None:
        return first
    splits = split(first.dataset, seed=first.options.split_seed + number, **first.options.fractions())
    link = first.options.link
    preprocessor = Preprocessor.for_splits(splits, standardize=first.options.standardize, link=link)
    return dataclasses.replace(first, splits=splits, preprocessor=preprocessor, number=number)


def filled_in(options: CompareOptions, splits: Splits) -> tuple[CompareOptions, int, int]:
    """Return the options with their defaults, the size of the training set and the number of updates per epoch."""
    n_train = train_examples_of(options.train_examples, splits)
    batch_size, rates = batch_size_of(options.batch_size, n_train), learning_rates_of(options, splits)
    steps = math.ceil(n_train / batch_size)
    filled = dataclasses.replace(
        options,
        train_examples=n_train,
        batch_size=batch_size,
        learning_rate=rates[0] if len(rates) == 1 else None,
        label_noise=label_noise_of(options.label_noise, splits),
        epochs=epochs_of(options.epochs, steps),
        patience=PATIENCE if options.patience is None else options.patience,
    )
    return filled, n_train, steps


def technique_context(
    options: CompareOptions, splits: Splits, model: ModelLike, *, has_augmentation: bool
) -> TechniqueContext:
    """Return the facts on which the techniques depend."""
    return TechniqueContext(
        train_examples=train_examples_of(options.train_examples, splits),
        pool=len(splits.y_train),
        patience=PATIENCE if options.patience is None else options.patience,
        min_delta=options.min_delta,
        criterion=options.stop_criterion,
        noises=noises_of(model),
        task=splits.task,
        has_augmentation=has_augmentation,
    )


def training_arrays(plan: Plan, seeds: range | None = None) -> TrainData:
    """Return the training arrays of a split, as they are before standardization.

    These are the pool, orders and labels of the seeds (None: those of the plan), and the examples for early stopping.
    """
    splits, options, seeds = plan.splits, plan.options, plan.seeds if seeds is None else seeds
    sizes = [int(t.arguments(v).get("n_train", 0)) for t in plan.techniques for v in t.values]
    order = nested_order(splits.y_train, seeds, splits.task, size=max([options.train_examples or 1, *sizes]))
    y = splits.y_train
    if splits.task != "regression":
        labels = noisy_targets(y, options.label_noise or 0.0, splits.task, splits.num_classes, seeds)
    else:
        labels = np.broadcast_to(y, (len(seeds), *y.shape))
    stop = slice(0, plan.stop_examples)
    arrays = (splits.x_train, labels, order, splits.x_stop[stop], splits.y_stop[stop], splits.weight_train)
    return TrainData(*jax.device_put(arrays))


def as_dataset(data: Data, task: str | None = None) -> Dataset | Splits:
    """Return the data, where arrays go through `regjax.data.from_arrays`.

    Raises:
      InputError: the arrays cannot be used, or the dataset has another task.
    """
    if not isinstance(data, Splits | Dataset) and not (isinstance(data, tuple | list) and len(data) == 2):
        raise InputError(f"data must be arrays (x, y), a Dataset or Splits, got {in_short(data)}")
    dataset = data if isinstance(data, Splits | Dataset) else from_arrays(*data, task=task)
    if task not in (None, dataset.task):
        raise InputError(f"task {task!r}: {dataset.name} is a {dataset.task} set")
    return dataset


def described_task(data: Data, splits: Splits, task: str | None) -> str:
    """Describe the task; for arrays, with the reason why it was chosen."""
    if isinstance(data, Splits | Dataset):
        return splits.task
    return f"{splits.task} ({'as asked for' if task else task_reason(np.asarray(data[1]))})"


def noises_of(model: ModelLike) -> tuple[str, ...]:
    """Return the names of the noises of a model; a model that takes `rates` without naming them has dropout."""
    accepted = getattr(model, "accepted_rates", None)
    return accepted if accepted is not None else ("dropout",) if takes_rates(as_model(model).apply) else ()


def check_outputs(model: ModelLike, x: np.ndarray, splits: Splits) -> None:
    """Check that a model accepts the inputs and a training flag, and that its outputs fit the targets.

    Raises:
      InputError: names the shapes that do not match.
    """
    splits.check_targets()
    output_shape(model, x, train=True)  # raises an error if the model accepts no training flag
    shape = output_shape(model, x)
    wanted: tuple[int, ...] = (1, splits.num_outputs)
    if splits.task == "regression":
        wanted = (1, *splits.y_train.shape[1:])
    if shape != wanted:
        raise InputError(f"the model gives outputs of shape {list(shape)}; {splits.name} needs {list(wanted)}")
