"""What a comparison says of the atlas: what helped on similar data sets, and whether that is of use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from regjax.report.words import count, fixed, listing

SHOWN = 3
"""How many techniques are named."""


def atlas_sentences(found: Mapping[str, Any] | None) -> list[str]:
    """Say what helped on the most similar data sets, and how a rule that goes by them fared; nothing without an atlas.

    Args:
      found: from `regjax.comparison.atlas.similar`, in the results under `"atlas"`.

    Example:
      >>> rule = {"beats": False, "constant": "dropout", "mean": -0.01, "ci95": [-0.03, 0.02], "families": 30}
      >>> found = {"nearest": ["wine", "pima"], "of": 9, "margin": 0.02, "rule": rule,
      ...          "task": "classification", "helped": {"mixup": 2, "L1": 0}, "all": {"mixup": 5, "L1": 6}}
      >>> for sentence in atlas_sentences(found): print(sentence)
      Atlas: on the 2 most similar of 9 other classification data sets (wine and pima) the test loss fell by more than
      2% with mixup on 2 (5 of all 9).
      Always choosing what does best on similar data sets is not shown to be better than always dropout: on data sets of
      30 families that were left out the test loss was 1.0% higher (95% interval 3.0% higher to 2.0% lower). So this
      describes, and does not advise; the table above is about your data.
    """
    if not found:
        return []
    near, of, rule = len(found["nearest"]), found["of"], found["rule"]
    said = [(title, number) for title, number in found["helped"].items() if number][:SHOWN]
    percent = f"{100 * found['margin']:g}%"
    others = count(of, f"other {found['task']} data set")
    place = f"Atlas: on the {near} most similar of {others} ({listing(found['nearest'])})"
    if said:
        what = listing([f"{title} on {number} ({found['all'][title]} of all {of})" for title, number in said])
        first = f"{place} the test loss fell by more than {percent} with {what}."
    else:
        first = f"{place} no technique lowered the test loss by more than {percent}."
    low, high = rule["ci95"]
    size = (
        f"on data sets of {rule['families']} families that were left out the test loss was {_change(rule['mean'])} "
        f"(95% interval {_change(low)} to {_change(high)})"
    )
    if rule["beats"]:
        second = (
            "Always choosing what does best on similar data sets is shown to be better than always the same technique, "
            f"such as {rule['constant']}: {size}. What the table above shows about your data still counts more."
        )
    else:
        second = (
            "Always choosing what does best on similar data sets is not shown to be better than always "
            f"{rule['constant']}: {size}. So this describes, and does not advise; the table above is about your data."
        )
    return [first, second]


def _change(gain: float) -> str:
    """A gain of the logarithm of a loss, in words."""
    share = 100 * math.expm1(-gain)
    return f"{fixed(abs(share), 1)}% {'higher' if share > 0 else 'lower'}"
