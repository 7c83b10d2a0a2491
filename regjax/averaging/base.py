"""The contract of weight averages, and the state that most of them keep."""

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
    """State of an average; `average` holds the weights to evaluate."""

    count: Array  # type: ignore[assignment]  # int32[]: updates seen
    average: PyTree  # like the weights, at least float32: small changes would vanish in bfloat16

    def evaluated(self, like: PyTree) -> PyTree:
        """The weights to evaluate and to keep, in the dtypes of `like`."""
        return averaged_params(self, like)


class Average:
    """A rule that maintains averaged weights beside the trained ones: `ema`, `swa`, `lookahead` or `snapshots`.

    The weights are any tree of arrays. A training run averages parameters and batch statistics together, so that they
    match when they are evaluated.
    """

    kind: ClassVar[str]

    def init(self, params: PyTree) -> Any:
        """The state before the first update: the parameters themselves."""
        return AverageState(jnp.asarray(0, jnp.int32), jax.tree.map(_wide, params))

    def update(self, state: Any, params: PyTree) -> tuple[Any, PyTree]:
        """Update the average with the parameters after an optimizer step.

        Args:
          state: from `init` or `update`.
          params: after the optimizer's update.

        Returns:
          The new state, and the parameters with which training continues.
        """
        raise NotImplementedError

    def schedule_shape(self) -> optax.Schedule | None:
        """The learning-rate schedule (of peak 1) that the method prescribes; None if it prescribes none."""
        return None


def averaged_params(state: AverageState, like: PyTree) -> PyTree:
    """The averaged weights in the dtypes of `like`."""
    return jax.tree.map(lambda a, w: a.astype(jnp.asarray(w).dtype), state.average, like)


def is_averaged(leaf: Array) -> bool:
    """Whether a leaf is averaged; counters and keys are not."""
    return bool(jnp.issubdtype(leaf.dtype, jnp.inexact))


def update_count(name: str, value: ArrayLike) -> Any:
    """A number of updates as int32; on the host, unless it is a JAX array already.

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
    return widened(leaf) if is_averaged(leaf) else leaf
