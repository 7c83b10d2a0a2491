"""Over a grid of verdicts, no two sentences of a page contradict each other, and each has its size."""

import itertools
import re

import pytest

from regjax.catalog import METRICS
from regjax.report.notes import captions, notes
from regjax.report.reach import caution, independent_runs, reach
from regjax.report.table import _caption
from regjax.report.verdict import LABELS, best_sentence, groups, headline, judge, loss_sentence
from regjax.report.words import Measure

DIAGNOSES = {
    "overfit": {
        "median_onset": 19.0,
        "onset_epochs": [19, 20],
        "generalization_loss": 36.0,
        "generalization_losses": [36.0, 41.0],
    },
    "overfit without an onset": {"median_onset": None, "onset_epochs": [None, None], "metric_gap": 0.15},
    "underfit": {"median_onset": None, "onset_epochs": [None, None]},
    "correct_fit": {"median_onset": 12.0, "onset_epochs": [12, None]},  # one run of two rose
    "undecided in a tie": {
        "median_onset": 12,
        "onset_epochs": [12, None],
        "verdicts": {"correct_fit": 4, "overfit": 4, "undecided": 2},
    },
    "overfit in most": {"median_onset": 19, "onset_epochs": [19, 20], "verdicts": {"overfit": 7, "correct_fit": 3}},
    "undecided": {"median_onset": 12.0, "onset_epochs": [12, None]},
    "diverged": {"median_onset": None, "onset_epochs": [None, None]},
}
MEANS = {
    "helped": (0.05, 0.02, 0.08),
    "hurt": (-0.05, -0.08, -0.02),
    "none": (0.02, -0.01, 0.05),
    "same": (0.002, 0, 0.004),
}
TITLES = ("alpha", "beta", "gamma")


def gain(status, runs):
    """An improvement of this verdict; of too few runs its p is the smallest that they can give."""
    mean, low, high = MEANS[status]
    p = 0.3 if status == "none" else max(0.01, 2.0 ** (1 - runs))
    interval = [low, high] if runs > 1 else [None, None]
    return {
        "mean": mean,
        "ci95": interval,
        "p_adjusted": p if runs > 1 else None,
        "practical": 0.01,
        "observations": runs,
        "minimum_detectable_effect": 0.04 if runs > 5 else None,
        "runs_needed": 30 if runs > 5 else None,
        "least_detectable": 0.001 if runs > 5 else None,
    }


def page(statuses, loss_statuses, diagnosis, runs, splits, metric):
    rows = {
        title: {
            "name": title,
            "title": title,
            "improvement": gain(status, runs),
            "loss_improvement": gain(of_loss, runs),
            "chosen": {},
        }
        for title, status, of_loss in zip(TITLES, statuses, loss_statuses, strict=True)
    }
    beaten = [title for title in TITLES[1:] if runs > 5]
    return {
        "task": METRICS[metric].task,
        "metric": metric,
        "seeds": runs,
        "splits": splits,
        "baseline": {"name": "baseline", "title": "baseline", "test": {"mean": 0.9}, "test_loss": {"mean": 0.8}},
        "techniques": rows,
        "diagnosis": {"verdict": diagnosis.partition(" ")[0], **DIAGNOSES[diagnosis]},
        "best": {"name": "alpha", "better_than": beaten},
        "settings": {"population": 178, "test_examples": 18},
        "reproduce": {"command": "python -m experiments.compare --dataset=wine --workdir=runs/a"},
    }


GRID = list(
    itertools.product(
        list(itertools.product(MEANS, repeat=3)),
        DIAGNOSES,
        [(1, 1), (4, 4), (5, 1), (6, 6), (10, 10), (10, 5), (10, 1)],
        ("accuracy", "r2", "rmse"),
    )
)


def plain_page(results):
    """As it is."""


def with_regularizers(results):
    """Every run has regularizers, the baseline included."""
    results["settings"]["always"] = ["dropout 0.5"]


def with_its_own_test_set(results):
    """All splits share the test examples that came with the data."""
    results["settings"]["population"] = results["settings"]["test_examples"]


def with_a_lost_row(results):
    """Gamma diverged in all runs, as the baseline did."""
    lost = {"mean": 0.0, "ci95": [None, None], "p_adjusted": None, "both_diverged": results["seeds"]}
    row = results["techniques"]["gamma"]
    row |= {"improvement": row["improvement"] | lost, "loss_improvement": row["loss_improvement"] | lost}
    results["best"]["better_than"] = [title for title in results["best"]["better_than"] if title != "gamma"]


VARIANTS = (plain_page, with_regularizers, with_its_own_test_set, with_a_lost_row)


@pytest.mark.parametrize("chunk", range(8))
@pytest.mark.slow
def test_no_two_sentences_contradict_each_other(chunk):
    for number, (statuses, diagnosis, (seeds, splits), metric) in enumerate(GRID[chunk::8]):
        runs = splits if splits > 1 else seeds
        results = page(statuses, tuple(reversed(statuses)), diagnosis, runs, splits, metric)
        results["seeds"] = seeds
        results["runs"] = [(i * splits // seeds, i) for i in range(seeds)]
        VARIANTS[number % len(VARIANTS)](results)
        check(results)


@pytest.mark.parametrize("seeds", [6, 10])
@pytest.mark.slow
def test_what_a_comparison_can_show_is_not_contradicted_by_its_intervals(make, seeds):
    """No detectable change is below half the width of the interval, and none that is out of reach names a number."""
    for effects in ({}, {"l1": 0.0001, "l2": 0.004, "dropout": -0.01}):
        for row in make(seeds, effects=effects).to_json()["techniques"].values():
            for key in ("improvement", "loss_improvement"):
                gain = row[key]
                half = (gain["ci95"][1] - gain["ci95"][0]) / 2
                assert gain["minimum_detectable_effect"] >= half * (1 - 1e-9)
                assert gain["minimum_detectable_effect"] >= gain["least_detectable"]
                assert gain["runs_needed"] is None or abs(gain["mean"]) >= gain["least_detectable"]
                number = re.findall(r"about ([\d,]+) runs", " ".join(reach(gain, seeds)))
                assert all(int(one) >= seeds and len(one.rstrip("0")) <= 2 for one in number)


def check(results):
    measure, runs = Measure.of(results), independent_runs(results)
    rows, lead, warning = list(results["techniques"].values()), headline(results), caution(results)
    words = captions(results, measure)
    everything = " ".join(
        [lead, warning, *notes(results, measure), _caption(results, True), loss_sentence(results), str(words)]
    )
    found = {group.status: dict(group.items) for group in groups(rows, measure, runs)}
    loss, heading = loss_sentence(results), words["picture"]["heading"]

    # The groups are a partition of the techniques, by the verdict of each.
    assert sorted(title for items in found.values() for title in items) == sorted(TITLES)
    assert all(judge(results["techniques"][title]["improvement"]) == s for s, items in found.items() for title in items)

    # What every run has is never called absent, and what is shared is not called a part of each split.
    given, shared = results["settings"].get("always"), results["settings"]["population"] == 18
    assert not given or not re.search("without regularization|unregularized", everything, re.IGNORECASE)
    assert not given or given[0] in lead
    assert not shared or "validation and test part" not in everything

    # A row that diverged as the baseline did has no verdict, no size and no mention among what is shown.
    gamma = results["techniques"]["gamma"]["improvement"]
    if gamma.get("both_diverged"):
        assert "diverged" in found["untested"]["gamma"]
        assert "gamma (" not in loss.partition("not testable")[0]

    # The headline has higher and lower what the groups have, with the size and unit of the largest.
    assert (f"{measure.better} with" in lead) == ("helped" in found)
    assert (f"{measure.worse} with" in lead) == ("hurt" in found)
    assert ("practically the same with" in lead) == ("same" in found)
    assert ("not shown to differ with" in lead or "no technique is shown to change" in lead) == ("none" in found)
    if "helped" in found:
        size = r"\+5\.0 points" if measure.step else r"\+0\.050" if measure.higher else r"−0\.0500"
        assert re.search(size, lead)

    # What too few runs cannot show is claimed nowhere.
    if warning:
        assert {"helped", "hurt", "same"}.isdisjoint(found)
        assert "practically the same with" not in loss + lead
        assert "lower with" not in loss
        assert "higher with" not in loss
        assert not best_sentence(results)
        assert "would show" not in str(found)
    elif results["best"]["better_than"]:
        assert "shown to be better" in best_sentence(results)

    # Of a single run there is nothing that it takes several for.
    if results["seeds"] == 1:
        for absent in ("interval", "detectable", "Detectable", "jointly", "adjusted p", "over fresh"):
            assert absent not in everything.replace("no interval or test is possible", "")

    # With one split nothing is claimed of another one.
    alone = results["splits"] == 1 and results["seeds"] > 1
    assert ("over fresh splits" in everything) <= (not alone)
    assert ("this one split" in everything) == alone
    assert ("on this split" in lead) == alone
    assert "told apart" not in everything

    # A new comparison has no run of the old one, and there is one only for what is not shown.
    more = next((note for note in notes(results, measure) if "largest change" in note), "")
    assert bool(more) == ("none" in found and not warning)
    if more:
        flags = dict(re.findall(r"--(\w+)=(\w+)", more))
        assert int(flags["seed"]) > max(seed for _, seed in results["runs"])
        assert results["splits"] == 1 or int(flags["split_seed"]) > max(split for split, _ in results["runs"])

    # Headline, heading and picture say the same of the baseline.
    verdict = results["diagnosis"]["verdict"]
    start = f"With {given[0]} in every run" if given else "Without regularization"
    assert lead.startswith(f"{start} the model overfits") == (verdict == "overfit")
    assert heading.startswith("The baseline overfits") == (verdict == "overfit")
    assert ("epoch 19" in lead) == ("epoch 19" in words["picture"]["caption"])
    assert ("36% above its lowest (median; range 36 to 41%)" in lead) == (
        results["diagnosis"].get("generalization_loss") == 36
    )
    if "does better on its training examples" in lead:
        assert ("15.0 points above" if measure.step else "0.150 above") in lead
    assert "epoch" not in heading  # one that some runs show is no epoch of all
    each = results["diagnosis"].get("verdicts") or {}
    for text in (lead, words["picture"]["caption"]):
        assert all(f"in {number}" in text for number in each.values()) or len(each) < 2
    assert "epoch 12" not in lead + heading + words["picture"]["caption"]
    assert "nothing to mend" not in lead

    # The loss has a size with each technique, and names it with its own verdict.
    wanted = {"helped": "lower with", "hurt": "higher with", "same": "practically the same with"}
    verdicts = {row["title"]: judge(row["loss_improvement"]) for row in rows}
    clauses = {words: clause for clause in loss.rstrip(".").split("; ") for words in wanted.values() if words in clause}
    for status, words in wanted.items():
        named = {title for title in TITLES if title in clauses.get(words, "")}
        assert named == {title for title, judged in verdicts.items() if judged == status}
    for title, judged in verdicts.items():
        assert judged in LABELS
        assert not loss or re.search(rf"{title} \([+−]?\d+\.\d%(, within ±\d+\.\d%)?\)", loss)
