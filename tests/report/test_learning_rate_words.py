from regjax.report.learning_rate_words import learning_rate_sentence
from regjax.report.words import Measure


def test_the_learning_rate_is_told_with_what_was_tried():
    search = {"rates": [0.001, 0.01], "scores": [0.81, 0.9], "runs": 3}
    measure = Measure.of({"metric": "accuracy"})
    text = learning_rate_sentence({"learning_rate": 0.01, "learning_rate_search": search}, measure)
    assert "0.001 (81.0), 0.01 (90.0)" in text
    assert "3 runs" in text
    assert "end of what was tried" in text
    middle = {**search, "rates": [0.001, 0.01, 0.1], "scores": [0.81, 0.9, 0.5]}
    assert "end of" not in learning_rate_sentence({"learning_rate": 0.01, "learning_rate_search": middle}, measure)
    assert learning_rate_sentence({"learning_rate": 0.01}, measure) == ""


def test_the_learning_rates_of_several_splits_are_counted():
    search = {"rates": [0.001, 0.01], "scores": [0.81, 0.9], "runs": 1, "chosen": [0.01, 0.001, 0.01], "at_end": 1}
    settings = {"learning_rate": 0.01, "learning_rate_search": search}
    text = learning_rate_sentence(settings, Measure.of({"metric": "accuracy"}))
    assert "0.001 in 1 and 0.01 in 2 of the 3 splits" in text
    assert "In 1 split it is at an end" in text
    search["at_end"] = 0
    assert "at an end" not in learning_rate_sentence(settings, Measure.of({"metric": "accuracy"}))


def test_learning_rates_that_tie_are_told():
    search = {"rates": [0.001, 0.01, 0.1], "scores": [0.9, 0.9, 0.5], "runs": 3}
    settings = {"learning_rate": 0.01, "learning_rate_search": search}
    assert "the best of the 2 that tie" in learning_rate_sentence(settings, Measure.of({"metric": "accuracy"}))
