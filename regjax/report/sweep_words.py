"""Sentences about a sweep, for its page and for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regjax.report.reach import LEVEL, too_few_runs
from regjax.report.search_words import cost
from regjax.report.words import Measure, count, ends, finite, fixed, listing, p_value, plain

Results = Mapping[str, Any]


def sweep_sentences(results: Results) -> list[str]:
    """What the terminal prints about a sweep: the best setting, the second, and the commands that confirm the best.

    Args:
      results: the content of `results.json`.
    """
    found = [
        headline(results),
        *cost(results),
        *optimism(results),
        *epoch_choice(results),
        second(results),
        simplest(results),
        reference_sentence(results),
    ]
    confirm = results.get("confirm") or {}
    return [*filter(None, [*found, confirmation(results)]), *(f"  {line}" for line in confirm.get("commands") or [])]


def name_of(values: Mapping[str, Any]) -> str:
    """A setting by its values.

    Example:
      >>> name_of({"l2": 0.01, "dropout": 0.5})
      'l2 = 0.01 and dropout = 0.5'
    """
    return listing([f"{name} = {plain(value)}" for name, value in values.items()])


def headline(results: Results) -> str:
    """Which setting is best on validation, with its score and how far it is above the reference."""
    measure, best = Measure.of(results), best_setting(results)
    if best is None:
        swept = listing(list(results["parameters"]))
        return f"Every setting of {swept} had a run without a result, so none can be called best."
    interval = measure.range(best["score"]["ci95"])
    value = measure.value(best["score"]["mean"]) + measure.unit + (f" (95% interval {interval})" if interval else "")
    runs = f"mean of {runs_of(results)}" if best["runs"] > 1 else "one seed"
    subject = f"the {'reference' if best['reference'] else 'one'} with {name_of(best['values'])}"
    metric, gain = f"validation {measure.name}", results["best"]["over_second"]
    found = f"{subject} has the highest {metric}"
    if gain and is_zero(gain["mean"], measure):
        found = f"none has a higher {metric} than {subject}"
    text = f"Of {tried(results)}, {found}"
    return f"{text}: {value}, {runs}{_above_reference(results, best, measure)}."


def is_search(results: Results) -> bool:
    """Whether settings were searched for; else they are a grid."""
    return (results.get("search") or {}).get("method", "grid") != "grid"


def tried(results: Results) -> str:
    """The settings that were tried, in words.

    Example:
      >>> tried({"settings": [0] * 9, "search": {"method": "asha", "trials": 8, "finished": 2}})
      '8 trials, of which 2 trained to the end, and the reference'
    """
    if not is_search(results):
        return count(len(results["settings"]), "setting")
    search = results["search"]
    text, added = count(search["trials"], "trial"), len(results["settings"]) - search["trials"]
    if search["finished"] < search["trials"]:
        text += f", of which {plain(search['finished'])} trained to the end{',' if added else ''}"
    return text + ("" if not added else " and the reference" if added == 1 else f" and {plain(added)} references")


def is_cross_validation(results: Results) -> bool:
    """Whether the runs of a setting are the folds of a cross-validation; else they are seeds on the same examples."""
    return bool(results.get("cross_validation"))


def unit_of(results: Results) -> str:
    """What the runs of a setting differ in: `"seed"` or `"fold"`."""
    return "fold" if is_cross_validation(results) else "seed"


def runs_of(results: Results) -> str:
    """The runs of a setting in words.

    Example:
      >>> runs_of({"seeds": 3}), runs_of({"seeds": 2, "cross_validation": {"folds": 5, "order": "random"}})
      ('3 seeds', '5 folds (cut 2 times)')
    """
    seeds, cross_validation = int(results["seeds"]), results.get("cross_validation")
    if not cross_validation:
        return count(seeds, "seed")
    in_time = cross_validation["order"] == "time"
    kind = " in order of time" if in_time else " of whole groups" if cross_validation["order"] == "groups" else ""
    times = f" ({count(seeds, 'seed')} each)" if in_time else f" (cut {plain(seeds)} times)"
    times = times if seeds > 1 else ""
    return f"{count(int(cross_validation['folds']), 'fold')}{kind}{times}"


def best_setting(results: Results) -> Mapping[str, Any] | None:
    """The best setting; None if every setting has a run without a score."""
    best = results.get("best")
    return results["settings"][best["setting"]] if best else None


def optimism(results: Results) -> list[str]:
    """Says that the best was chosen on the examples that score it, and from how many settings."""
    if best_setting(results) is None:
        return []
    settings, examples = len(results["settings"]), results.get("validation_examples")
    if settings < 2:
        return []
    what = "examples of the folds" if is_cross_validation(results) else "validation examples"
    shown = f"{plain(examples)} {what}" if finite(examples) else what
    return [
        f"It is the best of {settings} settings on the very {shown} that chose it, so its score is optimistic, and so "
        "are its differences from the others."
    ]


def epoch_choice(results: Results) -> list[str]:
    """Says that the epoch of each run was chosen on the examples that score it, and what that changed.

    The scores of the last epochs are not optimistic in this way. What the choice gains is part chance, part what early
    stopping truly gains, and the same examples cannot tell which.

    Example:
      >>> epoch_choice({"metric": "accuracy", "epoch_chosen": "stopped"})[0]
      'When each run stops was decided on the validation examples that score it, so scores are optimistic.'
    """
    chosen, gain = results.get("epoch_chosen"), results.get("over_last_epoch")
    if chosen == "stopped":
        return ["When each run stops was decided on the validation examples that score it, so scores are optimistic."]
    if chosen != "best":
        return []
    text = "The best epoch of each run was chosen on the validation examples that score it, so scores are optimistic"
    if not finite(gain):
        return [f"{text}."]
    measure = Measure.of(results)
    where = "level with" if is_zero(gain, measure) else f"{size_of(gain, measure)} {'above' if gain > 0 else 'below'}"
    return [f"{text}: their mean is {where} that of the last epochs; how much of it is chance is not known."]


def second(results: Results) -> str:
    """How far the second setting is below the best, and whether they are shown to differ; empty without a second."""
    gain = (results.get("best") or {}).get("over_second")
    if not gain:
        return ""
    measure = Measure.of(results)
    other, seeds, unit = results["settings"][gain["setting"]], int(results["seeds"]), unit_of(results)
    subject = f"The second, {'the reference ' if other['reference'] else ''}with {name_of(other['values'])}, is"
    where = "level with it" if is_zero(gain["mean"], measure) else f"{size_of(gain['mean'], measure)} below"
    interval = measure.changes(gain["ci95"])
    where += "" if interval or (seeds < 2 and unit == "seed") else f" in every {unit}"
    details = [f"95% interval over {unit}s {interval}"] if interval else []
    if not finite(gain["p"]):
        return f"{subject} {where}; {'folds that agree do' if unit == 'fold' else 'one seed does'} not tell them apart."
    details.append(f"{_test_over(unit)} p {p_equals(gain['p'])}")
    text = f"{subject} {where} ({', '.join(details)})"
    if told_apart(gain):
        return f"{text}: they are shown to differ on these examples."
    few = unit == "seed" and too_few_runs(seeds)
    why = f"; no test of fewer than 6 seeds could, and there are {seeds}" if few else ""
    return f"{text}: they are not shown to differ{why}."


def simplest(results: Results) -> str:
    """The strongest setting whose score is within one standard error of the best; empty where there is none."""
    rule = results.get("one_standard_error")
    if not rule:
        return ""
    measure, setting = Measure.of(results), results["settings"][rule["setting"]]
    error, values = f"one standard error ({size_of(rule['error'], measure)})", name_of(setting["values"])
    name = rule["parameter"]
    less = name == "patience"  # which regularizes more the smaller it is
    more, most = ("smaller", "smallest") if less else ("stronger", "strongest")
    tried = [one["values"][name] for one in results["settings"]]
    at_end = setting["values"][name] == (min(tried) if less else max(tried))
    if rule["setting"] == results["best"]["setting"]:
        end = f"The best has the {most} {name} that was tried, so a {more} one might be within {error} of it."
        return end if at_end else f"No {more} {name} is within {error} of the best."
    beyond = f"; none {more} was tried" if at_end else ""
    return f"The {most} {name} within {error} of the best is the setting with {values}{beyond}."


def told_apart(gain: Mapping[str, Any]) -> bool:
    """Whether the seeds or folds show that the better of two settings is better on the same examples.

    Of a difference from the reference, the p-value is the one that is corrected for all settings.

    Example:
      >>> told_apart({"p": 0.03, "ci95": [0.001, 0.02]}), told_apart({"p": 0.25, "ci95": [0.001, 0.02]})
      (True, False)
    """
    pair = ends(gain["ci95"])
    p = gain.get("p_adjusted", gain["p"])
    return finite(p) and p <= LEVEL and (pair is None or pair[0] > 0)


def reference_sentence(results: Results) -> str:
    """Describes the reference, or says why there is none."""
    reference = results.get("reference")
    if not reference:
        swept = listing(list(results["parameters"]))
        return f"There is no reference: {swept} can be chosen but not turned off."
    text = f"The reference has every swept regularizer off ({name_of(reference['off'])}); other flags stay as given"
    if reference["chosen"]:
        text += f", and {listing(reference['chosen'])} as chosen for it by the same examples"
    each = "".join(f". Each {name} has a reference of its own" for name in reference["each"])
    failed = all(setting["failed"] for setting in results["settings"] if setting["reference"])
    return f"{text}{each}." + (" It had a run without a result, so nothing is compared with it." if failed else "")


def confirmation(results: Results) -> str:
    """Describes the commands that confirm the best setting, or says why there are none."""
    best, confirm = best_setting(results), results.get("confirm")
    if best is None:
        return ""
    if not confirm and best["reference"]:
        return "No setting is above the reference on validation, so there is no gain to confirm."
    if not confirm:
        return ""
    if confirm["with"] is None:
        pair = "score this setting"
    else:
        other = results["settings"][confirm["with"]]
        pair = f"compare this setting with {'the reference' if other['reference'] else 'the second'}"
    return f"To {pair} on the test examples, which no run here has seen, with new seeds:"


def reading_of_confirmation(results: Results) -> str:
    """How to read the results of the confirming commands; empty if there is nothing to add."""
    confirm, measure = results.get("confirm") or {}, Measure.of(results)
    if confirm.get("command") == "train":
        return f"Each run prints its test {measure.name}, which its summary.json has too."
    if confirm.get("command") == "compare" and results.get("restore_best"):
        return "The comparison scores the weights of the last epoch, this sweep those of the best one."
    return ""


def _above_reference(results: Results, best: Mapping[str, Any], measure: Measure) -> str:
    gain = best.get("over_reference")
    if not gain:
        return ""
    other = f"without {listing(list(results['reference']['off']))}"
    interval = measure.changes(gain["ci95"])
    unit = unit_of(results)
    details = [f"95% interval over {unit}s {interval}"] if interval else []
    if finite(gain.get("p_adjusted")):
        corrected = f", corrected for {plain(gain['tests'])} settings" if gain["tests"] > 1 else ""
        details.append(f"{_test_over(unit)} p {p_equals(gain['p_adjusted'])}{corrected}")
    every = f" in every {unit}" if best["runs"] > 1 and not interval else ""
    tail = every + (f" ({', '.join(details)})" if details else "")
    if is_zero(gain["mean"], measure):
        return f", level with the reference {other}{tail}"
    where = "above" if gain["mean"] > 0 else "below"
    shown = "" if told_apart(gain) or not finite(gain["p"]) else "; they are not shown to differ"
    return f", {size_of(gain['mean'], measure)} {where} the reference {other}{tail}{shown}"


def size_of(value: float, measure: Measure) -> str:
    """A difference without its sign, with its unit and enough decimals not to be 0."""
    size = abs(value) * measure.scale
    digits = measure.digits
    while digits < measure.digits + 3 and round(size, digits) == 0:
        digits += 1
    return fixed(size, digits) + measure.step


def _test_over(unit: str) -> str:
    return "corrected t-test" if unit == "fold" else "sign-flip"


def is_zero(value: float, measure: Measure) -> bool:
    """Whether a difference is 0 but for rounding."""
    return abs(value) * measure.scale < 10.0 ** -(measure.digits + 3)


def p_equals(value: float) -> str:
    """A p-value with its sign of relation.

    Example:
      >>> p_equals(0.031), p_equals(1e-5)
      ('= 0.031', '<0.001')
    """
    text = p_value(value)
    return text if text.startswith("<") else f"= {text}"
