"""What is said of paths follows from their numbers."""

import re

import pytest

from regjax.report import path_words as words


def gain(mean, p=0.03, control=0.8):
    return {"control": control, "mean": mean, "ci95": [mean - 0.01, mean + 0.01], "p": p / 2, "p_adjusted": p}


def point(value, score, zeros=0.0, inputs=None, runs=3):
    interval = [score - 0.05, score + 0.05]
    return {
        "value": value, "runs": runs, "failed": 0, "score": {"mean": score, "ci95": interval}, "train_score": 0.9,
        "val_loss": 0.5, "train_loss": 0.4, "zeros": zeros, "norm": 2.0, "epochs": 3, "inputs": inputs,
        "over_control": gain(score - 0.8),
        "used": None if inputs is None else [float(norm > 0) for norm in inputs],
    }  # fmt: skip


def results_of(up, down=None, **changes):
    values = [0.01, 0.1, 1.0]
    orders = {"up": up} | ({"down": down} if down else {})
    return {
        "dataset": "d", "task": "classification", "metric": "accuracy", "seeds": 3, "parameter": "l1", "values": values,
        "validation_examples": 90, "columns": None, "orders": orders,
        "control": [point(0.0, 0.8, 0.0)] * 3,
        "best": {"order": "up", "position": 0, "share": 1},
        "one_standard_error": {"order": "up", "position": 1, "error": 0.0123}, "orders_differ": None,
    } | changes  # fmt: skip


UP = [point(0.01, 0.9, 0.1), point(0.1, 0.89, 0.6), point(1.0, 0.5, 1.0)]
DOWN = [point(0.01, 0.5, 0.9), point(0.1, 0.5, 1.0), point(1.0, 0.5, 1.0)]


def with_inputs(one, inputs):
    return one | {"inputs": inputs, "used": [float(norm > 0) for norm in inputs]}


def numbers(text):
    return re.findall(r"\d+\.\d+|\d+(?=%)", text)


def test_the_headline_has_the_point_its_score_and_its_zeros():
    text = words.headline(results_of(UP, values=[0.0, 0.1, 1.0]))
    assert numbers(text) == ["0.01", "90.0", "95", "85.0", "95.0", "10"]
    assert words.ORDERS["up"] not in words.headline(results_of(UP))  # there is no other order
    assert words.ORDERS["up"] in words.headline(results_of(UP, DOWN))
    assert "none can be called best" in words.headline(results_of(UP, best=None))


def test_the_strongest_near_the_best_has_its_zeros_and_the_error():
    assert numbers(words.simplest(results_of(UP))) == ["1.2", "0.1", "60"]
    at_best = {"order": "up", "position": 0, "error": 0.0123}
    assert words.simplest(results_of(UP, one_standard_error=at_best)).startswith("No stronger value")
    assert words.simplest(results_of(UP, one_standard_error=None)) == ""
    at_end = {"order": "up", "position": 2, "share": 1}
    assert words.simplest(results_of(UP, best=at_end, one_standard_error=at_end | {"error": 0.01})) == ""


@pytest.mark.parametrize(("difference", "higher"), [(0.39, "up"), (-0.2, "down")])
def test_orders_differ_by_a_size_and_the_higher_one_is_named(difference, higher):
    text = words.orders(results_of(UP, DOWN, orders_differ=gain(difference)))
    assert f"accuracy {words.ORDERS[higher]} is {100 * abs(difference):.1f} points higher" in text
    assert f"{100 * abs(difference) - 1:+.1f} to {100 * abs(difference) + 1:+.1f}, sign-flip p = 0.030)" in text
    assert "which is shown" in text


def test_a_net_that_stays_at_zero_is_told_of():
    gap = gain(0.39)
    assert "still zero at 0.1," in words.orders(results_of(UP, DOWN, orders_differ=gap))
    assert "still zero" not in words.orders(results_of(UP, UP, orders_differ=gap))
    same = words.orders(results_of(UP, UP, orders_differ=gain(0.0)))
    assert numbers(same) == []


@pytest.mark.parametrize(
    ("gained", "expected"),
    [
        (gain(0.1), ("80.0", "10.0 points less", "+9.0 to +11.0", "0.03", "corrected for 6 points", "which is shown")),
        (gain(-0.1), ("80.0", "10.0 points more", "+9.0 to +11.0", "which is shown")),
        (gain(0.1, 0.06), ("10.0 points less", "0.06", "not shown to be more than chance")),
        (gain(0.0), ("80.0", "the same score")),
        (gain(0.1) | {"ci95": [None, None], "p": None, "p_adjusted": None}, ("10.0 points less", "one seed")),
    ],
)
def test_what_the_epochs_alone_give_is_told_beside_the_best(gained, expected):
    text = words.over_control(results_of([UP[0] | {"over_control": gained}, *UP[1:]], DOWN))
    assert [part for part in expected if part not in text] == []
    assert words.over_control(results_of([UP[0] | {"over_control": None}, *UP[1:]])) == ""
    assert words.over_control(results_of(UP, best=None)) == ""


def test_the_end_of_the_path_and_that_of_training_are_told_apart():
    last = {"order": "up", "position": 2, "share": 1}
    assert "a stronger one, or more epochs" in words.headline(results_of(UP, DOWN, best=last))
    assert "a stronger one, or fewer epochs" in words.headline(results_of(UP, DOWN, best=last | {"order": "down"}))
    first = last | {"position": 0}
    assert "a weaker one, or fewer epochs" in words.headline(results_of(UP, DOWN, best=first))
    assert "a weaker one, or more epochs" in words.headline(results_of(UP, DOWN, best=first | {"order": "down"}))


def test_features_are_named_by_how_long_they_are_in_use():
    inputs = [[3.0, 1.0, 2.0, 0.0], [1.0, 0.5, 0.0, 0.0], [0.0, 0.2, 0.0, 0.0]]
    points = [with_inputs(one, own) for one, own in zip(UP, inputs, strict=True)]
    results = results_of(points, columns=["a", "b", "c", "d"])
    assert words.longest_in_use(results) == [("b", 1.0), ("a", 0.1), ("c", 0.01)]
    text = words.features(results)
    assert "3 of 4 features" in text
    assert text.index("b (to 1)") < text.index("a (to 0.1)") < text.index("c (to 0.01)")


def test_features_that_all_stay_and_unknown_ones_are_not_told_of():
    all_used = [with_inputs(one, [1.0, 1.0]) for one in UP]
    assert words.features(results_of(all_used, columns=["a", "b"])) == ""
    assert words.features(results_of(UP)) == ""


def test_sentences_are_those_that_apply():
    assert len(words.path_sentences(results_of(UP))) == 4
    assert all(words.path_sentences(results_of(UP, best=None, one_standard_error=None)))


def test_what_shares_the_score_and_the_ends_of_the_path_are_told_of():
    inside = {"order": "up", "position": 1, "share": 3}
    assert "2 other points share this score" in words.headline(results_of(UP, best=inside))
    assert "value of the path" not in words.headline(results_of(UP, best=inside))
    assert "weakest value of the path" in words.headline(results_of(UP))
    assert "strongest value of the path" in words.headline(results_of(UP, best=inside | {"position": 2}))
    with_none = results_of(UP, values=[0.0, 0.1, 1.0])  # nothing is weaker than no regularizer
    assert "value of the path" not in words.headline(with_none)


def test_points_between_that_are_outside_the_error_are_counted():
    points = [point(0.01, 0.9), point(0.1, 0.8), point(1.0, 0.895)]
    rule = {"order": "up", "position": 2, "error": 0.01}
    assert words.simplest(results_of(points, one_standard_error=rule)).endswith(
        "; 1 between them is not; none stronger was trained."
    )


def test_features_of_one_strength_are_not_cut_in_silence():
    """Ten features in use to the same strength: eight are named, and that there are two more is said."""
    inputs = [[1.0] * 10, [1.0] * 10, [0.0] * 10]
    points = [with_inputs(one, own) for one, own in zip(UP, inputs, strict=True)]
    assert "2 more (to 0.1)" in words.features(results_of(points, columns=[f"c{i}" for i in range(10)]))
    most = [one | {"used": [1.0, 0.3, 0.6]} for one in (with_inputs(p, [1.0, 1.0, 1.0]) for p in UP)]
    assert [name for name, _ in words.longest_in_use(results_of(most, columns=["a", "b", "c"]))] == ["a", "c"]
