import jax
import jax.numpy as jnp

from regjax.core.typing import Aux, Batch


def test_batches_and_what_losses_return_are_pytrees():
    batch = Batch(jnp.ones((2, 3)), jnp.zeros(2))
    assert batch.weight is None
    doubled = jax.tree.map(lambda leaf: 2 * leaf, batch)
    assert isinstance(doubled, Batch)
    assert len(jax.tree.leaves(doubled)) == 2  # a weight of None is no leaf
    assert jax.tree.leaves(Aux({"data_loss": 1.0, "l2": 2.0}, {})) == [1.0, 2.0]
