"""The runs of each point of a sweep: one for each seed on a validation set, or on each fold of a cross-validation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import jax
import numpy as np

from regjax import data
from regjax.cli import flags, setup
from regjax.cli.final import with_validation
from regjax.comparison.data_defaults import class_counts
from regjax.training.state import TrainData

if TYPE_CHECKING:
    from regjax.cli.options import RunOptions
    from regjax.cli.setup import Facts, Loaded


class SweepRun(NamedTuple):
    """A run of each point.

    Attributes:
      columns: what distinguishes it in the table: its seed, and its fold, from 0.
      seed: its seed.
      row: its row in the arrays that differ between runs.
      y_val: the targets by which it is validated.
    """

    columns: dict[str, int]
    seed: int
    row: int
    y_val: np.ndarray


class CrossValidation(NamedTuple):
    """What `results.json` says of a cross-validation.

    Attributes:
      folds: number of folds.
      repeats: number of repetitions with other folds, one for each seed.
      ratio: validation examples of a fold by its training examples, a mean over folds.
      examples: number of examples that are validated in each repetition.
      order: how examples were assigned to folds: `"random"`, `"groups"` or `"time"`.
    """

    folds: int
    repeats: int
    ratio: float
    examples: int
    order: str


class SeedRuns:
    """Runs that train on the training examples and validate on the validation examples.

    Attributes:
      loaded: the data.
      facts: their properties.
      arrays: the arrays of all runs.
      runs: one for each seed.
      smallest: the smallest number of training examples that a run can have.
      examples: number of validation examples of each run.
      cross_validation: None.
    """

    cross_validation: CrossValidation | None = None

    def __init__(self, config: RunOptions, loaded: Loaded, seeds: Sequence[int]):
        self.loaded, self.facts = loaded, setup.Facts.of(loaded.splits)
        self.arrays = setup.train_data(loaded, config, seeds)
        y_val = np.asarray(self.arrays.y_val)
        self.runs = [SweepRun({"seed": seed}, seed, i, y_val) for i, seed in enumerate(seeds)]
        self.smallest, self.examples = self.facts.pool, [len(y_val)] * len(seeds)
        self._preprocessors = data.Preprocessors(loaded.splits, loaded.preprocessor)

    def facts_of(self, run: SweepRun) -> Facts:
        """Return the properties of the training examples of a run."""
        del run
        return self.facts

    def preprocessor(self, run: SweepRun, train_examples: int | None) -> data.Preprocessor:
        """Return the preprocessor of a run, which is fitted to its training examples alone."""
        return self._preprocessors.of(run.seed, train_examples)


class FoldRuns:
    """Runs on the folds of all examples but those of the test set; the attributes are those of `SeedRuns`.

    Each seed has folds of its own, so several seeds are a repeated cross-validation. Standardization, imputation and
    the weights of classes are those of the training part of each fold.
    """

    def __init__(self, config: RunOptions, loaded: Loaded, seeds: Sequence[int], count: int):
        pooled = with_validation(loaded)
        splits = pooled.splits
        whole = flags.about("dataset", lambda: data.Preprocessor.for_splits(splits, link=config.link))
        self.loaded = dataclasses.replace(pooled, preprocessor=whole)
        y = splits.y_train
        groups, times = _groups_and_times(loaded)

        def cut() -> list[data.Fold]:
            made = (data.folds(y, count, task=splits.task, groups=groups, times=times, seed=seed) for seed in seeds)
            return [fold for folds in made for fold in folds]

        self._folds = flags.about("cv", cut)
        sizes = [(len(fold.train), len(fold.validation)) for fold in self._folds]
        self.smallest, most = min(sizes)[0], max(sizes)[0]
        self.facts = setup.Facts.of(splits)._replace(pool=most)
        self.runs = [
            SweepRun({"seed": seed, "fold": k}, seed, i * count + k, y[self._folds[i * count + k].validation])
            for i, seed in enumerate(seeds)
            for k in range(count)
        ]
        self.arrays = self._arrays(config)
        self.examples = [validated for _, validated in sizes]
        self.cross_validation: CrossValidation | None = CrossValidation(
            count,
            len(seeds),
            float(np.mean([validated / trained for trained, validated in sizes])),
            sum(self.examples) // len(seeds),
            "time" if times is not None else "random" if groups is None else "groups",
        )
        self._fitted: dict[tuple[int, int], data.Preprocessor] = {}

    def facts_of(self, run: SweepRun) -> Facts:
        """Return the properties of the training examples of a run."""
        fold = self._folds[run.row]
        part = dataclasses.replace(self.loaded.splits, y_train=self.loaded.splits.y_train[fold.train])
        return self.facts._replace(pool=len(fold.train), class_counts=class_counts(part))

    def preprocessor(self, run: SweepRun, train_examples: int | None) -> data.Preprocessor:
        """Return the preprocessor of a run, which is fitted to its training examples alone."""
        splits, fold = self.loaded.splits, self._folds[run.row]
        size = len(fold.train) if train_examples is None else train_examples
        if (run.row, size) not in self._fitted:
            own = data.training_rows(splits.y_train[fold.train], run.seed, splits.task, size)
            rows = fold.train if own is None else fold.train[own]
            self._fitted[run.row, size] = data.Preprocessor.for_splits(
                splits, rows=rows, link=self.loaded.preprocessor.link
            )
        return self._fitted[run.row, size]

    def _arrays(self, config: RunOptions) -> TrainData:
        splits, y = self.loaded.splits, self.loaded.splits.y_train
        most = max(len(fold.validation) for fold in self._folds)
        order = np.zeros((len(self.runs), self.facts.pool), np.int32)  # the rest of a shorter row is not used
        val_rows = np.full((len(self.runs), most), -1, np.int32)
        targets = np.stack([y] * len(self.runs))
        for run, fold in zip(self.runs, self._folds, strict=True):
            own = data.nested_order(y[fold.train], [run.seed], splits.task)[0]
            order[run.row, : len(own)] = fold.train[own]
            val_rows[run.row, : len(fold.validation)] = fold.validation
            if config.label_noise:
                noisy = data.noisy_targets(y, config.label_noise, splits.task, splits.num_classes, [run.seed])[0]
                targets[run.row, fold.train] = noisy[fold.train]
        x = jax.device_put(splits.x_train)
        return TrainData(
            x=x,
            y=jax.device_put(targets),
            order=jax.device_put(order),
            x_val=x[:0],
            y_val=jax.device_put(y[:0]),
            weight=None if splits.weight_train is None else jax.device_put(splits.weight_train),
            val_rows=jax.device_put(val_rows),
        )


def _groups_and_times(loaded: Loaded) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return the groups and times of training, stop and select examples, in this order; None for what is not there.

    Raises:
      FlagError: there are times, and an official validation split has none.
    """
    dataset, splits = loaded.dataset, loaded.splits
    rows = [splits.indices.get(part) for part in ("train", "stop", "select")]
    if dataset.groups is None and dataset.times is None:
        return None, None
    known = np.concatenate([own for own in rows if own is not None])
    if dataset.times is not None:
        flags.check(all(own is not None for own in rows), "cv", f"{dataset.name} has times and a validation split")
        return None, dataset.times[known]
    assert dataset.groups is not None
    extra = len(splits.y_train) + len(splits.y_stop) + len(splits.y_select) - len(known)
    return np.concatenate([dataset.groups[known], dataset.groups.max() + 1 + np.arange(extra)]), None
