import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj
from regjax.optim import optimizers
from regjax.optim.optimizers import OPTIMIZERS

X = jax.random.normal(jax.random.key(0), (32, 4))
BATCH = rj.Batch(X, X @ jnp.array([[1.0], [-2.0], [0.5], [0.0]]))
PARAMS = {"kernel": jax.random.normal(jax.random.key(1), (4, 1))}


def loss(params):
    return jnp.mean(jnp.square(BATCH.y - X @ params["kernel"]))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rj.make_optimizer("adamw", 0.1), r"'adamw' is 'adam' with penalty l2\(weight_decay / 2\)"),
        (lambda: rj.make_optimizer("schedule_free", 0.1), r"'schedule_free' .*rj\.build_loss"),
        (lambda: rj.make_optimizer("sgd", 0.1, momentum=0.9), "'sgd' does not use momentum, got 0.9"),
        (lambda: rj.make_optimizer("adam", 0.1, decay=0.9), "'adam' does not use decay, got 0.9; it takes b1, b2, eps"),
        (lambda: rj.make_optimizer("lion", 0.1, penalty=rj.l1(0.1), mode="proximal"), "'lion' has no proximal step"),
        (lambda: rj.make_optimizer("muon", 0.1, penalty=rj.l1(0.1), mode="proximal"), "'muon' has no proximal step"),
        (lambda: rj.make_optimizer("adafactor", 0.1, penalty=rj.l1(0.1), mode="proximal"), "'adafactor' has no prox"),
        (lambda: rj.make_optimizer("rmsprop", 0.1, decay=1.0), r"decay must be in \[0, 1\), got 1.0"),
        (lambda: rj.stepsizes.rmsprop(0.0), "learning_rate must be > 0, got 0.0"),
    ],
)
def test_errors_name_argument_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_rmsprop_with_momentum_has_no_known_step():
    optimizer, stepsize = optax.rmsprop(0.1, momentum=0.9), rj.stepsizes.rmsprop(0.1)
    with pytest.raises(ValueError, match="RMSProp with momentum is not known"):
        rj.regularize(optimizer, rj.l1(0.1), mode="proximal", stepsize=stepsize)
    # Where it cannot be tried out before, it is refused when it is used.
    tx = rj.regularize(optimizer, rj.l1(0.1), mode="proximal", stepsize=stepsize, check_step=False)
    with pytest.raises(ValueError, match="RMSProp with momentum is not known"):
        tx.update(PARAMS, tx.init(PARAMS), PARAMS)


@pytest.mark.slow
def test_proximal_around_adamw_is_stationary_where_it_should_be():
    """At the end `g + wd (sqrt(v) + eps) w + s sign(w) = 0` where w is not 0: AdamW's decay is not scaled."""
    weight_decay, s, steps = 0.5, 0.2, 6000
    rate = optax.cosine_decay_schedule(0.05, steps)
    tx = rj.regularize(
        optax.adamw(rate, weight_decay=weight_decay), rj.l1(s), mode="proximal", stepsize=rj.stepsizes.adam(rate)
    )

    def body(carry, _):
        params, state = carry
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    run = jax.jit(lambda p: jax.lax.scan(body, (p, tx.init(p)), None, length=steps)[0])
    params, state = run(PARAMS)
    w, g = np.asarray(params["kernel"]), np.asarray(jax.grad(loss)(params)["kernel"])
    root = np.sqrt(np.asarray(optax.tree.get(state, "nu")["kernel"]))
    residual = (g + weight_decay * root * w + s * np.sign(w))[w != 0]
    np.testing.assert_allclose(residual, 0.0, atol=2e-2)  # the decay term itself is about 0.2
    assert (w == 0).any()
    assert np.all(np.abs(g[w == 0]) <= s + 1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_by_name_learns_with_decay_and_is_what_it_says(name):
    """The step by construction is that which `regularize` finds; decoupled decay is beside the update."""
    tx = rj.make_optimizer(name, 0.01)
    params, grads = {"w": jnp.full((4, 3), 2.0)}, {"w": jnp.ones((4, 3))}
    plain, _ = tx.update(grads, tx.init(params), params)
    assert np.all(plain["w"] < 0)
    decayed = rj.make_optimizer(name, 0.01, penalty=rj.l2(0.25), mode="decoupled")
    updates, _ = decayed.update(grads, decayed.init(params), params)
    np.testing.assert_allclose(updates["w"], plain["w"] - 0.01 * 0.5 * 2.0, rtol=1e-5)
    chosen = optimizers.OPTIMIZERS[name]
    if chosen.stepsize is not None:
        inner = chosen.build(0.01, **chosen.defaults)
        rj.regularize(inner, rj.l1(0.1), mode="proximal", stepsize=chosen.stepsize(0.01, **chosen.defaults)).init(
            params
        )


@pytest.mark.parametrize(
    "constraint", [rj.non_negative(), rj.box(-1.0, 1.0), rj.max_norm(9.0) + rj.non_negative()], ids=str
)
def test_a_group_beside_an_interval_is_refused_where_it_would_not_rest_at_the_solution(constraint):
    """The projected map of a group has another fixed point with each rate: 2.207 and 2.005 where 2 is right."""
    for penalty in (rj.group_lasso(1.0), rj.l1(0.1) + rj.group_lasso(0.1), rj.nuclear(1.0)):
        with pytest.raises(ValueError, match=r"(group_lasso|nuclear) in mode 'proximal' beside (non_negative|box)"):
            rj.make_optimizer("sgd", 0.1, penalty=penalty, mode="proximal", constraint=constraint)
        with pytest.raises(ValueError, match="does not rest at the solution"):
            rj.make_hparams(n_train=8, penalties={"proximal": penalty}, constraint=constraint)
    rj.make_optimizer("sgd", 0.1, penalty=rj.group_lasso(1.0, where="a"), mode="proximal", constraint=constraint)
    rj.make_optimizer("sgd", 0.1, penalty=rj.group_lasso(1.0), mode="decoupled", constraint=constraint)


@pytest.mark.parametrize("rate", [0.05, 0.5])
@pytest.mark.slow
def test_l1_beside_an_interval_rests_at_the_solution(rate):
    target = jnp.array([[3.0], [-4.0], [0.5]])
    tx = rj.make_optimizer("sgd", rate, penalty=rj.l1(1.0), mode="proximal", constraint=rj.box(-2.0, 1.5))
    params = {"kernel": jnp.zeros((3, 1))}
    state = tx.init(params)
    for _ in range(200):
        updates, state = tx.update({"kernel": params["kernel"] - target}, state, params)
        params = optax.apply_updates(params, updates)
    np.testing.assert_allclose(params["kernel"].ravel(), [1.5, -2.0, 0.0], atol=1e-5)
