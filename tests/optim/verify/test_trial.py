import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from regjax.optim.verify import trial

PARAMS = {"kernel": jnp.ones((2, 3)), "count": jnp.int32(4)}


def plan(params, repeats=(1, 1)):
    leaves = trial.named_weights(trial.small_like(params)).values()
    gradients = [np.ones((2, len(repeats), *leaf.shape), np.float32) for leaf in leaves]
    return trial.Plan(np.zeros(2, np.float32), np.array([0, 5], np.int32), np.array(repeats, np.int32), gradients)


def run(tx, params=PARAMS, repeats=(1, 1)):
    small = trial.small_like(params)
    return trial.run(tx, small, plan(params, repeats), lambda state, count, params: count + jnp.float32(0))


def test_updates_and_counts_are_recorded():
    record = run(optax.sgd(optax.linear_schedule(1.0, 0.0, 10)), repeats=(1, 3))
    np.testing.assert_allclose(record.updates["kernel"][:, :, 0, 0], [[-1.0, -0.7], [-0.5, -0.2]], atol=1e-6)
    np.testing.assert_array_equal(record.measured["kernel"][:, :, 0, 0], [[0, 3], [5, 8]])
    assert not record.is_traced


def test_large_parameters_are_replaced_by_small_ones():
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(trial.small_like({"w": np.ones((100, 50)), "b": np.ones(2)}))]
    assert shapes == [(2,), (3, 3)]
    assert np.shape(trial.small_like({"w": np.ones((10, 5))})["w"]) == (10, 5)


@pytest.mark.parametrize("transform", [jax.jit, lambda f: lambda x: jax.vmap(f)(jnp.array([x, x]))])
def test_traced_numbers_get_the_same_stand_in_wherever_they_stand(transform):
    seen = []

    def build(rate):
        tx = optax.chain(optax.scale_by_schedule(lambda count: 1 / rate), optax.scale_by_schedule(lambda count: rate))
        seen.append(run(tx))
        return rate

    transform(build)(0.25)
    (record,) = seen
    assert record.is_traced
    np.testing.assert_allclose(record.updates["kernel"], 1.0, rtol=1e-6)


def test_what_cannot_be_called_says_why():
    with pytest.raises(trial.CannotJudge, match="value_fn"):
        run(optax.lbfgs(), {"kernel": jnp.ones((2, 3))})


def test_what_a_measure_refuses_is_raised_as_it_is():
    def refuse(state, count, params):
        raise ValueError("not this one")

    small = trial.small_like(PARAMS)
    with pytest.raises(ValueError, match="not this one"):
        trial.run(optax.sgd(0.1), small, plan(PARAMS), refuse)
