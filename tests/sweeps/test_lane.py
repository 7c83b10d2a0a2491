import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.core.mesh import make_mesh
from regjax.sweeps.lane import data_digest, fingerprint, program_of, put, run_on
from regjax.training.program import init_weights


def test_lanes_share_a_program_unless_their_structure_differs(lanes):
    first, second, *_ = lanes
    assert program_of(first) == program_of(second)
    other = rj.make_hparams(n_train=80)
    assert program_of(first) != program_of(first._replace(hparams=other))
    shorter = rj.make_run(dataclasses.replace(first.run.spec, epochs=2))
    assert program_of(first) != program_of(first._replace(run=shorter))


@pytest.mark.parametrize(
    "change",
    [
        lambda lane: lane._replace(seed=1),
        lambda lane: lane._replace(key=jax.random.key(99)),
        lambda lane: lane._replace(hparams=lane.hparams._replace(learning_rate=jnp.float32(0.5))),
        lambda lane: lane._replace(run=rj.make_run(dataclasses.replace(lane.run.spec, batch_size=8))),
        lambda lane: lane._replace(weights=init_weights(lane.run.spec, lane.key, jnp.ones((1, 6)))),
    ],
    ids=["seed", "key", "rate", "spec", "weights"],
)
def test_a_fingerprint_depends_on_what_a_lane_depends_on(lanes, change):
    lane = lanes[0]._replace(seed=0)
    assert fingerprint(lane, "data") == fingerprint(lane._replace(), "data")
    assert fingerprint(lane, "data") != fingerprint(change(lane), "data")
    assert fingerprint(lane, "data") != fingerprint(lane, "other data")


def test_a_fingerprint_does_not_depend_on_devices(lanes):
    on_mesh = dataclasses.replace(lanes[0].run.spec, mesh=make_mesh(1, 1))
    assert fingerprint(lanes[0], "") == fingerprint(lanes[0]._replace(run=rj.make_run(on_mesh)), "")


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data._replace(x=data.x.at[0, 0].add(1)),
        lambda data: data._replace(x=data.x.reshape(96, 3, 2)),
        lambda data: data._replace(y=data.y.astype(jnp.float32)),
        lambda data: data._replace(y_val=data.y_val[::-1]),
    ],
    ids=["value", "shape", "dtype", "order"],
)
def test_a_digest_is_of_values_shapes_and_types(blobs, change):
    assert data_digest(blobs) == data_digest(jax.tree.map(np.array, blobs))
    assert data_digest(blobs) != data_digest(change(blobs))


def test_a_run_splits_its_batches_on_a_row_of_several_devices(lanes):
    run = lanes[0].run
    assert run_on(run, jax.devices()[0]) is run
    assert run_on(run, make_mesh(1, 1)) is run
    row = make_mesh(1, 2, devices=["a", "b"])
    assert run_on(run, row).spec == dataclasses.replace(run.spec, mesh=row)


def test_arrays_are_put_on_a_device_or_a_mesh():
    tree = {"x": np.ones(3, np.float32)}
    for place in (jax.devices()[0], make_mesh(1, 1)):
        moved = put(tree, place)["x"]
        assert isinstance(moved, jax.Array)
        np.testing.assert_array_equal(moved, tree["x"])
