"""What is checked of a comparison before its first run: the splits, the metric and every technique."""

from __future__ import annotations

import numpy as np

from regjax.catalog import METRICS
from regjax.comparison.options import CompareOptions
from regjax.comparison.techniques import Technique, check_together, merge
from regjax.core.errors import InputError
from regjax.core.typing import PyTree
from regjax.data import Dataset, Splits, split
from regjax.training.options import loss_of_task
from regjax.training.preflight import check_loss, check_targets
from regjax.training.spec import Spec, make_hparams


def check_splits(dataset: Dataset | Splits, options: CompareOptions) -> None:
    """Check that the data can be split so often.

    Raises:
      InputError: they are split already or in order of time, or a split lacks a class that the targets or the metric
        need.
    """
    if options.splits == 1:
        return
    if isinstance(dataset, Splits):
        raise InputError(f"splits {options.splits}: the data are split already; give the dataset, or splits=1")
    if dataset.times is not None:
        raise InputError(f"splits {options.splits}: data with times are cut in one way only; accepted: splits=1")
    for number in range(1, options.splits or 1):
        other = split(dataset, seed=options.split_seed + number, **options.fractions())
        other.check_targets()
        check_metric(options, other)
        check_targets(loss_of_task(other.task, options.loss), other)


def check_metric(options: CompareOptions, splits: Splits) -> None:
    """Check that the metric is for this task, and that every part by which it is computed has what it needs.

    Raises:
      InputError: names the metric and what is accepted, or the part with a single class.
    """
    if options.metric is None:
        return
    own = [name for name, metric in METRICS.items() if metric.serves(splits.task)]
    if options.metric not in own:
        raise InputError(f"metric {options.metric!r}: {splits.name} is a {splits.task} set; accepted: {', '.join(own)}")
    if METRICS[options.metric].needs_classes:
        for part, y in (("selection", splits.y_select), ("test", splits.y_test)):
            if (np.ptp(y, axis=0) == 0).all():  # of several labels, one has to differ
                raise InputError(
                    f"metric {options.metric!r}: all {len(y)} {part} examples of {splits.name} are of one class; "
                    "give more data, or another metric"
                )


def check_technique(
    technique: Technique, spec: Spec, params: PyTree, options: CompareOptions, example: np.ndarray, splits: Splits
) -> None:
    """Check that the program can run a technique.

    Raises:
      InputError: names the technique, and what it cannot go with.
    """
    arguments = merge(
        [{**(options.always or {}), **options.loss_arguments()}, technique.arguments(technique.values[0])]
    )
    try:
        check_together(arguments, params)
        hparams = make_hparams(**{"n_train": options.train_examples, **arguments})
        check_loss(spec, hparams, example, splits.num_outputs)
    except ValueError as error:
        raise InputError(f"technique {technique.name!r}: {error}") from None
