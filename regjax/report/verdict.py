"""Rules that turn results into statements about techniques, which claim no more than the numbers show."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from regjax.report.baseline import baseline_clause
from regjax.report.reach import LEVEL, independent_runs, one_split, reach, too_few_runs, with_so_few
from regjax.report.words import Measure, count, ends, finite, fixed, listing, p_value

LABELS = {
    "helped": "helped",
    "same": "practically the same",
    "none": "no difference shown",
    "hurt": "hurt",
    "untested": "cannot be tested",
}


def judge(improvement: Mapping[str, Any] | None, level: float = LEVEL) -> str:
    """The verdict on a paired improvement; positive is better.

    - `"same"`: the whole 95% interval is within the smallest change that matters, on both sides of 0, and so is the
      mean plus or minus what so few examples cannot resolve. This comes before the next two: a change that is certain
      but too small to matter does not help.
    - `"helped"` / `"hurt"`: the 95% interval excludes 0 and the adjusted p is at most `level`.
    - `"none"`: tested, and none of these: no difference that this number of runs can show, which does not mean that
      there is none.
    - `"untested"`: there is no interval and no test, because there is a single run, because the test part has fewer
      than four examples or groups, or because most runs diverged with the technique as without it; or there are fewer
      than six independent runs, whose smallest possible p is above `level`. Then nothing is called the same either: an
      interval of so few runs is known too badly.

    Args:
      improvement: `{"mean", "ci95", "p_adjusted", "practical", "observations", "resolution"}` as in `results.json`, or
        None. Without `practical`, nothing is the same.
      level: significance level of the corrected test.

    Example:
      >>> judge({"mean": 0.03, "ci95": [0.01, 0.05], "p_adjusted": 0.02})
      'helped'
      >>> judge({"mean": 0.03, "ci95": [0.01, 0.05], "p_adjusted": 0.08})
      'none'
      >>> judge({"mean": 0.003, "ci95": [0.001, 0.005], "p_adjusted": 0.02, "practical": 0.01})
      'same'
      >>> judge({"mean": 0.03, "ci95": [None, None], "p_adjusted": None})
      'untested'
      >>> judge({"mean": 0.003, "ci95": [0.001, 0.005], "p_adjusted": 0.25, "practical": 0.01, "observations": 3})
      'untested'
    """
    if improvement is None or not finite(improvement.get("mean")):
        return "untested"
    pair, p = ends(improvement.get("ci95")), improvement.get("p_adjusted")
    if pair is None or not finite(p):
        return "untested"
    observations = improvement.get("observations")
    if finite(observations) and too_few_runs(int(observations), level):
        return "untested"
    practical, mean = improvement.get("practical"), improvement["mean"]
    room = improvement.get("resolution") or 0.0
    if finite(practical) and -practical < min(pair[0], mean - room) and max(pair[1], mean + room) < practical:
        return "same"
    if p <= level and pair[0] > 0:
        return "helped"
    if p <= level and pair[1] < 0:
        return "hurt"
    return "none"


def lost(improvement: Mapping[str, Any] | None) -> bool:
    """Whether most runs diverged with the technique as without it, so that nothing can be compared.

    Example:
      >>> lost({"both_diverged": 3, "ci95": [None, None]}), lost({"both_diverged": 3, "ci95": [-0.1, 0.1]})
      (True, False)
    """
    gain = improvement or {}
    return bool(gain.get("both_diverged")) and ends(gain.get("ci95")) is None


def short(title: str) -> str:
    """A title without the part in brackets.

    Example:
      >>> short("more data (same updates)"), short("(odd)")
      ('more data', '(odd)')
    """
    head = title.partition(" (")[0].strip()
    return head or title


@dataclasses.dataclass(frozen=True)
class Group:
    """The techniques with one verdict, as `(title, detail)`, largest effect first."""

    status: str
    label: str
    items: tuple[tuple[str, str], ...]


def groups(rows: Sequence[Mapping[str, Any]], measure: Measure, runs: int = 0) -> list[Group]:
    """The techniques by verdict on the headline metric, with the numbers behind it.

    Args:
      rows: the techniques of `results.json`, without the baseline.
      measure: of the headline metric.
      runs: the number of independent observations, see `independent_runs`; 0 if it is not known.
    """
    out = []
    for status, label in LABELS.items():
        members = [row for row in rows if judge(row.get("improvement")) == status]
        members.sort(key=lambda row: -_mean(row))
        if members:
            out.append(
                Group(status, label, tuple((short(row["title"]), _detail(row, measure, runs)) for row in members))
            )
    return out


def headline(results: Mapping[str, Any]) -> str:
    """One sentence on the baseline, and on how the techniques changed the headline metric on the test split."""
    rows = sorted(results["techniques"].values(), key=lambda row: -_mean(row))
    measure = Measure.of(results)
    where = "on this split " if one_split(results) else ""
    return f"{baseline_clause(results)}; {where}{_technique_clause(rows, results, measure)}."


def loss_sentence(results: Mapping[str, Any]) -> str:
    """A sentence on the test loss, by the same rules; empty if no loss was compared, or if the metric is this loss."""
    rows = [row for row in results["techniques"].values() if row.get("loss_improvement")]
    if not rows or metric_is_loss(results):
        return ""
    measure, seeds = Measure.of(results), count(int(results["seeds"]), "run")
    base = ((results.get("baseline") or {}).get("test_loss") or {}).get("mean")
    found: dict[str, list[str]] = {status: [] for status in LABELS}
    for row in rows:
        size = _loss_size(row["loss_improvement"], base)
        status = judge(row["loss_improvement"])
        practical = row["loss_improvement"].get("practical")
        if status == "same" and finite(base) and base and finite(practical):
            size += f", within ±{fixed(100 * practical / abs(base), 1)}%"
        found[status].append(f"{short(row['title'])}{size and f' ({size})'}")
    if len(found["untested"]) == len(rows):
        return ""
    texts = {
        "helped": "lower with {}",
        "hurt": "higher with {}",
        "same": "practically the same with {}",
        "none": f"no difference that {seeds} can show with {{}}",
        "untested": "not testable for {}",
    }
    clauses = [text.format(listing(found[status])) for status, text in texts.items() if found[status]]
    return f"Test {measure.loss}{' on this split' * one_split(results)}: {'; '.join(clauses)}."


def metric_is_loss(results: Mapping[str, Any]) -> bool:
    """Whether the metric is the data loss under another name, so that a sentence on each would say one thing twice."""
    loss = ((results.get("settings") or {}).get("loss") or {}).get("name", "cross_entropy")
    return {"cross_entropy": "log_loss"}.get(loss, loss) == results.get("metric")


def best_sentence(results: Mapping[str, Any]) -> str:
    """Which row is best, and what it is shown to be better than; empty if there are too few runs to show it."""
    best, rows = results.get("best"), [results["baseline"], *results["techniques"].values()]
    if not best or too_few_runs(independent_runs(results)):
        return ""
    titles = {row["name"]: short(row["title"]) for row in rows}
    name, beaten = titles[best["name"]], [titles[other] for other in best["better_than"]]
    alike = [title for other, title in titles.items() if other not in (best["name"], *best["better_than"])]
    measure = Measure.of(results)
    metric = f"test {measure.name}{' on this split' * one_split(results)}"
    if not beaten:
        return f"No row has a {measure.better} {metric} than {name}, which is not shown to be better than any other."
    subject = f"Of all rows, {name} has the {measure.best} {metric}"
    if not alike:
        return f"{subject}, and is shown to be better than each of the others."
    tie = f"is not shown to differ from {listing(alike)}"
    return f"{subject}: it is shown to be better than {listing(beaten)}, and {tie}."


def _loss_size(gain: Mapping[str, Any], base: Any) -> str:
    """The change of the loss in percent of the baseline's, or as it is if that is not known."""
    if not finite(gain.get("mean")):
        return ""
    if not finite(base) or base == 0:
        return fixed(-gain["mean"], 3, signed=True)
    return f"{fixed(-100 * gain['mean'] / abs(base), 1, signed=True)}%"


def _technique_clause(rows: Sequence[Mapping[str, Any]], results: Mapping[str, Any], measure: Measure) -> str:
    seeds = int(results["seeds"])
    by_verdict: dict[str, list[Mapping[str, Any]]] = {status: [] for status in LABELS}
    for row in rows:
        by_verdict[judge(row.get("improvement"))].append(row)
    clauses, metric = [], f"test {measure.name}"
    if not rows:
        return "no technique was compared with it"
    if all(lost(row.get("improvement")) for row in rows):
        return f"the training diverged with {_subject(rows, len(rows))}, too, so nothing can be compared"
    if len(by_verdict["untested"]) == len(rows):
        return (
            f"with {with_so_few(results)} nothing can be said about chance, so no technique is called better or worse"
        )
    if not any(by_verdict[status] for status in ("helped", "hurt", "same")):
        return f"no technique is shown to change {metric} in {count(seeds, 'run')}"
    if by_verdict["helped"]:
        most = by_verdict["helped"][0]
        size = f"{measure.change(most['improvement']['mean'])}{measure.step}"
        if len(by_verdict["helped"]) > 1:
            size = f"largest estimate: {short(most['title'])}, {size}"
        clauses.append(f"{measure.better} with {_subject(by_verdict['helped'], len(rows))} ({size})")
    if by_verdict["hurt"]:
        clauses.append(f"{measure.worse} with {_subject(by_verdict['hurt'], len(rows))}")
    if by_verdict["same"]:
        size = f"less than {measure.value(by_verdict['same'][0]['improvement']['practical'])}{measure.step}"
        clauses.append(f"practically the same with {_subject(by_verdict['same'], len(rows))} (a change of {size})")
    found = f"{metric} is shown to be {listing(clauses)}"
    if by_verdict["none"]:
        found += f"; it is not shown to differ with {_subject(by_verdict['none'], len(rows))}"
    if by_verdict["untested"]:
        found += f"; {_subject(by_verdict['untested'], len(rows))} could not be tested"
    return found


def _subject(rows: Sequence[Mapping[str, Any]], total: int) -> str:
    """Up to two techniques by name, more as a number; the page lists the names below the sentence."""
    if len(rows) == total > 2:
        return f"all {total} techniques"
    if len(rows) > 2:
        return f"{len(rows)} of {total} techniques"
    return listing([short(row["title"]) for row in rows])


def _mean(row: Mapping[str, Any]) -> float:
    value = (row.get("improvement") or {}).get("mean")
    return float(value) if finite(value) else float("-inf")


def _detail(row: Mapping[str, Any], measure: Measure, runs: int) -> str:
    gain = row.get("improvement") or {}
    if not finite(gain.get("mean")):
        return ""
    text = measure.change(gain["mean"]) + measure.step
    if lost(gain):
        return f"diverged as without it, in {count(int(gain['both_diverged']), 'run')}"
    if judge(gain) == "same":
        text = f"{text} (within ±{measure.value(gain['practical'])})"
    pair = ends(gain.get("ci95"))
    if judge(gain) in ("helped", "hurt") and pair:
        practical = gain.get("practical")
        small = finite(practical) and min(map(abs, pair)) < practical
        margin = f"; perhaps less than the {measure.value(practical)} that matters" if small else ""
        return f"{text} ({measure.changes(pair)}{margin})"
    if judge(gain) == "untested" and pair:
        return f"{text} ({measure.changes(pair)})"
    if judge(gain) == "none" and pair:
        # One of the two conditions of a verdict may hold; then the other is named.
        p = gain["p_adjusted"]
        why = [f"adjusted p {p_value(p)}"] if pair[0] > 0 or pair[1] < 0 else []
        why += [f"the interval holds 0, though the adjusted p is {p_value(p)}"] if p <= LEVEL and not why else []
        known = [] if measure.change(gain["mean"]) == measure.change(0.0) else reach(gain, runs)
        return f"{text} ({'; '.join([measure.changes(pair), *why, *known])})"
    return text
