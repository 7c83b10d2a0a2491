import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Lasso

import regjax as rj
from regjax.sweeps.path import path
from tests.helpers import assert_trees_equal

pytestmark = pytest.mark.slow

LINEAR = (lambda key, x: {"w": jnp.zeros((x.shape[-1], 1))}, lambda params, x: (x @ params["w"])[:, 0])


@pytest.fixture(scope="module")
def table():
    """Standardized columns, of which the first two matter."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 6)).astype(np.float32)
    y = (x @ np.array([2.0, -1.0, 0, 0, 0, 0]) + 0.3 * rng.normal(size=80)).astype(np.float32)
    return rj.TrainData(*map(jnp.asarray, (x[:60], y[:60], np.arange(60), x[60:], y[60:])))


def settings(strengths, **options):
    given = {"learning_rate": 0.05, "n_train": 60} | options
    return rj.stack_hparams([rj.make_hparams(penalties={"proximal": rj.l1(s)}, **given) for s in strengths])


def run_of(model=LINEAR, **options):
    given = {"task": "regression", "batch_size": 60, "steps_per_epoch": 100, "epochs": 4, "optimizer": "sgd"}
    return rj.make_run(rj.Spec(model, **given | options))


@pytest.mark.parametrize("order", ["weak to strong", "strong to weak"])
def test_the_path_of_a_linear_model_is_that_of_scikit_learn(table, order):
    """Mean squared error + s sum |w|; scikit-learn halves the square, so its alpha is s / 2."""
    strengths = [0.01, 0.1, 0.5, 1.5, 9.0][:: 1 if order == "weak to strong" else -1]
    made = path(run_of(), settings(strengths), jax.random.key(0), table)
    x, y = np.asarray(table.x, np.float64), np.asarray(table.y, np.float64)
    for i, s in enumerate(strengths):
        oracle = Lasso(alpha=s / 2, fit_intercept=False, tol=1e-8).fit(x, y).coef_
        np.testing.assert_allclose(made.result.weights.params["w"][i, :, 0], oracle, atol=2e-4)
        assert float(made.zeros[i]) == pytest.approx(np.mean(oracle == 0))
        assert float(made.norm[i]) == pytest.approx(np.linalg.norm(oracle), abs=5e-4)
        np.testing.assert_allclose(made.inputs[i], np.abs(oracle), atol=2e-4)


def test_each_point_starts_where_the_one_before_ended(table):
    """A path is what runs are that are given the weights of the run before."""
    run = run_of(rj.models.make_model("mlp", num_outputs=1, widths=(4,)), epochs=2, steps_per_epoch=5, batch_size=16)
    key = jax.random.key(3)
    stacked = settings([0.2, 0.01, 0.05], restore_best=True)
    made = path(run, stacked, key, table._replace(y=table.y[:, None], y_val=table.y_val[:, None]))
    weights, alone = None, jax.jit(run.result)
    data = table._replace(y=table.y[:, None], y_val=table.y_val[:, None])
    for i in range(3):
        one = alone(jax.tree.map(lambda leaf, i=i: leaf[i], stacked), key, data, 0, weights)
        weights = one.weights
        found = jax.tree.map(lambda leaf, i=i: leaf[i], made.result)
        for a, b in zip(jax.tree.leaves(found.weights), jax.tree.leaves(one.weights), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
        assert int(found.end_epoch) == int(one.end_epoch)


def test_the_input_layer_is_found_or_named(table):
    data = table._replace(y=table.y[:, None], y_val=table.y_val[:, None])
    model = rj.models.make_model("mlp", num_outputs=1, widths=(6, 6))  # three matrices, of which two have six rows
    run = run_of(model, epochs=1, steps_per_epoch=2)
    assert path(run, settings([0.1]), jax.random.key(0), data).inputs is None
    made = path(run, settings([0.1]), jax.random.key(0), data, input_layer="hidden_0/kernel")
    kernel = made.result.weights.params["hidden_0"]["kernel"][0]
    np.testing.assert_allclose(made.inputs[0], np.linalg.norm(kernel, axis=1), rtol=1e-6)
    with pytest.raises(ValueError, match="accepted: hidden_0/kernel, hidden_1/kernel, output/kernel"):
        path(run, settings([0.1]), jax.random.key(0), data, input_layer="w")


def test_settings_that_are_not_stacked_are_refused(table):
    with pytest.raises(ValueError, match="leading axis of points"):
        path(run_of(), rj.make_hparams(n_train=60), jax.random.key(0), table)


def test_numbers_do_not_compile_anew_and_given_weights_are_the_start(table):
    run, key = run_of(epochs=1, steps_per_epoch=1), jax.random.key(0)
    start = rj.training.state.Weights({"w": jnp.full((6, 1), 5.0)}, {})
    before = path(run, settings([0.0, 0.0]), key, table, weights=start)
    count = path._cache_size()
    other = path(run, settings([0.1, 0.3]), key, table, weights=start)
    assert path._cache_size() == count
    gradient = 2 * np.asarray(table.x).T @ (np.asarray(table.x) @ np.full(6, 5.0) - np.asarray(table.y)) / 60
    np.testing.assert_allclose(before.result.weights.params["w"][0, :, 0], 5.0 - 0.05 * gradient, rtol=1e-4)
    assert not np.allclose(before.norm, other.norm)
    assert_trees_equal(before, path(run, settings([0.0, 0.0]), key, table, weights=start))
