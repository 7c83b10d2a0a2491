"""What models of another kind say about a comparison: whether a net is the right tool, and the metric a good one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regjax.catalog import METRICS
from regjax.report.words import MINUS, NONE, Measure, finite, listing

CONSTANT, LINEAR, BOOSTING = "constant guess", "linear model", "gradient boosting"
"""Names of the models of another kind beside a comparison, see `regjax.comparison.references`."""

_OF_SECOND = ("average_precision", "f1")  # metrics of one of two classes

RARE = 0.2
"""With a class rarer than this, accuracy says little: the constant guess is hard to beat."""


def reference_notes(results: Mapping[str, Any]) -> list[str]:
    """Say how models of another kind do on the same test examples; nothing without any.

    The first note has their numbers, the second the class of the metric.

    Args:
      results: the content of `results.json`.
    """
    references = results.get("references") or {}
    if not references:
        return []
    chosen = METRICS[results["metric"]]
    title = chosen.title_in(results.get("task") or "")
    notes = [
        f"For reference, test {title}{' in %' if chosen.percent else ''} on the same splits, of models of "
        f"scikit-learn that are not tuned: {_listed(chosen.name, {name: name for name in references}, references)}."
    ]
    classes = (results.get("settings") or {}).get("class_names") or []
    if chosen.name in _OF_SECOND and len(classes) == 2 and results.get("task") != "multilabel":
        notes.append(f"Test {chosen.title} is that of {str(classes[1])!r}, the second class in the order of the names.")
    return notes


def ahead_note(results: Mapping[str, Any]) -> str:
    """Say which models of another kind no row beats, and by how much they are ahead; empty where a row beats all.

    Args:
      results: the content of `results.json`.
    """
    metric, rows = METRICS[results["metric"]], (results.get("metrics") or {}).values()
    known = [row.get(metric.name) for row in rows]
    if not known or not all(map(finite, known)):
        return ""
    best = max(known, key=lambda own: metric.sign * own)
    gains = {
        name: metric.sign * (found[metric.name] - best)
        for name, found in (results.get("references") or {}).items()
        if finite(found.get(metric.name)) and metric.sign * (found[metric.name] - best) >= 0
    }
    if not gains:
        return ""
    measure = Measure.of(results)
    value = f"{measure.value(best)}{measure.unit}"
    ahead = [
        f"{'the' if name == CONSTANT else 'an untuned'} {name} ({_gain(gain, measure)})"
        for name, gain in sorted(gains.items(), key=lambda pair: -pair[1])
    ]
    text = f"No row has a better mean test {measure.name} than {listing(ahead)}; the best row has {value}. This is not "
    return text + ("tested." if set(gains) == {CONSTANT} else "tested, but a model of another kind is worth a try.")


def _gain(gain: float, measure: Measure) -> str:
    shown = measure.value(gain)
    return "the same" if not float(shown.replace(",", "")) else f"{shown}{measure.step} better"


def rare_class_note(results: Mapping[str, Any]) -> str:
    """Say what accuracy hides where a class is rare, or most labels are; empty where none is, and for another metric.

    Args:
      results: the content of `results.json`.
    """
    constant = ((results.get("references") or {}).get(CONSTANT) or {}).get("accuracy")
    if results.get("metric") != "accuracy" or not finite(constant) or constant <= 1 - RARE:
        return ""
    rows = [results["baseline"], *results["techniques"].values()]
    metrics = results.get("metrics") or {}
    titles = {row["name"]: row["title"] for row in rows if row["name"] in metrics}
    sizes = [(row.get("improvement") or {}).get("practical") for row in rows]
    if results.get("task") == "multilabel":
        return (
            f"Most labels are rare: always the same guess has {100 * constant:.3g}% label accuracy. Macro average "
            f"precision in %: {_listed('average_precision', titles, metrics)}. --metric=average_precision chooses and "
            "tests by it."
        )
    practical = next((100 * size for size in sizes if finite(size)), 0.0)
    room, margin = 100 * (1 - constant), ""
    if practical > 0:
        share = f"{100 * practical / room:.0f}% of" if practical < room else "no less than"
        margin = f", and the {practical:.1f} points that count as the same are {share} all that can be gained over it"
    return (
        f"A class is rare: always the same guess has {100 * constant:.3g}% accuracy{margin}. Balanced accuracy in %: "
        f"{_listed('balanced_accuracy', titles, metrics)}. Average precision in %: "
        f"{_listed('average_precision', titles, metrics)}. --metric=balanced_accuracy chooses and tests by the "
        "first, --metric=average_precision by the second."
    )


def _listed(name: str, titles: Mapping[str, str], values: Mapping[str, Mapping[str, Any]]) -> str:
    scale = 100.0 if METRICS[name].percent else 1.0
    numbers = [(title, values[row].get(name)) for row, title in titles.items()]
    shown = [f"{scale * value:.3g}".replace("-", MINUS) if finite(value) else NONE for _, value in numbers]
    return ", ".join(f"{title} {value}" for (title, _), value in zip(numbers, shown, strict=True))
