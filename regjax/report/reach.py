"""What a comparison can show: with how many runs, and on how many examples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regjax.report.words import count, finite, plain

LEVEL = 0.05
FEWEST_UNITS = 4
"""Of fewer test examples, or groups of them, nothing is told: no interval of a difference of accuracies could exclude
0, not even that of all right against all wrong. Its half is at least `t_{m-1} / m`: 1.43 of three, 0.80 of four."""
MOST_RUNS = 500  # of the search behind `runs_needed` in results.json


def independent_runs(results: Mapping[str, Any]) -> int:
    """The number of independent observations of a comparison: its splits, or with one split its seeds.

    Example:
      >>> independent_runs({"seeds": 10, "splits": 5}), independent_runs({"seeds": 10, "splits": 1})
      (5, 10)
    """
    splits = int(results.get("splits") or 1)
    return splits if splits > 1 else int(results.get("seeds") or 0)


def one_split(results: Mapping[str, Any]) -> bool:
    """Whether several runs share one split, so that nothing is known of another.

    Example:
      >>> one_split({"seeds": 10, "splits": 1}), one_split({"seeds": 10, "splits": 10}), one_split({"seeds": 1})
      (True, False, False)
    """
    return results.get("splits") == 1 and results.get("seeds") != 1


def covered(results: Mapping[str, Any]) -> str:
    """What the intervals of test results and changes are over.

    Example:
      >>> covered({"seeds": 10, "splits": 10})
      'fresh splits, seeds and test examples'
      >>> covered({"seeds": 10, "splits": 1})
      'seeds and test examples of this one split; another split is not covered'
    """
    if one_split(results):
        return "seeds and test examples of this one split; another split is not covered"
    return "fresh splits, seeds and test examples"


def too_few_runs(runs: int, level: float = LEVEL) -> bool:
    """Whether no result can be significant: the smallest sign-flip p, `2 / 2^n`, exceeds `level`.

    Example:
      >>> too_few_runs(5), too_few_runs(6)
      (True, False)
    """
    return 2.0 ** (1 - runs) > level


def too_few_units(results: Mapping[str, Any]) -> int:
    """The number of test examples, or of their groups, of all runs together if it is too small; else 0.

    Example:
      >>> too_few_units({"settings": {"test_units": 1}}), too_few_units({"settings": {"test_units": 40}})
      (1, 0)
    """
    units = (results.get("settings") or {}).get("test_units")
    return int(units) if finite(units) and units < FEWEST_UNITS else 0


def with_so_few(results: Mapping[str, Any]) -> str:
    """What there is too little of to say anything about chance.

    Example:
      >>> with_so_few({"seeds": 1}), with_so_few({"seeds": 5})
      ('a single run', 'these 5 runs')
      >>> with_so_few({"seeds": 9, "settings": {"test_units": 2, "groups": 9}})
      '2 groups in the test part'
    """
    if units := too_few_units(results):
        return f"{count(units, _unit(results))} in the test part"
    seeds = int(results["seeds"])
    return "a single run" if seeds == 1 else f"these {count(seeds, 'run')}"


def _unit(results: Mapping[str, Any]) -> str:
    return "group" if finite((results.get("settings") or {}).get("groups")) else "example"


def caution(results: Mapping[str, Any]) -> str:
    """Why nothing can be said about chance, and what it takes; empty where it can."""
    runs, splits, seeds = independent_runs(results), int(results.get("splits") or 1), int(results["seeds"])
    texts = []
    if runs < 2:
        texts.append("One run: every number is of a single run, and no interval or test is possible.")
    elif results["techniques"] and too_few_runs(runs):
        smallest, needed = 2.0 ** (1 - runs), next(n for n in range(runs, 99) if not too_few_runs(n))
        flag = f"--seeds={needed}"
        if splits > 1 and seeds > splits:
            flag = f"--seeds={needed * (seeds // splits)} --splits={needed}"
        texts.append(
            f"Too few {'splits' if splits > 1 else 'runs'}: with {runs} the smallest possible p is {smallest:.3g}, so "
            f"nothing can pass, however large the effect, and the rows have no letters of groups. It takes {flag}."
        )
    if units := too_few_units(results):
        unit, total = _unit(results), (results.get("settings") or {}).get("groups")
        of_all = f" of {plain(total)}" if finite(total) else ""
        texts.append(
            f"Too few {unit}s in the test part: {units}{of_all}. "
            + ("The examples of a group are not independent, so they count as one. " if unit == "group" else "")
            + f"Below {FEWEST_UNITS} no test result has an interval, a test or a verdict: how much other {unit}s would "
            f"change it is not known. It takes more {unit}s in the test part: a larger --test_fraction, "
            + ("more splits (without --splits=1), " if splits == 1 else "")
            + f"or data with more {unit}s."
        )
    return " ".join(texts)


def runs_needed(gain: Mapping[str, Any], runs: int) -> int | None:
    """How many runs of a new comparison would show a true change that is as large as the one seen, with 80% power.

    What was seen is uncertain, so the number is too. None if more than `MOST_RUNS` are needed, if no number is enough,
    see `out_of_reach`, or if it is not known.

    Args:
      gain: an improvement of `results.json` whose verdict is `"none"`.
      runs: the number of independent observations behind it, see `independent_runs`; as they did not show it, they are
        the fewest that are named.

    Example:
      >>> runs_needed({"mean": 0.02, "runs_needed": 40, "least_detectable": 0.01}, 10)
      40
    """
    needed = gain.get("runs_needed")
    if out_of_reach(gain) or too_few_runs(runs) or not finite(needed):
        return None
    return max(int(needed), runs)


def out_of_reach(gain: Mapping[str, Any]) -> bool:
    """Whether no number of runs shows a change as small as the one seen with 80% power: the examples are too few.

    Example:
      >>> out_of_reach({"mean": 0.003, "least_detectable": 0.011})
      True
    """
    mean, least = gain.get("mean"), gain.get("least_detectable")
    return finite(mean) and finite(least) and abs(mean) < least


def beyond_search(gain: Mapping[str, Any]) -> bool:
    """Whether more than `MOST_RUNS` runs are needed to show a change as large as the one seen.

    Example:
      >>> beyond_search({"mean": 0.02, "runs_needed": None, "least_detectable": 0.019})
      True
    """
    known = finite(gain.get("mean")) and finite(gain.get("least_detectable"))
    return known and not out_of_reach(gain) and gain.get("runs_needed") is None


def examples_text(results: Mapping[str, Any]) -> str:
    """The examples that any number of runs would test, as `the 178 examples of this data set`."""
    settings = results.get("settings") or {}
    population, tested = settings.get("population"), settings.get("test_examples")
    if finite(groups := settings.get("groups")) and population != tested:
        return f"the {plain(groups)} groups of examples of this data set"
    if finite(population) and population != tested:
        return f"the {plain(population)} examples of this data set"
    return f"the {plain(tested)} test examples" if finite(tested) else "these test examples"


def reach(gain: Mapping[str, Any], runs: int) -> list[str]:
    """What it takes to show a change of the size that was seen, as a list of at most one phrase."""
    if not runs or too_few_runs(runs) or not gain.get("mean"):
        return []
    if out_of_reach(gain):
        return ["with these examples shown in fewer than 80% of comparisons, however many runs"]
    if beyond_search(gain):
        return [f"a change of this size takes more than {MOST_RUNS} runs"]
    needed = runs_needed(gain, runs)
    return [f"a change of this size takes about {count(needed, 'run')}"] if needed else []
