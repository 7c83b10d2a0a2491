"""The classifier: its optimum is that of logistic regression, and classes are what the caller calls them."""

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from regjax.sklearn import RegularizedClassifier

pytestmark = pytest.mark.slow

X, Y = load_iris(return_X_y=True)


def linear(**options):
    return RegularizedClassifier(
        (), **{"learning_rate_init": 0.05, "max_iter": 3000, "batch_size": 150, "random_state": 0} | options
    )


@pytest.mark.parametrize("strength", [0.003, 0.1])
def test_without_hidden_layers_it_is_ridge_logistic_regression(strength):
    """The mean loss with `s |w|^2` is the sum with `|w|^2 / 2` and `C = 1 / (2 s n)`."""
    scaled = StandardScaler().fit_transform(X)
    oracle = LogisticRegression(C=1 / (2 * strength * len(X)), tol=1e-10, max_iter=10_000).fit(scaled, Y)
    ours = linear(penalty=f"l2({strength})").fit(X, Y)
    np.testing.assert_allclose(ours.predict_proba(X), oracle.predict_proba(scaled), atol=2e-3)


def test_weights_of_classes_are_those_of_logistic_regression():
    rows = np.r_[0:50, 50:60, 100:150]
    scaled = StandardScaler().fit_transform(X[rows])
    options = {"tol": 1e-10, "max_iter": 10_000, "class_weight": {0: 1.0, 1: 5.0, 2: 0.5}}
    weight = np.take([1.0, 5.0, 0.5], Y[rows])
    oracle = LogisticRegression(C=1 / (2 * 0.01 * weight.sum()), **options).fit(scaled, Y[rows])
    ours = linear(penalty="l2(0.01)", class_weight=options["class_weight"]).fit(X[rows], Y[rows])
    np.testing.assert_allclose(ours.predict_proba(X[rows]), oracle.predict_proba(scaled), atol=2e-3)


def test_balanced_classes_find_the_rare_one():
    rng = np.random.default_rng(0)
    x = np.r_[rng.normal(0, 1, (380, 2)), rng.normal(1.0, 1, (20, 2))].astype(np.float32)
    y = np.repeat(["common", "rare"], [380, 20])
    plain, balanced = (linear(max_iter=300, class_weight=w).fit(x, y) for w in (None, "balanced"))
    assert np.mean(balanced.predict(x) == "rare") > 5 * np.mean(plain.predict(x) == "rare")


def test_probabilities_add_up_and_have_their_logarithms():
    model = linear(max_iter=50, label_smoothing=0.1).fit(X, np.array(["a", "b", "c"])[Y])
    found = model.predict_proba(X)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(found), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(model.predict(X), model.classes_[found.argmax(axis=1)])


def test_smoothed_labels_make_it_less_sure():
    plain, smoothed = (linear(max_iter=500, label_smoothing=s).fit(X, Y).predict_proba(X) for s in (0.0, 0.3))
    assert smoothed.max(axis=1).mean() < plain.max(axis=1).mean() - 0.1


def test_a_first_pass_names_all_classes_and_knows_them_later():
    model = linear()
    with pytest.raises(ValueError, match="classes must name all classes"):
        model.partial_fit(X[:100], Y[:100])
    model.partial_fit(X[:100], Y[:100], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match=r"y has the class .*7"):
        model.partial_fit(X[:2], [0, 7])
