"""The tables of how often verdicts are right: "practically the same", detectable effects, rare classes, groups."""

from __future__ import annotations

from pathlib import Path

from cells import read, table, wrapped

TITLES = {
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
}


def verdicts(records: Path, link: str) -> list[str]:
    """How often a technique is called practically the same, and the true power at the detectable effect."""
    record = read(records / "verdicts.json")
    rows = []
    for case in record["cases"]:
        same, power = case["same"], case.get("power") or {}
        rows.append(
            [
                f"{case['examples']:,}",
                str(case["runs"]),
                f"{100 * case['share']:g}%",
                f"{100 * same['wrong']:.1f}% ({100 * same['without']:.1f}%)",
                f"{100 * same['found']:.0f}%",
                f"{100 * power['effect']:.1f}" if "effect" in power else "–",
                f"{100 * power['power']:.0f}% ({100 * power['lowest_tenth']:.0f}%)" if "power" in power else "–",
                f"{100 * power['nothing_printed']:.0f}%" if power else "–",
            ]
        )
    head = (
        "examples", "splits", "answers that differ", "same, where it changes by 1 point (without the resolution)",
        "same, where nothing changes", "detectable, median, points", "true power there, mean (lowest tenth)",
        "nothing printed",
    )  # fmt: skip
    text = (
        f"*Record: [`experiments/records/verdicts.json`]({link}/verdicts.json), "
        f"`python -m experiments.studies.verdicts`: {record['comparisons']:,} comparisons (a quarter of them where "
        "nothing changes), each on a new data set of which every split tests a fifth; the smallest change that matters "
        "is 1 point. Power: "
        f"{record['designs']} first comparisons of three techniques, {record['fresh']} new ones with the effect that "
        "each prints.*"
    )
    wrong = max(case["same"]["wrong"] for case in record["cases"])
    powers = sorted(case["power"]["power"] for case in record["cases"] if "power" in case.get("power", {}))
    summary = (
        f"“Practically the same” is said of a technique that changes exactly what matters in at most {100 * wrong:.1f}"
        "% of the comparisons (2.5% is nominal; it is more where all answers that differ do so in one direction). The "
        f"true power at the detectable effect is {100 * powers[0]:.0f} to {100 * powers[-1]:.0f}% on average, and much "
        "lower where the first runs happened to vary little."
    )
    return [*table(head, rows), "", *wrapped(text), "", *wrapped(summary)]


def units(records: Path, link: str) -> list[str]:
    """How often intervals and verdicts are right where a rare class or whole groups decide."""
    record = read(records / "units.json")

    def data(case: dict[str, float]) -> list[str]:
        return [f"{case['examples']:,}", f"{100 * case['share']:g}%"]

    rare = [
        [TITLES[case["metric"]], *data(case), f"{100 * case['change']:.2f}".replace("-", "−"),
         f"{100 * case['same']:.1f}%", f"{100 * case['hurt']:.1f}%"]
        for case in record["rare"]
    ]  # fmt: skip
    scores = [
        [TITLES[case["metric"]], *data(case), f"{100 * case['level']:.1f}% ({100 * case['width_of_level']:.0f})",
         f"{100 * case['change']:.1f}% ({100 * case['width_of_change']:.0f})"]
        for case in record["scores"]
    ]  # fmt: skip
    groups = [
        [str(case["groups"]), str(case["rows"]), str(case["splits"]), f"{100 * case['by_group']:.1f}%",
         f"{100 * case['by_row']:.1f}%"]
        for case in record["groups"]
    ]  # fmt: skip
    text = (
        f"*Record: [`experiments/records/units.json`]({link}/units.json), `python -m experiments.studies.units`: "
        f"{record['comparisons']:,} comparisons each, ten runs, each on a new data set of which a split tests a fifth. "
        "The smallest change that matters is 1 point. First, a technique that loses answers on the rare class alone; "
        "then, how often intervals of two fixed functions cover the truth; last, a technique that changes all answers "
        "of a group alike, and has no effect on average.*"
    )
    return [
        *table(("metric", "examples", "rare class", "true change, points", "called the same", "called worse"), rare),
        "",
        *table(("metric", "examples", "rare class", "level covered (width)", "change covered (width)"), scores),
        "",
        *table(("groups", "rows each", "splits of ten runs", "false alarms", "if rows were counted"), groups),
        "",
        *wrapped(text),
    ]


def fresh_seeds(records: Path, link: str) -> list[str]:
    """By how much the gain of a winner is overestimated with the seeds of its choice, and with fresh ones."""
    record = read(records / "fresh_seeds.json")

    def both(case: dict[str, dict[str, float]], key: str, text: str, scale: float = 1.0) -> str:
        shown = (text.format(scale * case[kind][key]) for kind in ("same_seeds", "fresh_seeds"))
        return " → ".join(shown).replace("-", "−")

    bias = "{:+z.1f}"
    rows = [
        [str(case["splits"]), f"{case['examples']:,}", f"{case['luck']:g}", f"{case['gain']:g}",
         both(case, "bias_winner", bias), both(case, "bias_named", bias), both(case, "bias_best", bias),
         both(case, "covered", "{:.0f}%", 100.0), both(case, "helped", "{:.0f}%", 100.0)]
        for case in record["cases"]
    ]  # fmt: skip
    head = (
        "splits of ten runs", "examples", "luck of a seed, points", "true gain, points", "bias of the winner, points",
        "of a technique named beforehand", "of the best on test", "interval covers", "said to help",
    )  # fmt: skip
    errors = [case[kind]["standard_error"] for case in record["cases"] for kind in ("same_seeds", "fresh_seeds")]
    text = (
        f"*Record: [`experiments/records/fresh_seeds.json`]({link}/fresh_seeds.json), "
        f"`python -m experiments.studies.fresh_seeds`: {record['comparisons']:,} comparisons each of "
        f"{record['techniques']} techniques with {record['strengths']} strengths, all of the same true gain. Luck is "
        "the standard deviation of the true accuracy between seeds of one setting, beyond what all settings share. "
        "Each cell is without → with fresh seeds; the standard error of a bias of the winner is at most "
        f"{max(errors):.2f} points.*"
    )
    return [*table(head, rows), "", *wrapped(text)]
