"""Label smoothing and label noise."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from regjax.catalog import SMOOTHINGS
from regjax.core.checks import check_choice, check_range
from regjax.core.labels import as_indices, check_labels, distributions, is_class, is_indices
from regjax.core.typing import Array, ArrayLike, PRNGKey


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
