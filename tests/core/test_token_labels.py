"""Labels of sequences: token ids `int[B, T]`, distributions by token, and an index that is ignored."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj
from regjax.core import labels as own
from regjax.losses import correct, cross_entropy

K = 3
KEY = jax.random.key(0)
RNG = np.random.default_rng(0)


B, T = 4, 5
TOKENS = RNG.integers(0, K, (B, T)).astype(np.int32)
SCORES = RNG.normal(size=(B, T, K)).astype(np.float32)
SEEN = np.arange(T) < np.array([5, 3, 1, 4])[:, None]
PADDED = np.where(SEEN, TOKENS, -100)
EACH = np.asarray(optax.softmax_cross_entropy_with_integer_labels(SCORES, TOKENS))


def scores(variables, x):
    return x + variables["params"]


def test_token_ids_are_smoothed_one_by_one():
    found = rj.smooth_labels(np.array([[1, 2, 3]]), 0.1, 4)
    np.testing.assert_allclose(found, [[np.eye(4)[k] * 0.9 + 0.025 for k in (1, 2, 3)]], rtol=1e-6)


def test_cross_entropy_of_sequences_is_that_of_optax():
    np.testing.assert_allclose(cross_entropy(SCORES, TOKENS), EACH, rtol=1e-6)
    np.testing.assert_allclose(cross_entropy(SCORES, own.one_hot(TOKENS, K)), EACH, rtol=1e-5)
    np.testing.assert_array_equal(correct(SCORES, TOKENS), SCORES.argmax(-1) == TOKENS)


@pytest.mark.parametrize("ignored", [-100, 0])
def test_an_ignored_index_counts_for_nothing(ignored):
    y = np.where(SEEN, np.maximum(TOKENS, 1), ignored)
    expected = np.asarray(optax.softmax_cross_entropy_with_integer_labels(SCORES, np.maximum(y, 0)))
    np.testing.assert_allclose(cross_entropy(SCORES, y, ignore_index=ignored), np.where(SEEN, expected, 0), rtol=1e-6)
    np.testing.assert_array_equal(np.asarray(own.one_hot(y, K, ignore_index=ignored)).sum(-1), SEEN)
    smooth = np.asarray(rj.smooth_labels(y, 0.1, K, ignore_index=ignored))
    np.testing.assert_allclose(smooth.sum(-1), SEEN, rtol=1e-6)
    assert (np.asarray(correct(SCORES, y, ignore_index=ignored))[~SEEN] == 0).all()
    noisy = rj.corrupt_labels(KEY, y, 1.0, K, ignore_index=ignored)
    np.testing.assert_array_equal(noisy == y, ~SEEN)
    # One that is neither a class nor ignored is still refused.
    y[0, 0] = K
    with pytest.raises(ValueError, match=rf"got {K}\b"):
        cross_entropy(SCORES, y, ignore_index=ignored)


@pytest.mark.parametrize(("dtype", "label", "ignored"), [(np.uint8, 156, -100), (np.int8, 99, 355), (np.uint16, 9, -1)])
@pytest.mark.parametrize("traced", [False, True])
@pytest.mark.slow
def test_an_ignored_index_is_not_wrapped_into_a_class(dtype, label, ignored, traced):
    """In 8 bits -100 is 156."""
    labels, logits = np.array([label, 1, 2], dtype), RNG.normal(size=(3, 200)).astype(np.float32)
    calls = {
        "cross_entropy": lambda y, i: cross_entropy(logits, y, ignore_index=i),
        "correct": lambda y, i: correct(jnp.eye(200)[jnp.array([label, 1, 0])], y, ignore_index=i),
        "one_hot": lambda y, i: own.one_hot(y, 200, ignore_index=i),
        "smooth_labels": lambda y, i: rj.smooth_labels(y, 0.1, 200, ignore_index=i),
        "corrupt_labels": lambda y, i: rj.corrupt_labels(KEY, y, 1.0, 100, ignore_index=i) if label < 100 else y,
        "build_loss": lambda y, i: rj.build_loss(scores, "cross_entropy", ignore_index=i)(0.0, rj.Batch(logits, y))[0],
        "evaluate": lambda y, i: rj.evaluate(scores, 0.0, None, logits, y, ignore_index=i),
    }
    for call in calls.values():
        found, expected = ((jax.jit(call, static_argnums=1) if traced else call)(labels, i) for i in (ignored, None))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), found, expected)


LOSSES = {
    "cross_entropy": "cross_entropy",
    "own": lambda f, y: optax.softmax_cross_entropy_with_integer_labels(f, y),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("train", [False, True])
def test_the_loss_of_sequences_is_the_mean_over_the_tokens_that_count(name, train):
    """The convention of torch: over all tokens of the batch, not sequence by sequence."""
    zero = jnp.zeros(())

    def loss(batch, **options):
        return rj.build_loss(scores, LOSSES[name], **options)(zero, batch, KEY, train=train)[0]

    np.testing.assert_allclose(loss(rj.Batch(SCORES, TOKENS)), EACH.mean(), rtol=1e-6)
    by_example = np.array([1.0, 2.0, 0.0, 0.5], np.float32)
    np.testing.assert_allclose(
        loss(rj.Batch(SCORES, TOKENS, by_example)),
        np.average(EACH, weights=by_example[:, None] * np.ones(T)),
        rtol=1e-6,
    )
    np.testing.assert_allclose(loss(rj.Batch(SCORES, TOKENS, SEEN * 1.0)), EACH[SEEN].mean(), rtol=1e-6)
    np.testing.assert_allclose(loss(rj.Batch(SCORES, PADDED), ignore_index=-100), EACH[SEEN].mean(), rtol=1e-6)
    both = loss(rj.Batch(SCORES, PADDED, by_example), ignore_index=-100)
    np.testing.assert_allclose(both, np.average(EACH, weights=by_example[:, None] * SEEN), rtol=1e-6)


def test_sequences_in_micro_batches_count_tokens_not_examples():
    from regjax.training.accumulate import loss_and_grads

    loss_fn = rj.build_loss(scores, "cross_entropy", ignore_index=-100)
    batch = rj.Batch(jnp.asarray(SCORES), jnp.asarray(PADDED))
    (whole, _), expected = loss_and_grads(loss_fn, jnp.zeros(K), batch, KEY)
    (parts, _), found = loss_and_grads(loss_fn, jnp.zeros(K), batch, KEY, micro_batch=2)
    np.testing.assert_allclose(parts, whole, rtol=1e-6)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("batch_size", [2048, 3])
def test_sequences_are_evaluated_by_token(batch_size):
    found = rj.evaluate(scores, jnp.zeros(()), None, SCORES, PADDED, batch_size=batch_size, ignore_index=-100)
    np.testing.assert_allclose(found["loss"], EACH[SEEN].mean(), rtol=1e-6)
    np.testing.assert_allclose(found["accuracy"], (SCORES.argmax(-1) == TOKENS)[SEEN].mean(), rtol=1e-6)
    plain = rj.evaluate(scores, jnp.zeros(()), None, SCORES, TOKENS, batch_size=batch_size)
    np.testing.assert_allclose(plain["loss"], EACH.mean(), rtol=1e-6)


@pytest.mark.parametrize("batch_size", [2048, 3])
def test_tokens_are_evaluated_by_their_own_weights(batch_size):
    weight = RNG.uniform(size=(B, T)).astype(np.float32)

    def found(rows, weight):
        return rj.evaluate(scores, jnp.zeros(()), None, SCORES[:rows], TOKENS[:rows], weight, batch_size=batch_size)

    np.testing.assert_allclose(found(B, weight)["loss"], np.average(EACH, weights=weight), rtol=1e-6)
    two = np.stack([np.ones(B), np.arange(B) > 0])
    np.testing.assert_allclose(found(B, two)["loss"], [EACH.mean(), EACH[1:].mean()], rtol=1e-6)
    with pytest.raises(ValueError, match=rf"\({B}, {T - 2}\)"):
        found(B, weight[:, 2:])
    square = min(B, T)
    with pytest.raises(ValueError, match="ignore_index"):  # groups of examples, or tokens?
        rj.evaluate(scores, jnp.zeros(()), None, SCORES[:square, :square], TOKENS[:square, :square], np.eye(square))


def test_a_run_learns_sequences_and_ignores_padding():
    model = (lambda key, x: {"w": jnp.zeros((K, K))}, lambda params, x: x @ params["w"])
    ids = np.asarray(RNG.integers(0, K, (32, T)))
    x = np.eye(K, dtype=np.float32)[ids]
    y = np.where(np.arange(T) < RNG.integers(1, T + 1, (32, 1)), (ids + 1) % K, -100).astype(np.int32)
    made = rj.TrainData(*(jnp.asarray(a) for a in (x, y, np.arange(32), x, y)))
    spec = rj.Spec(model, num_classes=K, batch_size=8, steps_per_epoch=4, epochs=30, ignore_index=-100)
    hparams = rj.make_hparams(learning_rate=0.1, n_train=32, label_smoothing=0.05)
    done = rj.fit(spec, hparams, KEY, made)
    assert float(done.state.history.values["val/accuracy"][-1]) == 1.0
    with pytest.raises(ValueError, match="-100"):
        rj.fit(rj.Spec(model, num_classes=K, batch_size=8), hparams, KEY, made)


def test_losses_and_weights_that_do_not_belong_together_are_refused():
    batch = rj.Batch(SCORES, TOKENS, np.ones((B, T)))
    with pytest.raises(ValueError, match=r"\(4, 5\)"):
        rj.build_loss(scores, lambda f, y: f.mean((1, 2)))(jnp.zeros(()), batch, train=False)
    with pytest.raises(ValueError, match="weight"):
        rj.build_loss(scores, lambda f, y: f.mean())(jnp.zeros(()), batch, train=False)
    with pytest.raises(ValueError, match=r"\(4, 5, 3\)"):
        rj.build_loss(scores, lambda f, y: f)(jnp.zeros(()), batch, train=False)
    with pytest.raises(ValueError, match=r"\(3, 5\)"):
        rj.build_loss(scores, "cross_entropy")(jnp.zeros(()), batch._replace(weight=np.ones((3, 5))), train=False)


def test_mc_predict_takes_sequences():
    found = rj.mc_predict(lambda v, x: x, {}, SCORES, KEY, 2)
    assert found.mean.shape == (B, T, K)
    assert found.predictive_entropy.shape == (B, T)
