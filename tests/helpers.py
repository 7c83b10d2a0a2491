import jax
import jax.numpy as jnp
import numpy as np


class Reading:
    """A source of data whose examples a function reads."""

    def __init__(self, read, shape, dtype=np.float32):
        self.take, self.shape, self.dtype = read, shape, np.dtype(dtype)

    def __len__(self):
        return self.shape[0]


def assert_trees_equal(a, b, **tolerance):
    """Equal structures and leaves: bitwise without a tolerance, NaN equal to NaN."""
    assert jax.tree.structure(a) == jax.tree.structure(b)
    for left, right in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
        if jnp.issubdtype(jnp.asarray(left).dtype, jax.dtypes.prng_key):
            left, right = jax.random.key_data(left), jax.random.key_data(right)
        if tolerance:
            np.testing.assert_allclose(left, right, **tolerance)
        else:
            np.testing.assert_array_equal(np.asarray(left), np.asarray(right))
