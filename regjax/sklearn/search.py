"""A grid search that trains all candidates on all folds in one sweep."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone, is_classifier
from sklearn.exceptions import FitFailedWarning
from sklearn.metrics import check_scoring
from sklearn.model_selection import ParameterGrid, check_cv
from sklearn.utils import Tags
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, indexable

from regjax.core.typing import Estimator, Value
from regjax.sklearn import programs
from regjax.sklearn.estimator import Regularized
from regjax.sweeps import Lane, run_lanes
from regjax.training.run import make_run


class Trial(NamedTuple):
    """A candidate on a fold, trained."""

    seconds: float
    score_seconds: float
    score: float


def _delegated(name: str) -> Callable[[RegularizerSearchCV], bool]:
    """Whether the search has a method: if its estimator has it."""

    def has(search: RegularizerSearchCV) -> bool:
        return hasattr(search.estimator, name)

    return has


class RegularizerSearchCV(MetaEstimatorMixin, BaseEstimator):  # type: ignore[misc]
    """A `GridSearchCV` for the estimators of regjax, which trains all candidates on all folds in one compiled sweep.

    Candidates that differ only in numbers (strengths, rates, the learning rate, ...) share one program. Scores are
    those that `GridSearchCV` finds, up to rounding. An estimator within a pipeline is searched by `GridSearchCV`; the
    features need no scaler, because each training part is standardized by its own examples.

    Args:
      estimator: a `RegularizedClassifier` or `RegularizedRegressor`.
      param_grid: values by the name of a parameter, or a list of such grids, as for `GridSearchCV`.
      scoring: one score, a name or a function; None is accuracy or R^2.
      cv: number of folds, or a splitter; None is 5 folds, stratified for classes.
      refit: whether to train the best candidate on all examples, so that the search predicts.

    After `fit`, it has `cv_results_` as `GridSearchCV` has it (the time of a fit is its share of the sweep),
    `best_params_`, `best_score_`, `best_index_`, `n_splits_` and, with `refit`, `best_estimator_`.

    Example:
      >>> from sklearn.datasets import load_iris
      >>> from regjax.sklearn import RegularizedClassifier
      >>> x, y = load_iris(return_X_y=True)
      >>> model = RegularizedClassifier((8,), learning_rate_init=0.01, max_iter=30, random_state=0)
      >>> search = RegularizerSearchCV(model, {"penalty": ["l2(1e-3)", "l2(0.1)"], "dropout": [0.0, 0.2]}, cv=3)
      >>> search.fit(x, y).cv_results_["mean_test_score"].shape
      (4,)
    """

    def __init__(
        self, estimator: Regularized, param_grid: Value, *, scoring: Value = None, cv: Value = None, refit: bool = True
    ):
        self.estimator = estimator
        self.param_grid = param_grid
        self.scoring = scoring
        self.cv = cv
        self.refit = refit

    def fit(self, X: Value, y: Value, groups: Value = None, sample_weight: Value = None) -> RegularizerSearchCV:
        """Train all candidates on all folds, and choose the one with the best mean score.

        Args:
          X: features `[N, F]`.
          y: targets.
          groups: of the examples, for a splitter by groups.
          sample_weight: weights of the examples in the loss, `[N]`; scores weigh all alike.

        Raises:
          TypeError: the estimator is not one of regjax.
          ValueError: as the estimator, there are several scores, or no candidate has one.
        """
        if not isinstance(self.estimator, Regularized):
            raise TypeError(
                f"estimator must be a RegularizedClassifier or RegularizedRegressor, got "
                f"{type(self.estimator).__name__}; GridSearchCV searches any estimator"
            )
        if isinstance(self.scoring, (list, tuple, set, dict)):
            raise ValueError(f"scoring {self.scoring!r}: one score is accepted, as 'accuracy'")
        X, y, groups = indexable(X, y, groups)
        scorer = check_scoring(self.estimator, scoring=self.scoring)
        splitter = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        folds = [(np.asarray(train), np.asarray(test)) for train, test in splitter.split(X, y, groups)]
        candidates = list(ParameterGrid(self.param_grid))
        models = [clone(self.estimator).set_params(**clone(candidate, safe=False)) for candidate in candidates]
        trials = self._trials(models, folds, X, y, sample_weight, scorer)
        self.n_splits_, self.scorer_ = len(folds), scorer
        self.cv_results_ = _results(candidates, trials)
        scores = self.cv_results_["mean_test_score"]
        if not np.isfinite(scores).any():
            raise ValueError("no candidate has a score on all folds; the warnings above say why")
        self.best_index_ = int(np.nanargmax(scores))
        self.best_score_, self.best_params_ = float(scores[self.best_index_]), candidates[self.best_index_]
        if self.refit:
            started = time.perf_counter()
            best = clone(self.estimator).set_params(**clone(self.best_params_, safe=False))
            self.best_estimator_ = best.fit(X, y, sample_weight)
            self.refit_time_ = time.perf_counter() - started
        return self

    def _trials(
        self,
        models: Sequence[Regularized],
        folds: Sequence[tuple[np.ndarray, np.ndarray]],
        X: Value,
        y: Value,
        sample_weight: Value,
        scorer: Callable[..., float],
    ) -> list[list[Trial]]:
        """Train and score each candidate on each fold."""
        for model in models:
            examples = model._examples(X, y, sample_weight)  # the same for each, which then knows its classes
        used = np.ones(len(examples.x), bool) if examples.weight is None else examples.weight > 0
        plans = [model._plan(examples, train[used[train]]) for model in models for train, _ in folds]
        lanes = [Lane(make_run(plan.spec), plan.hparams, plan.key, i) for i, plan in enumerate(plans)]
        started = time.perf_counter()
        results = run_lanes(lanes, programs.train_data(*examples, [plan.part for plan in plans]))
        share = (time.perf_counter() - started) / len(lanes)
        trials = []
        for i, (plan, result) in enumerate(zip(plans, results, strict=True)):
            model, (_, test) = models[i // len(folds)], folds[i % len(folds)]
            started = time.perf_counter()
            try:
                model._keep(plan, result)
                score = float(scorer(model, _rows(X, test), _rows(y, test)))
            except ValueError as error:
                warnings.warn(
                    FitFailedWarning(f"a candidate has no score on fold {i % len(folds)}: {error}"), stacklevel=3
                )
                score = np.nan
            trials.append(Trial(share, time.perf_counter() - started, score))
        return [trials[start : start + len(folds)] for start in range(0, len(trials), len(folds))]

    # Methods of the best estimator.

    def _best(self) -> Estimator:
        check_is_fitted(self)
        if not self.refit:
            raise AttributeError("the search was made with refit=False, so there is no best estimator")
        return self.best_estimator_

    @available_if(_delegated("predict"))  # type: ignore[untyped-decorator]
    def predict(self, X: Value) -> np.ndarray:
        """Return the predictions of the best estimator."""
        found: np.ndarray = self._best().predict(X)
        return found

    @available_if(_delegated("predict_proba"))  # type: ignore[untyped-decorator]
    def predict_proba(self, X: Value) -> np.ndarray:
        """Return the probabilities of the classes by the best estimator."""
        found: np.ndarray = self._best().predict_proba(X)
        return found

    @available_if(_delegated("predict_log_proba"))  # type: ignore[untyped-decorator]
    def predict_log_proba(self, X: Value) -> np.ndarray:
        """Return the logarithms of the probabilities of the classes by the best estimator."""
        found: np.ndarray = self._best().predict_log_proba(X)
        return found

    def score(self, X: Value, y: Value) -> float:
        """Return the score of the best estimator, by the scoring of the search."""
        best = self._best()
        return float(self.scorer_(best, X, y))

    @property
    def classes_(self) -> np.ndarray:
        """The classes of the best estimator."""
        found: np.ndarray = self._best().classes_
        return found

    @property
    def n_features_in_(self) -> int:
        """The number of features of the best estimator."""
        return int(self._best().n_features_in_)

    def __sklearn_tags__(self) -> Tags:
        """Say of what kind the estimator is."""
        tags = super().__sklearn_tags__()
        inner = self.estimator.__sklearn_tags__()
        tags.estimator_type = inner.estimator_type
        tags.classifier_tags, tags.regressor_tags = inner.classifier_tags, inner.regressor_tags
        tags.target_tags = inner.target_tags
        return tags


def _rows(values: Value, rows: np.ndarray) -> Value:
    return values.iloc[rows] if hasattr(values, "iloc") else np.asarray(values)[rows]


def _results(candidates: Sequence[dict[str, Value]], trials: Sequence[Sequence[Trial]]) -> dict[str, Value]:
    """Return `cv_results_` as `GridSearchCV` has it."""
    table = np.array(trials, np.float64)  # [candidates, folds, fields of Trial]
    found: dict[str, Value] = {}
    for name, column in (("fit_time", 0), ("score_time", 1)):
        found[f"mean_{name}"], found[f"std_{name}"] = table[..., column].mean(1), table[..., column].std(1)
    for name in sorted({name for candidate in candidates for name in candidate}):
        column = np.ma.masked_all(len(candidates), dtype=object)
        for i, candidate in enumerate(candidates):
            if name in candidate:
                column[i] = candidate[name]
        found[f"param_{name}"] = column
    found["params"] = list(candidates)
    scores = table[..., 2]
    found |= {f"split{i}_test_score": scores[:, i] for i in range(scores.shape[1])}
    found["mean_test_score"], found["std_test_score"] = scores.mean(1), scores.std(1)
    # Candidates without a score come last; equal ones share the better rank.
    ordered = np.where(np.isfinite(found["mean_test_score"]), found["mean_test_score"], -np.inf)
    found["rank_test_score"] = np.array([1 + np.sum(ordered > value) for value in ordered], np.int32)
    return found
