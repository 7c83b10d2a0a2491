"""Devices as a grid with the axes `"lane"` and `"data"`: sweeps lay lanes along one, a batch is split along the other.

The devices may belong to several processes of `jax.distributed`; nothing here asks where they are.
"""

from __future__ import annotations

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from regjax.core.errors import InputError
from regjax.core.typing import Array, ArrayLike, PyTree

LANE, DATA = "lane", "data"


def make_mesh(lane: int | None = None, data: int = 1, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Devices as `Mesh(("lane", "data"))`.

    Args:
      lane: rows; None is as many as there are devices for.
      data: devices in a row, which share each batch.
      devices: those to use, in order; None is all of all processes. Rows are filled first, so that the devices
        of a row are neighbours, in one process where they fit.

    Raises:
      InputError: the sizes do not divide or exceed the devices there are.

    Example:
      >>> dict(make_mesh(lane=1, data=1).shape)
      {'lane': 1, 'data': 1}
    """
    found = list(jax.devices() if devices is None else devices)
    rows = max(len(found) // max(data, 1), 1) if lane is None else lane
    if rows < 1 or data < 1 or rows * data > len(found):
        raise InputError(f"mesh: lane={rows} times data={data} devices are wanted, there are {len(found)}")
    if lane is None and rows * data != len(found):
        raise InputError(f"mesh: data={data} does not divide the {len(found)} devices")
    return Mesh(np.asarray(found[: rows * data]).reshape(rows, data), (LANE, DATA))


def rows_of(mesh: Mesh) -> list[Mesh]:
    """The rows of a mesh, each a mesh of its own with one lane; lanes of a sweep train on one of them."""
    return [Mesh(devices[None], (LANE, DATA)) for devices in mesh.devices]


def data_size(mesh: Mesh | None) -> int:
    """Devices that share a batch; 1 without a mesh."""
    return 1 if mesh is None else mesh.shape[DATA]


def split_examples(tree: PyTree, mesh: Mesh | None) -> PyTree:
    """Ask, inside a compiled function, that the leading axis of each leaf is split over the axis `"data"`."""
    return _constrain(tree, mesh, PartitionSpec(DATA))


def replicated(tree: PyTree, mesh: Mesh | None) -> PyTree:
    """Ask, inside a compiled function, that each device of the mesh holds the whole of each leaf."""
    return _constrain(tree, mesh, PartitionSpec())


def on_mesh(tree: PyTree, mesh: Mesh | None) -> PyTree:
    """Arrays put whole onto each device of a mesh, of other processes too; these have to hold the same arrays.

    Args:
      tree: arrays and keys of this process.
      mesh: from `make_mesh`; None leaves the tree as it is.
    """
    if mesh is None:
        return tree
    sharding = NamedSharding(mesh, PartitionSpec())
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda leaf: _spread(leaf, sharding), tree)


def _spread(leaf: ArrayLike, sharding: NamedSharding) -> Array:
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
        return leaf  # there already
    if hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_spread(jax.random.key_data(leaf), sharding), impl=jax.random.key_impl(leaf))
    whole = np.asarray(leaf)
    # Not device_put: that would compare the values of all processes, in an exchange of its own.
    return jax.make_array_from_callback(whole.shape, sharding, lambda index: whole[index])


def _constrain(tree: PyTree, mesh: Mesh | None, spec: PartitionSpec) -> PyTree:
    if mesh is None or data_size(mesh) == 1:
        return tree
    sharding = NamedSharding(mesh, spec)
    return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, sharding), tree)
