"""A regularized net that predicts numbers."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from sklearn.base import RegressorMixin
from sklearn.utils import Tags
from sklearn.utils.validation import column_or_1d

from regjax.catalog import LOSSES
from regjax.core.typing import Value
from regjax.data.standardization import Standardization
from regjax.losses import predicted_numbers
from regjax.sklearn.estimator import Examples, Regularized, moments


@dataclasses.dataclass(eq=False, repr=False)
class RegularizedRegressor(RegressorMixin, Regularized):  # type: ignore[misc]
    """A regressor of scikit-learn: a net on the features of a table, with any regularizers.

    It works in pipelines, searches and cross-validation, and needs no tensor or key. A regularizer is a parameter:
    `penalty="l1(1e-3)"`, `dropout=0.2`, `constraint="max_norm(3)"`, ...; see `Regularized`. Targets, one or several for
    each example, are standardized in training, so the strength of a penalty does not depend on their unit; those of the
    loss `"poisson"` are counts and stay as they are.

    After `fit`, it has `n_features_in_`, `n_iter_`, `loss_curve_` (the mean training loss of each epoch, penalties
    included), `weights_`, and with early stopping `validation_loss_curve_` and `best_iter_` (epochs from 1).

    Example:
      >>> from sklearn.datasets import load_diabetes
      >>> x, y = load_diabetes(return_X_y=True)
      >>> linear = RegularizedRegressor((), penalty="l2(0.1)", learning_rate_init=0.03, random_state=0)
      >>> linear.fit(x, y).score(x, y) > 0.4
      True
    """

    task: ClassVar[str] = "regression"

    def partial_fit(self, X: Value, y: Value, sample_weight: Value = None) -> RegularizedRegressor:
        """Train for one pass over some examples, from the weights of before if there are any.

        Features and targets are standardized as in the first pass, whose examples should be like the later ones.

        Args:
          X: features `[N, F]`.
          y: targets `[N]` or `[N, D]`.
          sample_weight: as in `fit`.
        """
        self._partial_fit(X, y, sample_weight)
        return self

    def predict(self, X: Value) -> np.ndarray:
        """Return the predicted numbers, `float64[N]` or `float64[N, D]`."""
        outputs = np.asarray(predicted_numbers(self.loss, jnp.asarray(self._outputs(X))), np.float64)
        by = self.hparams_.standardization
        return outputs if by is None or by.y_mean is None else outputs * by.y_scale + by.y_mean

    def __sklearn_tags__(self) -> Tags:
        """Say that several targets are accepted."""
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _targets(self, y: np.ndarray, classes: Value = None) -> np.ndarray:
        y = np.asarray(y, np.float32)
        return column_or_1d(y, warn=True) if y.ndim == 2 and y.shape[1] == 1 else y

    def _num_outputs(self, y: np.ndarray) -> int:
        return 1 if y.ndim == 1 else y.shape[1]

    def _standardization(self, examples: Examples) -> Standardization:
        is_log = self.loss is not None and self.loss in LOSSES and LOSSES[self.loss].link == "log"
        of_targets = (None, None) if is_log else moments(examples.y, examples.weight)
        return Standardization(*moments(examples.x, examples.weight), *of_targets)
