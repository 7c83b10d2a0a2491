"""The tables of the page of the atlas, from its record. Standard library alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cells import listed, p_value, read, table, wrapped

_LEVEL = 0.05
_RULES = {
    "nearest": "the best on the 7 most similar data sets",
    "ridge": "the best by a ridge regression on the features",
    "dropout": "always dropout",
    "decoupled": "always weight decay",
    "on average": "always the best on average",
    "own comparison": "the best on validation in each split, or none, after trying all",
}


def techniques(records: Path, link: str) -> list[str]:
    """What each technique does on average over data sets, how much that differs, and where it wins and loses."""
    record = read(records / "atlas.json")
    summary, made = record["summary"], record["summary"]["techniques"]
    ranks, groups = summary["ranks"]["ranks"], summary["ranks"]["groups"]
    rows = []
    for name, row in sorted(made.items(), key=lambda item: -item[1]["mean"]):
        count = len(row["each"])
        rows.append(
            [
                summary["titles"][name],
                f"{_percent(row['mean'])} ({_percent(row['ci95'][1])} to {_percent(row['ci95'][0])})",
                p_value(row["p_holm"]),
                f"{ranks[name]:.1f} {groups[name]}" if name in ranks else "–",
                p_value(row["p_ranks"]) if "p_ranks" in row else "–",
                f"{100 * row['tau']:.1f}",
                f"{_percent(row['range'][1])} to {_percent(row['range'][0])}",
                f"{100 * row['used']:.0f}%",
                f"{row['helped']} / {count - row['helped'] - row['hurt']} / {row['hurt']}",
                f"{row['win']} / {row['tie']} / {row['loss']}",
                f"{100 * row['in_general']['better']:.0f}%",
            ]
        )
    rows.append(["baseline", "–", "–", f"{ranks['baseline']:.1f} {groups['baseline']}", *["–"] * 7])
    head = (
        "technique", "change of the test loss, mean over families (95% CI)", "adjusted p of the mean",
        "mean rank, group", "adjusted p of the ranks", "spread between families", "means of families", "used in",
        "lower / same / higher", "shown", "better in general",
    )  # fmt: skip
    return [*table(head, rows), "", *wrapped(_made(record, link)), "", *wrapped(_reading(summary))]


def _made(record: Mapping[str, Any], link: str) -> str:
    protocol, sets = record["protocol"], record["data_sets"]
    families = record["summary"]["rule"]["families"]
    return (
        f"*Record: [`experiments/records/atlas.json`]({link}/atlas.json), made by `{record['command']}`: "
        f"{len(sets)} data sets of {families} families, {record['runs']:,} runs of {protocol['updates']} updates, "
        f"{protocol['runs']} splits of each data set, jax {record['versions']['jax']}, {record['platform']}, "
        f"{record['seconds'] / 60:.0f} minutes over all data sets, of which two are measured at a time.*"
    )


def _reading(summary: Mapping[str, Any]) -> str:
    """What the table says: what helps on average, by both tests, where, and how much data sets differ."""
    made, titles, margin = summary["techniques"], summary["titles"], 100 * summary["margin"]
    by_ranks = [name for name, row in made.items() if row.get("p_ranks", 1.0) <= _LEVEL and row["mean"] > 0]
    better = [name for name, row in made.items() if row["p_holm"] <= _LEVEL and row["mean"] > 0]
    worse = [name for name, row in made.items() if row["p_holm"] <= _LEVEL and row["mean"] < 0]
    sure = [name for name, row in made.items() if row["range"][0] > 0]
    late = sorted(made, key=lambda name: -made[name]["strongest"])[:3]
    strongest = [f"{_title(name, titles)} ({100 * made[name]['strongest']:.0f}%)" for name in late]
    raised = f", and {_listed(worse, titles)} to raise it" if worse else ""
    sentences = [
        f"By the signed-rank test, corrected over all pairs of rows, {_listed(by_ranks, titles) or 'no technique'} "
        f"{'does' if len(by_ranks) < 2 else 'do'} better than the plain net.",
        f"On the mean, by Student's t corrected over all rows, {_listed(better, titles) or 'no technique'} "
        f"{'is' if len(better) < 2 else 'are'} shown to lower the test loss on families like these{raised}.",
        _floors(summary),
        f"The worst family had a lower loss with {_listed(sure, titles)} alone."
        if sure
        else "With each technique the loss of some family rose: on the next data set, each may do harm.",
        f"Lower, same and higher count data sets by the mean over their runs, at {margin:g}%; shown are those on which "
        "the correlated Bayesian t-test gives at least 95% to one of the three.",
        _forced(made, titles),
        f"Of the splits that used it, the strongest setting was chosen most often for {listed(strongest)}.",
    ]
    return " ".join(sentences)


def _floors(summary: Mapping[str, Any]) -> str:
    """How many techniques each test shows with other floors under the losses."""
    found = [
        f"{100 * float(floor):g}%: {len(shown['mean'])} and {len(shown['ranks'])}"
        for floor, shown in summary["floors"].items()
    ]
    return (
        "How many techniques are shown to help on the mean and by signed ranks, each corrected over all techniques, by "
        f"the share of the loss of a constant guess that is added to every loss: {listed(found)}."
    )


def _forced(made: Mapping[str, Mapping[str, Any]], titles: Mapping[str, str]) -> str:
    """What the techniques do if none is no choice."""
    gained = {name: row["forced"]["mean"] - row["mean"] for name, row in made.items()}
    worst, best = min(gained, key=lambda name: gained[name]), max(gained, key=lambda name: gained[name])

    def means(name: str) -> str:
        forced, chosen = made[name]["forced"]["mean"], made[name]["mean"]
        return f"{_title(name, titles)} would have a mean of {_percent(forced)}, not {_percent(chosen)}"

    text = "“Used in” is the share of splits in which some strength was better on validation than none. "
    text += f"If none were no choice, {means(worst)}"
    return f"{text}; while {means(best)}." if gained[best] > 0 else f"{text}."


def rule(records: Path, link: str) -> list[str]:
    """How the rules fare on families that they have not seen."""
    del link
    judged = read(records / "atlas.json")["summary"]["rule"]
    rows = []
    for name, row in judged["choosers"].items():
        cells = [_RULES[name], _percent(row["gain"]["mean"]), _with_ends(row["regret"])]
        for constant in ("dropout", "decoupled", "on average"):
            found = [
                d for d in (*judged["differences"], *judged["own"]) if (d["rule"], d["constant"]) == (name, constant)
            ]
            cells.append(f"{_with_ends(found[0], -1)}, p {p_value(found[0]['p_holm'])}" if found else "–")
        rows.append(cells)
    head = (
        "chosen is", "change of the test loss", "loss above that of the best technique (95% CI)",
        "against always dropout (95% CI), adjusted p", "against always weight decay", "against the best on average",
    )  # fmt: skip
    return [*table(head, rows), "", *wrapped(f"{_verdict(judged)} {_own(judged)}".strip())]


def _own(judged: Mapping[str, Any]) -> str:
    """What trying all techniques on the data set itself is worth beside the best one on average."""
    found = [d for d in judged["own"] if d["constant"] == "on average"]
    if not found:
        return ""
    shown = "is shown to be" if found[0]["p_holm"] <= _LEVEL and found[0]["mean"] > 0 else "is not shown to be"
    return (
        f"To try all of them on the data set itself, and to take the best on validation, {shown} better than that "
        f"({_with_ends(found[0], -1)}, adjusted p {p_value(found[0]['p_holm'])})."
    )


def _verdict(judged: Mapping[str, Any]) -> str:
    """Whether a rule beats the constant ones."""
    beats = [_RULES[name] for name in judged["beats"]]
    tested = f"{judged['families']} families, each left out in turn"
    if beats:
        return f"Over {tested}, {' and '.join(beats)} is shown to be better than all three constant choices."
    against = [d for d in judged["differences"] if d["constant"] == "on average"]
    sizes = " and ".join(f"{_RULES[d['rule']]} ({_with_ends(d, -1)})" for d in against)
    worse = [d for d in judged["differences"] if d["p_holm"] <= _LEVEL and d["mean"] < 0]
    shown = [f"{_RULES[d['rule']]} is shown to be worse than {_RULES[d['constant']]}" for d in worse]
    return (
        f"**No rule beats the constant ones.** Over {tested}, neither is shown to be better than all of always "
        f"dropout, always weight decay and always the technique that is best on average; against the last: {sizes}, "
        f"where a positive number is a higher test loss.{''.join(f' Indeed, {text}.' for text in shown)}"
    )


def data_sets(records: Path, link: str) -> list[str]:
    """The data sets, each with what helped most on it."""
    del link
    record = read(records / "atlas.json")
    made, titles = record["summary"]["techniques"], record["summary"]["titles"]
    rows = []
    for one in record["data_sets"]:
        effects = {name: row["each"][one["name"]] for name, row in made.items() if one["name"] in row["each"]}
        best = max(effects, key=lambda name: effects[name])
        kind = f"{one['classes']} classes" if one["classes"] else "numbers"
        rows.append(
            [
                one["name"], one["source"], f"{one['settings']['train_examples']:,}", f"{one['columns']:,}", kind,
                f"{titles[best]} ({_percent(effects[best])})", _percent(effects["dropout"]),
                _percent(effects["decoupled"]),
            ]
        )  # fmt: skip
    head = (
        "data set", "source", "training examples", "inputs", "targets", "best technique, change of the test loss",
        "dropout", "weight decay",
    )  # fmt: skip
    return table(head, rows)


def _percent(gain: float) -> str:
    """A gain of the logarithm of a loss as a change of the loss in percent."""
    return f"{100 * math.expm1(-gain):+z.1f}%".replace("-", "−")


def _with_ends(found: Mapping[str, Any], sign: int = 1) -> str:
    """A difference of logarithms with its interval, in percent; with sign -1 a gain is a lower loss."""
    low, high = sorted(100 * math.expm1(sign * end) for end in found["ci95"])
    return f"{100 * math.expm1(sign * found['mean']):+z.1f}% ({low:+z.1f} to {high:+z.1f})".replace("-", "−")


def _title(name: str, titles: Mapping[str, str]) -> str:
    return "the combination" if name == "combination" else titles.get(name, name)


def _listed(names: Sequence[str], titles: Mapping[str, str]) -> str:
    return listed([_title(name, titles) for name in names])
