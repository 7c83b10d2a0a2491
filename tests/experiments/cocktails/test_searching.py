"""The search, what follows from it on the test examples, and the ablation of what it found."""

import math

import numpy as np
import pytest

import regjax as rj
from experiments.cocktails import searching
from experiments.cocktails.ablation import ablated
from experiments.cocktails.parts import Program, on
from experiments.cocktails.problem import Problem, load
from experiments.cocktails.searching import SEARCHES, Found, outcomes, searched
from regjax.core.errors import InputError

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def problem():
    return Problem(rj.data.load("wine"), 2, epochs=6)


def test_splits_are_apart_and_of_one_size(problem):
    for rows in problem.rows:
        assert len(set(np.concatenate(list(rows.values())))) == sum(map(len, rows.values())) == 178
    train, validation, test = problem.examples(0)
    assert train[0].shape == (len(problem.rows[0]["train"]), 13)
    assert len(validation[1]) == len(problem.rows[0]["validation"])
    np.testing.assert_array_equal(test[1], problem.data.y[problem.rows[0]["test"]])
    pool = np.concatenate([problem.rows[0][part] for part in ("train", "validation")])
    assert abs(train[0].mean()) < 0.1 < abs(problem.data.x[pool].mean())


def test_all_searches_have_the_same_trials_and_nearly_the_same_epochs(problem, monkeypatch):
    """A cocktail's programs are halved apart, so that its rungs round down in other places."""
    monkeypatch.setattr(searching, "drawn_programs", lambda count, seed: [Program(("early_stopping", "l1"))] * count)
    found = {name: searched(problem, name, 0, programs=2, trials=9) for name in SEARCHES}
    assert {one.trials for one in found.values()} == {18}
    epochs = [one.epochs for one in found.values()]
    assert max(epochs) <= 1.1 * min(epochs)


def test_what_is_tested_is_what_the_search_found(problem):
    found = [searched(problem, "dropout", number, programs=1, trials=3) for number in range(2)]
    assert found == [searched(problem, "dropout", number, programs=1, trials=3) for number in range(2)]
    metrics = outcomes(problem, found)
    for number, (one, own) in enumerate(zip(found, metrics, strict=True)):
        lane = problem.lane(one.program, one.point, number)
        [result] = rj.run_lanes([lane], problem.arrays)
        validation = problem.metrics(lane.run, result, number, "validation")
        assert validation["accuracy"] == pytest.approx(one.validation)
        assert problem.metrics(lane.run, result, number, "test") == own
        answers = problem.probabilities(lane.run, result, number, "test").argmax(1)
        assert own["accuracy"] == pytest.approx(float(np.mean(answers == problem.examples(number).test[1])))


def test_contributions_sum_to_what_the_cocktail_gains(problem):
    program = Program(("l1", "dropout", "ema", "batch_norm"))
    point = {"learning_rate": 0.01, "l1": 1e-4, "dropout": 0.5}
    found = [Found(program, point, 0.9, 1, 1), Found(Program(("dropout",)), {"learning_rate": 0.01}, 0.9, 1, 1)]
    first, second = ablated(problem, found)
    assert on(program, point) == ("l1", "dropout", "batch_norm") == tuple(first["parts"])
    assert first["subsets"] == 8
    assert first["exact"]
    assert sum(first["parts"].values()) == pytest.approx(first["all"] - first["none"])
    plain = Found(Program(()), {"learning_rate": 0.01}, 0.9, 1, 1)
    assert first["none"] == pytest.approx(outcomes(problem, [plain, plain])[0]["accuracy"], abs=1.5 / 36)
    assert first["all"] == outcomes(problem, found)[0]["accuracy"]
    assert second == {"parts": {}, "none": None, "all": None, "subsets": 0, "exact": False}


def test_data_that_cannot_be_had_are_refused():
    with pytest.raises(InputError, match="'moons' is no data set of the study; accepted: breast_cancer"):
        load("moons", None, None)
    with pytest.raises(InputError, match="--data_dir=DIR"):
        load("mnist", None, None)
    with pytest.raises(InputError, match="--packages=DIR"):
        load("pima", None, None)
    with pytest.raises(InputError, match="not on a regression"):
        Problem(rj.data.load("diabetes"), 1)


def test_a_search_without_a_finite_score_says_so(problem, monkeypatch):
    monkeypatch.setattr(problem, "score", lambda task, results: searching.Score(math.nan, math.nan))
    with pytest.raises(RuntimeError, match="wine, split 1: no trial of plain"):
        searched(problem, "plain", 1, programs=1, trials=1)
