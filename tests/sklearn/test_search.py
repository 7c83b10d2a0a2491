"""The search in one sweep: the scores of `GridSearchCV`, from fewer programs."""

import numpy as np
import pytest
from sklearn.datasets import load_diabetes, load_iris
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold
from sklearn.utils.validation import check_is_fitted

from regjax.sklearn import RegularizedClassifier, RegularizedRegressor, RegularizerSearchCV

pytestmark = pytest.mark.slow

X, Y = load_iris(return_X_y=True)
GRID = [{"penalty": ["l2(1e-3)", "l2(0.3)"], "dropout": [0.1, 0.5]}, {"penalty": ["l1(0.01)"], "max_iter": [5]}]


def net(**options):
    return RegularizedClassifier((8,), **{"learning_rate_init": 0.02, "max_iter": 20, "random_state": 0} | options)


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"class_weight": "balanced"}], ids=str)
def test_its_results_are_those_of_a_grid_search(options):
    ours = RegularizerSearchCV(net(**options), GRID, cv=3).fit(X, Y)
    theirs = GridSearchCV(net(**options), GRID, cv=3).fit(X, Y)
    assert set(ours.cv_results_) == set(theirs.cv_results_)
    assert ours.cv_results_["params"] == theirs.cv_results_["params"]
    for name in ("mean_test_score", "std_test_score", "split0_test_score", "split2_test_score"):
        np.testing.assert_allclose(ours.cv_results_[name], theirs.cv_results_[name], atol=0.021, err_msg=name)
    for name in ("param_penalty", "param_dropout", "param_max_iter"):
        np.testing.assert_array_equal(ours.cv_results_[name].mask, theirs.cv_results_[name].mask)
    assert ours.n_splits_ == theirs.n_splits_ == 3
    np.testing.assert_allclose(
        ours.predict_proba(X),
        theirs.best_estimator_.set_params(**ours.best_params_).fit(X, Y).predict_proba(X),
        atol=1e-5,
    )


def test_ranks_are_those_of_the_mean_scores():
    found = RegularizerSearchCV(net(), {"learning_rate_init": [1e-9, 0.05, 0.02]}, cv=2).fit(X, Y)
    scores, ranks = found.cv_results_["mean_test_score"], found.cv_results_["rank_test_score"]
    assert ranks[np.argmax(scores)] == 1
    assert ranks[0] == 3
    assert found.best_params_ == found.cv_results_["params"][found.best_index_]
    assert found.best_score_ == scores.max()


def test_any_score_and_splitter_are_taken():
    x, y = load_diabetes(return_X_y=True)
    model = RegularizedRegressor((), learning_rate_init=0.03, max_iter=50, random_state=0)
    search = RegularizerSearchCV(model, {"penalty": ["l2(1e-3)", "l2(30)"]}, cv=GroupKFold(4), scoring="neg_max_error")
    search.fit(x, y, groups=np.arange(len(x)) % 8)
    assert search.best_params_ == {"penalty": "l2(1e-3)"}
    assert np.all(search.cv_results_["mean_test_score"] < 0)
    assert search.score(x, y) < 0


def test_examples_without_weight_change_nothing():
    weight = np.r_[np.ones(140), np.zeros(10)]
    folds = [(np.arange(0, 150, 2), np.arange(1, 140, 2))]
    less = [(np.arange(0, 140, 2), np.arange(1, 140, 2))]
    found = [
        RegularizerSearchCV(net(), {"dropout": [0.1]}, cv=cv, refit=False).fit(X, Y, sample_weight=w)
        for cv, w in ((folds, weight), (less, np.ones(150)))
    ]
    assert found[0].cv_results_["mean_test_score"] == found[1].cv_results_["mean_test_score"]


def test_a_candidate_that_diverges_has_no_score_and_the_others_do():
    search = RegularizerSearchCV(net(), {"learning_rate_init": [1e20, 0.02]}, cv=2)
    with pytest.warns(FitFailedWarning, match="a candidate has no score on fold [01]: the loss is not finite"):
        search.fit(X, Y)
    assert np.isnan(search.cv_results_["mean_test_score"][0])
    assert search.best_params_ == {"learning_rate_init": 0.02}
    assert list(search.cv_results_["rank_test_score"]) == [2, 1]


@pytest.mark.filterwarnings("ignore:a candidate has no score")
def test_a_search_without_any_score_is_refused():
    with pytest.raises(ValueError, match="no candidate has a score on all folds"):
        RegularizerSearchCV(net(), {"learning_rate_init": [1e20]}, cv=2).fit(X, Y)


def test_negative_weights_are_refused():
    with pytest.raises(ValueError, match="sample_weight must be >= 0"):
        RegularizerSearchCV(net(), {"dropout": [0.1]}, cv=2).fit(X, Y, sample_weight=np.r_[-1.0, np.ones(149)])


def test_what_it_cannot_search_is_refused():
    with pytest.raises(TypeError, match="got Ridge; GridSearchCV searches any estimator"):
        RegularizerSearchCV(Ridge(), {"alpha": [1.0]}).fit(X, Y)
    with pytest.raises(ValueError, match="one score is accepted"):
        RegularizerSearchCV(net(), {"dropout": [0.1]}, scoring=["accuracy", "f1"]).fit(X, Y)
    search = RegularizerSearchCV(net(), {"dropout": [0.1]}, cv=KFold(2, shuffle=True, random_state=0), refit=False)
    search.fit(X, Y)
    check_is_fitted(search)
    with pytest.raises(AttributeError, match="refit=False"):
        search.predict(X)
