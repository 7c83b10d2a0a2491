"""Losses and the accuracy of classes for each example or token, and weights of classes."""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from regjax.catalog import CLASS_WEIGHTS
from regjax.core.checks import check_array, check_choice, check_range
from regjax.core.dtypes import widened
from regjax.core.labels import as_indices, check_labels, check_logits, distributions, is_class, is_indices
from regjax.core.typing import Array, ArrayLike


def cross_entropy(logits: Array, targets: Array, *, ignore_index: int | None = None) -> Array:
    """Cross entropy of each example or token: `-sum_k p_k log softmax(logits)_k`.

    Args:
      logits: `[..., K]`, as `[B, K]` or, of sequences, `[B, T, K]`; K >= 2.
      targets: class indices `int[...]` or class distributions `[..., K]` in floating point.
      ignore_index: an index whose loss is 0, as for padding; `rj.build_loss(..., ignore_index=...)` also leaves it
        out of the mean.

    Returns:
      `float32[...]`, or float64 where the arguments are; the data loss is its mean.

    Raises:
      ValueError: the shapes do not match, there are fewer than 2 classes, or a concrete label is not a class. The
        loss of a traced label that is not a class is 0.

    Example:
      >>> cross_entropy(jnp.zeros((1, 4)), jnp.array([2]))
      Array([1.3862944], dtype=float32)
      >>> cross_entropy(jnp.zeros((1, 2, 4)), jnp.array([[2, -100]]), ignore_index=-100)
      Array([[1.3862944, 0.       ]], dtype=float32)
    """
    logits = _as_logits("cross_entropy", logits, targets, ignore_index)
    if not is_indices(targets):
        return optax.softmax_cross_entropy(logits, jnp.asarray(targets, logits.dtype))
    index, is_known = _known_classes(targets, logits.shape[-1], ignore_index)
    return jnp.where(is_known, optax.softmax_cross_entropy_with_integer_labels(logits, index), 0.0)


def focal_loss(logits: Array, targets: Array, gamma: ArrayLike = 2.0, *, ignore_index: int | None = None) -> Array:
    """Focal loss of each example or token: cross entropy in which an example that is easy already weighs less.

      -sum_k p_k (1 - q_k)^gamma log q_k,  with q = softmax(logits)

    With gamma = 0 it is `cross_entropy`. Distributions p, as of label smoothing and mixup, weigh the classes. The
    probabilities of a model that minimizes it are drawn to the middle; its decisions are not.

    Args:
      logits: `[..., K]`, as `[B, K]` or, of sequences, `[B, T, K]`; K >= 2.
      targets: class indices `int[...]` or class distributions `[..., K]` in floating point.
      gamma: >= 0; may be traced.
      ignore_index: an index whose loss is 0, as in `cross_entropy`.

    Returns:
      `float32[...]`, or float64 where the arguments are.

    Raises:
      ValueError: as `cross_entropy`, or a concrete gamma is negative.

    Example:
      >>> focal_loss(jnp.zeros((1, 2)), jnp.array([1]), 1.0)
      Array([0.3465736], dtype=float32)

    Reference:
      Lin et al., Focal loss for dense object detection, 2017. https://arxiv.org/abs/1708.02002
    """
    check_range("focal_loss: gamma", gamma, 0.0, high_open=True)
    logits = _as_logits("focal_loss", logits, targets, ignore_index)
    p, log_q = distributions(targets, logits.shape[-1], ignore_index), jax.nn.log_softmax(logits, axis=-1)
    # log(1 - q) of the likeliest class is the sum over the others: 1 - q would round to 0, and its power has no slope.
    first = jnp.arange(logits.shape[-1]) == jnp.argmax(logits, axis=-1, keepdims=True)
    others = jax.nn.logsumexp(log_q, axis=-1, keepdims=True, where=~first)
    log_rest = jnp.where(first, others, jnp.log1p(-jnp.where(first, 0.0, jnp.exp(log_q))))
    return -jnp.sum(p.astype(log_q.dtype) * jnp.exp(gamma * log_rest) * log_q, axis=-1)


def correct(logits: Array, targets: Array, *, ignore_index: int | None = None) -> Array:
    """1 for each example or token whose largest logit is its class (or its most probable class), else 0.

    Args:
      logits: `[..., K]`; K >= 2.
      targets: class indices `int[...]` or class distributions `[..., K]` in floating point.
      ignore_index: an index that never counts as correct.

    Returns:
      `float32[...]`.

    Raises:
      ValueError: as `cross_entropy`. A traced label that is not a class never counts as correct.

    Example:
      >>> correct(jnp.array([[0.0, 1.0], [2.0, 1.0]]), jnp.array([1, 1]))
      Array([1., 0.], dtype=float32)
    """
    logits = _as_logits("correct", logits, targets, ignore_index)
    predicted = jnp.argmax(logits, axis=-1)
    if not is_indices(targets):
        is_correct = (predicted == jnp.argmax(targets, axis=-1)) & jnp.any(jnp.asarray(targets) > 0, axis=-1)
        return is_correct.astype(jnp.float32)
    index, is_known = _known_classes(targets, logits.shape[-1], ignore_index)
    return (is_known & (predicted == index)).astype(jnp.float32)


def class_weights(counts: Sequence[int] | np.ndarray, rule: str = "balanced") -> np.ndarray:
    """Weights of classes in the loss, by how many training examples each has.

      balanced:   n / (K n_k), so that all K classes count the same
      effective:  c (1 - b) / (1 - b^n_k) with b = (n - 1) / n, the inverse effective number of examples, between
                  balanced and none

    Their mean over the n examples is 1; `c` sees to it. The weight of a class without examples is 0. `Hparams`
    takes them (`make_hparams(class_weights=...)`); an update then averages its losses by the weights of their classes.

    Args:
      counts: the number of training examples of each class, `int[K]`.
      rule: `"balanced"` or `"effective"`.

    Returns:
      `float32[K]`.

    Raises:
      InputError: an unknown rule.
      ValueError: a negative count, or no example at all.

    Example:
      >>> class_weights([6, 2]).tolist()
      [0.6666666865348816, 2.0]

    Reference:
      King and Zeng, Logistic regression in rare events data, 2001; Cui et al., Class-balanced loss based on effective
      number of samples, 2019.
    """
    check_choice("class_weights: rule", rule, CLASS_WEIGHTS)
    numbers = np.asarray(counts, np.float64)
    if numbers.ndim != 1 or not numbers.size or numbers.min() < 0 or not numbers.sum():
        raise ValueError(f"class_weights: counts must be numbers >= 0 of each class, not all 0; got {counts}")
    total = numbers.sum()
    known = np.maximum(numbers, 1.0)
    weights = 1.0 / known if rule == "balanced" else 1.0 / -np.expm1(known * np.log1p(-1.0 / max(total, 2.0)))
    weights = np.where(numbers > 0, weights, 0.0)
    found: np.ndarray = (weights * total / np.sum(weights * numbers)).astype(np.float32)
    return found


def _as_logits(name: str, logits: Array, targets: Array, ignore_index: int | None) -> Array:
    check_array(f"{name}: logits", logits)
    check_logits(name, logits.shape)
    check_labels(name, targets, logits.shape[-1], ignore_index=ignore_index, shape=logits.shape[:-1])
    return widened(logits)


def _known_classes(targets: Array, num_classes: int, ignore_index: int | None) -> tuple[Array, Array]:
    """Class indices, with 0 for labels that are not a class, and whether each label is a class."""
    index = as_indices(targets)
    is_known = is_class(index, num_classes, ignore_index)
    return jnp.where(is_known, index, 0), is_known
