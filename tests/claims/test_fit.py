import numpy as np

from regjax.claims import fit
from regjax.claims.fit import CURVES, TITLES, loss_curves, score, titles
from regjax.claims.lab import Trained
from regjax.claims.problems import PROBLEMS, problem


def test_every_problem_has_its_title():
    assert set(TITLES) == set(PROBLEMS)
    assert titles(("teacher", "digits")) == ("regression on a random net", "digits")
    assert {name: problem(name, [0]).title for name in PROBLEMS if name != "random labels"} == {
        name: title for name, title in TITLES.items() if name != "random labels"
    }


def test_curves_are_means_over_runs_and_marked_at_the_mean_epoch():
    one = Trained({"loss": np.array([[2.0, 1.0], [4.0, 1.0]])}, {"loss": np.array([[1.0, 2.0], [2.0, 1.0]])}, {}, [])
    one = one._replace(test={"loss": np.array([[5.0, 6.0], [7.0, 8.0]]), "r2": np.zeros((2, 2))})
    (picture,) = loss_curves(dict.fromkeys(CURVES, one), ("teacher",))
    assert picture.lines["training"].tolist() == [3.0, 1.0]
    assert picture.lines["test"].tolist() == [6.0, 7.0]
    assert picture.mark == 0.5
    assert score(one) == "r2"


def test_the_most_frequent_class_is_that_of_the_training_labels():
    of = problem("breast cancer", [3])
    train = of.y[0][of.order[0]]
    most = 1 if train.mean() > 0.5 else 0
    np.testing.assert_allclose(fit._majority("breast cancer", [3]), np.mean(of.clean[of.test[0]] == most))
