"""Arrays of tables of about the same size have one shape, and what fills them up is not used."""

import flax.linen as nn
import jax
import numpy as np
import pytest

from regjax.sklearn import programs
from regjax.sklearn.programs import CHUNK, ROWS, Part, outputs, train, train_data
from regjax.training.program import init_weights
from regjax.training.spec import Spec, make_hparams


def table(examples):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(examples, 3)).astype(np.float32)
    return x, (x[:, 0] > 0).astype(np.int32)


def test_tables_of_about_the_same_size_share_their_shapes():
    made = [train_data(*table(n), None, [Part(np.arange(n), np.arange(2))]) for n in (ROWS - 1, ROWS)]
    assert jax.tree.map(np.shape, made[0]) == jax.tree.map(np.shape, made[1])


def test_each_part_has_its_rows():
    x, y = table(10)
    parts = [Part(np.array([3, 1]), np.array([0])), Part(np.array([9, 8, 7]), np.array([2, 4]))]
    made = train_data(x, y, np.arange(10, dtype=np.float32), parts)
    for i, part in enumerate(parts):
        run = made.for_seed(i)
        np.testing.assert_array_equal(run.order[: len(part.train)], part.train)
        np.testing.assert_array_equal(run.val_rows[run.val_rows >= 0], part.watched)
        np.testing.assert_array_equal(run.y[:10], y)
    np.testing.assert_array_equal(made.weight[:10], np.arange(10))


@pytest.mark.slow
def test_what_fills_a_table_up_does_not_train():
    """Bits of a run do not depend on the rows beyond its own."""
    x, y = table(2 * ROWS)
    spec = Spec(nn.Dense(2), num_classes=2, batch_size=8, steps_per_epoch=4, epochs=3)
    part, hparams = Part(np.arange(20), np.arange(20, 30)), make_hparams(n_train=20)
    small, large = (
        train(spec, hparams, jax.random.key(0), train_data(x[:n], y[:n], None, [part])) for n in (40, 2 * ROWS)
    )
    jax.tree.map(np.testing.assert_array_equal, small.weights, large.weights)
    np.testing.assert_array_equal(small.history.values["val/loss"], large.history.values["val/loss"])


@pytest.mark.slow
@pytest.mark.parametrize("examples", [1, ROWS + 1, CHUNK + 3])
def test_outputs_are_those_of_the_model_for_any_number_of_examples(examples):
    x, _ = table(examples)
    spec, hparams = Spec(nn.Dense(2), num_classes=2), make_hparams(n_train=1)
    weights = init_weights(spec, jax.random.key(0), x[:1])
    expected = x @ np.asarray(weights.params["kernel"]) + np.asarray(weights.params["bias"])
    np.testing.assert_allclose(outputs(spec, weights, hparams, x), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_passes_have_orders_of_their_own_and_depend_on_nothing_else():
    x, y = table(32)
    spec, hparams = Spec(nn.Dense(2), num_classes=2, batch_size=8, steps_per_epoch=2), make_hparams(n_train=32)
    data = train_data(x, y, None, [Part(np.arange(32), np.arange(1))])

    def kernel(number):
        done = programs.train_once(spec, hparams, jax.random.key(0), data, number, None, None)
        return done.train.params["kernel"]

    np.testing.assert_array_equal(kernel(0), kernel(0))
    assert np.any(kernel(0) != kernel(1))
