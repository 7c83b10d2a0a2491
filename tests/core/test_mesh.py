"""The layout of meshes and what fits; what they do on several devices is tested in `tests/system/devices`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec

from regjax.core.errors import InputError
from regjax.core.mesh import data_size, make_mesh, on_mesh, replicated, rows_of, split_examples
from tests.helpers import assert_trees_equal

SIX = list("abcdef")  # a mesh only lays its devices out


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ({}, [["a"], ["b"], ["c"], ["d"], ["e"], ["f"]]),
        ({"data": 3}, [["a", "b", "c"], ["d", "e", "f"]]),
        ({"lane": 2, "data": 2}, [["a", "b"], ["c", "d"]]),
        ({"lane": 1, "data": 6}, [SIX]),
    ],
)
def test_rows_are_filled_first(sizes, expected):
    mesh = make_mesh(**sizes, devices=SIX)
    assert mesh.axis_names == ("lane", "data")
    assert mesh.devices.tolist() == expected
    assert data_size(mesh) == len(expected[0])
    rows = rows_of(mesh)
    assert [row.devices.tolist() for row in rows] == [[row] for row in expected]
    assert {row.axis_names for row in rows} == {("lane", "data")}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"lane": 4, "data": 2}, "lane=4 times data=2 .* there are 6"),
        ({"lane": 0}, "lane=0"),
        ({"data": 0}, "data=0"),
        ({"data": -1}, "data=-1"),
        ({"data": 7}, "data=7 .* there are 6"),
        ({"data": 4}, "data=4 does not divide the 6"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, message):
    with pytest.raises(InputError, match=message):
        make_mesh(**sizes, devices=SIX)


def test_without_a_mesh_nothing_changes():
    tree = {"x": np.ones(2)}
    assert data_size(None) == 1
    assert on_mesh(tree, None) is split_examples(tree, None) is replicated(tree, None) is tree
    assert split_examples(tree, make_mesh(1, 1)) is tree  # one device splits nothing


def test_arrays_and_keys_are_replicated_with_their_values():
    mesh = make_mesh(1, 1)
    tree = {"x": np.arange(3.0, dtype=np.float32), "key": jax.random.key(3), "n": np.int32(2)}
    moved = on_mesh(tree, mesh)
    assert_trees_equal(moved, jax.tree.map(jnp.asarray, tree))
    assert {leaf.sharding.spec for leaf in jax.tree.leaves(moved)} == {PartitionSpec()}
    assert {leaf.sharding.mesh for leaf in jax.tree.leaves(moved)} == {mesh}
