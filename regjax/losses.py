"""Data losses and metrics for each example (or token), label smoothing and label noise.

Losses are functions `(outputs, targets) -> [B]`, or `[B, T]` for sequences; their callers (`build_loss`, `evaluate`)
apply the weights and average. As in torch, the mean is over all tokens of a batch that count, not sequence by sequence:
see `squared_error`, `cross_entropy` and `weighted_mean`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax

from regjax.catalog import CLASS_WEIGHTS, SMOOTHINGS
from regjax.core.checks import check_array, check_choice, check_range
from regjax.core.dtypes import widened
from regjax.core.labels import as_indices, check_labels, check_logits, distributions, is_class, is_indices
from regjax.core.typing import Array, ArrayLike, PRNGKey

Loss = Callable[[Array, Array], Array]


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


def squared_error(outputs: Array, targets: Array) -> Array:
    """Squared error of each example: `mean_d (y_d - f_d)^2`, without a factor of one half.

    Args:
      outputs: `[B]` or `[B, D]`.
      targets: same shape.

    Returns:
      `float32[B]`, or float64 where the arguments are; the data loss (`mse`) is its mean.

    Raises:
      ValueError: the shapes differ (they are never broadcast), or the numbers are complex.

    Example:
      >>> squared_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]))
      Array([0., 4.], dtype=float32)
    """
    check_array("squared_error: outputs", outputs)
    if outputs.shape != targets.shape:
        raise ValueError(f"squared_error: outputs {outputs.shape} and targets {targets.shape} must have one shape")
    for name, values in (("outputs", outputs), ("targets", targets)):
        if jnp.issubdtype(values.dtype, jnp.complexfloating):
            raise ValueError(f"squared_error: {name} must be real, got {values.dtype}")
    error = jnp.square(widened(outputs) - widened(targets))
    return error.reshape(error.shape[0], -1).mean(axis=1)


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


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "mse": squared_error}
TASK_LOSSES = {"classification": "cross_entropy", "regression": "mse"}


def get_loss(name_or_loss: str | Loss) -> Loss:
    """The loss of this name (`"cross_entropy"`, `"mse"`); a callable is returned unchanged."""
    if callable(name_or_loss):
        return name_or_loss
    check_choice("data_loss", name_or_loss, LOSSES)
    return LOSSES[name_or_loss]


def weighted_mean(values: Array, weight: Array | None) -> Array:
    """`sum w v / sum w` over all values; the plain mean without weights, and 0 (not NaN) if all weights are 0.

    Args:
      values: `[B]` of examples, or `[B, T]` of tokens.
      weight: >= 0; `[B]`, for all tokens of an example alike, or `[B, T]`. A value of weight 0 is left out.

    Raises:
      ValueError: the shapes do not match, or a concrete weight is negative or not finite.

    Example:
      >>> float(weighted_mean(jnp.array([[1.0, 5.0], [3.0, 9.0]]), jnp.array([[1.0, 0.0], [1.0, 0.0]])))
      2.0
    """
    values = widened(values)
    if weight is None:
        return jnp.mean(values)
    if weight.shape != values.shape[: weight.ndim]:
        raise ValueError(f"weight of shape {weight.shape} does not fit values of shape {values.shape}")
    check_range("weight", weight, 0.0, high_open=True)
    weight = widened(weight)
    weight = jnp.broadcast_to(weight.reshape(*weight.shape, *[1] * (values.ndim - weight.ndim)), values.shape)
    total = jnp.sum(weight)
    return jnp.sum(values * weight) / jnp.where(total > 0, total, 1.0)


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


def smooth_labels(
    targets: Array,
    smoothing: ArrayLike,
    num_classes: int,
    *,
    convention: str = "uniform",
    ignore_index: int | None = None,
) -> Array:
    """Label smoothing: a share e of the probability is moved from the true class and spread over classes.

      uniform:  (1 - e) y + e / K              over all K classes, the true one included
      others:   (1 - e) y + e (1 - y)/(K - 1)  over the K - 1 other classes

    `others` with e is `uniform` with e K / (K - 1). Both are linear in y, so they commute with mixup.

    Args:
      targets: class indices `int[...]`, as `int[B]` or token ids `int[B, T]`, or distributions `[..., K]`.
      smoothing: `e` in [0, 1]; may be traced: then a negative or NaN value acts as 0, and one above 1 as 1.
      num_classes: `K`; at least 2 for `others`.
      convention: `"uniform"` (Szegedy et al.; torch, Keras, optax) or `"others"` (as in Vaswani et al.'s code).
      ignore_index: this index gives a row of zeros, which has no loss; a row of zeros stays as it is.

    Returns:
      `float32[..., K]`; each row keeps its sum.

    Raises:
      ValueError: a concrete `smoothing` outside [0, 1], an unknown convention, or a concrete label that is not a
        class. A traced label that is not a class gives a row of zeros.

    Example:
      >>> smooth_labels(jnp.array([1]), 0.5, 2)
      Array([[0.25, 0.75]], dtype=float32)
      >>> smooth_labels(jnp.array([1]), 0.5, 2, convention="others")
      Array([[0.5, 0.5]], dtype=float32)

    Reference:
      Szegedy et al., Rethinking the Inception architecture for computer vision, 2016.
    """
    check_range("smooth_labels: smoothing", smoothing, 0.0, 1.0)
    check_choice("smooth_labels: convention", convention, SMOOTHINGS)
    check_labels("smooth_labels", targets, num_classes, ignore_index=ignore_index)
    soft = distributions(targets, num_classes, ignore_index)
    counts = jnp.any(soft > 0, axis=-1, keepdims=True)
    smoothing = jnp.where(jnp.asarray(smoothing) > 0, jnp.minimum(smoothing, 1.0), 0.0)
    if convention == "uniform":
        return jnp.where(counts, (1 - smoothing) * soft + smoothing / num_classes, 0.0)
    check_range("smooth_labels: num_classes", num_classes, 2)
    return jnp.where(counts, (1 - smoothing) * soft + smoothing * (1 - soft) / (num_classes - 1), 0.0)


def corrupt_labels(
    key: PRNGKey, labels: Array, rate: ArrayLike, num_classes: int, *, ignore_index: int | None = None
) -> Array:
    """Symmetric label noise: each label is replaced with probability `rate`, by another class drawn uniformly.

    For studies of robustness; `regjax.data.noisy_labels` corrupts an exact number of labels on the host.

    Args:
      key: one key.
      labels: class indices `int[...]`.
      rate: scalar in [0, 1]; may be traced.
      num_classes: K >= 2.
      ignore_index: this index is neither replaced nor drawn; nor is a traced label that is not a class replaced.

    Returns:
      Class indices like `labels`.

    Raises:
      ValueError: a concrete `rate` outside [0, 1], fewer than 2 classes beside the ignored one, labels that are not
        class indices, or a concrete label that is not a class.

    Example:
      >>> import jax
      >>> corrupt_labels(jax.random.key(0), jnp.array([0, 1]), 1.0, 2)
      Array([1, 0], dtype=int32)

    Reference:
      Zhang et al., Understanding deep learning requires rethinking generalization, 2017.
    """
    check_range("corrupt_labels: rate", rate, 0.0, 1.0)
    check_range("corrupt_labels: num_classes", num_classes, 2)
    if not is_indices(labels):
        raise ValueError(
            f"corrupt_labels: labels must be class indices int[...], got {labels.dtype}{list(labels.shape)}"
        )
    check_labels("corrupt_labels", labels, num_classes, ignore_index=ignore_index)
    allowed = num_classes if ignore_index is None or not 0 <= ignore_index < num_classes else num_classes - 1
    if allowed < 2:
        raise ValueError(
            f"corrupt_labels: ignore_index={ignore_index} leaves {allowed} class of {num_classes}, needs 2"
        )
    choice_key, class_key = jax.random.split(key)
    index = as_indices(labels)
    is_replaced = jax.random.uniform(choice_key, index.shape, jnp.float32) < rate
    is_replaced &= is_class(index, num_classes, ignore_index)
    offset = jax.random.randint(class_key, index.shape, 1, allowed, jnp.int32).astype(index.dtype)
    if ignore_index is None or allowed == num_classes:
        changed = (index + offset) % num_classes
    else:  # number the classes without the ignored one
        changed = (index - (index > ignore_index) + offset) % allowed
        changed += changed >= ignore_index
    return jnp.where(is_replaced, changed, index).astype(jnp.asarray(labels).dtype)
