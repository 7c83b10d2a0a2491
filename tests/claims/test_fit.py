import numpy as np

from regjax.claims import fit
from regjax.claims.fit import CURVES, loss_curves, score
from regjax.claims.lab import Trained
from regjax.claims.problems import problem


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
