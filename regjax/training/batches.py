"""What a batch is made of: the examples that each update takes, as a function of key and position."""

from __future__ import annotations

from regjax.core.rng import SHUFFLE, stream
from regjax.core.typing import Array, ArrayLike, PRNGKey
from regjax.data.shuffle import shuffled_indices
from regjax.training.spec import Spec


def batch_rows(spec: Spec, key: PRNGKey, step: ArrayLike, steps: int, order: Array, n_train: ArrayLike) -> Array:
    """The rows of the training pool that the next updates take, `int32[steps, batch_size]`.

    A function of the root key and the position alone: a run may be cut anywhere, and a loader that
    reads examples from disk asks for the same ones.

    Args:
      spec: whose batch size counts.
      key: root key of the run.
      step: updates so far; may be traced.
      steps: how many updates, static.
      order: `int32[N]`; the run uses the examples `order[:n_train]`.
      n_train: how many, may be traced.

    Example:
      >>> import flax.linen as nn
      >>> import jax, jax.numpy as jnp
      >>> spec = Spec(nn.Dense(2), batch_size=4)
      >>> sorted(batch_rows(spec, jax.random.key(0), 0, 2, jnp.arange(8), 8).ravel().tolist())
      [0, 1, 2, 3, 4, 5, 6, 7]
    """
    start = step * spec.batch_size
    picked = shuffled_indices(stream(key, SHUFFLE), start, steps * spec.batch_size, n_train)
    return order[picked].reshape(steps, spec.batch_size)
