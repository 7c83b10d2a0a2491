"""Class labels: their meaning, and which ones are refused.

The meaning depends on the dtype, never on the values: integers (and booleans) are class indices of any shape `[...]`,
as `int[B]` or token ids `int[B, T]`; floating-point numbers are distributions over the classes, `[..., K]`.

A concrete index that is not a class, or a concrete row that is not a distribution, is refused. For traced labels only
dtype and shape are known: an index outside 0..K-1 then belongs to no class; its distribution is a row of zeros, its
loss is 0, and it never counts as correct. `ignore_index` is a value that is treated like this on purpose, as padding.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.checks import in_short, is_traced
from regjax.core.dtypes import widened
from regjax.core.typing import Array, ArrayLike, Numeric

_SUM_TOLERANCE = 0.02  # of a row of probabilities; in half precision they sum to 1 only approximately


def is_indices(targets: ArrayLike) -> bool:
    """Whether labels are class indices (integers or booleans) and not distributions.

    Example:
      >>> is_indices(np.array([0, 1])), is_indices(np.array([[0.0, 1.0]]))
      (True, False)
    """
    return not jnp.issubdtype(_dtype(targets), jnp.inexact)


def check_labels(
    name: str,
    targets: ArrayLike,
    num_classes: int,
    *,
    ignore_index: int | None = None,
    shape: tuple[int, ...] | None = None,
) -> None:
    """Refuse labels that are neither class indices nor distributions over `num_classes` classes.

    Args:
      name: the function and its argument, for the message.
      targets: class indices `int[...]` or distributions `[..., K]`. If traced, only dtype and shape are checked.
      num_classes: K.
      ignore_index: a further index that is accepted.
      shape: shape of the indices, `[...]`; None accepts any.

    Raises:
      ValueError: names the value and what is accepted.

    Example:
      >>> check_labels("fit: y", np.array([0, 1, 3]), 3)
      Traceback (most recent call last):
      ...
      ValueError: fit: y: class indices must be in [0, 2], got 3 at position 2
    """
    check_ignore_index(name, ignore_index)
    dtype = _dtype(targets)
    if not any(jnp.issubdtype(dtype, kind) for kind in (jnp.bool_, jnp.integer, jnp.floating)):
        raise ValueError(f"{name}: labels must be integers or floating-point numbers, got dtype {dtype}")
    if isinstance(targets, np.ma.MaskedArray) and np.ma.is_masked(targets):
        place = tuple(int(i) for i in np.argwhere(np.ma.getmaskarray(targets))[0])
        raise ValueError(f"{name}: labels must not be masked, got a masked one at position {place}; use weights")
    actual, are_indices = tuple(np.shape(targets)), is_indices(targets)
    leading = shape if shape is not None else actual if are_indices else actual[:-1]
    if actual != (leading if are_indices else (*leading, num_classes)) or not (are_indices or leading):
        batch = "[...]" if shape is None else list(shape)
        rows = f"[..., {num_classes}]" if shape is None else [*shape, num_classes]
        raise ValueError(
            f"{name}: labels must be integers {batch} (class indices) or floating point {rows} (distributions), "
            f"got {dtype}{list(actual)}"
        )
    if is_traced(targets) or not getattr(targets, "is_fully_addressable", True):
        return
    values = np.asarray(targets)
    if are_indices:
        invalid = (values < 0) | (values >= num_classes)
        if ignore_index is not None:
            invalid &= values != ignore_index
        if invalid.any():
            place = tuple(int(i) for i in np.argwhere(invalid)[0])
            or_ignored = "" if ignore_index is None else f" or ignore_index={ignore_index}"
            shown_place = place[0] if len(place) == 1 else place
            accepted = f"[0, {num_classes - 1}]{or_ignored}"
            raise ValueError(
                f"{name}: class indices must be in {accepted}, got {values[place]} at position {shown_place}"
            )
        return
    values = values if values.dtype.kind == "f" else values.astype(np.float32)  # bfloat16 and similar
    low, total = values.min(axis=-1), values.sum(axis=-1, dtype=np.float64)
    invalid = ~(low >= 0) | ~((np.abs(total - 1) <= _SUM_TOLERANCE) | (total == 0))
    if invalid.any():
        place = tuple(int(i) for i in np.argwhere(invalid)[0])
        raise ValueError(
            f"{name}: a distribution must be >= 0 and sum to 1 (or be 0, which counts for nothing), "
            f"got sum {total[place]:g}, smallest {low[place]:g} in row {place[0] if len(place) == 1 else place}"
        )


def check_logits(name: str, shape: Sequence[int], *, lead: int = 1, hint: str = "") -> None:
    """Refuse outputs that cannot be logits, because they are of fewer than 2 classes or of no axis of classes.

    Args:
      name: the function, for the message.
      shape: shape of the outputs.
      lead: number of axes at least before that of the classes.
      hint: the end of the message.

    Raises:
      ValueError: names the shape.

    Example:
      >>> check_logits("evaluate", (8, 3))
      >>> check_logits("evaluate", (8, 1))
      Traceback (most recent call last):
      ...
      ValueError: evaluate: outputs must be logits [..., K] of at least 2 classes, got shape (8, 1)
    """
    if len(shape) <= lead or shape[-1] < 2:
        raise ValueError(
            f"{name}: outputs must be logits [..., K] of at least 2 classes, got shape {tuple(shape)}{hint}"
        )


def check_ignore_index(name: str, ignore_index: Numeric) -> None:
    """Refuse an `ignore_index` that no label can equal, as NaN; None and traced values pass.

    Raises:
      ValueError: names the value.

    Example:
      >>> check_ignore_index("fit", -100)
    """
    if ignore_index is None or is_traced(ignore_index):
        return
    dtype = _dtype(ignore_index)
    if np.ndim(ignore_index) or not jnp.issubdtype(dtype, jnp.integer) or not -(2**31) <= ignore_index < 2**31:
        raise ValueError(f"{name}: ignore_index must be an integer of 32 bits, got {in_short(ignore_index)}")


def as_indices(targets: ArrayLike) -> Array:
    """Class indices of at least 32 bits; a narrower type may not reach K, and wraps the numbers it is compared with.

    Example:
      >>> as_indices(np.array([156], np.uint8)) == -100
      Array([False], dtype=bool)
    """
    index = jnp.asarray(targets)
    return index if index.dtype.itemsize >= 4 else index.astype(jnp.int32)


def is_class(index: Array, num_classes: int, ignore_index: int | None) -> Array:
    """Whether an index (of `as_indices`) is a class and is not ignored.

    Example:
      >>> is_class(jnp.array([0, 1, 2, -100]), 2, 1)
      Array([ True, False, False, False], dtype=bool)
    """
    in_range = (index >= 0) & (index < num_classes)
    return in_range if ignore_index is None else in_range & _differs(index, ignore_index)


def _differs(index: Array, ignore_index: int) -> Array:
    if jnp.issubdtype(index.dtype, jnp.unsignedinteger) and not is_traced(ignore_index) and ignore_index < 0:
        return jnp.ones(index.shape, bool)
    return index != ignore_index


def without_ignored(targets: Array, ignore_index: int | None) -> tuple[Array, Array | None]:
    """Labels with 0 in place of the ignored index, and a mask of those that count; None if all do.

    Raises:
      ValueError: an `ignore_index` for distributions, where a row of zeros marks what is ignored.

    Example:
      >>> without_ignored(jnp.array([2, -100]), -100)
      (Array([2, 0], dtype=int32), Array([ True, False], dtype=bool))
    """
    if ignore_index is None:
        return targets, None
    check_ignore_index("labels", ignore_index)
    if not is_indices(targets):
        raise ValueError(f"ignore_index={ignore_index} is for class indices, got {targets.dtype}{list(targets.shape)}")
    counts = _differs(as_indices(targets), ignore_index)
    return jnp.where(counts, targets, 0), counts


def one_hot(targets: Array, num_classes: int, *, ignore_index: int | None = None) -> Array:
    """Class indices as one-hot distributions `float32[..., K]`; distributions are returned unchanged.

    Args:
      targets: class indices `int[...]` or distributions `[..., K]`.
      num_classes: K.
      ignore_index: this index gives a row of zeros, which counts for nothing.

    Raises:
      ValueError: a concrete label that is not a class. A traced one gives a row of zeros.

    Example:
      >>> one_hot(jnp.array([[1, 0]]), 2)
      Array([[[0., 1.],
              [1., 0.]]], dtype=float32)
    """
    check_labels("one_hot", targets, num_classes, ignore_index=ignore_index)
    return distributions(targets, num_classes, ignore_index)


def _dtype(targets: ArrayLike) -> np.dtype:
    return targets.dtype if isinstance(targets, jax.Array | np.ndarray) else np.asarray(targets).dtype


def distributions(targets: Array, num_classes: int, ignore_index: int | None) -> Array:
    """As `one_hot`, for labels that were checked already."""
    if not is_indices(targets):
        return widened(jnp.asarray(targets))
    index = as_indices(targets)
    is_known = is_class(index, num_classes, ignore_index)[..., None]
    return (is_known & (index[..., None] == jnp.arange(num_classes))).astype(jnp.float32)
