import jax
import jax.numpy as jnp
import numpy as np

import regjax as rj
from regjax.averaging import Ensemble
from regjax.training.program import make_program
from regjax.training.state import History, TrainState, evaluated_weights
from tests.helpers import assert_trees_equal


def test_arrays_of_a_seed():
    y, order = np.arange(6).reshape(2, 3), np.array([[0, 1, 2], [2, 1, 0]])
    both = rj.TrainData(np.zeros((3, 1)), y, order, np.ones((2, 1)), np.zeros(2))
    second = both.for_seed(1)
    np.testing.assert_array_equal(second.y, [3, 4, 5])
    np.testing.assert_array_equal(second.order, [2, 1, 0])
    assert second.x is both.x
    assert second.for_seed(7) is second  # without an axis of seeds, all seeds share the arrays


def test_validation_examples_are_those_beside_the_pool_or_rows_of_it():
    x, y = jnp.arange(4.0)[:, None], jnp.arange(4)
    beside = rj.TrainData(x, y, jnp.arange(4), jnp.full((2, 1), 9.0), jnp.full(2, 9))
    assert [part.tolist() for part in beside.validation()] == [[[9.0], [9.0]], [9, 9], [True, True]]
    rows = jnp.array([[3, 1], [2, -1]])  # the second run has one example
    folds = rj.TrainData(x, jnp.stack([y, y + 10]), jnp.array([[0, 2], [0, 1]]), x[:0], y[:0], val_rows=rows)
    inputs, targets, counts = folds.for_seed(1).validation()
    assert (inputs[0].tolist(), int(targets[0]), counts.tolist()) == ([2.0], 12, [True, False])
    assert folds.for_seed(0).validation()[1].tolist() == [3, 1]


def test_a_history_is_read_by_column_also_of_lanes():
    history = History(jnp.arange(12.0).reshape(2, 3, 2), jnp.ones((2, 3), bool), ("a", "b"))
    np.testing.assert_array_equal(history.values["b"], [[1, 3, 5], [7, 9, 11]])
    assert jax.tree.map(lambda leaf: leaf[0], history).values["a"].tolist() == [0, 2, 4]


def state_of(spec, hparams, x):
    return make_program(spec).init(hparams, jax.random.key(0), x)


def test_the_best_weights_are_those_of_an_evaluation_if_there_was_one(spec, blobs):
    hparams = rj.make_hparams(n_train=80, restore_best=True)
    state = state_of(spec, hparams, blobs.x[:1])
    other = jax.tree.map(lambda leaf: leaf + 1, state.best)
    state = state._replace(best=other)
    last = evaluated_weights(state.train, None, hparams)
    assert_trees_equal(state.weights(hparams), last)
    evaluated = state._replace(stop=state.stop._replace(best_step=jnp.int32(2)))
    assert_trees_equal(evaluated.weights(hparams), other)
    assert_trees_equal(evaluated.weights(rj.make_hparams(n_train=80)), last)


def test_an_average_is_evaluated_inside_its_constraint(spec, blobs):
    """The mean of two vectors of norm 1 is shorter; what is evaluated has norm 1 again."""
    hparams = rj.make_hparams(n_train=80, average=rj.ema(0.5), constraint=rj.unit_norm())
    train = TrainState(jnp.int32(0), {"kernel": jnp.array([[1.0], [0.0]])}, {}, ())
    weights = rj.training.state.Weights(train.params, {})
    averages = hparams.average.init(weights)
    turned = weights._replace(params={"kernel": jnp.array([[0.0], [1.0]])})
    averages, _ = hparams.average.update(averages, turned)
    found = evaluated_weights(train, averages, hparams)
    np.testing.assert_allclose(jnp.linalg.norm(found.params["kernel"], axis=0), 1.0, rtol=1e-6)
    assert float(jnp.abs(found.params["kernel"]).min()) > 0.1


def test_snapshots_are_an_ensemble_with_the_statistics_of_each_member(spec, blobs):
    hparams = rj.make_hparams(n_train=80, average=rj.snapshots(2, 3))
    state = state_of(spec, hparams, blobs.x[:1])
    found = evaluated_weights(state.train, state.averages, hparams)
    assert isinstance(found.params, Ensemble)
    assert {leaf.shape[0] for leaf in jax.tree.leaves(found.params.members)} == {2}
