"""A final run: trained on training and validation examples together, once nothing is left to be chosen."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from regjax.cli.options import RunOptions
    from regjax.cli.setup import Loaded

_OF_VALIDATION = ("validation", "restore_best", "patience", "min_delta", "stop_criterion")
_OF_SIZE = ("train_examples",)


def with_validation(loaded: Loaded) -> Loaded:
    """Return the data with the validation examples among the training examples."""
    import numpy as np

    from regjax import data

    splits = loaded.splits
    x = data.joined([splits.x_train, splits.x_stop, splits.x_select])
    y = np.concatenate([splits.y_train, splits.y_stop, splits.y_select])
    weight = loaded.dataset.weights if splits.weight_train is not None else None
    if weight is not None:
        weight = np.concatenate([weight[splits.indices[part]] for part in ("train", "stop", "select")])
    made = dataclasses.replace(splits, x_train=x, y_train=y, weight_train=weight)
    return dataclasses.replace(loaded, splits=made)


def final_options(run: RunOptions, kept_epochs: Sequence[int]) -> dict[str, Any]:
    """Return the options that differ from the defaults in the final run of a row of a comparison.

    Args:
      run: the options of a run of the row.
      kept_epochs: of its runs, after how many epochs the weights were taken. Early stopping, which needs validation
        examples, becomes their median; of other rows that is all epochs.
    """
    default = type(run)().to_json()
    options = {name: value for name, value in run.to_json().items() if value != default[name] and name != "workdir"}
    options = {name: value for name, value in options.items() if name not in (*_OF_VALIDATION, *_OF_SIZE)}
    return {**options, "final": True, "epochs": int(median(kept_epochs))}


def without_validation(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return the metrics of epochs without those of the validation examples, which a final run trains on."""
    return {name: value for name, value in metrics.items() if not name.startswith("val/")}
