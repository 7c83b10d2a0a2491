"""Sentences about the search behind a sweep: what it cost, how it decided, and what its scores can be compared with."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from regjax.report.words import count, listing, plain

Results = Mapping[str, Any]
METHODS = {
    "grid": "The grid",
    "random": "Random search",
    "sobol": "A Sobol sequence",
    "halving": "Successive halving",
    "asha": "ASHA",
    "optuna": "Optuna's TPE",
}
NEAR = 0.05  # of a range


def cost(results: Results) -> list[str]:
    """Says how many epochs and updates a search took, and what training every trial to the end would have taken.

    Nothing of a grid, or of results without a search.

    Example:
      >>> search = {"method": "random", "trials": 8, "finished": 8, "epochs": 80, "updates": 400, "whole_epochs": 80}
      >>> cost({"search": search | {"reference_epochs": 10}})
      ['Random search trained 8 trials for 80 epochs in all (400 updates); the reference took 10 more.']
    """
    search = results.get("search")
    if not search or search["method"] == "grid":
        return []
    text = f"{METHODS[search['method']]} trained {count(search['trials'], 'trial')}"
    text += f" for {count(search['epochs'], 'epoch')} in all ({count(search['updates'], 'update')})"
    if search["epochs"] < search["whole_epochs"]:
        whole = plain(search["whole_epochs"])
        text += f", where training {'it' if search['trials'] == 1 else 'all'} to the end takes {whole}"
    more = search["reference_epochs"]
    added = len(results.get("settings") or ()) - search["trials"]
    return [text + (f"; the reference{'s' if added > 1 else ''} took {plain(more)} more." if more else ".")]


def decisions(results: Results) -> list[str]:
    """Says how a search chose its trials and which of them it let go on; nothing of a grid."""
    search = results.get("search") or {"method": "grid"}
    method, out = search["method"], []
    if method in ("halving", "asha"):
        trained = trained_on(results)
        steps = listing([f"{plain(number)} for {count(epochs, 'epoch')}" for epochs, number in trained.items()])
        rule = (
            f"when all trials of a rung were scored, the best in {plain(search['reduction'])} went on"
            if method == "halving"
            else f"a trial went on as soon as it was among the best in {plain(search['reduction'])} of its rung"
        )
        out.append(f"Trained were {steps}: {rule}, from where it was, and the places of the others were free at once.")
        out.append(
            "Only trials that trained to the end are ranked. The others are listed with the epochs they had; a score "
            "after fewer epochs is never compared with one of the last rung."
        )
    if method == "sobol" and search["trials"] & (search["trials"] - 1):
        even = 1 << (search["trials"].bit_length() - 1)
        out.append(
            f"A Sobol sequence is most even where the number of points is a power of two, such as {plain(even)} or "
            f"{plain(2 * even)}; this one has {plain(search['trials'])}."
        )
    if method in ("asha", "optuna"):
        does = "Which trial goes on" if method == "asha" else "Which setting is next"
        out.append(
            f"{does} was decided as if {count(search['places'], 'trial')} trained at a time and each took as long as "
            "it has epochs, so the order does not depend on how fast each run was; results.json has it."
        )
    return out


def trained_on(results: Results) -> dict[int, int]:
    """The number of trials that were trained until each rung, by its epochs.

    Example:
      >>> trained_on({"search": {"steps": [[0, 2, 2, 0.5], [1, 2, 2, 0.7], [1, 6, 4, 0.8]]}})
      {2: 2, 6: 1}
    """
    numbers: dict[int, int] = {}
    for _, until, *_ in results["search"]["steps"]:
        numbers[until] = numbers.get(until, 0) + 1
    return dict(sorted(numbers.items()))


def at_the_end(results: Results, name: str, value: float) -> bool:
    """Whether a value is within a twentieth of an end of the range that was searched.

    Example:
      >>> space = {"l2": {"low": 1e-6, "high": 1e-1, "log": True}}
      >>> [at_the_end({"search": {"space": space}}, "l2", value) for value in (1.5e-6, 1e-5, 0.08)]
      [True, False, True]
    """
    own = (results.get("search") or {}).get("space", {}).get(name)
    if not isinstance(own, Mapping) or (value == 0 and own.get("off")):
        return False
    low, high, at = (math.log(v) if own["log"] else v for v in (own["low"], own["high"], value))
    return not NEAR < (at - low) / (high - low) < 1 - NEAR
