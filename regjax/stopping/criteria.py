"""Criteria of early stopping from outside: an object with a state of its own; see `regjax.plugins`."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from regjax.core.typing import Array, PyTree


class Criterion(NamedTuple):
    """When to stop, as a function of the values so far.

    Attributes:
      init: `() -> state`, a pytree of arrays.
      update: `(state, value, best_value, train_value) -> (state, stop)`, called under `jit` and `vmap`. Values are
        scalars; `best_value` is the best so far, this one included; `train_value` is the training loss of the same
        evaluation, NaN where there is none; `stop` is a bool array.

    Example:
      >>> import jax.numpy as jnp
      >>> above = Criterion(lambda: (), lambda state, value, best, train: (state, value > 2 * best))
      >>> bool(above.update(above.init(), jnp.float32(3.0), jnp.float32(1.0), jnp.nan)[1])
      True
    """

    init: Callable[[], PyTree]
    update: Callable[[PyTree, Array, Array, Array], tuple[PyTree, Array]]


CRITERIA: dict[str, Criterion] = {}  # by name; those of the package are in `EarlyStopping`
