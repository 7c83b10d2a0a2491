"""A regularized net that classifies."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from regjax.core.typing import Value
from regjax.sklearn.estimator import Regularized


@dataclasses.dataclass(eq=False, repr=False)
class RegularizedClassifier(ClassifierMixin, Regularized):  # type: ignore[misc]
    """A classifier of scikit-learn: a net on the features of a table, with any regularizers.

    It works in pipelines, searches and cross-validation, and needs no tensor or key. A regularizer is a parameter:
    `penalty="l1(1e-3)"`, `dropout=0.2`, `label_smoothing=0.1`, `mixup=0.2`, `constraint="max_norm(3)"`, ...; see
    `Regularized` for those that the regressor has as well.

    Attributes:
      label_smoothing: fraction of each label that is spread over all classes.
      class_weight: weights of the classes in the loss: `"balanced"`, by class in a dict, or None.

    After `fit`, it has `classes_`, `n_features_in_`, `n_iter_`, `loss_curve_` (the mean training loss of each epoch,
    penalties included), `weights_`, and with early stopping `validation_loss_curve_` and `best_iter_` (epochs from 1).

    Example:
      >>> from sklearn.datasets import load_iris
      >>> x, y = load_iris(return_X_y=True)
      >>> model = RegularizedClassifier((16,), penalty="l2(1e-3)", learning_rate_init=0.01, random_state=0)
      >>> model.fit(x, y).score(x, y) > 0.9
      True
    """

    _: dataclasses.KW_ONLY
    label_smoothing: float | None = None
    class_weight: str | Mapping[Value, float] | None = None

    task: ClassVar[str] = "classification"

    def partial_fit(
        self, X: Value, y: Value, classes: Value = None, sample_weight: Value = None
    ) -> RegularizedClassifier:
        """Train for one pass over some examples, from the weights of before if there are any.

        Features are standardized as in the first pass, whose examples should be like the later ones.

        Args:
          X: features `[N, F]`.
          y: class labels `[N]`.
          classes: all class labels that will ever occur; needed in the first call.
          sample_weight: as in `fit`.
        """
        if classes is None and not hasattr(self, "classes_"):
            raise ValueError("partial_fit: classes must name all classes in the first call")
        self._partial_fit(X, y, sample_weight, getattr(self, "classes_", None) if classes is None else classes)
        return self

    def predict_proba(self, X: Value) -> np.ndarray:
        """Return the probability of each class, `float32[N, K]`, in the order of `classes_`."""
        outputs = self._outputs(X)
        powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        return powers / powers.sum(axis=1, keepdims=True)

    def predict_log_proba(self, X: Value) -> np.ndarray:
        """Return the logarithm of the probability of each class, `float32[N, K]`."""
        outputs = self._outputs(X)
        outputs = outputs - outputs.max(axis=1, keepdims=True)
        return outputs - np.log(np.exp(outputs).sum(axis=1, keepdims=True))

    def predict(self, X: Value) -> np.ndarray:
        """Return the most probable class of each example, `[N]`."""
        likely = self._outputs(X).argmax(axis=1)
        found: np.ndarray = self.classes_[likely]
        return found

    def _targets(self, y: np.ndarray, classes: Value = None) -> np.ndarray:
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        self.classes_ = np.unique(y) if classes is None else np.unique(np.asarray(classes))
        if len(self.classes_) < 2:
            raise ValueError(f"y has 1 class, {self.classes_[0]!r}; a classifier needs at least 2")
        unknown = np.setdiff1d(y, self.classes_)
        if unknown.size:
            raise ValueError(f"y has the class {unknown[0]!r}, which is not one of {list(self.classes_)}")
        return np.searchsorted(self.classes_, y).astype(np.int32)

    def _num_outputs(self, y: np.ndarray) -> int:
        return len(self.classes_)

    def _own_hparams(self, y: np.ndarray) -> dict[str, Value]:
        return {"label_smoothing": self.label_smoothing, "class_weights": self._class_weights(y)}

    def _class_weights(self, y: np.ndarray) -> np.ndarray | None:
        """Return the weight of each class, `float32[K]`; 0 for those that do not occur."""
        if self.class_weight is None:
            return None
        weights, present = np.zeros(len(self.classes_), np.float32), np.unique(y)
        labels = self.classes_[present]
        weights[present] = compute_class_weight(self.class_weight, classes=labels, y=self.classes_[y])
        return weights

    def _stratified(self, y: np.ndarray) -> np.ndarray | None:
        counts = np.bincount(y)
        parts = min(self.validation_fraction, 1.0 - self.validation_fraction) * len(y)
        enough = counts[counts > 0].min() >= 2 and parts >= np.count_nonzero(counts)
        return y if enough else None
