"""Sentences about how a comparison found its learning rates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regjax.report.words import Measure, count, listing, plain


def learning_rate_sentence(settings: Mapping[str, Any], measure: Measure) -> str:
    """How the learning rate was found; empty where it was given."""
    search = settings.get("learning_rate_search")
    if not search:
        return ""
    if len(search.get("chosen", ())) > 1:
        return _rates_of_splits(search)
    tried = ", ".join(
        f"{plain(rate)} ({measure.value(score)})" for rate, score in zip(search["rates"], search["scores"], strict=True)
    )
    best = max(search["scores"]) if measure.higher else min(search["scores"])
    ties = search["scores"].count(best)
    how = (
        "was the best" if ties == 1 else f"was, by its lower validation {measure.loss}, the best of the {ties} that tie"
    )
    chosen = settings["learning_rate"]
    edge = " It is at an end of what was tried." if chosen in (search["rates"][0], search["rates"][-1]) else ""
    return (
        f"The learning rate of all rows, {plain(chosen)}, {how} of the baseline on validation, of "
        f"{tried}: {measure.name}{' in %' if measure.unit else ''}, averaged over {count(search['runs'], 'run')} each."
        f"{edge}"
    )


def _rates_of_splits(search: Mapping[str, Any]) -> str:
    """How the learning rates of several splits were found."""
    chosen = search["chosen"]
    found = listing([f"{plain(rate)} in {chosen.count(rate)}" for rate in sorted(set(chosen))])
    ends = search["at_end"]
    edge = f" In {count(ends, 'split')} it is at an end of what was tried there." if ends else ""
    return (
        "The learning rate of all rows is chosen within each split, as the best of the baseline on its validation "
        f"examples, with {count(search['runs'], 'run')} each, from {plain(search['rates'][0])} to "
        f"{plain(search['rates'][-1])}: {found} of the {len(chosen)} splits.{edge}"
    )
