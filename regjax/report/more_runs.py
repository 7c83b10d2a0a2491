"""What it takes to show the largest change that a comparison does not show, with the command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from regjax.report.reach import (
    MOST_RUNS,
    examples_text,
    independent_runs,
    out_of_reach,
    runs_needed,
    too_few_runs,
)
from regjax.report.verdict import judge, short
from regjax.report.words import Measure, count, finite, listing


def more_runs(results: Mapping[str, Any], measure: Measure) -> list[str]:
    """Say what it takes to show the largest change that is not shown, as a list of at most one note.

    Args:
      results: the content of `results.json`.
      measure: of the headline metric.
    """
    runs, command = independent_runs(results), (results.get("reproduce") or {}).get("command")
    missed = [
        row
        for row in results["techniques"].values()
        if judge(gain := row.get("improvement")) == "none" and gain and finite(gain.get("least_detectable"))
    ]
    if not missed or too_few_runs(runs):
        return []
    size = max(abs(row["improvement"]["mean"]) for row in missed)
    if measure.value(size) == measure.value(0.0):  # which no comparison shows
        return []
    # All that look as large after rounding.
    largest = [row for row in missed if measure.value(abs(row["improvement"]["mean"])) == measure.value(size)]
    gains = [row["improvement"] for row in largest]
    each = [f"{measure.change(row['improvement']['mean'])}{measure.step} with {short(row['title'])}" for row in largest]
    text = f"The largest change of {measure.name} that is not shown is {listing(each)}. "
    if all(out_of_reach(gain) for gain in gains):
        least = min(gain["least_detectable"] for gain in gains)
        return [
            f"{text}With {examples_text(results)} a true change of that size is shown in fewer than 80% of new "
            f"comparisons, however many runs they have: 80% takes about {measure.value(least)}{measure.step}, as far "
            "as these runs tell."
        ]
    needed = [number for gain in gains if (number := runs_needed(gain, runs))]
    if not needed:
        text += f"To show a true change of that size with a probability of 80%, more than {MOST_RUNS} runs are needed."
        return [text]
    text += (
        f"If the true change is as large, which is uncertain, a new comparison of about {count(max(needed), 'run')} "
        "shows it with a probability of at least 80%"
    )
    again = _with_runs(command, max(needed), results) if command else ""
    return [f"{text}{again}."]


def _with_runs(command: str, needed: int, results: Mapping[str, Any]) -> str:
    """The command of a new comparison with that number of runs, and what is new about it; empty if that is not known.

    Its seeds, and with several splits its splits, follow those that were used. The old runs and more of them would be a
    second look at the old ones.
    """
    splits, seeds = int(results.get("splits") or 1), int(results["seeds"])
    used = results.get("runs") or []
    if not used:
        return ""
    each = seeds // splits if splits > 1 else 1
    dropped = ("seed", "seeds", "splits", "split_seed", "workdir", "resume", "overwrite", "noresume", "nooverwrite")
    try:
        given = shlex.split(command)
    except ValueError:  # not one of a shell
        return ""
    words = [word for word in given if word.removeprefix("--").partition("=")[0] not in dropped]
    split_seed = max(split for split, _ in used) + (splits > 1)
    words += [
        f"--seeds={needed * each}",
        *([] if each == 1 and splits > 1 else [f"--splits={needed if each > 1 else 1}"]),
        f"--seed={max(seed for _, seed in used) + 1}",
        *([f"--split_seed={split_seed}"] if split_seed else []),
        f"--workdir=runs/new-{needed * each}-runs",
    ]
    new = (
        "Its seeds and splits are new, but new splits still share the examples of the data set"
        if splits > 1
        else "Its seeds are new, the split is the same"
    )
    warning = "Adding runs to the old ones until p falls below 0.05 would void the 5%"
    return f": {shlex.join(words)}. {new}. {warning}"
