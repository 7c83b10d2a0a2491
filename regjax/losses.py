"""Data losses, one number an example (or a token), their metrics, and smoothed or corrupted labels.

Losses are functions `(outputs, targets) -> [B]`, or `[B, T]` for sequences; whoever averages them (`build_loss`,
`evaluate`) applies the weights. Their mean is the convention of the package, over all tokens of a batch that count, as
in torch, and not sequence by sequence: see `squared_error`, `cross_entropy` and `weighted_mean`.
"""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from regjax.catalog import SMOOTHINGS
from regjax.core.checks import check_array, check_choice, check_range
from regjax.core.dtypes import widened
from regjax.core.labels import as_indices, check_labels, distributions, is_class, is_indices
from regjax.core.typing import Array, ArrayLike, PRNGKey

Loss = Callable[[Array, Array], Array]


def cross_entropy(logits: Array, targets: Array, *, ignore_index: int | None = None) -> Array:
    """Cross entropy of each example or token: `-sum_k p_k log softmax(logits)_k`.

    Args:
      logits: `[..., K]`, as `[B, K]` or, of sequences, `[B, T, K]`; K >= 2.
      targets: class indices `int[...]` or class distributions `[..., K]` in floating point.
      ignore_index: an index whose loss is 0, as padding; `rj.build_loss(..., ignore_index=...)` leaves it out of the
        mean too.

    Returns:
      `float32[...]`, or float64 where the arguments are; the data loss is its mean.

    Raises:
      ValueError: the shapes do not belong together, fewer than 2 classes, or a concrete label that is no class. The
        loss of a traced one is 0.

    Example:
      >>> cross_entropy(jnp.zeros((1, 4)), jnp.array([2]))
      Array([1.3862944], dtype=float32)
      >>> cross_entropy(jnp.zeros((1, 2, 4)), jnp.array([[2, -100]]), ignore_index=-100)
      Array([[1.3862944, 0.       ]], dtype=float32)
    """
    logits = _as_logits("cross_entropy", logits, targets, ignore_index)
    if not is_indices(targets):
        return optax.softmax_cross_entropy(logits, jnp.asarray(targets, logits.dtype))
    index, known = _known_classes(targets, logits.shape[-1], ignore_index)
    return jnp.where(known, optax.softmax_cross_entropy_with_integer_labels(logits, index), 0.0)


def squared_error(outputs: Array, targets: Array) -> Array:
    """Squared error of each example: `mean_d (y_d - f_d)^2`, without a factor of one half.

    Args:
      outputs: `[B]` or `[B, D]`.
      targets: same shape.

    Returns:
      `float32[B]`, or float64 where the arguments are; the data loss (`mse`) is its mean.

    Raises:
      ValueError: the shapes differ; they are never broadcast. Complex numbers, whose square is no distance.

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
      ignore_index: an index that is never right.

    Returns:
      `float32[...]`.

    Raises:
      ValueError: as `cross_entropy`. A traced label that is no class is never right.

    Example:
      >>> correct(jnp.array([[0.0, 1.0], [2.0, 1.0]]), jnp.array([1, 1]))
      Array([1., 0.], dtype=float32)
    """
    logits = _as_logits("correct", logits, targets, ignore_index)
    predicted = jnp.argmax(logits, axis=-1)
    if not is_indices(targets):
        right = (predicted == jnp.argmax(targets, axis=-1)) & jnp.any(jnp.asarray(targets) > 0, axis=-1)
        return right.astype(jnp.float32)
    index, known = _known_classes(targets, logits.shape[-1], ignore_index)
    return (known & (predicted == index)).astype(jnp.float32)


LOSSES: dict[str, Loss] = {"cross_entropy": cross_entropy, "mse": squared_error}
TASK_LOSSES = {"classification": "cross_entropy", "regression": "mse"}


def get_loss(name_or_loss: str | Loss) -> Loss:
    """A loss by its name (`"cross_entropy"`, `"mse"`); a callable passes unchanged."""
    if callable(name_or_loss):
        return name_or_loss
    check_choice("data_loss", name_or_loss, LOSSES)
    return LOSSES[name_or_loss]


def weighted_mean(values: Array, weight: Array | None) -> Array:
    """`sum w v / sum w` over all values; without weights the plain mean. All-zero weights give 0, not NaN.

    Args:
      values: `[B]` of examples, or `[B, T]` of tokens.
      weight: >= 0, `[B]`, which holds for all tokens of an example, or `[B, T]`; 0 leaves out.

    Raises:
      ValueError: shapes that do not belong together, or a concrete weight that is negative or not finite.

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
    if logits.ndim < 2 or logits.shape[-1] < 2:
        raise ValueError(f"{name}: logits must be [..., K] of at least 2 classes, got shape {logits.shape}")
    check_labels(name, targets, logits.shape[-1], ignore_index=ignore_index, shape=logits.shape[:-1])
    return widened(logits)


def _known_classes(targets: Array, num_classes: int, ignore_index: int | None) -> tuple[Array, Array]:
    """Class indices, 0 where there is no class, and where there is one."""
    index = as_indices(targets)
    known = is_class(index, num_classes, ignore_index)
    return jnp.where(known, index, 0), known


def smooth_labels(
    targets: Array,
    smoothing: ArrayLike,
    num_classes: int,
    *,
    convention: str = "uniform",
    ignore_index: int | None = None,
) -> Array:
    """Label smoothing, which takes a part e of the probability from the class and spreads it.

      uniform:  (1 - e) y + e / K              over all K classes, the right one included
      others:   (1 - e) y + e (1 - y)/(K - 1)  over the K - 1 others

    `others` with e is `uniform` with e K / (K - 1). Both are linear in y, so they commute with mixup.

    Args:
      targets: class indices `int[...]`, as `int[B]` or token ids `int[B, T]`, or distributions `[..., K]`.
      smoothing: `e` in [0, 1]; may be traced, and then a negative or NaN one acts as 0 and a larger one as 1.
      num_classes: `K`; at least 2 for `others`.
      convention: `"uniform"` (Szegedy et al.; torch, Keras, optax) or `"others"` (as in Vaswani et al.'s code).
      ignore_index: this index gives a row of zeros, which counts for nothing; so does a row of zeros itself.

    Returns:
      `float32[..., K]`; each row keeps its sum.

    Raises:
      ValueError: a concrete `smoothing` outside [0, 1], an unknown convention, or a concrete label that is no class. A
        traced one gives a row of zeros.

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
    """Replaces labels by another class, drawn uniformly, each with probability `rate`: symmetric label noise.

    For studies of robustness; `regjax.data.noisy_labels` corrupts an exact number of them on the host.

    Args:
      key: one key.
      labels: class indices `int[...]`.
      rate: scalar in [0, 1]; may be traced.
      num_classes: K >= 2.
      ignore_index: this index stays what it is, and no other becomes it; a traced one that is no class stays too.

    Returns:
      Class indices like `labels`.

    Raises:
      ValueError: a concrete `rate` outside [0, 1], fewer than 2 classes beside the ignored one, labels that are not
        class indices, or a concrete one that is no class.

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
    among = num_classes if ignore_index is None or not 0 <= ignore_index < num_classes else num_classes - 1
    if among < 2:
        raise ValueError(f"corrupt_labels: ignore_index={ignore_index} leaves {among} class of {num_classes}, needs 2")
    which, other = jax.random.split(key)
    index = as_indices(labels)
    wrong = jax.random.uniform(which, index.shape, jnp.float32) < rate
    wrong &= is_class(index, num_classes, ignore_index)
    offset = jax.random.randint(other, index.shape, 1, among, jnp.int32).astype(index.dtype)
    if ignore_index is None or among == num_classes:
        changed = (index + offset) % num_classes
    else:  # count without the ignored class
        changed = (index - (index > ignore_index) + offset) % among
        changed += changed >= ignore_index
    return jnp.where(wrong, changed, index).astype(jnp.asarray(labels).dtype)
