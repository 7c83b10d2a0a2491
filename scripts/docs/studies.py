"""Tables of the studies behind a verdict, from their records. Standard library alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cells import read, table, wrapped


def splits(records: Path, link: str) -> list[str]:
    """How often each interval covers the mean over fresh data, splits and seeds, by the design of ten runs."""
    record = read(records / "splits.json")
    intervals = ("over runs", "Nadeau-Bengio", "two-way")
    rows = []
    for name, source in record["sources"].items():
        for design, metrics in source.items():
            for metric, techniques in metrics.items():
                cells = [name.replace("_", " "), design, metric]
                for interval in intervals:
                    covered = sorted(100 * row["intervals"][interval]["covered"] for row in techniques.values())
                    width = sum(row["intervals"][interval]["width"] for row in techniques.values()) / len(techniques)
                    cells.append(f"{covered[0]:.0f} to {covered[-1]:.0f} ({width:.3f})")
                alarm = techniques["nothing"]["intervals"]["two-way"]["excludes_0_and_flips"]
                # The smallest p of five signs is above the level, so that there is nothing to count.
                rows.append([*cells, "–" if design.startswith("5 splits") else f"{100 * alarm:.1f}%"])
    errors = [
        row["standard_error"]
        for source in record["sources"].values()
        for metrics in source.values()
        for techniques in metrics.values()
        for row in techniques.values()
    ]
    text = (
        f"*Record: [`experiments/records/splits.json`]({link}/splits.json): {record['data_sets']} data sets a source; "
        "the lowest and the highest coverage of four techniques, nominal 95%; the standard error of a share is 1.3 "
        "points at 95%, 2.9 at 50% and 1.2 at 4.3%. The true means are estimated, by those over all data sets, with a "
        f"standard error of up to {max(errors):.4f}.*"
    )
    head = (
        "source", "ten runs as", "metric", "over runs: covered, % (width)", "Nadeau and Bengio", "two-way",
        "false alarms of a technique that changes nothing in any split",
    )  # fmt: skip
    return [
        *table(head, rows),
        "",
        *wrapped(text),
        "",
        *wrapped(_one_split(record)),
    ]


def _one_split(record: Mapping[str, Any]) -> str:
    """What the false alarms of one split do not show: an effect on that split of a technique without one on average."""
    designs = record["sources"]["breast_cancer"]
    one, many = (designs[name]["loss"]["l2"] for name in ("1 split x 10 seeds", "10 splits x 1 seed"))
    called, called_many = (100 * row["intervals"]["two-way"]["excludes_0_and_flips"] for row in (one, many))
    change = f"{one['improvement']:+.4f} ± {one['standard_error']:.4f}".replace("-", "−")
    return (
        "That a technique without any effect is hardly ever called better or worse on one split is no comfort: a "
        "technique whose effect is about 0 on average may change much on that split. L2 on breast cancer improves the "
        f"loss by {change} (mean and standard error over data sets), and one split with ten seeds calls it better or "
        f"worse in {called:.1f}% of them; ten splits with a seed each do in {called_many:.1f}%."
    )


def diagnosis(records: Path, link: str) -> list[str]:
    """How often the verdict on a baseline is right, by family of curves, length and noise."""
    record = read(records / "diagnosis.json")
    noises, lengths = ("0.02", "0.05", "0.1", "0.2"), ("50", "100", "300")
    rows, alarms = [], dict.fromkeys(lengths, 0.0)
    for name, family in record["families"].items():
        truth = family["truth"]
        cells = [name, truth.replace("_", " ")]
        for length in lengths:
            found = [family["rates"][length][noise] for noise in noises]
            cells.append(" / ".join(_right(one, truth) for one in found))
        near = [family["rates"]["50"][noise].get("onset within a tenth") for noise in noises]
        cells.append(" / ".join(f"{100 * share:.0f}" for share in near if share is not None))
        rows.append(cells)
        if truth != "overfit":
            for length, of_noises in family["rates"].items():
                alarms[length] = max(alarms.get(length, 0.0), *(one.get("overfit", 0.0) for one in of_noises.values()))
    head = (
        "curves", "truth", "verdict right (undecided), %, 50 epochs, noise 2 / 5 / 10 / 20%", "100 epochs",
        "300 epochs", "onset found within a tenth of the run, % of all runs, 50 epochs",
    )  # fmt: skip
    missed = record["families"]["overfit from 30%"]["rates"]["50"]["0.2"]
    text = (
        f"*Record: [`experiments/records/diagnosis.json`]({link}/diagnosis.json): {record['runs']} runs each. The "
        "noise is that of the validation loss between epochs, as a share of its level; training has a third of it. "
        "What is neither right nor undecided is wrong. A run without an onset counts as a miss in the last column.*"
    )
    wrong, undecided = (100 * missed[name] for name in ("correct_fit", "undecided"))
    errors = (
        "Independent noise hides overfitting sooner than it invents it: with 20% noise over 50 epochs, “overfit from "
        f"30%” is called a correct fit in {wrong:.1f}% of the runs and undecided in {undecided:.0f}%, while “overfit” "
        f"is said of other curves in at most {_up(alarms['50'])}% at 50 epochs and {_up(max(alarms.values()))}% at any "
        "length and noise."
    )
    return [*table(head, rows), "", *_wrap(text), "", *_wrap(errors), "", *_correlated(record), "", *_fits(record)]


def _wrap(text: str) -> list[str]:
    return wrapped(text)


def _correlated(record: Mapping[str, Any]) -> list[str]:
    """How often curves with correlated noise are called overfit, beside those with independent noise."""
    noises, lengths = ("0.05", "0.1", "0.2"), ("20", "50", "100", "300")
    rows, alarms = [], dict.fromkeys(lengths, 0.0)
    for name, of_correlations in record["correlated"].items():
        for correlation, rates in ({"0": record["families"][name]["rates"]} | of_correlations).items():
            found = {length: [rates[length][noise] for noise in noises] for length in lengths}
            rows.append([name, correlation, *(" / ".join(map(_overfit, found[length])) for length in lengths)])
            if record["families"][name]["truth"] != "overfit":
                for length in lengths:
                    alarms[length] = max(alarms[length], *(one.get("overfit", 0.0) for one in found[length]))
    head = (
        "curves", "correlation of neighbouring epochs", "called overfit (undecided), %, 20 epochs, noise 5 / 10 / 20%",
        "50 epochs", "100 epochs", "300 epochs",
    )  # fmt: skip
    text = (
        "Noise that is correlated between epochs, of the same size: correct fits are called overfit in at most "
        f"{_up(alarms['50'])}% at 50 epochs, {_up(alarms['100'])}% at 100 and {_up(alarms['300'])}% at 300. Of fewer "
        f"than 40 epochs the correlation cannot be estimated, and up to {_up(alarms['20'])}% of runs of 20 epochs are "
        "called overfit."
    )
    return [*table(head, rows), "", *_wrap(text)]


def _fits(record: Mapping[str, Any]) -> list[str]:
    """How often fits to few examples are called overfit, by the number of validation examples."""
    numbers = list(next(iter(record["fits"].values()))["rates"])
    rows = [
        [name, fit["truth"].replace("_", " "), *(_overfit(fit["rates"][number]) for number in numbers)]
        for name, fit in record["fits"].items()
    ]
    right = [fit for fit in record["fits"].values() if fit["truth"] != "overfit"]
    alarm = max(one.get("overfit", 0.0) for fit in right for one in fit["rates"].values())
    head = ("fit", "truth", f"called overfit (undecided), %, {numbers[0]} validation examples", *numbers[1:])
    text = (
        "Models fitted to examples drawn anew for each run, with R² or accuracy as their metric; what is named is that "
        f"of the true function. Correct ones are called overfit in at most {_up(alarm)}%."
    )
    return [*table(head, rows), "", *_wrap(text)]


def _overfit(rates: Mapping[str, float]) -> str:
    return _right(rates, "overfit")


def _right(rates: Mapping[str, float], truth: str) -> str:
    """How often the verdict is right and, in brackets where it happens, undecided, in percent."""
    text, undecided = f"{100 * rates.get(truth, 0.0):.0f}", round(100 * rates.get("undecided", 0.0))
    return f"{text} ({undecided})" if undecided else text


def _up(share: float) -> str:
    """A share in percent, rounded up to a tenth, for what is at most so large."""
    return f"{math.ceil(1000 * share - 1e-9) / 10:.1f}"


def intervals(records: Path, link: str) -> list[str]:
    """The share of new examples in the intervals of `predict`, by the number of validation examples."""
    record = read(records / "intervals.json")
    rows = []
    for size, found in record["validation_examples"].items():
        cells = [size, f"{100 * found['exchangeable']:.1f}"]
        for name in ("best epoch", "last epoch"):
            covered, error = 100 * found[name]["covered"], 100 * found[name]["standard_error"]
            cells.append(f"{covered:.1f} ± {error:.1f} ({found[name]['width']:.2f})")
        rows.append(cells)
    head = (
        "validation examples", "covered by errors that chose nothing, %", "weights of the best epoch, % (width)",
        "of the last epoch",
    )  # fmt: skip
    text = (
        f"*Record: [`experiments/records/intervals.json`]({link}/intervals.json), by `python -m "
        f"experiments.studies.intervals`: {record['data_sets']:,} data sets of a regression with noise, "
        f"{record['fresh']:,} new examples each, nominal {100 * record['level']:.0f}%, ± one standard error; the width "
        "is in standard deviations of the target.*"
    )
    return [*table(head, rows), "", *wrapped(text)]


SEARCHES = {
    "grid": "grid", "random": "random", "sobol": "Sobol", "halving": "successive halving", "asha": "ASHA",
    "tpe": "Optuna's TPE", "one": "one setting at random",
}  # fmt: skip


def search(records: Path, link: str) -> list[str]:
    """What each search finds for the same number of epochs, by how much the test score differs from random search."""
    record = read(records / "search.json")
    data, rows = record["data"], []
    for method, title in SEARCHES.items():
        found = [own["methods"][method] for own in data.values() if method in own["methods"]]
        if not found:
            continue
        trials, epochs = (sum(one[name] for one in found) / len(found) for name in ("trials", "epochs"))
        optimism = sum(one["validation"] - one["test"] for one in found) / len(found)
        cells = [title, f"{trials:.0f}", f"{epochs:.0f}", f"{optimism:+.1f}".replace("-", "−")]
        if method in record["overall"]:
            own = record["overall"][method]
            low, high = own["ci95"]
            cells.append(f"{own['over_random']:+.1f} [{low:+.1f}, {high:+.1f}]".replace("-", "−"))
            gains = [one["over_random"] for one in found]
            cells.append(f"{sum(gain > 0 for gain in gains)} / {sum(gain < 0 for gain in gains)}")
        else:
            cells += ["", ""]
        rows.append(cells)
    head = (
        "search", "trials", "epochs in all", "validation above test, points", "test above random, mean over data sets",
        "data sets above / below random",
    )  # fmt: skip
    text = (
        f"*Record: [`experiments/records/search.json`]({link}/search.json), by `python -m experiments.studies.search`: "
        f"{len(data)} data sets, {record['splits']} splits each, learning rate, L2 and dropout searched for "
        f"{record['budget_epochs']} epochs; points of accuracy or of 100 R²; intervals over data sets; "
        f"{record['seconds'] / 60:.0f} minutes.*"
    )
    return [*table(head, rows), "", *wrapped(text)]
