import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.data import Standardization
from regjax.training.batches import next_block
from regjax.training.program import history_names, init_weights, make_program, weight_shapes

LINEAR = (lambda key, x: {"w": jnp.zeros(x.shape[1])}, lambda params, x: x @ params["w"])


@pytest.fixture(scope="module")
def line():
    """Y = 2 x on 8 examples; validation holds x = 1 and y = 3."""
    x = jnp.linspace(-1, 1, 8)[:, None]
    return rj.TrainData(x, 2 * x[:, 0], jnp.arange(8), jnp.ones((1, 1)), jnp.full(1, 3.0))


def spec_of(**options):
    return rj.Spec(LINEAR, task="regression", batch_size=8, steps_per_epoch=2, epochs=3, optimizer="sgd", **options)


@pytest.mark.slow
def test_two_epochs_by_hand(line):
    """Gradient descent on mean (w x - 2 x)^2 with all examples: w' = w - 2 r m (w - 2), with m the mean of x^2."""
    program, hparams = make_program(spec_of()), rj.make_hparams(n_train=8, learning_rate=0.1)
    key = jax.random.key(0)
    state = program.init(hparams, key, line.x[:1])
    m, w, losses = float(jnp.mean(line.x**2)), 0.0, []
    for epoch in range(2):
        state = jax.jit(program.epoch_block)(state, hparams, key, line)
        for _ in range(2):
            losses.append(m * (w - 2) ** 2)
            w -= 2 * 0.1 * m * (w - 2)
        np.testing.assert_allclose(state.train.params["w"], [w], rtol=1e-5)
        row = {name: float(value[epoch]) for name, value in state.history.values.items()}
        assert row["val/loss"] == pytest.approx((w - 3) ** 2, rel=1e-5)
        assert row["train/loss"] == row["train/data_loss"] == pytest.approx(m * (w - 2) ** 2, rel=1e-5)
        assert row["train/running_loss"] == pytest.approx(np.mean(losses[-2:]), rel=1e-5)
        assert row["learning_rate"] == pytest.approx(0.1)
    assert (int(state.epoch), int(state.train.step), float(state.loss_sum)) == (2, 4, 0.0)
    assert state.history.valid.tolist() == [True, True, False]


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["map", "vmap"])
def test_runs_on_folds_are_those_on_arrays_that_were_cut_by_hand(layout):
    """Two folds of unequal sizes as lanes of one program; the last example validates the second fold alone."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(9, 2)).astype(np.float32)
    y = (x @ np.array([1.0, -2.0]) + rng.normal(size=9)).astype(np.float32)
    train, validation = ([0, 1, 2, 3, 4], [5, 6, 7, 8]), ([5, 6, 7, 8], [0, 1, 2, 3, 4])
    order = np.array([train[0], [*train[1], 0]])
    rows = np.array([[*validation[0], -1], validation[1]])
    both = rj.TrainData(x, np.stack([y, y]), order, x[:0], y[:0], val_rows=rows)
    spec = rj.Spec(LINEAR, task="regression", batch_size=2, steps_per_epoch=3, epochs=4, optimizer="sgd")
    run, hparams = rj.make_run(spec), [rj.make_hparams(n_train=n, learning_rate=0.05) for n in (5, 4)]
    keys = jax.random.split(jax.random.key(1), 2)
    lanes = [rj.Lane(run, hparams[k], keys[k], k) for k in range(2)]
    found = rj.run_lanes(lanes, both, layout=layout)
    for k in range(2):
        inside, outside = np.array(train[k]), np.array(validation[k])
        alone = rj.TrainData(*map(jnp.asarray, (x[inside], y[inside], np.arange(len(inside)), x[outside], y[outside])))
        expected = run.result(hparams[k], keys[k], alone)
        np.testing.assert_allclose(found[k].weights.params["w"], expected.weights.params["w"], rtol=1e-5)
        for name, values in expected.history.values.items():
            np.testing.assert_allclose(found[k].history.values[name], values, rtol=1e-4, atol=1e-6, err_msg=name)
    r2 = 1 - np.mean((y[5:] - x[5:] @ found[0].weights.params["w"]) ** 2) / np.var(y[5:])
    assert float(found[0].history.values["val/r2"][-1]) == pytest.approx(r2, rel=1e-4)


def test_updates_may_be_cut_anywhere(line):
    spec = spec_of()
    program, hparams, key = make_program(spec), rj.make_hparams(n_train=6, learning_rate=0.1), jax.random.key(3)
    start = program.init(hparams, key, line.x[:1])

    @jax.jit
    def advance(state, steps):
        block = next_block(spec, key, state.train.step, line, hparams.n_train, 2)
        return program.updates(state, hparams, key, block, steps)

    once, twice = advance(start, 2), advance(advance(start, 1), 1)
    assert np.asarray(once.train.params["w"]).tobytes() == np.asarray(twice.train.params["w"]).tobytes()
    assert float(once.loss_sum) == float(twice.loss_sum)


@pytest.mark.slow
def test_a_training_loss_that_is_not_finite_ends_the_run_while_validation_is_fine(line):
    program, hparams = make_program(spec_of()), rj.make_hparams(n_train=8)
    state = program.init(hparams, jax.random.key(0), line.x[:1])
    state = program.end_epoch(state._replace(loss_sum=jnp.float32(jnp.nan)), hparams, line)
    assert bool(state.stop.should_stop)
    assert state.stop.reason_name == "diverged"
    assert np.isfinite(state.history.values["val/loss"][0])


def test_given_weights_replace_the_random_ones_and_are_copied(line):
    hparams = rj.make_hparams(n_train=8, penalties={"loss": rj.l2_to("start", 0.1)})
    given = rj.training.state.Weights({"w": jnp.full(1, 5.0)}, {})
    state = make_program(spec_of()).init(hparams, jax.random.key(0), line.x[:1], given)
    for kept in (state.train.params, state.best.params, state.start):
        np.testing.assert_array_equal(kept["w"], [5.0])
    assert state.best.params["w"] is not state.train.params["w"]


def test_a_model_starts_from_a_standardized_example():
    spec = rj.Spec((lambda key, x: {"w": x[0]}, lambda params, x: x @ params["w"]), task="regression")
    hparams = rj.make_hparams(n_train=8, standardization=Standardization(np.float32(3.0), np.float32(2.0)))
    state = make_program(spec).init(hparams, jax.random.key(0), jnp.array([[5, 7]], jnp.uint8))
    np.testing.assert_array_equal(state.train.params["w"], [1.0, 2.0])


def test_shapes_are_those_of_the_weights(spec, blobs):
    shapes = weight_shapes(spec, np.asarray(blobs.x))
    weights = init_weights(spec, jax.random.key(0), blobs.x[:1])
    assert jax.tree.map(jnp.shape, weights) == jax.tree.map(lambda leaf: leaf.shape, shapes)


def test_columns_of_a_history():
    assert history_names("regression")[-3:] == ("val/mse", "val/r2", "learning_rate")
    assert "train/accuracy" in history_names("classification")
