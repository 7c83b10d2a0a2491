"""What updates are made on: the examples that each takes, as a function of key and position."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from regjax.core.rng import SHUFFLE, stream
from regjax.core.typing import Array, ArrayLike, Batch, PRNGKey
from regjax.data.shuffle import shuffled_indices
from regjax.training.spec import Spec
from regjax.training.state import TrainData


class Block(NamedTuple):
    """The batches of the next updates; update `i` takes `pool[rows[i]]`.

    Attributes:
      pool: examples `[N, ...]` in memory, or batches `[M, B, ...]` that have been read ahead.
      rows: `int32[M, B]`, the examples of each update, or `int32[M]`, its batch.
    """

    pool: Batch
    rows: Array

    def batch(self, i: ArrayLike) -> Batch:
        """The batch of update `i`, which may be traced."""
        return jax.tree.map(lambda leaf: leaf[self.rows[i]], self.pool)


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


def next_block(
    spec: Spec, key: PRNGKey, step: ArrayLike, source: TrainData | Batch, n_train: ArrayLike, most: int
) -> Block:
    """The batches of the next `most` updates, from a pool in memory or from batches that were read ahead.

    Args:
      spec: whose batch size counts.
      key: root key of the run.
      step: updates so far; may be traced.
      source: the pool, or the batches `[most, B, ...]`, which a loader has taken from it by `batch_rows`.
      n_train: examples of the pool in use; may be traced.
      most: how many updates, static.
    """
    if isinstance(source, Batch):
        return Block(source, jnp.arange(most))
    return Block(Batch(source.x, source.y), batch_rows(spec, key, step, most, source.order, n_train))
