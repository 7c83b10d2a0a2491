import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.training.batches import batch_rows, next_block

KEY = jax.random.key(3)


@pytest.fixture(scope="module")
def pool():
    x = np.arange(20, dtype=np.float32)[:, None]
    return rj.TrainData(x, np.arange(20) * 10, np.arange(20)[::-1].astype(np.int32), x[:2], np.arange(2))


@pytest.mark.slow
def test_a_block_gives_the_examples_of_each_update(spec, pool):
    """From a pool in memory, and from the batches that a loader has taken from it."""
    rows = np.asarray(batch_rows(spec, KEY, 5, 3, pool.order, 11))
    assert set(rows.ravel()) <= set(range(9, 20))  # the first 11 of the order
    ahead = rj.Batch(jnp.asarray(pool.x[rows]), jnp.asarray(pool.y[rows]))
    for source in (jax.tree.map(jnp.asarray, pool), ahead):
        block = next_block(spec, KEY, 5, source, 11, 3)
        for i in range(3):
            batch = jax.jit(lambda block, i: block.batch(i))(block, i)
            np.testing.assert_array_equal(batch.x[:, 0], rows[i])
            np.testing.assert_array_equal(batch.y, 10 * rows[i])


def test_weights_of_rows_come_with_their_examples(spec, pool):
    weighted = jax.tree.map(jnp.asarray, pool._replace(weight=np.arange(20, dtype=np.float32)))
    block = next_block(spec, KEY, 5, weighted, 11, 3)
    for i in range(3):
        np.testing.assert_array_equal(block.batch(i).weight, block.batch(i).x[:, 0])
    assert next_block(spec, KEY, 5, jax.tree.map(jnp.asarray, pool), 11, 3).batch(0).weight is None
