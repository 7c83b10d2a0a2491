import pytest

from regjax.report.reach import (
    beyond_search,
    examples_text,
    independent_runs,
    out_of_reach,
    reach,
    runs_needed,
    too_few_runs,
)

NONE = {"mean": 0.02, "ci95": [-0.01, 0.05], "p_adjusted": 0.3, "runs_needed": 40, "least_detectable": 0.011}


@pytest.mark.parametrize(("facts", "expected"), [({"splits": 5}, 5), ({"splits": 1}, 10), ({}, 10)])
def test_splits_are_the_independent_observations_if_there_are_several(facts, expected):
    assert independent_runs({"seeds": 10, **facts}) == expected


def test_too_few_runs():
    # 2 / 2^5 = 0.0625 and 2 / 2^6 = 0.031, however many rows.
    assert too_few_runs(5)
    assert not too_few_runs(6)


@pytest.mark.parametrize(
    ("change", "runs", "needed", "kind"),
    [
        ({}, 10, 40, "about 40 runs"),
        ({}, 50, 50, "about 50 runs"),  # these did not show it, so no fewer are named
        ({"mean": 0.003}, 10, None, "fewer than 80%"),
        ({"mean": -0.003}, 10, None, "fewer than 80%"),
        ({"runs_needed": None}, 10, None, "more than 500 runs"),
        ({"runs_needed": None, "least_detectable": None}, 10, None, ""),
        ({"mean": 0.0}, 10, None, ""),  # there is nothing to show
        ({}, 5, None, ""),  # five runs show nothing, and their spread is hardly known
    ],
)
def test_what_it_takes_is_a_number_of_runs_or_the_reason_why_there_is_none(change, runs, needed, kind):
    gain = NONE | change
    assert runs_needed(gain, runs) == needed
    phrases = reach(gain, runs)
    assert len(phrases) == bool(kind)
    assert kind in "".join(phrases)
    assert not (out_of_reach(gain) and beyond_search(gain))


def test_the_examples_are_all_that_splits_can_test():
    assert "178" in examples_text({"settings": {"population": 178, "test_examples": 18}})
    assert "360" in examples_text({"settings": {"population": 360, "test_examples": 360}})
    assert "9 groups" in examples_text({"settings": {"population": 178, "test_examples": 18, "groups": 9}})
    assert examples_text({})
