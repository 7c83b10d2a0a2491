import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj
from regjax.training.accumulate import loss_and_grads
from tests.helpers import assert_trees_equal

pytestmark = pytest.mark.slow

MODEL = rj.models.make_model("mlp", num_outputs=3, widths=(8,))
X = jax.random.normal(jax.random.key(0), (12, 4))
BATCH = rj.Batch(X, jnp.arange(12, dtype=jnp.int32) % 3)
PARAMS = MODEL.init(jax.random.key(1), X)["params"]


@pytest.mark.parametrize("micro_batch", [1, 3, 4, 6])
@pytest.mark.parametrize("weight", [None, jnp.arange(12.0) % 5], ids=["equal", "weighted"])
def test_micro_batches_give_the_gradient_of_the_whole_batch(micro_batch, weight):
    loss_fn = rj.build_loss(MODEL.apply, "cross_entropy", rj.l1(0.1) + rj.l2(0.2))
    batch = BATCH._replace(weight=weight)
    (whole, aux), grads = loss_and_grads(loss_fn, PARAMS, batch, None)
    (parts, split_aux), split_grads = loss_and_grads(loss_fn, PARAMS, batch, None, micro_batch=micro_batch)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
    assert_trees_equal(split_aux.parts, aux.parts, rtol=1e-5, atol=1e-7)
    assert_trees_equal(split_grads, grads, rtol=1e-5, atol=1e-7)


def test_the_whole_batch_is_augmented_before_it_is_cut():
    seen = []

    def mixes_everything(key, batch, hparams):
        seen.append(batch.x.shape)
        return batch._replace(x=batch.x + jnp.mean(batch.x))

    loss_fn = rj.build_loss(MODEL.apply, "cross_entropy", transform_batch=mixes_everything)
    key = jax.random.key(0)
    whole, split = (loss_and_grads(loss_fn, PARAMS, BATCH, key, micro_batch=m)[1] for m in (None, 4))
    assert_trees_equal(split, whole, rtol=1e-5, atol=1e-7)
    assert set(seen) == {(12, 4)}


def test_parts_draw_noise_of_their_own():
    loss_fn = rj.build_loss(lambda v, x, rngs: jax.random.normal(rngs["dropout"], x.shape[:1]), lambda f, y: f)
    key = jax.random.key(0)
    losses = [loss_and_grads(loss_fn, PARAMS, BATCH, key, micro_batch=m)[0][0] for m in (None, 4)]
    own = [jax.random.fold_in(key, i) for i in range(3)]
    by_hand = [loss_fn(PARAMS, rj.Batch(X[:4], BATCH.y[:4]), k)[0] for k in own]
    np.testing.assert_allclose(losses[1], np.mean(by_hand), rtol=1e-6)
    assert losses[0] != losses[1]


def test_what_cannot_be_cut_is_refused():
    loss_fn = rj.build_loss(MODEL.apply, "cross_entropy")
    with pytest.raises(ValueError, match="must divide the batch of 12 examples, got 5"):
        loss_and_grads(loss_fn, PARAMS, BATCH, None, micro_batch=5)
    with pytest.raises(ValueError, match="see a batch as a whole"):
        loss_and_grads(loss_fn, PARAMS, BATCH, None, model_state={"batch_stats": jnp.ones(2)}, micro_batch=4)
    with pytest.raises(ValueError, match="must divide the batch size 32, got 5"):
        rj.Spec(MODEL, micro_batch=5)
    with pytest.raises(ValueError, match="accepted: auto"):
        rj.Spec(MODEL, micro_batch="automatic")


def test_a_convolutional_run_takes_micro_batches_on_cpu():
    cnn = rj.models.make_model("cnn", num_outputs=2, widths=(4,), dense=8)
    assert rj.Spec(cnn, batch_size=32).micro_batch_size() == (16 if jax.default_backend() == "cpu" else None)
    assert rj.Spec(cnn, batch_size=24).micro_batch_size() is None
    assert rj.Spec(MODEL, batch_size=32).micro_batch_size() is None
    x = jax.random.normal(jax.random.key(0), (32, 8, 8, 1))
    y = (x.mean((1, 2, 3)) > 0).astype(jnp.int32)
    weights = cnn.init(jax.random.key(1), x)["params"]
    ends = []
    for micro_batch in (None, 8):
        step = rj.make_step(rj.build_loss(cnn.apply, "cross_entropy"), optax.sgd(0.1), micro_batch=micro_batch)
        state = rj.init_train_state(weights, {}, optax.sgd(0.1))
        for i in range(3):
            state, metrics = step(None, state, rj.Batch(x, y), jax.random.key(i))
        ends.append((state.params, metrics))
    assert_trees_equal(ends[0], ends[1], rtol=1e-5, atol=1e-6)
