"""Batches: the examples of each update, as a function of the root key and the position in the run."""

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
    """The batches of the next updates; update `i` uses `pool[rows[i]]`.

    Attributes:
      pool: examples `[N, ...]` in memory, or prefetched batches `[M, B, ...]`.
      rows: `int32[M, B]`, the examples of each update; or `int32[M]`, the index of its batch.
    """

    pool: Batch
    rows: Array

    def batch(self, i: ArrayLike) -> Batch:
        """Return the batch of update `i`, which may be traced."""
        return jax.tree.map(lambda leaf: leaf[self.rows[i]], self.pool)


def batch_rows(spec: Spec, key: PRNGKey, step: ArrayLike, steps: int, order: Array, n_train: ArrayLike) -> Array:
    """Return the rows of the training pool for the next updates, `int32[steps, batch_size]`.

    They depend only on the root key and the position. So a run can be interrupted anywhere, and a loader that reads
    examples from disk selects the same ones.

    Args:
      spec: the specification, which has the batch size.
      key: root key of the run.
      step: number of updates so far; may be traced.
      steps: number of updates, static.
      order: `int32[N]`; the run uses the examples `order[:n_train]`.
      n_train: number of training examples; may be traced.

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
    """Return the batches of the next `most` updates, from a pool in memory or from prefetched batches.

    Args:
      spec: the specification, which has the batch size.
      key: root key of the run.
      step: number of updates so far; may be traced.
      source: the pool, or the batches `[most, B, ...]` that a loader selected from it with `batch_rows`.
      n_train: number of training examples; may be traced.
      most: number of updates, static.
    """
    if isinstance(source, Batch):
        return Block(source, jnp.arange(most))
    return Block(Batch(source.x, source.y, source.weight), batch_rows(spec, key, step, most, source.order, n_train))
