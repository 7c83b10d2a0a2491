import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj


def test_gradient_noise_has_the_variance_of_the_paper():
    tx = rj.gradient_noise(0.04, gamma=0.5)
    grads = {"w": jnp.full(200_000, 2.0), "count": jnp.int32(3)}
    state = tx.init(grads)
    for t in range(3):
        noisy, state = tx.update(grads, state, key=jax.random.fold_in(jax.random.key(0), t))
        w, stddev = np.asarray(noisy["w"]), np.sqrt(0.04 / (1 + t) ** 0.5)
        # 4.9 standard errors of a mean and of a standard deviation: false alarm 1e-6 each.
        assert abs(w.mean() - 2) < 4.9 * stddev / np.sqrt(w.size)
        assert abs(w.std() - stddev) < 4.9 * stddev / np.sqrt(2 * w.size)
        assert noisy["count"] == 3
    same, _ = rj.gradient_noise(0.0).update(grads, state, key=jax.random.key(0))
    np.testing.assert_array_equal(same["w"], grads["w"])


def test_gradient_noise_needs_the_key_that_make_step_gives():
    with pytest.raises(ValueError, match="update needs key="):
        rj.gradient_noise(0.1).update(jnp.ones(2), rj.gradient_noise(0.1).init(jnp.ones(2)))
    with pytest.raises(ValueError, match=r"gradient_noise: eta must be .* got -1"):
        rj.gradient_noise(-1.0)
    loss_fn = rj.build_loss(lambda v, x: x @ v["params"], "mse")
    step = rj.make_step(loss_fn, optax.chain(rj.gradient_noise(0.1), optax.sgd(0.1)))
    tx = optax.chain(rj.gradient_noise(0.1), optax.sgd(0.1))
    batch = rj.Batch(jnp.eye(3), jnp.ones(3))
    ends = [
        step(None, rj.init_train_state(jnp.zeros(3), {}, tx), batch, jax.random.key(k))[0].params for k in (0, 0, 1)
    ]
    np.testing.assert_array_equal(ends[0], ends[1])
    assert not np.array_equal(ends[0], ends[2])


def test_leaves_of_equal_shape_get_different_noise():
    tx = rj.gradient_noise(1.0)
    grads = {"a": jnp.zeros(3), "b": jnp.zeros(3)}
    noisy, _ = tx.update(grads, tx.init(grads), key=jax.random.key(0))
    assert not np.array_equal(noisy["a"], noisy["b"])


def test_the_derivative_in_the_variance_is_finite_at_zero():
    def total(eta):
        tx = rj.gradient_noise(eta)
        return jnp.sum(tx.update(jnp.ones(3), tx.init(jnp.ones(3)), key=jax.random.key(0))[0])

    assert np.isfinite(jax.grad(total)(0.0))
