"""The contract of averages, and what a plain one keeps."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from regjax.core.checks import check_range
from regjax.core.dtypes import widened
from regjax.core.typing import Array, ArrayLike, PyTree


class AverageState(NamedTuple):
    """State of an average: `average` are the weights to evaluate."""

    count: Array  # type: ignore[assignment]  # int32[]: updates seen
    average: PyTree  # like the weights, at least float32: small changes would vanish in bfloat16

    def evaluated(self, like: PyTree) -> PyTree:
        """The weights to evaluate and keep, in the dtypes of `like`."""
        return averaged_params(self, like)


class Average:
    """A rule that keeps other weights beside the trained ones; make one with `ema`, `swa`, `lookahead`, `snapshots`.

    The weights are any tree of arrays. A training run gives it parameters and batch statistics together, so that what
    is evaluated belongs together.
    """

    kind: ClassVar[str]

    def init(self, params: PyTree) -> Any:
        """The state before the first update: the parameters themselves."""
        return AverageState(jnp.asarray(0, jnp.int32), jax.tree.map(_wide, params))

    def update(self, state: Any, params: PyTree) -> tuple[Any, PyTree]:
        """Take in the parameters after an update.

        Args:
          state: from `init` or `update`.
          params: after the optimizer's update.

        Returns:
          The new state, and the parameters to go on with.
        """
        raise NotImplementedError

    def schedule_shape(self) -> optax.Schedule | None:
        """The shape of the learning rate that the method prescribes, by update; None if it prescribes none."""
        return None


def averaged_params(state: AverageState, like: PyTree) -> PyTree:
    """The averaged weights in the dtypes of `like`."""
    return jax.tree.map(lambda a, w: a.astype(jnp.asarray(w).dtype), state.average, like)


def moves(leaf: Array) -> bool:
    """Whether a leaf can be averaged; counters and keys cannot."""
    return bool(jnp.issubdtype(leaf.dtype, jnp.inexact))


def whole(name: str, value: ArrayLike) -> Any:
    """A number of updates as int32, on the host unless it is an array already.

    Raises:
      ValueError: a concrete value below 1 or not whole.
    """
    check_range(name, value, 1)
    if isinstance(value, jax.Array):
        return value
    if np.any(np.asarray(value) % 1):
        raise ValueError(f"{name} must be a whole number of updates, got {value}")
    return np.asarray(value, np.int32)


def _wide(leaf: Any) -> Array:
    leaf = jnp.asarray(leaf)
    return widened(leaf) if moves(leaf) else leaf
