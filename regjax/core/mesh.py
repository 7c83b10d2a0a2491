"""Meshes with the axes `"lane"`, along which sweeps lay lanes, and `"data"`, along which batches are split.

The devices may belong to several processes of `jax.distributed`.
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
      lane: number of rows; None for as many as the devices allow.
      data: number of devices in a row, which share each batch.
      devices: the devices to use, in order; None uses those of all processes. Rows are filled first, so that the
        devices of a row are neighbours, in one process if they fit.

    Raises:
      InputError: the sizes do not divide, or exceed, the number of devices.

    Example:
      >>> dict(make_mesh(lane=1, data=1).shape)
      {'lane': 1, 'data': 1}
    """
    available = list(jax.devices() if devices is None else devices)
    rows = max(len(available) // max(data, 1), 1) if lane is None else lane
    if rows < 1 or data < 1 or rows * data > len(available):
        raise InputError(f"mesh: lane={rows} times data={data} devices are wanted, there are {len(available)}")
    if lane is None and rows * data != len(available):
        raise InputError(f"mesh: data={data} does not divide the {len(available)} devices")
    return Mesh(np.asarray(available[: rows * data]).reshape(rows, data), (LANE, DATA))


def rows_of(mesh: Mesh) -> list[Mesh]:
    """The rows of a mesh, each as a mesh with one row; a lane of a sweep trains on one of them."""
    return [Mesh(devices[None], (LANE, DATA)) for devices in mesh.devices]


def data_size(mesh: Mesh | None) -> int:
    """Number of devices that share a batch; 1 without a mesh."""
    return 1 if mesh is None else mesh.shape[DATA]


def split_examples(tree: PyTree, mesh: Mesh | None) -> PyTree:
    """Constrain the leading axis of each leaf to be split over the axis `"data"`; inside a compiled function."""
    return _constrain(tree, mesh, PartitionSpec(DATA))


def replicated(tree: PyTree, mesh: Mesh | None) -> PyTree:
    """Constrain each leaf to be replicated on all devices of the mesh; inside a compiled function."""
    return _constrain(tree, mesh, PartitionSpec())


def on_mesh(tree: PyTree, mesh: Mesh | None) -> PyTree:
    """Replicate arrays on all devices of a mesh; other processes must call it with the same arrays.

    Args:
      tree: arrays and keys of this process.
      mesh: from `make_mesh`; None returns the tree unchanged.
    """
    if mesh is None:
        return tree
    sharding = NamedSharding(mesh, PartitionSpec())
    if sharding.is_fully_addressable:
        return jax.device_put(tree, sharding)
    return jax.tree.map(lambda leaf: _spread(leaf, sharding), tree)


def _spread(leaf: ArrayLike, sharding: NamedSharding) -> Array:
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
        return leaf  # already replicated
    if hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(_spread(jax.random.key_data(leaf), sharding), impl=jax.random.key_impl(leaf))
    array = np.asarray(leaf)
    # Not device_put, which would communicate to compare the values of all processes.
    return jax.make_array_from_callback(array.shape, sharding, lambda index: array[index])


def _constrain(tree: PyTree, mesh: Mesh | None, spec: PartitionSpec) -> PyTree:
    if mesh is None or data_size(mesh) == 1:
        return tree
    sharding = NamedSharding(mesh, spec)
    return jax.tree.map(lambda leaf: jax.lax.with_sharding_constraint(leaf, sharding), tree)
