"""The result of a comparison: its types, its JSON form and its table."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from regjax.analysis import FEWEST_RUNS, Best, Interval, Pair, Posterior, Predictions
from regjax.comparison.metrics import reference_notes
from regjax.core.typing import ApplyFn, Json, Value
from regjax.data import Preprocessor
from regjax.training.state import Weights


@dataclasses.dataclass(frozen=True)
class Spread:
    """A number over runs: mean, 95% confidence interval of the mean, and the values.

    The intervals of test scores and losses are over fresh splits, seeds and test examples; others are over these runs.
    """

    mean: float
    ci95: tuple[float, float]
    values: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Improvement:
    """The improvement of a technique over the baseline, paired over runs; positive is better, also for losses.

    Attributes:
      mean: mean over runs.
      ci95: 95% confidence interval of the mean over fresh splits, seeds and test examples
        (`regjax.analysis.run_interval`), which decides.
      ci95_runs: 95% confidence interval of the mean over the splits alone, or with one split over its runs.
      components: variances of the improvement of one run: between splits, and between the seeds of a split. The first
        is that of both together if no split has several seeds; the second is None then.
      p: p-value of the two-sided sign-flip test of this row alone; None with a single run.
      p_holm: by Holm's correction over all rows of the table, for comparison.
      p_adjusted: by step-down maxT over jointly flipped splits, or with one split its runs
        (`regjax.analysis.joint_flips`), which decides.
      p_monte_carlo_error: standard error of `p_adjusted`; 0 where all flips are enumerated, up to 20 of them.
      minimum_detectable_effect: the true effect that gets its verdict with 80% power, with so many runs and these rows:
        a `p_adjusted` of at most 5% and a `ci95` without 0 (`regjax.analysis.VerdictPower`). None where no effect can
        be found, as with fewer than 6 splits, or with one split 6 runs.
      runs_needed: the number of independent observations, splits or with one split runs, of a new comparison that would
        show a true change as large as `mean` with 80% power, rounded up to two digits; None where 500 are too few, or
        where nothing can be found.
      least_detectable: the true effect that would be shown with 80% power by runs without end, on this number of
        examples; None where nothing can be found.
      practical: the smallest change that matters, from the options; None if none was given.
      posterior: probabilities that the true change is worse, practically the same or better
        (`regjax.analysis.practical_posterior`); None with a single seed.
      observations: the number of independent observations: splits, or with one split runs. With fewer than 6 nothing is
        called better, worse or practically the same.
    """

    mean: float
    ci95: tuple[float, float]
    ci95_runs: tuple[float, float]
    components: dict[str, float | None]
    p: float | None
    p_holm: float | None
    p_adjusted: float | None
    p_monte_carlo_error: float | None
    minimum_detectable_effect: float | None
    runs_needed: int | None = None
    least_detectable: float | None = None
    practical: float | None = None
    posterior: Posterior | None = None
    observations: int | None = None


@dataclasses.dataclass(frozen=True)
class GridPoint:
    """The result of one setting on the selection split."""

    value: float
    select_score: Spread
    select_loss: float
    diverged: int


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The calibration of the class probabilities on the test examples.

    Attributes:
      ece: expected calibration error, over 15 bins of equal mass (`regjax.analysis.expected_calibration_error`).
      brier: Brier score, summed over classes.
      log_loss: negative logarithm of the probability of the label; the mean is that of the test loss, except that a
        probability that float32 rounds to 0 has an upper bound.
      reliability: `confidence`, `accuracy` and `counts` of the bins of all runs together.
    """

    ece: Spread
    brier: Spread
    log_loss: Spread
    reliability: dict[str, Json]


@dataclasses.dataclass(frozen=True)
class TechniqueResult:
    """One row of the comparison; the test results are those of the chosen setting."""

    name: str
    title: str
    chosen: dict[str, Json]  # parameter, value, edge ("low", "high" or None), selected_by, ...
    grid: tuple[GridPoint, ...]
    test: Spread  # the main metric: accuracy or R2
    test_loss: Spread
    test_mse: Spread | None  # regression, in the units of the target
    train: Spread  # the main metric on the training examples
    train_loss: Spread
    generalization_gap: Spread  # main metric on the training set minus that on the test set
    improvement: Improvement | None  # None for the baseline
    loss_improvement: Improvement | None
    zero_fraction: float  # fraction of the penalizable weights that are exactly zero, mean over runs
    epochs: Spread
    diverged: int  # runs of the chosen setting that diverged; they score at chance
    lanes: int  # number of runs of this row, its tuning budget
    seconds: float  # compute time of those runs, summed over workers
    curves: dict[str, Json]  # means and confidence intervals over runs, by epoch
    weights: dict[str, Json]  # histogram of the weights
    params_sha256: tuple[str, ...] = ()  # of the final parameters of each seed
    flags: tuple[dict[str, Value], ...] | None = None  # of the command `train` for the chosen setting, by run
    calibration: Calibration | None = None  # classification


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
    `pairs`, `groups` and `best` are of the test score. Rows that share a letter of `groups` are not shown to differ.
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
    trained: Trained | None = dataclasses.field(default=None, repr=False, compare=False)
    predictions: Predictions | None = dataclasses.field(default=None, repr=False, compare=False)

    def rows(self) -> list[TechniqueResult]:
        """Return the baseline and the techniques, in order."""
        return [self.baseline, *self.techniques.values()]

    def to_json(self) -> dict[str, Json]:
        """Return the content of `results.json`, as JSON types; NaN becomes null."""
        content = _plain(dataclasses.asdict(dataclasses.replace(self, trained=None, predictions=None)))
        del content["trained"], content["predictions"]
        for row in [content["baseline"], *content["techniques"].values()]:
            if self.task == "classification":
                row["test_accuracy"], row["train_accuracy"] = row["test"], row["train"]
            gain = row["improvement"]
            row["minimum_detectable_effect"] = gain and gain["minimum_detectable_effect"]
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
        scale = 100.0 if self.task == "classification" else 1.0
        digits = 1 if self.task == "classification" else 3
        unit = " %" if self.task == "classification" else ""

        def number(value: float) -> str:
            return f"{value * scale:.{digits}f}"

        def spread(s: Spread) -> str:
            half = max(s.ci95[1] - s.mean, s.mean - s.ci95[0])  # one end may be clipped
            return number(s.mean) + (f" ±{number(half)}" if math.isfinite(half) else "")

        head = [
            "technique", "chosen", f"train {self.metric}{unit}", f"test {self.metric}{unit}", "test loss",
            "change", "p", "adjusted p", "detectable", "zeros %", "epochs", *(["group"] if self.groups else []),
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
                    f"{row.test_loss.mean:.3f}",
                    f"{gain.mean * scale:+z.{digits}f}" + (f" ±{number(half)}" if math.isfinite(half) else "")
                    if gain
                    else "",
                    _p(gain.p) if gain else "",
                    _p(gain.p_adjusted) if gain else "",
                    number(gain.minimum_detectable_effect)
                    if gain and gain.minimum_detectable_effect is not None
                    else "",
                    f"{100 * row.zero_fraction:.0f}",
                    f"{row.epochs.mean:.0f}",
                    *([self.groups[row.name]] if self.groups else []),
                ]
            )
        widths = [max(len(line[i]) for line in [head, *body]) for i in range(len(head))]
        lines = []
        for line in [head, *body]:
            cells = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(line, widths, strict=True))]
            lines.append("  ".join(cells).rstrip())
        lines.insert(1, "-" * len(lines[0]))
        lines.extend(["", *self.notes()])
        if self.settings.get("demonstration"):
            lines[:0] = [demonstration(self.settings), ""]
        return "\n".join(lines)

    def _covered(self) -> str:
        """What the intervals of test results and changes are over."""
        if self.splits == 1:
            return "seeds and test examples of this one split (another split is not covered)"
        return "fresh splits, seeds and test examples"

    def notes(self) -> list[str]:
        """Return the notes below the table, which explain how to read it."""
        setting = self.settings
        seeds = "1 run" if self.seeds == 1 else f"{self.seeds} runs"
        independent = self.splits if self.splits > 1 else self.seeds
        if self.splits > 1:
            seeds += f" on {self.splits} splits"
        notes = [
            f"{self.dataset}: {setting.get('task', self.task)}, "
            f"{setting['train_examples']} training examples, {setting['updates']} updates a run, "
            f"{seeds}; strengths chosen on {setting['select_examples']} validation examples "
            f"({self.select}), test ({setting['test_examples']} examples) evaluated once.",
        ]
        if self.seeds > 1:
            notes.append(
                f"± and change: 95% interval over {self._covered()}, change paired with the baseline. "
                "p: sign-flip test; adjusted p: over all rows (step-down maxT). detectable: the true change that so "
                "many runs show, by test and interval, with 80% power. train: mean over the runs alone."
            )
        titles = {row.name: row.title for row in self.rows()}
        notes += reference_notes(self.task, self.metric, titles, self.metrics, self.references)
        if self.groups:
            notes.append("group: rows that share a letter are not shown to differ (all pairs, step-down maxT).")
        if self.best and self.best.better_than:
            others = ", ".join(titles[name] for name in self.best.better_than)
            notes.append(f"{titles[self.best.name]} is shown to be better than {others}.")
        if independent < 2:
            notes.append("A single run: no interval and no test is possible.")
        elif independent < FEWEST_RUNS:
            notes.append(
                f"With {seeds} no p can be below {2.0 / 2**independent:g}, so nothing can be significant; that takes "
                f"{FEWEST_RUNS} {'splits' if self.splits > 1 else 'runs'}."
            )
        if setting.get("label_noise"):
            notes.append(
                f"{100 * setting['label_noise']:g}% of the training labels (and only those) are wrong on purpose, "
                "so that there is something to overfit; --label_noise=0 turns it off."
            )
        if setting["train_examples"] == setting.get("pool"):
            notes.append("All training examples are in use, so more data is no row; --train_examples=N leaves some.")
        if ties := sum(row.chosen.get("ties", 0) for row in self.rows()):
            notes.append(f"{ties} choices tied on validation: the lower loss decided, then the stronger setting.")
        if any(row.chosen.get("edge") for row in self.rows()):
            notes.append("* the chosen value is at an end of its grid: a wider grid might hold a better one.")
        diverged = sum(row.diverged for row in self.rows())
        if diverged:
            notes.append(f"{diverged} runs of chosen settings diverged; they count with the score of a constant guess.")
        return notes


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


def spread(values: Iterable[float], interval: Interval) -> Spread:
    """Make a `Spread` from values and their confidence interval."""
    return Spread(interval.mean, (interval.low, interval.high), tuple(float(v) for v in values))


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
