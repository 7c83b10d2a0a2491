"""What `predict` takes from the validation examples of a run: the threshold of two classes, the width of intervals."""

from __future__ import annotations

import numpy as np

from regjax.analysis import Threshold, conformal_quantile, threshold_of_cost, threshold_of_precision
from regjax.cli import app, flags, prediction_table
from regjax.cli.held_out import HeldOut
from regjax.cli.options import DecisionOptions
from regjax.cli.predictor import TrainedModel

NONE_KEPT = (
    "the run keeps no predictions for validation examples: one of an earlier version, which can be trained anew, or a "
    "--final one, which has trained on them (its comparison keeps those of the winner)"
)


def threshold_of(config: DecisionOptions, model: TrainedModel, held: HeldOut | None) -> float | None:
    """Return the probability from which on the second of two classes is predicted, and say how it was chosen.

    Args:
      config: the options of `predict`.
      model: the model.
      held: its validation examples, if the run keeps them.

    Returns:
      The threshold; None predicts the class with the largest probability.

    Raises:
      FlagError: two options choose one, the model has not two classes, or no threshold is as it was asked for.
    """
    given = [name for name in ("threshold", "precision", "cost") if getattr(config, name) is not None]
    if not given:
        return None
    name, classes = given[0], model.preprocessor.class_names or ()
    flags.check(len(given) == 1, name, f"and --{given[-1]} exclude each other")
    two = model.preprocessor.task == "classification" and len(classes) == 2
    flags.check(two, name, "is for models of two classes")
    if name == "threshold":
        return config.threshold
    flags.check(not config.mc_samples, name, "and --mc_samples exclude each other: validation examples had no noise")
    if held is None:
        raise flags.FlagError(f"--{name}: {NONE_KEPT}, or give --threshold")
    probability, labels = prediction_table.probabilities(held.outputs)[:, 1], held.targets
    if config.precision is not None:
        precision = config.precision
        found = flags.about(name, lambda: threshold_of_precision(probability, labels, precision))
        print(_said(found, classes[1]))
    else:
        costs = _costs(str(config.cost))
        found = flags.about(name, lambda: threshold_of_cost(probability, labels, *costs))
        half = _mean_cost(probability >= 0.5, labels, costs)
        print(f"{_said(found, classes[1])}; cost {found.cost:.4g} an example, {half:.4g} with threshold 0.5")
    return found.value


def _said(found: Threshold, name: str) -> str:
    precision = f"precision {found.precision:.3f}, " if found.predicted else ""
    return (
        f"threshold {found.value:.4g}: {precision}recall {found.recall:.3f} on {found.examples} validation examples; "
        f"{found.positives} of them are {name!r}, {found.predicted} are predicted to be"
    )


def _costs(text: str) -> tuple[float, float]:
    try:
        false_negative, false_positive = (float(part) for part in text.split(":"))
    except ValueError:
        raise flags.FlagError(f"--cost={text}: accepted: FALSE_NEGATIVE:FALSE_POSITIVE, such as 5:1") from None
    positive = 0 < false_negative < float("inf") and 0 < false_positive < float("inf")
    flags.check(positive, "cost", "accepted: two numbers above 0, such as 5:1")
    return false_negative, false_positive


def _mean_cost(predicted: np.ndarray, labels: np.ndarray, costs: tuple[float, float]) -> float:
    return float(np.mean(np.where(labels == 1, costs[0] * ~predicted, costs[1] * predicted)))


def half_width_of(config: DecisionOptions, model: TrainedModel, held: HeldOut | None) -> np.ndarray | None:
    """Return half the width of the interval of each target, and note why there is none.

    Args:
      config: the options of `predict`.
      model: the model.
      held: its validation examples, if the run keeps them.

    Returns:
      `[D]` in the units of the targets; None for classes, and where there are no intervals.
    """
    if model.preprocessor.task != "regression" or not config.interval:
        return None
    if config.mc_samples:
        app.note("no interval with --mc_samples: validation examples were predicted without noise")
        return None
    if held is None:
        app.note(f"no interval: {NONE_KEPT}, or say --interval=0")
        return None
    half_width = conformal_quantile(held.errors(model.preprocessor), config.interval)
    if not np.isfinite(half_width).all():
        fewest = int(np.ceil(config.interval / (1 - config.interval) - 1e-9))
        app.note(f"no interval: {config.interval:g} needs {fewest} validation examples, there are {len(held.targets)}")
        return None
    return half_width
