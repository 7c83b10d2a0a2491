import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.sweeps import programs
from tests.helpers import assert_trees_equal

DEVICE = jax.devices()[0]


@pytest.fixture(scope="module")
def lane():
    spec = rj.Spec(rj.models.make_model("linear", num_outputs=2), num_classes=2, batch_size=16, epochs=2)
    return rj.Lane(rj.make_run(spec), rj.make_hparams(n_train=80), jax.random.key(3), 1)


def test_the_shapes_of_states_and_results_are_known_before_they_are_computed(lane, blobs):
    shapes = programs.Shapes(blobs)
    state = programs.first_state(lane, blobs, DEVICE)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), shapes.state(lane)) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), state
    )
    assert shapes.state(lane._replace(key=jax.random.key(9))) is shapes.state(lane)
    shape = shapes.result(lane)
    result = programs.train_lane(*programs.train_lane_arguments(lane, blobs, DEVICE))
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), shape) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), result
    )
    given = lane._replace(weights=programs.initial_weights([lane], blobs, DEVICE))
    given = given._replace(weights=programs.row_of(given.weights, 0))
    again = programs.train_lane(*programs.train_lane_arguments(given, blobs, DEVICE))
    assert_trees_equal(again, result)


def test_lanes_are_stacked_in_order(lane):
    other = lane._replace(key=jax.random.key(4), seed=0, hparams=rj.make_hparams(n_train=40))
    run, hparams, keys, seeds = programs.stack_lanes([lane, other], DEVICE)
    assert run is lane.run
    assert np.asarray(hparams.n_train).tolist() == [80, 40]
    assert np.asarray(seeds).tolist() == [1, 0]
    assert_trees_equal(keys, jnp.stack([lane.key, other.key]))


def test_initial_weights_follow_the_key_and_are_made_once_for_each_lane(lane, blobs):
    other = lane._replace(key=jax.random.key(4))
    stacked = programs.initial_weights([lane, other, lane], blobs, DEVICE)
    kernels = [np.asarray(programs.row_of(stacked, i).params["output"]["kernel"]) for i in range(3)]
    np.testing.assert_array_equal(kernels[0], kernels[2])
    assert not np.array_equal(kernels[0], kernels[1])
    expected = rj.init_weights(lane.run.spec, lane.key, blobs.x[:1])
    np.testing.assert_array_equal(kernels[0], expected.params["output"]["kernel"])


def test_a_lane_that_pauses_goes_on_bitwise_and_one_that_is_done_does_not_change(lane, blobs):
    state = programs.first_state(lane, blobs, DEVICE)
    run, hparams, key, data, seed, _ = programs.train_lane_arguments(lane, blobs, DEVICE)
    state, early = programs.advance_lane(run, state, hparams, key, data, seed, jnp.int32(1))
    assert int(early.epochs) == 1
    paused = jax.device_put(programs.fetch(state), DEVICE)
    state, result = programs.advance_lane(run, paused, hparams, key, data, seed, jnp.int32(7))
    assert_trees_equal(result, programs.train_lane(*programs.train_lane_arguments(lane, blobs, DEVICE)))
    _, again = programs.advance_lane(run, state, hparams, key, data, seed, jnp.int32(7))
    assert_trees_equal(again, result)


def test_rows_are_replaced_taken_and_fetched():
    old = {"a": jnp.arange(3.0), "b": jnp.arange(6).reshape(3, 2)}
    new = jax.tree.map(lambda leaf: -leaf - 1, old)
    mixed = programs.replace_states(jnp.array([False, True, False]), jax.tree.map(jnp.copy, old), new)
    np.testing.assert_array_equal(mixed["a"], [0, -2, 2])
    np.testing.assert_array_equal(mixed["b"], [[0, 1], [-3, -4], [4, 5]])
    taken = programs.fetch(programs.take_rows(mixed, jnp.array([1, 1])))
    assert isinstance(taken["a"], np.ndarray)
    np.testing.assert_array_equal(taken["a"], [-2, -2])
    np.testing.assert_array_equal(programs.row_of(taken, 0)["b"], [-3, -4])
