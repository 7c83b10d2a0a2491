"""Captions and notes of the comparison page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from regjax.catalog import DEFAULT_LOSS, LOSSES
from regjax.report.atlas_words import atlas_sentences
from regjax.report.baseline import picture
from regjax.report.learning_rate_words import learning_rate_sentence
from regjax.report.more_runs import more_runs
from regjax.report.reach import (
    covered,
    independent_runs,
    too_few_runs,
    too_few_units,
    with_so_few,
)
from regjax.report.targets import target_notes
from regjax.report.verdict import short
from regjax.report.words import Measure, count, finite, fixed, listing, plain, task_of

FAR_OUT = 1 / 3
"""With this share of the squared error in 1% of the errors, these decide it."""
FEW_TO_CHOOSE_ON = 20
"""So few validation examples see differences of accuracy in steps of 5 points or more."""


def captions(results: Mapping[str, Any], measure: Measure) -> dict[str, Any]:
    """The texts beside the figures."""
    seeds = count(int(results["seeds"]), "run")
    several, splits = int(results["seeds"]) > 1, int(results.get("splits") or 1)
    told = several and not too_few_units(results)  # there are intervals for other test examples
    shade = f"mean over {seeds}, shaded: 95% interval of the mean over the runs alone" if several else "one run"
    settings = results.get("settings") or {}
    examples = settings.get("select_examples")
    rows = list(results["techniques"].values())
    more = "more_data" in results["techniques"]
    return {
        "picture": picture(results, measure, shade),
        "forest_caption": "Right of zero is better. Dot: the change in the one run, which may be chance."
        if not several
        else f"Right of zero is better. Light bar: 95% interval over the runs alone, with {with_so_few(results)}."
        if not told
        else (
            "Right of zero is better. Line: 95% interval"
            + ("" if too_few_runs(independent_runs(results)) else ", by which the verdict goes")
            + f", over {covered(results)}. "
            "Light bar: over the runs alone, as if they shared no test examples. "
            + ("Grey band: changes too small to matter. " if _sizes(rows, measure) else "")
            + "Each technique is compared with the baseline, not with its neighbours."
        ),
        "pairs_caption": ""  # a single run has no pairs
        if not several
        else (
            f"By how much{measure.step and f' (in{measure.step})'} the mean of each row is "
            f"{'above' if measure.higher else 'below'} that of the rows below it, whose numbers are at the top. Filled "
            "and bold: shown, with all pairs tested together and an interval that excludes zero. There are more pairs "
            "than techniques, so each takes more evidence: a technique that helped may still share a letter with the "
            "baseline."
        ),
        "learning_curve_caption": (
            "The baseline with as many updates on fewer of its training examples; nothing was chosen by it. "
            + (f"Bars: 95% interval over {covered(results)}. " if told else "")
            + "The sentence compares the last two sizes, run by run."
        ),
        "strength_heading": f"Validation {measure.name} against strength",
        "strength_text": (
            "Every strength was trained with the same seeds and at most the same number of updates, and compared on "
            + (f"{plain(examples)} " if finite(examples) else "")
            + "validation examples that the run did not see. The filled dot was chosen"
            + (" most often" if splits > 1 else "")
            + "; test examples had no say."
        ),
        "strength_caption": (
            f"Selection {measure.name}{' in percent' if measure.unit else ''}, "
            f"{shade.replace('shaded', 'bars')}. Dashed, grey band: the baseline. A triangle at the "
            f"{'foot is a value below' if measure.higher else 'head is a value above'} the axis."
            + (
                " More data is a learning curve: its first point is the baseline's own number of examples."
                if more
                else ""
            )
        ),
        "weights_text": (
            "L2 pulls each weight towards zero in proportion to its size: weights become small, not zero; an adaptive "
            "optimizer such as Adam rescales the pull of a term in the loss. L1 pulls all weights alike: as a proximal "
            "step it sets many to exactly zero."
        ),
        "weights_caption": (
            f"All penalized weights, {seeds} pooled, on one horizontal axis; counts are logarithmic. "
            "Exact zeros are the separate narrow bar; the outermost bars hold everything beyond."
            + (" The strengths of the runs differ where their splits chose different ones." if splits > 1 else "")
        ),
        "curves_caption": (
            f"Losses without augmentation, penalties or noise, {shade}. "
            + ("A run that has stopped counts on with its last values; a" if several else "A")
            + " curve ends when fewer than half of the runs still run."
        ),
        "reliability_text": (
            "The confidence of a prediction is the probability of its class. Where a curve is below the diagonal, the "
            "model is right less often than it says; above, more often."
        ),
        "reliability_caption": (
            f"The test examples of {f'{seeds} together' if several else 'the run'}, in at most 15 groups of about "
            "equal size by their confidence. "
            "Calibration error (ECE): the mean distance from the diagonal, averaged over runs. With few test examples "
            "it is above 0 even for a model that is right as often as it says."
        ),
    }


def notes(results: Mapping[str, Any], measure: Measure) -> list[str]:
    """Notes on what is random and what is fixed, how settings were chosen, and what the numbers do not show."""
    settings = results.get("settings") or {}
    rows = list(results["techniques"].values())
    out = [_setup(settings), *target_notes(results)]
    noise = settings.get("label_noise")
    if finite(noise) and noise > 0:
        out.append(
            f"{fixed(100 * noise, 0)}% of the training labels, and only those, are wrong on purpose, so "
            "that there is something to overfit; training results are measured against these labels, so the gap of a "
            "model without errors is below 0. Validation and test labels are untouched. --label_noise=0 turns it off."
        )
    if text := learning_rate_sentence(settings, measure):
        out.append(text)
    out.append(_what_varies(results))
    rule = (
        "the most regularized setting within one standard error of the best"
        if results.get("select") == "1se"
        else "the best"
    )
    splits = int(results.get("splits") or 1)
    within = " within each split" if splits > 1 else ""
    mean = ", a mean over its runs" if int(results["seeds"]) > splits else ""
    out.append(
        f"Settings were chosen by {rule} of validation {measure.name}{within}{mean}, on examples that early stopping "
        f"did not use. The test {measure.loss} had no say and can be worse. The baseline has no setting to choose: a "
        "change includes what choosing gains. "
        + (
            "The chosen settings and the baseline were trained again for the test, with seeds that the choice has not "
            "seen. "
            if settings.get("fresh_seeds")
            else ""
        )
        + (luck_sentence(settings) and f"{luck_sentence(settings)} ")
        + "The test part was evaluated for the chosen setting alone"
        + (" and for the points of the learning curve" if results.get("learning_curve") else "")
        + ", and chose nothing. Every run ends "
        "with its last weights, except where early stopping is part of the technique: there the best are restored."
    )
    if int(results["seeds"]) > 1 and not too_few_units(results):
        out.append(
            f"{count(len(rows), 'technique')} tested at once: “helped” and “hurt” need a 95% interval without 0 and an "
            f"adjusted p of at most 0.05; {measure.name} and {measure.loss} are corrected separately. “No difference "
            "shown” is not “no effect”: see the detectable column. “Practically the same” comes first and needs the "
            f"whole interval within the smallest change that matters{_sizes(rows, measure)}, whatever the p. Below "
            "six independent runs there is no verdict."
        )
    out.extend(more_runs(results, measure))
    combined = (results["techniques"].get("combination") or {}).get("chosen", {}).get("parts")
    if combined:
        combined_titles = [short(results["techniques"].get(name, {}).get("title", name)) for name in combined]
        parts = f"most often {listing(combined_titles)}" if splits > 1 else listing(combined_titles)
        where = " in each split" if splits > 1 else ""
        aside = ", more data aside" if "more_data" in results["techniques"] else ""
        out.append(
            f"The combination unites{where} the techniques that gained on validation{aside} ({parts}), each at its "
            "chosen strength, if it has one, times the scale shown; where fewer than two did, the best one stands in."
        )
    out.extend(filter(None, [coarse_choice(results, measure), tail_sentence(results, measure)]))
    out.extend(_ties(rows, splits, measure))
    edges = [short(row["title"]) for row in rows if (row.get("chosen") or {}).get("edge")]
    if edges:
        out.append(f"Chosen at the end of the grid: {listing(edges)}. A wider grid might hold a better value.")
    out.extend(_diverged([results["baseline"], *rows]))
    out.extend(_importance_left_out(results.get("settings") or {}))
    out.extend(atlas_sentences(results.get("atlas")))
    out.append(
        "Explicit regularization is a knob to tune, not the whole reason why networks generalize: they "
        "can fit random labels with it and often generalize without it (Zhang et al., Understanding deep "
        "learning requires rethinking generalization, 2017)."
    )
    return out


def coarse_choice(results: Mapping[str, Any], measure: Measure) -> str:
    """In what steps a run sees differences by very few validation examples; empty for more, and for other metrics."""
    examples = (results.get("settings") or {}).get("select_examples")
    counts = results.get("metric") == "accuracy" and task_of(results) == "classification"
    if not counts or not finite(examples) or not 1 <= examples <= FEW_TO_CHOOSE_ON:
        return ""
    return (
        f"Each run chooses on {count(int(examples), 'validation example')}, so it sees differences between strengths "
        f"in steps of {measure.value(1 / examples)} points; finer ones take more data, or a larger "
        "--validation_fraction."
    )


def tail_sentence(results: Mapping[str, Any], measure: Measure) -> str:
    """That a few test examples decide the squared error of the baseline; empty where they do not.

    Of normal errors the largest 1% make 8% of the squared error, of Laplace's 16%.
    """
    of_base = (results.get("details") or {}).get(results["baseline"]["name"]) or {}
    share = of_base.get("largest_share")
    if results.get("metric") not in ("r2", "rmse") or not finite(share) or share < FAR_OUT:
        return ""
    return (
        f"The largest 1% of the test errors make {fixed(100 * share, 0)}% of the squared error of the baseline: a few "
        f"values far out decide {measure.name}, and intervals of a change that is rare and large cover too seldom. "
        "--loss=huber trains with less of their weight, and --metric=mae compares by what most examples show."
    )


def luck_sentence(settings: Mapping[str, Any]) -> str:
    """That the runs that chose are tested, so that a winner was lucky in part; empty with fresh seeds.

    The sizes are those of the study of fresh seeds, whose record the page on verdicts shows.
    """
    if settings.get("fresh_seeds", True):
        return ""
    return (
        "The runs that chose are those that are tested, so the gain of a winner is part luck of their seeds "
        "(simulated: 0.3 to 1.2 times the standard deviation of what a seed is worth, and with ten splits and 4,000 "
        "examples intervals cover 71 to 76% where that is a point); --fresh_seeds trains anew for the test."
    )


def _ties(rows: Sequence[Mapping[str, Any]], splits: int, measure: Measure) -> list[str]:
    """The rule for ties in the choice of a setting, where it decided."""
    tied = [(short(row["title"]), ties) for row in rows if (ties := (row.get("chosen") or {}).get("ties"))]
    if not tied:
        return []
    where = listing([f"{title} in {ties}" if splits > 1 else title for title, ties in tied])
    of_splits = f" of the {splits} splits" if splits > 1 else ""
    return [
        f"Settings with the same validation {measure.name} tie: the lower validation {measure.loss} decides, then the "
        f"stronger setting. So it was for {where}{of_splits}: a setting may be as good as the best and never be chosen."
    ]


def _official_test(results: Mapping[str, Any]) -> bool:
    """Whether all splits share the test examples, because the data came with them."""
    settings = results.get("settings") or {}
    return finite(settings.get("population")) and settings["population"] == settings.get("test_examples")


def _simulated(splits: int, seeds: int, shared_test: bool, examples: Any) -> str:
    """How often the intervals cover in simulations of such a design."""
    if shared_test:
        return "How often they cover was simulated where each split has test examples of its own, not for shared ones."
    if 8 <= splits <= 12 and splits == seeds:
        text = (
            "In simulations with ten splits of one run each, of 200 to 400 examples, they cover scores in 95 to 100%, "
            "losses in 94 to 98%, and rare and large changes of a loss in as little as 82%"
        )
        other = finite(examples) and not 200 <= examples <= 400
        return f"{text}; these are {plain(examples)}, for which it was not simulated." if other else f"{text}."
    each = "" if splits == seeds else f" with {seeds // splits} runs each"
    return f"How often they cover was simulated for ten splits of one run each, not for {count(splits, 'split')}{each}."


def _what_varies(results: Mapping[str, Any]) -> str:
    """What differs between the runs, and so what their intervals cover."""
    settings = results.get("settings") or {}
    splits = int(results.get("splits") or 1)
    seeds = (
        "A run's seed determines the initial weights, the order of examples, dropout and augmentation noise, and which "
        "examples form the training part."
    )
    if splits > 1:
        return (
            f"{seeds} The runs are spread over {splits} splits of the data, each with its own training"
            + (
                " and validation part; the test examples are the same, so the intervals are for another split of the "
                "rest and, by their draw, for other test examples. "
                if _official_test(results)
                else ", validation and test part, so the intervals are for another split of such data too. "
            )
            + _simulated(
                splits,
                int(results["seeds"]),
                _official_test(results),
                settings.get("population"),
            )
        )
    if too_few_units(results):
        return seeds
    if int(results["seeds"]) < 2:
        return f"{seeds} There is a single run, so nothing is known of another seed or another split."
    return (
        f"{seeds} All runs share one split. The intervals count the draw of its test examples, but not that of its "
        "training examples: another split can give another answer. Without --splits=1 each run has its own."
    )


def _sizes(rows: list[Mapping[str, Any]], measure: Measure) -> str:
    """The smallest changes that matter, in brackets; empty where none is known."""
    score, loss = (
        next((gain["practical"] for row in rows if finite((gain := row.get(key) or {}).get("practical"))), None)
        for key in ("improvement", "loss_improvement")
    )
    known = [f"{measure.value(score)}{measure.step} of {measure.name}"] if finite(score) else []
    known += [f"{measure.loss_value(loss)} of the test {measure.loss}"] if finite(loss) else []
    return f" ({listing(known)})" if known else ""


def _setup(settings: Mapping[str, Any]) -> str:
    def fact(key: str, text: str) -> list[str]:
        value = settings.get(key)
        return [] if value in (None, "") else [text.format(" ".join(plain(value).replace("# attributes", "").split()))]

    facts = [
        *fact("model", "model {}"),
        *fact(
            "train_examples",
            "{} training examples" + (f" of {plain(settings['pool'])}" if finite(settings.get("pool")) else ""),
        ),
        *fact("updates", "{} updates a run"),
        *fact("epochs", "{} epochs at most"),
        *fact("batch_size", "batches of {}"),
        *_loss_fact(settings),
        *fact("optimizer", "optimizer {}"),
        *fact("learning_rate", "learning rate {}"),
        *_budget(settings.get("budget")),
        *([f"in every run {listing(settings['always'])}"] if settings.get("always") else []),
        *fact("class_weight", "{} weights of classes in the loss"),
        *fact("patience", "patience {} epochs"),
        *fact("augmentation", "augmentation {}"),
        *fact("stop_examples", "{} examples to stop on"),
        *fact("select_examples", "{} to choose on"),
        *fact("test_examples", "{} to test on"),
    ]
    if not facts:
        return "The same model, number of updates and learning rate for every row."
    return "The same for every row: " + ", ".join(facts) + "."


def _budget(budget: Any) -> list[str]:
    if not isinstance(budget, Mapping):
        return []
    runs = f"{plain(budget['seeds'])} of {plain(budget['wanted_seeds'])} runs of each setting"
    strengths = "every strength" if budget["every"] == 1 else f"one of {plain(budget['every'])} strengths of each grid"
    return [f"within {plain(budget['budget'])} {runs} and {strengths}"]


def _loss_fact(settings: Mapping[str, Any]) -> list[str]:
    """The data loss with its number, if it is not the default of its task."""
    loss = settings.get("loss") or {}
    record = LOSSES.get(loss.get("name", ""))
    if record is None or record.name == DEFAULT_LOSS[record.task]:
        return []
    number = loss.get("parameter")
    return [f"trained on the {record.title}" + (f" ({record.parameter} {plain(number)})" if finite(number) else "")]


def _importance_left_out(settings: Mapping[str, Any]) -> list[str]:
    reason = settings.get("importance_left_out")
    return [f"Which columns the models rely on is left out: {plain(reason)}."] if reason else []


def _diverged(rows: list[Mapping[str, Any]]) -> list[str]:
    diverged_rows = [f"{short(row['title'])} ({row['diverged']})" for row in rows if row.get("diverged")]
    if not diverged_rows:
        return []
    return [
        f"Runs that diverged, counted with the score of a constant guess and never left out: {listing(diverged_rows)}."
    ]
