"""Models other than nets on the same examples, which show whether a net is the right tool.

They are not rows of the comparison: nothing is tuned or tested. Each is fitted with the defaults of scikit-learn on the
training examples of the first run of each split.
"""

from __future__ import annotations

import importlib.util
import warnings

import numpy as np

from regjax.analysis.metrics import metrics_of
from regjax.comparison.plan import Plan
from regjax.comparison.reference_notes import BOOSTING, CONSTANT, LINEAR
from regjax.core.typing import Estimator
from regjax.data import Preprocessors, Splits, noisy_labels, training_rows

MOST_ROWS = 20_000  # most examples that a reference is fitted on, which takes some seconds


def references_of(plan: Plan) -> dict[str, dict[str, float]]:
    """Return the test metrics of each reference (the names are in `regjax.comparison.reference_notes`) on a split.

    The linear model is a logistic or ridge regression on standardized inputs; the trees of the gradient boosting see
    the inputs as they are, and missing numbers as missing. For images and sequences there is the constant guess alone.

    Args:
      plan: the plan on the split.
    """
    splits, seed = plan.splits, plan.seeds.start
    size = min(plan.options.train_examples or len(splits.y_train), MOST_ROWS)
    rows = training_rows(splits.y_train, seed, splits.task, size)
    y = splits.y_train
    if splits.task == "classification" and plan.options.label_noise:
        y = noisy_labels(y, plan.options.label_noise, splits.num_classes, [seed])[0]
    y = y if rows is None else y[rows]
    outputs = {CONSTANT: _constant(y, splits.task, splits.num_classes, len(splits.y_test))}
    if splits.kind == "table" and importlib.util.find_spec("sklearn"):
        x = splits.x_train[:] if rows is None else splits.x_train[rows]
        preprocessor = Preprocessors(splits, plan.preprocessor).of(seed, size)
        x_test = splits.x_test[:]
        standardized, of_test = preprocessor.transform(x), preprocessor.transform(x_test)
        outputs[LINEAR] = _fitted(_linear(splits.task), standardized, of_test, y, splits)
        outputs[BOOSTING] = _fitted(_boosting(splits.task), x, x_test, y, splits)
    return {name: metrics_of(splits.task, found, splits.y_test) for name, found in outputs.items()}


def _constant(y: np.ndarray, task: str, classes: int, size: int) -> np.ndarray:
    guess = np.bincount(y, minlength=classes) / len(y) if task == "classification" else np.mean(y, axis=0)
    return np.broadcast_to(guess, (size, *np.shape(guess)))


def _linear(task: str) -> Estimator:
    from sklearn.linear_model import LogisticRegression, Ridge

    return LogisticRegression(max_iter=1000) if task == "classification" else Ridge()


def _boosting(task: str) -> Estimator:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.multioutput import MultiOutputRegressor

    if task == "classification":
        return HistGradientBoostingClassifier(random_state=0)
    return MultiOutputRegressor(HistGradientBoostingRegressor(random_state=0))


def _fitted(model: Estimator, x: np.ndarray, x_test: np.ndarray, y: np.ndarray, splits: Splits) -> np.ndarray:
    from threadpoolctl import threadpool_limits

    # Threads of OpenMP wait for each other by spinning: on a busy machine boosting on 341 rows takes 30 s with two of
    # them, and 0.2 s with one.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a reference is reported even if its solver has not converged
        if splits.task == "regression":
            model.fit(x, y.reshape(len(y), -1))
            return np.asarray(model.predict(x_test)).reshape(len(x_test), -1)
        out = np.zeros((len(x_test), splits.num_classes))
        if len(np.unique(y)) < 2:
            out[:, y[0]] = 1.0
            return out
        model.fit(x, y)
        out[:, model.classes_] = model.predict_proba(x_test)
    return out
