"""The result of a comparison: its types, its JSON form and its table."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Mapping
from typing import NamedTuple

from regjax.analysis import Best, Pair, Predictions
from regjax.catalog import METRICS
from regjax.comparison.atlas import similar
from regjax.comparison.row import Improvement, LearningCurve, Spread, TechniqueResult
from regjax.core.typing import ApplyFn, Json, Value
from regjax.data import Preprocessor
from regjax.report.atlas_words import atlas_sentences
from regjax.report.learning_curve import more_data_sentence
from regjax.report.learning_rate_words import learning_rate_sentence
from regjax.report.notes import coarse_choice, luck_sentence, tail_sentence
from regjax.report.reach import caution, independent_runs, too_few_units
from regjax.report.reference_notes import ahead_note, rare_class_note, reference_notes
from regjax.report.row_curves import row_curve_sentences
from regjax.report.table import unknown_effects
from regjax.report.targets import target_notes
from regjax.report.verdict import headline, loss_sentence
from regjax.report.words import Measure
from regjax.training.state import Weights


class Trained(NamedTuple):
    """The trained models of the chosen settings, for predictions.

    `rj.predict(trained.apply, *trained.weights["l2"][0], trained.preprocessors["l2"][0].transform(x))` predicts with
    the first seed of L2.

    Attributes:
      apply: the apply function of the model.
      preprocessors: those of each seed, by row, fitted on its training examples alone: they standardize inputs, and
        convert predictions of a regression back to the units of the target.
      weights: the weights of each seed that were evaluated on the test set, by row.
    """

    apply: ApplyFn
    preprocessors: dict[str, tuple[Preprocessor, ...]]
    weights: dict[str, tuple[Weights, ...]]


@dataclasses.dataclass(frozen=True)
class CompareResult:
    """The result of `rj.compare`; weights (`trained`) and test predictions (`predictions`) are not part of the JSON.

    `metrics` of each row and `references`, models of another kind on the same splits, are means of test metrics.
    `details` are those of the baseline and of the row that is best on validation (`regjax.comparison.details`);
    `importance` is that of the columns of a table (`regjax.comparison.importance`).
    `pairs`, `groups` and `best` are of the test score. Rows that share a letter of `groups` are not shown to differ;
    there are none where no difference could have been shown.
    """

    dataset: str
    task: str
    metric: str
    seeds: int
    splits: int
    runs: tuple[tuple[int, int], ...]  # (seed of the split, seed) of each run
    select: str
    settings: dict[str, Json]
    baseline: TechniqueResult
    techniques: dict[str, TechniqueResult]
    diagnosis: dict[str, Json]
    chance: dict[str, float]
    seconds: float
    versions: dict[str, str]
    pairs: tuple[Pair, ...] = ()
    groups: dict[str, str] = dataclasses.field(default_factory=dict)
    best: Best | None = None
    metrics: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    references: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    learning_curve: LearningCurve | None = None
    row_curves: dict[str, Json] | None = None  # of all rows, with fitted power laws; see `regjax.comparison.row_curves`
    details: dict[str, dict[str, Json]] = dataclasses.field(default_factory=dict)
    importance: dict[str, Json] | None = None
    trained: Trained | None = dataclasses.field(default=None, repr=False, compare=False)
    predictions: Predictions | None = dataclasses.field(default=None, repr=False, compare=False)

    def rows(self) -> list[TechniqueResult]:
        """Return the baseline and the techniques, in order."""
        return [self.baseline, *self.techniques.values()]

    def to_json(self) -> dict[str, Json]:
        """Return the content of `results.json`, as JSON types; NaN becomes null.

        `caution` says why nothing can be said about chance, and what it takes; it is empty where it can.
        """
        content = _plain(dataclasses.asdict(dataclasses.replace(self, trained=None, predictions=None)))
        del content["trained"], content["predictions"]
        for row in [content["baseline"], *content["techniques"].values()]:
            if self.metric == "accuracy":
                row["test_accuracy"], row["train_accuracy"] = row["test"], row["train"]
            gain = row["improvement"]
            row["minimum_detectable_effect"] = gain and gain["minimum_detectable_effect"]
        content["caution"] = caution(content)
        content["atlas"] = similar(content)
        return content

    def dumps(self) -> str:
        """Return the text of `results.json`."""
        return json.dumps(self.to_json(), indent=1, allow_nan=False) + "\n"

    def csv(self) -> str:
        """Return the text of `table.csv`: one line per row, with unformatted numbers."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(_CSV_COLUMNS)
        for row in self.rows():
            gain, loss = row.improvement, row.loss_improvement
            writer.writerow(
                [
                    row.name,
                    row.chosen.get("value", ""),
                    row.chosen.get("edge") or "",
                    *_three(row.train),
                    *_three(row.test),
                    *_three(row.test_loss),
                    row.generalization_gap.mean,
                    *(
                        [gain.mean, *gain.ci95, gain.p, gain.p_holm, gain.p_adjusted, gain.minimum_detectable_effect]
                        if gain
                        else [""] * 7
                    ),
                    *([loss.mean, *loss.ci95, loss.p_holm, loss.p_adjusted] if loss else [""] * 5),
                    row.zero_fraction,
                    row.epochs.mean,
                    row.lanes,
                    self.groups.get(row.name, ""),
                    *_practical(gain),
                    *_practical(loss),
                    "" if loss is None else loss.p,
                ]
            )
        return out.getvalue()

    def __str__(self) -> str:
        """Format the table for a terminal."""
        measure = self._measure()
        scale, digits, unit = measure.scale, measure.digits, measure.unit
        sign, with_letters = METRICS[self.metric].sign, bool(self.groups)

        def number(value: float) -> str:
            return f"{value * scale:.{digits}f}"

        def spread(s: Spread) -> str:
            up, down = s.ci95[1] - s.mean, s.mean - s.ci95[0]
            if not math.isfinite(up):
                return number(s.mean)
            if number(up) != number(down):  # an end is clipped to what is possible
                return f"{number(s.mean)} ({number(s.ci95[0])} to {number(s.ci95[1])})"
            return f"{number(s.mean)} ±{number(up)}"

        head = [
            "technique", "chosen", f"train {measure.name}{unit}", f"test {measure.name}{unit}", "test loss",
            "change", "p", "adjusted p", "detectable", "zeros %", "epochs", *(["group"] if with_letters else []),
        ]  # fmt: skip
        body = []
        for row in self.rows():
            gain = row.improvement
            value = f"{row.chosen['value']:g}" if row.chosen.get("parameter") else ""
            half = (gain.ci95[1] - gain.ci95[0]) / 2 if gain else math.nan
            body.append(
                [
                    row.title,
                    value + ("*" if row.chosen.get("edge") else ""),
                    number(row.train.mean),
                    spread(row.test),
                    f"{row.test_loss.mean:.{measure.loss_digits}f}",
                    f"{sign * gain.mean * scale:+z.{digits}f}" + (f" ±{number(half)}" if math.isfinite(half) else "")
                    if gain
                    else "",
                    _p(gain.p) if gain else "",
                    _p(gain.p_adjusted) if gain else "",
                    number(gain.minimum_detectable_effect)
                    if gain and gain.minimum_detectable_effect is not None
                    else "",
                    f"{100 * row.zero_fraction:.0f}",
                    f"{row.epochs.mean:.0f}",
                    *([self.groups[row.name]] if with_letters else []),
                ]
            )
        widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
        lines = []
        for line in [head, *body]:
            cells = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
            lines.append("  ".join(cells).rstrip())
        lines.insert(1, "-" * len(lines[0]))
        content = self.to_json()
        verdict = [headline(content), loss_sentence(content)] if self.techniques else []
        lines.extend(["", *filter(None, verdict), *self.notes()])
        if self.settings.get("demonstration"):
            lines[:0] = [demonstration(self.settings), ""]
        return "\n".join(lines)

    def _measure(self) -> Measure:
        """The name and format of the metric."""
        baseline = {"test": {"mean": self.baseline.test.mean}, "test_loss": {"mean": self.baseline.test_loss.mean}}
        return Measure.of({"task": self.task, "metric": self.metric, "baseline": baseline})

    def _covered(self) -> str:
        """What the intervals of test results and changes are over."""
        if self.splits == 1:
            return "seeds and test examples of this one split (another split is not covered)"
        return "fresh splits, seeds and test examples"

    def notes(self) -> list[str]:
        """Return the notes below the table, which explain how to read it."""
        setting, measure = self.settings, self._measure()
        seeds = "1 run" if self.seeds == 1 else f"{self.seeds} runs"
        if self.splits > 1:
            seeds += f" on {self.splits} splits"
        notes = [
            f"{self.dataset}: {setting.get('task', self.task)}, "
            f"{setting['train_examples']} training examples, {setting['updates']} updates a run, "
            f"{seeds}; strengths chosen on {setting['select_examples']} validation examples "
            f"({self.select}), test ({setting['test_examples']} examples) evaluated once.",
        ]
        content = self.to_json()
        if self.seeds > 1 and not too_few_units(content):
            notes.append(
                f"± and change: 95% interval over {self._covered()}, change paired with the baseline. "
                "p: sign-flip test; adjusted p: over all rows (step-down maxT). detectable: the true change that so "
                "many runs show, by test and interval, with an expected power of 80%."
                f"{unknown_effects(content['techniques'].values(), independent_runs(content))} "
                "train: mean over the runs alone."
            )
        titles = {row.name: row.title for row in self.rows()}
        notes += reference_notes(content)
        notes += filter(None, [ahead_note(content), rare_class_note(content)])
        notes += target_notes(content)
        if self.groups:
            notes.append("group: rows that share a letter are not shown to differ (all pairs, step-down maxT).")
        if self.best and self.best.better_than:
            others = ", ".join(titles[name] for name in self.best.better_than)
            notes.append(f"{titles[self.best.name]} is shown to be better than {others}.")
        notes += filter(None, [content["caution"]])
        if setting.get("label_noise"):
            notes.append(
                f"{100 * setting['label_noise']:g}% of the training labels (and only those) are wrong on purpose, "
                "so that there is something to overfit; --label_noise=0 turns it off."
            )
        notes += filter(None, [
            learning_rate_sentence(setting, measure), luck_sentence(setting), coarse_choice(content, measure),
            tail_sentence(content, measure),
        ])  # fmt: skip
        if self.learning_curve:
            notes.append(more_data_sentence(content))
        notes += row_curve_sentences(content)
        if ties := sum(row.chosen.get("ties", 0) for row in self.rows()):
            choices = "1 choice" if ties == 1 else f"{ties} choices"
            notes.append(f"{choices} tied on validation: the lower loss decided, then the stronger setting.")
        if any(row.chosen.get("edge") for row in self.rows()):
            notes.append("* the chosen value is at an end of its grid: a wider grid might hold a better one.")
        diverged = sum(row.diverged for row in self.rows())
        if diverged:
            notes.append(f"{diverged} runs of chosen settings diverged; they count with the score of a constant guess.")
        return notes + atlas_sentences(content["atlas"])


def demonstration(settings: Mapping[str, Json]) -> str:
    """Return the first line of a comparison on the embedded digits.

    Example:
      >>> demonstration({"train_examples": 128, "pool": 1077, "label_noise": 0.1})
      'demonstration on the embedded digits: 128 of 1,077 training examples, 10% of their labels wrong on purpose'
    """
    examples, noise = f"{settings['train_examples']:,} of {settings['pool']:,}", 100 * settings["label_noise"]
    wrong = f"{noise:g}% of their labels wrong on purpose" if noise else "their labels as they are"
    return f"demonstration on the embedded digits: {examples} training examples, {wrong}"


_CSV_COLUMNS = [
    "technique", "chosen", "edge", "train", "train_low", "train_high", "test", "test_low", "test_high",
    "test_loss", "test_loss_low", "test_loss_high", "generalization_gap", "improvement", "improvement_low",
    "improvement_high", "p", "p_holm", "p_adjusted", "minimum_detectable_effect", "loss_improvement",
    "loss_improvement_low", "loss_improvement_high", "loss_p_holm", "loss_p_adjusted", "zero_fraction", "epochs",
    "lanes", "group", "practical", "worse", "same", "better", "loss_practical", "loss_worse", "loss_same",
    "loss_better", "loss_p",
]  # fmt: skip


def _three(s: Spread) -> list[float]:
    return [s.mean, *s.ci95]


def _practical(gain: Improvement | None) -> list[Value]:
    """The smallest change that matters, and the probabilities beside it."""
    if gain is None:
        return [""] * 4
    return [gain.practical, *(gain.posterior or [""] * 3)]


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if value >= 0.001 else "<.001"


def _plain(value: Value) -> Json:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        value = value._asdict()
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value
