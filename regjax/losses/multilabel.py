"""The loss, accuracy and label smoothing of examples that have several labels, each of which is 0 or 1."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import optax

from regjax.catalog import SMOOTHINGS
from regjax.core.checks import check_array, check_choice, check_range
from regjax.core.dtypes import widened
from regjax.core.typing import Array, ArrayLike


def binary_cross_entropy(logits: Array, targets: Array) -> Array:
    """Cross entropy of each example, a mean over its K labels, each of which is predicted on its own.

      mean_k -(y_k log q_k + (1 - y_k) log(1 - q_k)),  with q = sigmoid(logits)

    Args:
      logits: `[B, K]`.
      targets: `[B, K]`, 0 or 1, or a number between them, as of label smoothing and mixup.

    Returns:
      `float32[B]`, or float64 where the arguments are; the data loss is its mean. In nats, as `cross_entropy`; torch's
      `BCEWithLogitsLoss` is its mean over the batch.

    Raises:
      ValueError: the shapes differ (they are never broadcast), or a concrete target is not in [0, 1].

    Example:
      >>> binary_cross_entropy(jnp.zeros((1, 3)), jnp.array([[1.0, 0.0, 1.0]]))
      Array([0.6931472], dtype=float32)

    Reference:
      Bishop, Pattern recognition and machine learning, 2006, section 4.3.
    """
    logits, targets = _pair("binary_cross_entropy", logits, targets)
    return optax.sigmoid_binary_cross_entropy(logits, targets.astype(logits.dtype)).mean(axis=1)


def labels_correct(logits: Array, targets: Array) -> Array:
    """The share of the labels of each example that are right: a label is predicted where its logit is above 0.

    Args:
      logits: `[B, K]`.
      targets: `[B, K]`, 0 or 1.

    Returns:
      `float32[B]`.

    Raises:
      ValueError: as `binary_cross_entropy`.

    Example:
      >>> labels_correct(jnp.array([[2.0, -1.0, 0.5, 0.0]]), jnp.array([[1, 1, 1, 0]]))
      Array([0.75], dtype=float32)
    """
    logits, targets = _pair("labels_correct", logits, targets)
    return jnp.mean((logits > 0) == (targets > 0.5), axis=1, dtype=jnp.float32)


def smooth_binary(targets: Array, smoothing: ArrayLike, *, convention: str = "uniform") -> Array:
    """Label smoothing of labels that are 0 or 1, each of which is one of two classes.

      uniform:  (1 - e) y + e / 2,   others:  (1 - e) y + e (1 - y)

    It is `smooth_labels` with K = 2, for each label on its own.

    Args:
      targets: `[B, K]` in [0, 1].
      smoothing: `e` in [0, 1]; may be traced: then a negative or NaN value acts as 0, and one above 1 as 1.
      convention: `"uniform"` or `"others"`, see `smooth_labels`.

    Returns:
      `float32[B, K]`.

    Raises:
      ValueError: a concrete `smoothing` or target outside [0, 1], or an unknown convention.

    Example:
      >>> smooth_binary(jnp.array([[1.0, 0.0]]), 0.5)
      Array([[0.75, 0.25]], dtype=float32)
    """
    check_range("smooth_binary: smoothing", smoothing, 0.0, 1.0)
    check_range("smooth_binary: targets", targets, 0.0, 1.0)
    check_choice("smooth_binary: convention", convention, SMOOTHINGS)
    y = widened(jnp.asarray(targets))
    smoothing = jnp.where(jnp.asarray(smoothing) > 0, jnp.minimum(smoothing, 1.0), 0.0)
    return (1 - smoothing) * y + smoothing * (0.5 if convention == "uniform" else 1 - y)


def probabilities(outputs: Array, task: str) -> Array:
    """The probabilities of logits: of exclusive classes, or of labels each on its own.

    Args:
      outputs: logits `[..., K]`.
      task: `"classification"` or `"multilabel"`.

    Example:
      >>> probabilities(jnp.zeros((1, 4)), "classification"), probabilities(jnp.zeros((1, 1)), "multilabel")
      (Array([[0.25, 0.25, 0.25, 0.25]], dtype=float32), Array([[0.5]], dtype=float32))
    """
    check_choice("probabilities: task", task, ("classification", "multilabel"))
    outputs = widened(outputs)
    return jax.nn.softmax(outputs, axis=-1) if task == "classification" else jax.nn.sigmoid(outputs)


def _pair(name: str, logits: Array, targets: Array) -> tuple[Array, Array]:
    """Logits and targets in float32 at least, after checking that they fit each other."""
    check_array(f"{name}: logits", logits)
    targets = jnp.asarray(targets)
    if logits.shape != targets.shape or logits.ndim != 2:
        raise ValueError(f"{name}: logits {logits.shape} and targets {targets.shape} must have one shape [B, K]")
    check_range(f"{name}: targets", targets, 0.0, 1.0)
    return widened(logits), widened(targets)
