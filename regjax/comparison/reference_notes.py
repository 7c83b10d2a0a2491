"""What models of another kind say about a comparison: whether a net is the right tool, and the metric a good one."""

from __future__ import annotations

import math
from collections.abc import Mapping

from regjax.catalog import METRICS

CONSTANT, LINEAR, BOOSTING = "constant guess", "linear model", "gradient boosting"
"""Names of the models of another kind beside a comparison, see `regjax.comparison.references`."""

_OF_SECOND = ("average_precision", "f1")  # metrics of one of two classes

RARE = 0.2
"""With a class rarer than this, accuracy says little: the constant guess is hard to beat."""


def reference_notes(
    metric: str,
    titles: Mapping[str, str],
    metrics: Mapping[str, Mapping[str, float]],
    references: Mapping[str, Mapping[str, float]],
    second_class: str | None = None,
) -> list[str]:
    """Say how models of another kind do on the same test examples, and what accuracy hides if a class is rare.

    Args:
      metric: name of the metric of the comparison.
      titles: those of the rows, by name.
      metrics: the metrics of each row.
      references: the metrics of each reference; without any, nothing is said.
      second_class: name of the second of two classes, whose F1 and average precision it is.
    """
    if not references:
        return []

    def listed(name: str, of: Mapping[str, str], values: Mapping[str, Mapping[str, float]]) -> str:
        scale = 100.0 if METRICS[name].percent else 1.0
        return ", ".join(f"{title} {scale * values[row][name]:.3g}" for row, title in of.items())

    chosen = METRICS[metric]
    notes = [
        f"For reference, test {chosen.title}{' in %' if chosen.percent else ''} on the same splits, of models of "
        f"scikit-learn that are not tuned: {listed(metric, {name: name for name in references}, references)}."
    ]
    if metric in _OF_SECOND and second_class is not None:
        notes.append(f"Test {chosen.title} is that of {second_class!r}, the second class in the order of the names.")
    guess = references[CONSTANT].get(metric, math.nan)
    if metrics and all(chosen.sign * (row.get(metric, math.nan) - guess) <= 0 for row in metrics.values()):
        notes.append("No row has a better mean than the constant guess.")
    constant = references[CONSTANT].get("accuracy", 0.0)
    if metric == "accuracy" and constant > 1 - RARE:
        notes.append(
            f"A class is rare: always the same guess has {100 * constant:.3g}% accuracy. Balanced accuracy in %: "
            f"{listed('balanced_accuracy', titles, metrics)}. Average precision in %: "
            f"{listed('average_precision', titles, metrics)}. --metric=balanced_accuracy chooses and tests by the "
            "first, --metric=average_precision by the second."
        )
    return notes
