import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.data import Standardization
from regjax.sweeps import Lane, run_lanes

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pixels():
    """Raw bytes of two classes, of which one is brighter: 48 to train on and 16 to validate."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 64).astype(np.int32)
    x = rng.integers(0, 200, (64, 4, 4, 1)).astype(np.uint8) + (30 * y[:, None, None, None]).astype(np.uint8)
    return rj.TrainData(*map(jnp.asarray, (x[:48], y[:48], np.arange(48), x[48:], y[48:])))


@pytest.fixture(scope="module")
def run():
    model = rj.models.make_model("mlp", num_outputs=2, widths=(8,))
    spec = rj.Spec(model, num_classes=2, batch_size=8, steps_per_epoch=6, epochs=3, eval_train_examples=20)
    return rj.make_run(spec)


def test_a_run_standardizes_what_was_read(pixels, run):
    """Bytes with their standardization train as standardized numbers do, up to rounding, with noise and mixup too."""
    scaling = Standardization(np.float32(110.0), np.full((4, 4, 1), 60.0, np.float32))
    numbers = pixels._replace(x=scaling.apply(pixels.x), x_val=scaling.apply(pixels.x_val))
    options = {"n_train": 40, "rates": {"dropout": 0.2}, "mixup": 0.3, "learning_rate": 0.01}
    raw = jax.jit(run)(rj.make_hparams(standardization=scaling, **options), jax.random.key(0), pixels)
    expected = jax.jit(run)(rj.make_hparams(**options), jax.random.key(0), numbers)
    for found, wanted in zip(jax.tree.leaves(raw.best), jax.tree.leaves(expected.best), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(raw.history.table, expected.history.table, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("layout", ["map", "vmap"])
def test_each_lane_has_its_own_standardization(pixels, run, layout):
    """Fitted on the examples of each seed, one program serves them all."""
    scalings = [Standardization(np.float32(mean), np.float32(60.0)) for mean in (90.0, 130.0)]
    lanes = [Lane(run, rj.make_hparams(n_train=40, standardization=s), jax.random.key(1)) for s in scalings]
    results = run_lanes(lanes, pixels, layout=layout)
    for lane, result in zip(lanes, results, strict=True):
        alone = jax.jit(run)(lane.hparams, lane.key, pixels)
        np.testing.assert_allclose(result.history.table, alone.history.table, rtol=1e-4, atol=1e-5)
    assert not np.allclose(results[0].history.table, results[1].history.table, rtol=1e-3)


def test_a_row_of_weight_zero_does_not_train():
    """Wrong labels of weight 0 change nothing; without the weights they do."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 3)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int32)
    weight = (rng.random(64) < 0.5).astype(np.float32)
    spec = rj.Spec(nn.Dense(2), num_classes=2, batch_size=16, steps_per_epoch=4, epochs=2)

    def trained(labels, weight):
        arrays = rj.TrainData(x, labels, np.arange(64), x[:8], y[:8], weight)
        lane = Lane(rj.make_run(spec), rj.make_hparams(n_train=64), jax.random.key(0), 0)
        return run_lanes([lane], jax.tree.map(jnp.asarray, arrays))[0].weights.params

    wrong = np.where(weight > 0, y, 1 - y)
    jax.tree.map(np.testing.assert_array_equal, trained(wrong, weight), trained(y, weight))
    assert not np.array_equal(trained(wrong, None)["kernel"], trained(y, None)["kernel"])
