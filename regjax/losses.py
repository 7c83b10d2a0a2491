"""Data losses, one number an example, and the metrics reported beside them.

Losses are functions `(outputs, targets) -> [B]`; whoever averages them (`build_loss`, `evaluate`) applies the
example weights. Their mean is the convention of the package: see `mse` and `cross_entropy`.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from regjax.checks import check_choice, check_range
from regjax.typing import Array, ArrayLike, PRNGKey

Loss = Callable[[Array, Array], Array]
SMOOTHINGS = ("uniform", "others")


def cross_entropy(logits: Array, targets: Array) -> Array:
    """Cross entropy of each example: `-sum_k p_k log softmax(logits)_k`.

    Args:
      logits: `[B, K]`.
      targets: class indices `int[B]` or class distributions `[B, K]`.

    Returns:
      `float32[B]`; the data loss is its mean.

    Raises:
      ValueError: the shapes do not belong together.

    Example:
      >>> cross_entropy(jnp.zeros((1, 4)), jnp.array([2]))
      Array([1.3862944], dtype=float32)
    """
    logits = _as_logits("cross_entropy", logits, targets)
    if targets.ndim == 1:
        return optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    return optax.softmax_cross_entropy(logits, targets)


def squared_error(outputs: Array, targets: Array) -> Array:
    """Squared error of each example: `mean_d (y_d - f_d)^2`, without a factor of one half.

    Args:
      outputs: `[B]` or `[B, D]`.
      targets: same shape.

    Returns:
      `float32[B]`; the data loss (`mse`) is its mean.

    Raises:
      ValueError: the shapes differ; they are never broadcast.

    Example:
      >>> squared_error(jnp.array([1.0, 2.0]), jnp.array([1.0, 4.0]))
      Array([0., 4.], dtype=float32)
    """
    if outputs.shape != targets.shape:
        raise ValueError(f"squared_error: outputs {outputs.shape} and targets {targets.shape} must have one shape")
    error = jnp.square(outputs.astype(jnp.float32) - targets.astype(jnp.float32))
    return error.reshape(error.shape[0], -1).mean(axis=1)


def correct(logits: Array, targets: Array) -> Array:
    """1 for each example whose largest logit is its class (or its most probable class), else 0; `float32[B]`.

    Example:
      >>> correct(jnp.array([[0.0, 1.0], [2.0, 1.0]]), jnp.array([1, 1]))
      Array([1., 0.], dtype=float32)
    """
    labels = targets if targets.ndim == 1 else jnp.argmax(targets, axis=-1)
    return (jnp.argmax(logits, axis=-1) == labels).astype(jnp.float32)


def smooth_labels(targets: Array, smoothing: ArrayLike, num_classes: int, *, convention: str = "uniform") -> Array:
    """Label smoothing, which takes a part e of the probability from the class and spreads it.

      uniform:  (1 - e) y + e / K              over all K classes, the right one included
      others:   (1 - e) y + e (1 - y)/(K - 1)  over the K - 1 others

    `others` with e is `uniform` with e K / (K - 1). Both are linear in y, so they commute with mixup.

    Args:
      targets: class indices `int[B]` or distributions `[B, K]`.
      smoothing: `e` in [0, 1]; may be traced, and then a negative or NaN one acts as 0 and a larger one as 1.
      num_classes: `K`; at least 2 for `others`.
      convention: `"uniform"` (Szegedy et al.; torch, Keras, optax) or `"others"` (as in Vaswani et al.'s code).

    Returns:
      `float32[B, K]`; each row keeps its sum.

    Raises:
      ValueError: a concrete `smoothing` outside [0, 1], or an unknown convention.

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
    soft = one_hot(targets, num_classes)
    smoothing = jnp.where(jnp.asarray(smoothing) > 0, jnp.minimum(smoothing, 1.0), 0.0)
    if convention == "uniform":
        return jnp.asarray((1 - smoothing) * soft + smoothing / num_classes)
    check_range("smooth_labels: num_classes", num_classes, 2)
    return jnp.asarray((1 - smoothing) * soft + smoothing * (1 - soft) / (num_classes - 1))


def corrupt_labels(key: PRNGKey, labels: Array, rate: ArrayLike, num_classes: int) -> Array:
    """Replaces labels by another class, drawn uniformly, each with probability `rate`: symmetric label noise.

    For studies of robustness; `regjax.data.noisy_labels` corrupts an exact number of them on the host.

    Args:
      key: one key.
      labels: class indices `int[B]`.
      rate: scalar in [0, 1]; may be traced.
      num_classes: K >= 2.

    Returns:
      Class indices like `labels`.

    Raises:
      ValueError: a concrete `rate` outside [0, 1], fewer than 2 classes, or labels that are not class indices.

    Example:
      >>> import jax
      >>> corrupt_labels(jax.random.key(0), jnp.array([0, 1]), 1.0, 2)
      Array([1, 0], dtype=int32)

    Reference:
      Zhang et al., Understanding deep learning requires rethinking generalization, 2017.
    """
    check_range("corrupt_labels: rate", rate, 0.0, 1.0)
    check_range("corrupt_labels: num_classes", num_classes, 2)
    if labels.ndim != 1 or not jnp.issubdtype(labels.dtype, jnp.integer):
        raise ValueError(f"corrupt_labels: labels must be class indices int[B], got {labels.dtype}{list(labels.shape)}")
    which, other = jax.random.split(key)
    wrong = jax.random.uniform(which, labels.shape) < rate
    offset = jax.random.randint(other, labels.shape, 1, num_classes, labels.dtype)
    return jnp.where(wrong, (labels + offset) % num_classes, labels)


def one_hot(targets: Array, num_classes: int) -> Array:
    """Class distributions `float32[B, K]` of class indices; distributions pass unchanged.

    Raises:
      ValueError: a concrete index that is no class. A traced one gives a row of zeros.
    """
    if targets.ndim == 2:
        return targets.astype(jnp.float32)
    check_range("class indices", targets, 0, num_classes - 1)
    return (targets[:, None] == jnp.arange(num_classes, dtype=targets.dtype)).astype(jnp.float32)


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "mse": squared_error}
TASK_LOSSES = {"classification": "cross_entropy", "regression": "mse"}


def get_loss(name_or_loss: str | Loss) -> Loss:
    """A loss by its name (`"cross_entropy"`, `"mse"`); a callable passes unchanged."""
    if callable(name_or_loss):
        return name_or_loss
    check_choice("data_loss", name_or_loss, LOSSES)
    return LOSSES[name_or_loss]


def weighted_mean(values: Array, weight: Array | None) -> Array:
    """`sum w v / sum w` over examples; without weights the plain mean. All-zero weights give 0, not NaN."""
    if weight is None:
        return jnp.mean(values)
    total = jnp.sum(weight)
    return jnp.sum(values * weight) / jnp.where(total > 0, total, 1.0)


def _as_logits(name: str, logits: Array, targets: Array) -> Array:
    if logits.ndim != 2:
        raise ValueError(f"{name}: logits must be [B, K], got shape {logits.shape}")
    if targets.shape not in {logits.shape, logits.shape[:1]}:
        raise ValueError(f"{name}: targets must be [B] or [B, K] = {logits.shape}, got shape {targets.shape}")
    return logits.astype(jnp.float32)
