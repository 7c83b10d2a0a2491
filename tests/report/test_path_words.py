"""What is said of paths follows from their numbers."""

import re

import pytest

from regjax.report import path_words as words


def point(value, score, zeros=0.0, inputs=None, runs=3):
    interval = [score - 0.05, score + 0.05]
    return {
        "value": value, "runs": runs, "failed": 0, "score": {"mean": score, "ci95": interval}, "train_score": 0.9,
        "val_loss": 0.5, "train_loss": 0.4, "zeros": zeros, "norm": 2.0, "epochs": 3, "inputs": inputs,
    }  # fmt: skip


def results_of(up, down=None, **changes):
    values = [0.01, 0.1, 1.0]
    orders = {"up": up} | ({"down": down} if down else {})
    return {
        "dataset": "d", "task": "classification", "metric": "accuracy", "seeds": 3, "parameter": "l1", "values": values,
        "validation_examples": 90, "columns": None, "orders": orders, "best": {"order": "up", "position": 0},
        "one_standard_error": {"order": "up", "position": 1, "error": 0.0123}, "orders_differ": None,
    } | changes  # fmt: skip


UP = [point(0.01, 0.9, 0.1), point(0.1, 0.89, 0.6), point(1.0, 0.5, 1.0)]
DOWN = [point(0.01, 0.5, 0.9), point(0.1, 0.5, 1.0), point(1.0, 0.5, 1.0)]


def numbers(text):
    return re.findall(r"\d+\.\d+|\d+(?=%)", text)


def test_the_headline_has_the_point_its_score_and_its_zeros():
    assert numbers(words.headline(results_of(UP))) == ["0.01", "90.0", "95", "85.0", "95.0", "10"]
    assert words.ORDERS["up"] not in words.headline(results_of(UP))  # there is no other order
    assert words.ORDERS["up"] in words.headline(results_of(UP, DOWN))
    assert "none can be called best" in words.headline(results_of(UP, best=None))


def test_the_strongest_near_the_best_has_its_zeros_and_the_error():
    assert numbers(words.simplest(results_of(UP))) == ["1.2", "0.1", "60"]
    at_best = {"order": "up", "position": 0, "error": 0.0123}
    assert words.simplest(results_of(UP, one_standard_error=at_best)).startswith("No stronger value")
    assert words.simplest(results_of(UP, one_standard_error=None)) == ""


@pytest.mark.parametrize(("difference", "higher"), [(0.39, "up"), (-0.2, "down")])
def test_orders_differ_by_a_size_and_the_higher_one_is_named(difference, higher):
    text = words.orders(results_of(UP, DOWN, orders_differ={"position": 1, "mean": difference}))
    assert f"{100 * abs(difference):.1f} points" in text
    assert f"higher {words.ORDERS[higher]}" in text


def test_a_net_that_stays_at_zero_is_told_of():
    gap = {"position": 1, "mean": 0.39}
    assert "still zero at 0.1," in words.orders(results_of(UP, DOWN, orders_differ=gap))
    assert "still zero" not in words.orders(results_of(UP, UP, orders_differ=gap))
    same = words.orders(results_of(UP, UP, orders_differ={"position": 0, "mean": 0.0}))
    assert numbers(same) == []


def test_features_are_named_by_how_long_they_are_in_use():
    inputs = [[3.0, 1.0, 2.0, 0.0], [1.0, 0.5, 0.0, 0.0], [0.0, 0.2, 0.0, 0.0]]
    points = [one | {"inputs": own} for one, own in zip(UP, inputs, strict=True)]
    results = results_of(points, columns=["a", "b", "c", "d"])
    assert words.longest_in_use(results) == [("b", 1.0), ("a", 0.1), ("c", 0.01)]
    text = words.features(results)
    assert "3 of 4 features" in text
    assert text.index("b (to 1)") < text.index("a (to 0.1)") < text.index("c (to 0.01)")


def test_features_that_all_stay_and_unknown_ones_are_not_told_of():
    all_used = [one | {"inputs": [1.0, 1.0]} for one in UP]
    assert words.features(results_of(all_used, columns=["a", "b"])) == ""
    assert words.features(results_of(UP)) == ""


def test_sentences_are_those_that_apply():
    assert len(words.path_sentences(results_of(UP))) == 3
    assert all(words.path_sentences(results_of(UP, best=None, one_standard_error=None)))
