"""What is said of the baseline: whether it overfits, in how many runs, and from when on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from regjax.report.words import Measure, count, finite, fixed, listing, plain

_OF_RUNS = {  # the verdict of a run, as it is counted
    "overfit": "overfits",
    "correct_fit": "is not shown to overfit",
    "underfit": "underfits",
    "undecided": "is undecided",
    "diverged": "diverges",
}


def median_onset(diagnosis: Mapping[str, Any]) -> float | None:
    """The epoch from which a baseline that overfits does so; None for another verdict, where a run may have one."""
    onset = diagnosis.get("median_onset")
    return float(onset) if diagnosis.get("verdict") == "overfit" and finite(onset) else None


def counted(diagnosis: Mapping[str, Any]) -> str:
    """How many runs have which verdict; empty if all have the same.

    Example:
      >>> counted({"verdicts": {"correct_fit": 4, "overfit": 4, "undecided": 2}})
      'overfits in 4 of 10 runs, is not shown to overfit in 4 and is undecided in 2'
    """
    verdicts = diagnosis.get("verdicts") or {}
    if len(verdicts) < 2:
        return ""
    names = [name for name in _OF_RUNS if verdicts.get(name)]
    parts = [f"{_OF_RUNS[name]} in {verdicts[name]}" for name in names]
    return listing([f"{parts[0]} of {count(sum(verdicts.values()), 'run')}", *parts[1:]])


def onset_clause(diagnosis: Mapping[str, Any], loss: str) -> str:
    """From when on the validation loss rises, and in how many runs that is shown; empty without a median onset."""
    onset, onsets = median_onset(diagnosis), diagnosis.get("onset_epochs") or []
    if onset is None:
        return ""
    shown = [epoch for epoch in onsets if finite(epoch)]
    if len(onsets) < 2:
        return f"its validation {loss} rises from epoch {plain(onset)} on"
    where = "all runs" if len(shown) == len(onsets) else f"{len(shown)} of {len(onsets)} runs"
    begins = f"it begins at epoch {plain(onset)} {_median([plain(min(shown)), plain(max(shown))])}"
    return f"where a rise of its validation {loss} is shown ({where}), {begins}"


def _median(ends: Sequence[str], unit: str = "") -> str:
    """That a value is a median, with the lowest and the highest value if they differ."""
    return "(median)" if ends[0] == ends[1] else f"(median; range {ends[0]} to {ends[1]}{unit})"


def _rise(diagnosis: Mapping[str, Any], loss: str) -> str:
    """How far the runs that show a rise end above their lowest loss; empty if that is not known."""
    size, each = diagnosis.get("generalization_loss"), diagnosis.get("generalization_losses") or []
    shown = [rise for rise in each if finite(rise)]
    if not shown or not finite(size):
        return ""
    text = f", and the {loss} ends {fixed(size, 0)}% above its lowest"
    if len(each) < 2:
        return text
    return f"{text} {_median([fixed(min(shown), 0), fixed(max(shown), 0)], '%')}"


def _gap(results: Mapping[str, Any]) -> str:
    """How much better training ends than validation, by the metric or else by the loss; empty if that is unknown."""
    diagnosis, measure = results.get("diagnosis") or {}, Measure.of_training(results)
    runs = len(diagnosis.get("onset_epochs") or [])
    of_runs = f", mean of {count(runs, 'run')}" if runs > 1 else ""
    metric_gap, loss_gap = diagnosis.get("metric_gap"), diagnosis.get("generalization_gap")
    if finite(metric_gap) and metric_gap > 0:
        size = f"{measure.value(metric_gap)}{measure.step}"
        return f"training {measure.name} is {size} above validation {measure.name}{of_runs}"
    if finite(loss_gap) and loss_gap > 0:
        return f"validation {measure.loss} is {fixed(loss_gap, 3)} above training {measure.loss}{of_runs}"
    return ""


def _left(diagnosis: Mapping[str, Any], loss: str) -> str:
    """The training loss as a share of that of a constant guess; empty if it is not known."""
    share = diagnosis.get("training_loss_share")
    return f"its training {loss} ends at {fixed(100 * share, 0)}% of a constant guess's" if finite(share) else ""


def _in_brackets(*texts: str) -> str:
    """The texts that are not empty in one pair of brackets, with a leading space."""
    known = [text for text in texts if text]
    return f" ({'; '.join(known)})" if known else ""


def baseline_clause(results: Mapping[str, Any]) -> str:
    """The first clause of the headline."""
    diagnosis, loss = results.get("diagnosis") or {}, Measure.of(results).loss
    verdict, onset, each = diagnosis.get("verdict"), onset_clause(diagnosis, loss), counted(diagnosis)
    of_runs, given = f"it {each}" if each else "", _always(results)
    runs = _in_brackets(of_runs)
    subject = f"With {given} in every run the model" if given else "Without regularization the model"
    if verdict == "overfit" and onset:
        return f"{subject} overfits{runs}: {onset}{_rise(diagnosis, loss)}"
    if verdict == "overfit":
        gap = _gap(results)
        if not gap:
            return f"{subject} overfits{runs}: it does better on its training examples than on new ones"
        return f"{subject} overfits{_in_brackets(of_runs, gap)}"
    if verdict == "underfit":
        left = _in_brackets(_left(diagnosis, loss), of_runs)
        return f"{subject} underfits, or more cannot be learned from these inputs{left}"
    if verdict == "correct_fit":
        return f"{subject} is not shown to overfit{runs}"
    if verdict == "undecided" and each:
        return f"Whether the model overfits {_with(given)} is undecided: it {each}"
    if verdict == "undecided":
        return f"Whether the model overfits {_with(given)} cannot be told from its validation {loss}"
    if verdict == "diverged":
        text = _with(given)
        return f"{text[0].upper()}{text[1:]} the training diverged{runs}"
    return f"The {'' if given else 'unregularized '}baseline was compared with each technique"


def _always(results: Mapping[str, Any]) -> str:
    """The regularizers that every run has, the baseline included; empty if there are none."""
    return listing([str(one) for one in (results.get("settings") or {}).get("always") or []])


def _with(given: str) -> str:
    return f"with {given} in every run" if given else "without regularization"


def picture(results: Mapping[str, Any], measure: Measure, shade: str) -> dict[str, str]:
    """Heading and caption of the figure of the baseline."""
    diagnosis = results.get("diagnosis") or {}
    verdict, onset, each = diagnosis.get("verdict"), onset_clause(diagnosis, measure.loss), counted(diagnosis)
    heading = {
        "overfit": "The baseline overfits",
        "underfit": "The baseline underfits, or more cannot be learned",
        "correct_fit": "The baseline is not shown to overfit",
        "undecided": "Whether the baseline overfits is undecided"
        if each
        else "Whether the baseline overfits cannot be told",
        "diverged": "The training of the baseline diverged",
    }.get(str(verdict), "The baseline")
    given = _always(results)
    text = f"The baseline, with {given} like every row, {shade}." if given else f"The unregularized baseline, {shade}."
    if each:
        text += f" It {each}."
    if onset:
        text += f" Training goes on fitting its examples while validation {measure.loss} turns around: {onset}."
        if sum(map(finite, diagnosis.get("onset_epochs") or [])) > 1:
            text += " The ticks at the foot are the runs."
    gap = diagnosis.get("metric_gap")
    if finite(gap):
        side, measure = "above" if gap >= 0 else "below", Measure.of_training(results)
        size = measure.value(abs(gap)) + measure.step
        text += (
            f" At the end, training {measure.name} is {size} {side} validation; the gap of the table is to the test "
            "examples."
        )
    return {"heading": heading, "caption": text}
