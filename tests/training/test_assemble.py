import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj
from regjax.core.typing import Batch
from regjax.data import Standardization
from regjax.training.assemble import learning_rate_of, loss_of, optimizer_of, penalty_value

LINEAR = (lambda key, x: {"w": jnp.ones((x.shape[1], 2))}, lambda params, x: x @ params["w"])
X, Y = jnp.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), jnp.array([0, 1, 1])


def spec_of(**options):
    return rj.Spec(LINEAR, **{"num_classes": 2, "batch_size": 3, "steps_per_epoch": 5, "epochs": 2, **options})


def prepared(spec, **options):
    return loss_of(spec).prepared(Batch(X, Y), jax.random.key(0), rj.make_hparams(n_train=3, **options))


def test_without_regularizers_a_batch_stays_what_it_is():
    batch = prepared(spec_of())
    np.testing.assert_array_equal(batch.x, X)
    np.testing.assert_array_equal(batch.y, Y)


def test_what_was_read_is_standardized_with_and_without_augmentation():
    scaling = Standardization(np.float32(3.0), np.float32(2.0))
    np.testing.assert_allclose(prepared(spec_of(), standardization=scaling).x, (X - 3) / 2)
    none = spec_of(augmentation=rj.augment.make("noise=1"))
    np.testing.assert_allclose(prepared(none, standardization=scaling, augment=0.0).x, (X - 3) / 2)
    noisy = prepared(none, standardization=scaling, augment=1.0).x
    assert 0.1 < float(jnp.std(noisy - (X - 3) / 2)) < 3  # in standard deviations, of 6 normal numbers


@pytest.mark.slow
def test_smoothing_comes_before_mixing():
    """A mixture of smoothed labels: rows add up to 1, and the smallest entry is that of smoothing."""
    batch = prepared(spec_of(), label_smoothing=0.2, mixup=1.0)
    np.testing.assert_allclose(batch.y.sum(axis=1), 1.0, rtol=1e-6)
    assert float(batch.y.min()) >= 0.1 - 1e-6
    assert not np.array_equal(batch.x, X)


def test_the_learning_rate_follows_its_schedule_over_all_updates():
    hparams = rj.make_hparams(n_train=3, learning_rate=0.5)
    rate = learning_rate_of(spec_of(schedule="linear"), hparams)
    np.testing.assert_allclose([rate(step) for step in (0, 5, 10)], [0.5, 0.25, 0.0], atol=1e-7)
    np.testing.assert_allclose(learning_rate_of(spec_of(), hparams)(7), 0.5)
    with pytest.raises(ValueError, match="has cycles of its own; got linear"):
        learning_rate_of(spec_of(schedule="linear"), hparams._replace(average=rj.snapshots(2, 5)))


def test_the_optimizer_has_the_penalties_that_are_not_in_the_loss():
    """One step of gradient descent on a gradient of 0: what is decoupled still decays, what is in the loss does not."""
    penalties = {"loss": rj.l2(0.5), "decoupled": rj.l2(0.1)}
    hparams = rj.make_hparams(n_train=3, learning_rate=0.5, penalties=penalties)
    tx, params = optimizer_of(spec_of(optimizer="sgd"), hparams), {"w": jnp.ones((2, 2))}
    updates, _ = tx.update(jax.tree.map(jnp.zeros_like, params), tx.init(params), params)
    np.testing.assert_allclose(optax.apply_updates(params, updates)["w"], 1 - 0.5 * 2 * 0.1, rtol=1e-6)


def test_noise_on_gradients_and_sam_enter_where_they_are_asked_for():
    params, zero = {"w": jnp.zeros((2, 2))}, {"w": jnp.zeros((2, 2))}
    noisy = optimizer_of(spec_of(optimizer="sgd"), rj.make_hparams(n_train=3, gradient_noise=1.0))
    updates, _ = noisy.update(zero, noisy.init(params), params, key=jax.random.key(0))
    assert float(jnp.abs(updates["w"]).min()) > 0
    sam = optimizer_of(spec_of(optimizer="sgd"), rj.make_hparams(n_train=3, learning_rate=1.0, sam=0.1))
    seen = []

    def gradient(params, _):
        seen.append(np.asarray(params["w"]))
        return {"w": jnp.full((2, 2), 7.0)}

    updates, _ = sam.update({"w": jnp.ones((2, 2))}, sam.init(params), params, grad_fn=gradient)
    np.testing.assert_allclose(seen[0], 0.1 / 2, rtol=1e-6)  # a radius of 0.1 along a gradient of norm 2
    np.testing.assert_allclose(updates["w"], -7.0)


def test_the_penalty_is_that_of_all_modes():
    hparams = rj.make_hparams(n_train=3, penalties={"loss": rj.l2(0.5), "proximal": rj.l1(0.1)})
    assert float(penalty_value(hparams, {"w": jnp.full((2, 2), 2.0)}, jnp.int32(0))) == pytest.approx(8.0 + 0.8)


def test_a_penalty_on_classes_needs_classes():
    hparams = rj.make_hparams(n_train=3, output_penalties=(rj.confidence(0.1),))
    loss_fn = loss_of(rj.Spec(LINEAR, task="regression", batch_size=3))
    with pytest.raises(ValueError, match="confidence needs a classification task, got regression"):
        loss_fn({"w": jnp.ones((2, 2))}, Batch(X, X), jax.random.key(0), hparams=hparams)


@pytest.mark.parametrize("smoothing", [None, 0.2])
def test_an_update_averages_losses_by_the_weights_of_their_classes(smoothing):
    """As `weight=` of torch's cross entropy: the sum of weighted losses over the sum of weights."""
    weights = np.array([0.5, 2.0, 1.0])
    logits, y = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32), np.array([0, 1, 2, 1, 0, 0])
    hparams = rj.make_hparams(n_train=6, class_weights=weights, label_smoothing=smoothing)
    loss_fn = loss_of(rj.Spec((lambda key, x: {}, lambda variables, x: x), num_classes=3))
    value, _ = loss_fn({}, Batch(jnp.asarray(logits), jnp.asarray(y)), jax.random.key(0), hparams=hparams)
    soft = (1 - (smoothing or 0)) * np.eye(3)[y] + (smoothing or 0) / 3
    losses = -np.sum(soft * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))), axis=1)
    assert float(value) == pytest.approx(np.sum(soft @ weights * losses) / np.sum(soft @ weights), rel=1e-5)


@pytest.mark.slow
def test_labels_are_smoothed_each_on_its_own_and_mixed_as_numbers():
    spec = rj.Spec(LINEAR, task="multilabel", batch_size=3)
    labels = jnp.array([[1.0, 1.0], [0.0, 1.0], [0.0, 0.0]])

    def y_of(spec, **options):
        hparams = rj.make_hparams(n_train=3, **options)
        return np.asarray(loss_of(spec).prepared(Batch(X, labels), jax.random.key(0), hparams).y)

    np.testing.assert_allclose(y_of(spec, label_smoothing=0.2), 0.8 * labels + 0.1, rtol=1e-6)
    others = dataclasses.replace(spec, smoothing="others")
    np.testing.assert_allclose(y_of(others, label_smoothing=0.2), 0.8 * labels + 0.2 * (1 - labels), rtol=1e-6)
    mixed = y_of(spec, mixup=1.0)
    assert ((mixed >= 0) & (mixed <= 1)).all()
    assert not np.isin(mixed, (0, 1)).all()
    with pytest.raises(ValueError, match=r"class_weights.*task 'multilabel'"):
        y_of(spec, class_weights=np.ones(2))
