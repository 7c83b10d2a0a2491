import pytest

from regjax.report.learning_curve import curve_panel, more_data_sentence

SPREAD = {"mean": 0.8, "ci95": [0.75, 0.85], "values": [0.8]}


def results(**gain):
    doubling = {"mean": 0.02, "ci95": [0.01, 0.03], "p_adjusted": 0.03, "practical": 0.01, "observations": 8} | gain
    curve = {"sizes": [45, 90, 180], "test": [SPREAD, SPREAD | {"mean": 0.82}, SPREAD | {"mean": 0.84}]}
    return {
        "seeds": 8,
        "metric": "accuracy",
        "task": "classification",
        "learning_curve": {**curve, "doubling": doubling},
    }


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


FELL = {"mean": 0.05, "ci95": [0.03, 0.07], "p_adjusted": 0.01, "practical": 0.002, "observations": 8}
LEVEL = {"mean": 0.97, "ci95": [0.96, 0.98], "values": [0.97, 0.97]}


def blind(**loss):
    """Accuracy is that of the constant guess at each size, as if the rare class were never predicted."""
    made = results(mean=0.0, ci95=[-0.004, 0.004], p_adjusted=1.0)
    made["learning_curve"] |= {"test": [LEVEL] * 3, "loss_doubling": FELL | loss}
    return made | {"chance": {"score": 0.97, "loss": 0.135}}


def test_a_metric_that_cannot_move_says_nothing_where_the_loss_falls():
    text = more_data_sentence(blind())
    assert text.startswith("More data would probably lower the test loss, but accuracy cannot show it: ")
    assert "from 90 to 180 training examples test loss changed by −0.050 (95% interval −0.070 to" in text
    assert "At both sizes test accuracy is no better than that of a constant guess, 97.0 %" in text
    assert "--metric=log_loss" in text
    assert "little" not in text


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        ({"mean": 0.001, "ci95": [-0.0005, 0.0015]}, "More data would probably change little"),
        ({"p_adjusted": 0.3}, "Whether more data would help is not shown"),
        ({"mean": -0.05, "ci95": [-0.07, -0.03]}, "More data did not help so far"),
    ],
)
def test_a_metric_that_cannot_move_leaves_the_answer_to_the_loss(loss, words):
    text = more_data_sentence(blind(**loss))
    assert text.startswith(words)
    assert "constant guess" in text


@pytest.mark.parametrize(
    ("gain", "words"),
    [
        ({"mean": 0.001, "ci95": [-0.003, 0.005]}, "but probably change accuracy little"),
        ({"p_adjusted": 0.2}, "and is not shown to change accuracy"),
        ({"mean": -0.02, "ci95": [-0.03, -0.01]}, "but did not help accuracy so far"),
    ],
)
def test_a_loss_that_falls_is_said_where_the_metric_does_not_rise(gain, words):
    made = results(**gain)
    made["learning_curve"]["loss_doubling"] = FELL
    text = more_data_sentence(made)
    assert text.startswith(f"More data would probably lower the test loss, {words}: ")
    assert "test loss changed by −0.050 (95% interval −0.070 to −0.030)" in text
    assert f"{abs(100 * made['learning_curve']['doubling']['mean']):.1f} points" in text


def test_a_loss_that_rises_is_said_where_the_metric_rises():
    made = results()
    made["learning_curve"]["loss_doubling"] = FELL | {"mean": -0.05, "ci95": [-0.07, -0.03]}
    text = more_data_sentence(made)
    assert text.startswith("More data would probably help accuracy, but not the test loss: ")
    assert "test loss changed by +0.050 (95% interval +0.030 to +0.070)" in text


def test_a_metric_that_is_the_loss_is_said_once():
    made = results() | {"metric": "log_loss", "baseline": {"test": {"mean": 0.8}}}
    made["learning_curve"]["loss_doubling"] = FELL
    assert "test loss" not in more_data_sentence(made)


def test_an_accuracy_that_cannot_rise_is_not_called_blind():
    made = blind()
    made["learning_curve"]["test"] = [LEVEL | {"mean": 1.0, "values": [1.0, 1.0]}] * 3
    text = more_data_sentence(made)
    assert "constant guess" not in text
    assert "but probably change accuracy little" in text


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
