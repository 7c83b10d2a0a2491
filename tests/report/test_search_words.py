import pytest

from regjax.report import search_words as words

STEPS = [[0, 2, 4, 0.5], [1, 2, 4, 0.7], [2, 2, 4, None], [1, 6, 8, 0.8]]
SEARCH = {
    "method": "halving", "trials": 3, "finished": 1, "reduction": 3, "epochs": 20, "updates": 100, "whole_epochs": 36,
    "reference_epochs": 12, "steps": STEPS, "places": 8, "space": {"l2": {"low": 0.0, "high": 0.8, "log": False}},
}  # fmt: skip


def results(settings=4, **changes):
    return {"settings": [None] * settings, "search": SEARCH | changes}


def test_the_cost_has_what_was_spent_and_what_it_was_spared():
    [text] = words.cost(results())
    assert "3 trials for 20 epochs in all (100 updates), where training all to the end takes 36" in text
    assert text.endswith("; the reference took 12 more.")
    assert "references took 12" in words.cost(results(settings=5))[0]
    [whole] = words.cost(results(settings=3, method="random", epochs=36, reference_epochs=0))
    assert whole == "Random search trained 3 trials for 36 epochs in all (100 updates)."


@pytest.mark.parametrize("found", [{}, {"search": SEARCH | {"method": "grid"}}])
def test_nothing_is_said_of_a_grid(found):
    assert words.cost(found) == words.decisions(found) == []


def test_the_rungs_and_what_they_are_not_compared_with_are_said():
    rule, compared = words.decisions(results())
    assert "3 for 2 epochs and 1 for 6 epochs" in rule
    assert "best in 3" in rule
    assert "never compared" in compared
    asha = words.decisions(results(method="asha"))
    assert len(asha) == 3
    assert "8 trials trained at a time" in asha[-1]
    assert asha[0] != rule
    [optuna] = words.decisions(results(method="optuna"))
    assert "8 trials" in optuna
    [uneven] = words.decisions(results(method="sobol"))
    assert "such as 2 or 4; this one has 3" in uneven
    assert words.decisions(results(method="sobol", trials=16)) == []


@pytest.mark.parametrize(("value", "near"), [(0.01, True), (0.05, False), (0.4, False), (0.79, True)])
def test_a_value_near_an_end_of_its_range(value, near):
    assert words.at_the_end(results(), "l2", value) == near
    assert not words.at_the_end(results(space={"l2": [0.01, 0.79]}), "l2", value)
    assert not words.at_the_end({}, "l2", value)
