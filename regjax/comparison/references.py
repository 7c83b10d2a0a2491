"""Models other than nets on the same examples, which show whether a net is the right tool.

They are not rows of the comparison: nothing is tuned or tested. Each is a model of scikit-learn, fitted on the
training examples of the first run of each split, by the data loss of the comparison or one that is after the same. The
penalties of quantile and Poisson regressions, whose defaults leave little of a model, are none and small.
"""

from __future__ import annotations

import importlib.util
import warnings

import numpy as np

from regjax.analysis.metrics import metrics_of
from regjax.catalog import LOSSES, default_metric
from regjax.comparison.explained import d2_of
from regjax.comparison.plan import Plan
from regjax.comparison.scoring import predicted_by_constant
from regjax.core.typing import Estimator
from regjax.data import Preprocessors, Splits, noisy_targets, training_rows
from regjax.losses import ChosenLoss, best_constant
from regjax.report.reference_notes import BOOSTING, CONSTANT, LINEAR

MOST_ROWS = 20_000  # most examples that a reference is fitted on, which takes some seconds
MOST_OF_QUANTILES = 4_000  # of the linear program of a quantile regression


def references_of(plan: Plan) -> dict[str, dict[str, float]]:
    """Return the test metrics of each reference (the names are in `regjax.report.reference_notes`) on a split.

    The linear model is a logistic or ridge regression on standardized inputs, or the quantile, Huber or Poisson
    regression of the data loss, of several labels one model for each; the trees of the gradient boosting see the inputs
    as they are, and missing numbers as missing. Both weigh classes and examples as the runs do. For images and
    sequences there is the constant guess alone.

    Args:
      plan: the plan on the split.
    """
    splits, seed = plan.splits, plan.seeds.start
    size = min(plan.options.train_examples or len(splits.y_train), MOST_ROWS)
    rows = training_rows(splits.y_train, seed, splits.task, size)
    y = splits.y_train
    if splits.task != "regression" and plan.options.label_noise:
        y = noisy_targets(y, plan.options.label_noise, splits.task, splits.num_classes, [seed])[0]
    y = y if rows is None else y[rows]
    weight = _weights(plan, y, rows)
    outputs = {CONSTANT: _constant(plan, y, len(splits.y_test))}
    if splits.kind == "table" and importlib.util.find_spec("sklearn"):
        x = splits.x_train[:] if rows is None else splits.x_train[rows]
        preprocessor = Preprocessors(splits, plan.preprocessor).of(seed, size)
        x_test = splits.x_test[:]
        standardized, of_test = preprocessor.transform(x), preprocessor.transform(x_test)
        few = slice(MOST_OF_QUANTILES if plan.loss.name in ("mae", "quantile") else None)
        of_few = None if weight is None else weight[few]
        outputs[LINEAR] = _fitted(_linear(plan.loss), standardized[few], of_test, y[few], of_few, splits)
        outputs[BOOSTING] = _fitted(_boosting(plan.loss), x, x_test, y, weight, splits)
    return {name: all_metrics(plan, found, splits.y_test) for name, found in outputs.items()}


def all_metrics(plan: Plan, outputs: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return the metrics of predictions, with D² where the plan is not after the mean.

    Args:
      plan: the plan, which has the data loss and its unit.
      outputs: as in `regjax.analysis.metrics.metrics_of`.
      y: the targets.
    """
    found = metrics_of(plan.splits.task, outputs, y)
    if "d2" in (plan.metric, default_metric(plan.splits.task, plan.spec.loss)):
        found["d2"] = d2_of(plan.loss, plan.unit, outputs, y)
    return found


def _weights(plan: Plan, y: np.ndarray, rows: np.ndarray | None) -> np.ndarray | None:
    """How much each training example counts in the loss, by its class and its own weight; None for all the same."""
    of_classes, of_rows = plan.always.get("class_weights"), plan.splits.weight_train
    if of_classes is None and of_rows is None:
        return None
    weight = np.ones(len(y)) if of_classes is None else np.asarray(of_classes, np.float64)[y]
    return weight if of_rows is None else weight * (of_rows if rows is None else of_rows[rows])


def _constant(plan: Plan, y: np.ndarray, size: int) -> np.ndarray:
    """The best constant under the data loss for the training targets, as predictions."""
    name, parameter = plan.loss
    guess = best_constant(name, plan.unit.target_transform(y), parameter, plan.splits.num_classes)
    return predicted_by_constant(guess, plan.unit, plan.splits.task, size)


def _linear(loss: ChosenLoss) -> Estimator:
    from sklearn.linear_model import HuberRegressor, LogisticRegression, PoissonRegressor, QuantileRegressor, Ridge
    from sklearn.multioutput import MultiOutputRegressor

    made = {
        "mse": Ridge,
        "mae": lambda: QuantileRegressor(alpha=0.0),
        "quantile": lambda: QuantileRegressor(quantile=loss.parameter, alpha=0.0),
        "huber": lambda: HuberRegressor(max_iter=1000),
        "poisson": lambda: PoissonRegressor(alpha=1e-3, max_iter=1000),
    }
    if loss.name not in made:
        return LogisticRegression(max_iter=1000)
    return made[loss.name]() if loss.name == "mse" else MultiOutputRegressor(made[loss.name]())


def _boosting(loss: ChosenLoss) -> Estimator:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.multioutput import MultiOutputRegressor

    if LOSSES[loss.name].task != "regression":
        return HistGradientBoostingClassifier(random_state=0)
    names = {"mse": "squared_error", "mae": "absolute_error", "quantile": "quantile", "poisson": "poisson"}
    own = names.get(loss.name, "absolute_error")  # it has no Huber loss
    quantile = loss.parameter if own == "quantile" else None
    return MultiOutputRegressor(HistGradientBoostingRegressor(loss=own, quantile=quantile, random_state=0))


def _fitted(
    model: Estimator, x: np.ndarray, x_test: np.ndarray, y: np.ndarray, weight: np.ndarray | None, splits: Splits
) -> np.ndarray:
    from threadpoolctl import threadpool_limits

    # Threads of OpenMP wait for each other by spinning: on a busy machine boosting on 341 rows takes 30 s with two of
    # them, and 0.2 s with one.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a reference is reported even if its solver has not converged
        if splits.task == "regression":
            model.fit(x, y.reshape(len(y), -1), sample_weight=weight)
            return np.asarray(model.predict(x_test)).reshape(len(x_test), -1)
        if splits.task == "classification":
            return _of_classes(model, x, x_test, y, weight, splits.num_classes)
        labels = [_of_classes(model, x, x_test, of_label, weight, 2) for of_label in y.T.astype(np.int32)]
        return np.stack([of_label[:, 1] for of_label in labels], axis=1)


def _of_classes(
    model: Estimator, x: np.ndarray, x_test: np.ndarray, y: np.ndarray, weight: np.ndarray | None, num_classes: int
) -> np.ndarray:
    """The probabilities `[N, K]` of a classifier, which is fitted anew."""
    out = np.zeros((len(x_test), num_classes))
    if len(np.unique(y)) < 2:
        out[:, y[0]] = 1.0
        return out
    model.fit(x, y, sample_weight=weight)
    out[:, model.classes_] = model.predict_proba(x_test)
    return out
