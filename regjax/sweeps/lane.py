"""A lane: one run of a sweep; and the places where lanes train."""

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

Place: TypeAlias = Any  # where a lane trains: a `jax.Device`, or a row of a mesh whose devices share its batches


class Lane(NamedTuple):
    """One run of a sweep.

    Attributes:
      run: the program, from `make_run`.
      hparams: its numbers, not stacked.
      key: root key of the run.
      seed: row of the arrays in `data` that differ between seeds.
      weights: to start from, instead of a random initialization.
    """

    run: Run
    hparams: Hparams
    key: PRNGKey
    seed: int = 0
    weights: Weights | None = None


def program_of(lane: Lane) -> Hashable:
    """What two lanes have to share to be trained by one compiled program."""
    return lane.run, jax.tree.structure(lane.hparams)


def run_on(run: Run, place: Place) -> Run:
    """The run, its batches split over the devices of a place."""
    if isinstance(place, Mesh) and data_size(place) > 1:
        return dataclasses.replace(run, spec=dataclasses.replace(run.spec, mesh=place))
    return run


def put(tree: PyTree, place: Place) -> PyTree:
    """Arrays moved to a place."""
    return on_mesh(tree, place) if isinstance(place, Mesh) else jax.device_put(tree, place)


def data_digest(data: TrainData) -> str:
    """SHA-256 of all arrays of the data."""
    digest = hashlib.sha256()
    for leaf in data:
        _add(digest, np.asarray(leaf))
    return digest.hexdigest()


def fingerprint(lane: Lane, data: str) -> str:
    """SHA-256 of what a lane depends on, apart from the code of its model.

    Args:
      lane: of the sweep.
      data: from `data_digest`.
    """
    digest = hashlib.sha256(data.encode())
    spec = lane.run.spec
    for field in dataclasses.fields(spec):
        if field.name not in ("model", "mesh"):
            digest.update(f"{field.name}={getattr(spec, field.name)}\n".encode())
    digest.update(str(jax.tree.structure(lane.hparams)).encode())
    given = (lane.hparams, jax.random.key_data(lane.key), np.int32(lane.seed), lane.weights)
    for leaf in jax.tree.leaves(given):
        _add(digest, np.asarray(leaf))
    return digest.hexdigest()


def _add(digest: hashlib._Hash, array: np.ndarray) -> None:
    digest.update(f"{array.dtype}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).tobytes())
