import pytest

from regjax.report.learning_curve import curve_panel, more_data_sentence

SPREAD = {"mean": 0.8, "ci95": [0.75, 0.85], "values": [0.8]}


def results(**gain):
    doubling = {"mean": 0.02, "ci95": [0.01, 0.03], "p_adjusted": 0.03, "practical": 0.01, "observations": 8} | gain
    curve = {"sizes": [45, 90, 180], "test": [SPREAD, SPREAD | {"mean": 0.82}, SPREAD | {"mean": 0.84}]}
    return {"metric": "accuracy", "task": "classification", "learning_curve": {**curve, "doubling": doubling}}


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        ({}, "would probably help"),
        ({"mean": 0.001, "ci95": [-0.003, 0.005]}, "probably change little"),
        ({"p_adjusted": 0.2}, "not shown"),
        ({"mean": -0.02, "ci95": [-0.03, -0.01]}, "did not help"),
        ({"observations": 3}, "cannot be tested"),
        ({"ci95": [None, None], "p_adjusted": None}, "cannot be tested"),
    ],
)
def test_the_sentence_follows_the_verdict_on_the_last_doubling(gain, words):
    made = results(**gain)
    text = more_data_sentence(made)
    assert words in text
    assert "from 90 to 180" in text
    assert f"{abs(100 * made['learning_curve']['doubling']['mean']):.1f} points" in text


def test_an_error_that_falls_is_a_gain():
    made = results() | {"metric": "rmse", "task": "regression", "baseline": {"test": {"mean": 0.8}}}
    assert "probably help" in more_data_sentence(made)
    assert "−0.0200 (95% interval −0.0300 to −0.0100)" in more_data_sentence(made)


def test_without_a_curve_there_is_nothing():
    assert more_data_sentence({"learning_curve": None}) == ""
    assert curve_panel({}) is None


def test_the_figure_names_its_points():
    panel = curve_panel(results())
    assert "45: 80.0, 90: 82.0, 180: 84.0" in panel.description
