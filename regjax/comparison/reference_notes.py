"""What models of another kind say about a comparison: whether a net is the right tool, and the metric a good one."""

from __future__ import annotations

from collections.abc import Mapping

from regjax.catalog import METRICS

CONSTANT, LINEAR, BOOSTING = "constant guess", "linear model", "gradient boosting"
"""Names of the models of another kind beside a comparison, see `regjax.comparison.references`."""

RARE = 0.2
"""With a class rarer than this, accuracy says little: the constant guess is hard to beat."""


def reference_notes(
    metric: str,
    titles: Mapping[str, str],
    metrics: Mapping[str, Mapping[str, float]],
    references: Mapping[str, Mapping[str, float]],
) -> list[str]:
    """Say how models of another kind do on the same test examples, and what accuracy hides if a class is rare.

    Args:
      metric: name of the metric of the comparison.
      titles: those of the rows, by name.
      metrics: the metrics of each row.
      references: the metrics of each reference; without any, nothing is said.
    """
    if not references:
        return []

    def listed(name: str, of: Mapping[str, str], values: Mapping[str, Mapping[str, float]]) -> str:
        scale = 100.0 if METRICS[name].percent else 1.0
        return ", ".join(f"{title} {scale * values[row][name]:.3g}" for row, title in of.items())

    chosen = METRICS[metric]
    notes = [
        f"For reference, test {chosen.title}{' in %' if chosen.percent else ''} on the same splits, with the defaults "
        f"of scikit-learn: {listed(metric, {name: name for name in references}, references)}."
    ]
    constant = references[CONSTANT].get("accuracy", 0.0)
    if metric == "accuracy" and constant > 1 - RARE:
        notes.append(
            f"A class is rare: always the same guess has {100 * constant:.3g}% accuracy. Balanced accuracy in %: "
            f"{listed('balanced_accuracy', titles, metrics)}. Average precision in %: "
            f"{listed('average_precision', titles, metrics)}. --metric=balanced_accuracy chooses and tests by the "
            "first, --metric=average_precision by the second."
        )
    return notes
