"""A lane, which is one run of a sweep, and the device or mesh on which it trains."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Hashable
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
from jax.sharding import Mesh

from regjax.core.mesh import data_size, on_mesh
from regjax.core.typing import PRNGKey, PyTree
from regjax.training.run import Run
from regjax.training.spec import Hparams
from regjax.training.state import TrainData, Weights

DeviceOrMesh: TypeAlias = Any  # a `jax.Device`, or one row of a mesh, whose devices share each batch


class Lane(NamedTuple):
    """One run of a sweep.

    Attributes:
      run: the program, from `make_run`.
      hparams: hyperparameters, not stacked.
      key: root key of the run.
      seed: row of those arrays in `data` that differ between seeds.
      weights: initial weights; None for a random initialization.
    """

    run: Run
    hparams: Hparams
    key: PRNGKey
    seed: int = 0
    weights: Weights | None = None


def program_of(lane: Lane) -> Hashable:
    """A key that two lanes share if one compiled program can train both."""
    return lane.run, jax.tree.structure(lane.hparams)


def run_on(run: Run, device: DeviceOrMesh) -> Run:
    """The run; on a mesh, with its batches split over the devices."""
    if isinstance(device, Mesh) and data_size(device) > 1:
        return dataclasses.replace(run, spec=dataclasses.replace(run.spec, mesh=device))
    return run


def put(tree: PyTree, device: DeviceOrMesh) -> PyTree:
    """The arrays, moved to a device or a mesh."""
    return on_mesh(tree, device) if isinstance(device, Mesh) else jax.device_put(tree, device)


def data_digest(data: TrainData) -> str:
    """SHA-256 of all arrays of the data."""
    digest = hashlib.sha256()
    for leaf in jax.tree.leaves(data):
        _update_digest(digest, np.asarray(leaf))
    return digest.hexdigest()


def fingerprint(lane: Lane, data: str) -> str:
    """SHA-256 of everything a lane depends on, apart from the code of its model.

    Args:
      lane: a lane of the sweep.
      data: digest of the data, from `data_digest`.
    """
    digest = hashlib.sha256(data.encode())
    spec = lane.run.spec
    for field in dataclasses.fields(spec):
        if field.name not in ("model", "mesh"):
            digest.update(f"{field.name}={getattr(spec, field.name)}\n".encode())
    digest.update(str(jax.tree.structure(lane.hparams)).encode())
    inputs = (lane.hparams, jax.random.key_data(lane.key), np.int32(lane.seed), lane.weights)
    for leaf in jax.tree.leaves(inputs):
        _update_digest(digest, np.asarray(leaf))
    return digest.hexdigest()


def _update_digest(digest: hashlib._Hash, array: np.ndarray) -> None:
    digest.update(f"{array.dtype}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
