import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.training.weights_file import read_weights, write_weights

TREE = {"params": {"Dense_0": {"kernel": np.arange(6.0).reshape(2, 3), "bias": np.zeros(3)}}, "stats": [np.ones(1)]}


def test_a_tree_comes_back_bit_by_bit(tmp_path):
    write_weights(TREE, tmp_path / "w.npz")
    shapes = jax.eval_shape(lambda: jax.tree.map(jnp.asarray, TREE))
    found = read_weights(shapes, tmp_path / "w.npz")
    assert jax.tree.structure(found) == jax.tree.structure(TREE)
    jax.tree.map(np.testing.assert_array_equal, found, TREE)
    with np.load(tmp_path / "w.npz") as arrays:
        assert set(arrays.files) == {"params/Dense_0/kernel", "params/Dense_0/bias", "stats/0"}


def test_weights_of_another_model_are_refused(tmp_path):
    write_weights(TREE, tmp_path / "w.npz")
    with pytest.raises(InputError, match="of another model; 'stats/0' is only in one"):
        read_weights({"params": TREE["params"]}, tmp_path / "w.npz")
    wider = jax.tree.map(lambda leaf: np.zeros((*leaf.shape, 1)), TREE)
    with pytest.raises(InputError, match=r"params/Dense_0/bias has shape \(3,\), the model has \(3, 1\)"):
        read_weights(wider, tmp_path / "w.npz")
