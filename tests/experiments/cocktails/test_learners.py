"""Other learners: the default first, the best on validation, within the budget."""

import numpy as np
import pytest

import regjax as rj
from experiments.cocktails import learners
from experiments.cocktails.learners import LEARNERS, Learner, learned, missing, settings_of
from experiments.cocktails.problem import Problem
from regjax.sweeps import Range


@pytest.fixture(scope="module")
def examples():
    return Problem(rj.data.load("wine"), 1, epochs=1).examples(0)


@pytest.mark.parametrize("name", LEARNERS)
def test_the_default_setting_learns(examples, name):
    package = LEARNERS[name].package
    if package in missing():
        pytest.skip(f"{package} of the extra bench is not installed")
    found = learned(name, examples, 0, 0.0)
    assert (found.tried, found.settings) == (1, {})
    assert found.test["accuracy"] > 0.85
    assert found.test["log_loss"] < 0.5


class Constant:
    """Predicts the class that it is told, and remembers with how many settings it was made."""

    made: list = []

    def __init__(self, answer=0):
        self.answer = answer
        Constant.made.append(answer)

    def fit(self, x, y):
        self.classes = len(np.unique(y))

    def predict_proba(self, x):
        return np.eye(self.classes)[np.full(len(x), self.answer)]


@pytest.mark.parametrize("better", [0, 1, 2])
def test_the_setting_with_the_best_validation_is_tested(examples, monkeypatch, better):
    space = {"answer": [0, 1, 2]}
    monkeypatch.setitem(LEARNERS, "constant", Learner(lambda settings, seed: Constant(**settings), space))
    learners._warm_up.cache_clear()
    y = np.full(len(examples.validation[1]), better)
    Constant.made.clear()
    found = learned("constant", examples._replace(validation=(examples.validation[0], y)), 0, 0.2)
    assert found.settings == ({} if better == 0 else {"answer": better})
    assert found.validation == 1.0
    assert found.tried == len(Constant.made) - 1 > 3  # one more to warm up
    assert found.test["accuracy"] == pytest.approx(np.mean(examples.test[1] == better))
    assert found.seconds >= 0.2


def test_a_class_without_training_examples_has_the_probability_zero(examples, monkeypatch):
    monkeypatch.setitem(LEARNERS, "constant", Learner(lambda settings, seed: Constant(1), {}))
    kept = examples.train[1] != 1
    train = examples.train[0][kept], examples.train[1][kept]
    found = learned("constant", examples._replace(train=train), 0, 0.0)
    assert found.test["accuracy"] == pytest.approx(np.mean(examples.test[1] == 2))  # the second of the known classes


def test_draws_are_of_the_space():
    space = {"depth": Range(1, 4, whole=True), "rate": Range(0.1, 0.2), "act": ["a", "b"], "l2": Range(1, 2, off=0.5)}
    drawn = [settings_of(space, np.random.default_rng(seed)) for seed in range(60)]
    assert {type(one["depth"]) for one in drawn} == {int}
    assert {one["depth"] for one in drawn} == {1, 2, 3, 4}
    assert all(0.1 <= one["rate"] <= 0.2 and one["act"] in "ab" for one in drawn)
    assert 0 < sum(one["l2"] == 0 for one in drawn) < 60
