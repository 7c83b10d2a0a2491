import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import make_regression
from sklearn.linear_model import ElasticNet, Lasso, Ridge

import regjax as rj
from regjax.optim.optimizers import OPTIMIZERS, with_penalties
from tests.helpers import assert_trees_equal

STEPS = 3000
# Adam and RMSProp with a constant rate keep jumping around a minimum without zeros; a falling one settles.
RATES = {
    "sgd": 0.05,
    "momentum": 0.01,
    "nesterov": 0.01,
    "adam": optax.cosine_decay_schedule(0.03, STEPS),
    "rmsprop": optax.cosine_decay_schedule(0.03, STEPS),
    "adagrad": 1.0,
    **{name: optax.cosine_decay_schedule(0.03, STEPS) for name in ("nadam", "amsgrad", "adamax")},
}


@pytest.fixture(scope="module")
def problem():
    """A standardized regression with 6 of 20 true coefficients: (x, y) in float32."""
    x, y, _ = make_regression(200, 20, n_informative=6, coef=True, random_state=0, noise=5.0)
    return x.astype(np.float32), ((y - y.mean()) / y.std()).astype(np.float32)


def minimize(tx, loss, params, steps=STEPS):
    """The parameters after `steps` updates."""

    def body(carry, _):
        params, state = carry
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), None

    return jax.jit(lambda p: jax.lax.scan(body, (p, tx.init(p)), None, length=steps)[0][0])(params)


def mse(x, y):
    return lambda params: jnp.mean(jnp.square(y - (x @ params["kernel"])[:, 0]))


def start(seed=0):
    return {"kernel": 0.3 * jax.random.normal(jax.random.key(seed), (20, 1))}


@pytest.mark.slow
@pytest.mark.parametrize("name", RATES)
def test_proximal_l1_reaches_the_lasso_of_sklearn_with_its_zeros(problem, name):
    x, y = problem
    reference = Lasso(alpha=0.05, fit_intercept=False, tol=1e-6, max_iter=100_000).fit(
        x.astype(np.float64), y.astype(np.float64)
    )
    # sklearn's 1/(2n) ||y - Xw||^2 + alpha ||w||_1 is half of our mse + l1(2 alpha).
    tx = rj.make_optimizer(name, RATES[name], penalty=rj.l1(0.1), mode="proximal")
    w = np.asarray(minimize(tx, mse(x, y), start())["kernel"])[:, 0]
    np.testing.assert_allclose(w, reference.coef_, atol=1e-5)
    np.testing.assert_array_equal(w == 0, reference.coef_ == 0)
    assert (w == 0).sum() > 5


@pytest.mark.slow
@pytest.mark.parametrize("name", RATES)
def test_proximal_elastic_net_reaches_sklearn(problem, name):
    x, y = problem
    alpha, ratio = 0.1, 0.5
    reference = ElasticNet(alpha=alpha, l1_ratio=ratio, fit_intercept=False, tol=1e-7, max_iter=100_000)
    reference.fit(x.astype(np.float64), y.astype(np.float64))
    # Twice alpha (r |w| + (1 - r)/2 w^2) is l1(2 alpha r) + l2(alpha (1 - r)).
    penalty = rj.l1(2 * alpha * ratio) + rj.l2(alpha * (1 - ratio))
    tx = rj.make_optimizer(name, RATES[name], penalty=penalty, mode="proximal")
    np.testing.assert_allclose(np.asarray(minimize(tx, mse(x, y), start())["kernel"])[:, 0], reference.coef_, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["loss", "coupled", "proximal"])
@pytest.mark.parametrize("name", RATES)
def test_l2_reaches_the_ridge_of_sklearn(problem, name, mode):
    x, y = problem
    # sklearn's ||y - Xw||^2 + alpha ||w||^2 is n (mse + l2(alpha / n)).
    reference = Ridge(alpha=20.0, fit_intercept=False).fit(x, y).coef_
    penalty, loss = rj.l2(20.0 / len(y)), mse(x, y)
    if mode == "loss":
        tx, objective = rj.make_optimizer(name, RATES[name]), lambda p: loss(p) + penalty.value(p)
    else:
        tx, objective = rj.make_optimizer(name, RATES[name], penalty=penalty, mode=mode), loss
    w = np.asarray(minimize(tx, objective, start())["kernel"])[:, 0]
    np.testing.assert_allclose(w, reference, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_coupled_equals_loss_step_by_step(problem, name):
    x, y = problem
    penalty, loss = rj.l2(0.05) + rj.l1(0.01), mse(x, y)
    for steps in (1, 2, 7):
        coupled = minimize(rj.make_optimizer(name, 0.01, penalty=penalty, mode="coupled"), loss, start(), steps)
        in_loss = minimize(rj.make_optimizer(name, 0.01), lambda p: loss(p) + penalty.value(p), start(), steps)
        assert_trees_equal(coupled, in_loss, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("rate", [0.01, optax.cosine_decay_schedule(0.01, 40)], ids=["number", "schedule"])
def test_decoupled_l2_equals_adamw(problem, rate):
    x, y = problem
    ours = rj.make_optimizer("adam", rate, penalty=rj.l2(0.05), mode="decoupled")
    theirs = optax.adamw(rate, weight_decay=0.1)
    for steps in (1, 30):
        assert_trees_equal(
            minimize(ours, mse(x, y), start(), steps),
            minimize(theirs, mse(x, y), start(), steps),
            rtol=1e-5,
            atol=1e-7,
        )


def test_independent_decay_ignores_the_base_but_follows_the_shape():
    params, zero = {"kernel": jnp.ones((1, 1))}, {"kernel": jnp.zeros((1, 1))}
    for base in (0.1, 0.5):
        rate = rj.BaseAndShape(base, lambda count: 1.0 / (1 + count))
        tx = rj.make_optimizer("sgd", rate, penalty=rj.l2(0.05), mode="independent")
        state = tx.init(params)
        updates, state = tx.update(zero, state, params)
        np.testing.assert_allclose(updates["kernel"], -0.1, rtol=1e-6)
        updates, _ = tx.update(zero, state, params)
        np.testing.assert_allclose(updates["kernel"], -0.05, rtol=1e-6)


def test_plain_threshold_under_momentum_solves_a_weaker_problem(problem):
    """The trap that the stepsize argument exists for: lr * s under momentum mu solves strength s (1 - mu)."""
    x, y = problem
    tx = rj.regularize(optax.sgd(0.01, momentum=0.9), rj.l1(0.5), mode="proximal", stepsize=rj.stepsizes.plain(0.01))
    w = np.asarray(minimize(tx, mse(x, y), start())["kernel"])[:, 0]
    weaker = Lasso(alpha=0.025, fit_intercept=False, tol=1e-6).fit(x.astype(np.float64), y.astype(np.float64)).coef_
    np.testing.assert_allclose(w, weaker, atol=1e-4)


def test_no_gradient_route_gives_exact_zeros(problem):
    x, y = problem
    for mode in ("coupled", "decoupled"):
        tx = rj.make_optimizer("adam", 0.01, penalty=rj.l1(0.1), mode=mode)
        assert not np.any(np.asarray(minimize(tx, mse(x, y), start())["kernel"]) == 0)


def test_proximal_composes_with_clipping_and_multisteps(problem):
    x, y = problem
    inner = rj.make_optimizer("adam", 0.01, penalty=rj.l1(0.1), mode="proximal")
    tx = optax.MultiSteps(optax.chain(optax.clip_by_global_norm(100.0), inner), every_k_schedule=2)
    accumulated = minimize(tx.gradient_transformation(), mse(x, y), start(), steps=6000)
    np.testing.assert_allclose(
        accumulated["kernel"], minimize(inner, mse(x, y), start(), steps=3000)["kernel"], atol=1e-5
    )


def test_orthonormal_design_is_soft_thresholding():
    x = np.linalg.qr(np.random.default_rng(0).normal(size=(40, 20)))[0].astype(np.float32) * np.sqrt(40)
    y = np.random.default_rng(1).normal(size=40).astype(np.float32)
    tx = rj.make_optimizer("sgd", 0.5, penalty=rj.l1(0.1), mode="proximal")
    w = np.asarray(minimize(tx, mse(x, y), start(), 200)["kernel"])[:, 0]
    least_squares = x.T @ y / 40
    np.testing.assert_allclose(w, np.sign(least_squares) * np.maximum(np.abs(least_squares) - 0.05, 0), atol=1e-6)


def test_bfloat16_parameters_keep_their_dtype():
    params = {"kernel": jnp.ones((2, 2), jnp.bfloat16)}
    for mode in ("coupled", "decoupled", "independent", "proximal"):
        tx = rj.make_optimizer("adam", 0.1, penalty=rj.l2(0.1), mode=mode)
        updates, state = tx.update(params, tx.init(params), params)
        assert updates["kernel"].dtype == jnp.bfloat16
        assert jax.tree.map(jnp.dtype, state) == jax.tree.map(jnp.dtype, tx.init(params))


def test_strengths_and_rates_are_data():
    traces = []

    @jax.jit
    def one(strength, rate, params):
        traces.append(1)
        tx = with_penalties("adam", rate, {"proximal": rj.l1(strength), "decoupled": rj.l2(strength)})
        return tx.update(params, tx.init(params), params)[0]

    for value in (0.1, 0.2, 0.3):
        one(jnp.float32(value), jnp.float32(value), start())
    assert len(traces) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rj.regularize(optax.sgd(0.1), rj.l1(1.0), mode="proximal"), "'proximal' needs stepsize"),
        (
            lambda: rj.regularize(optax.sgd(0.1), rj.l1(1.0), mode="decoupled"),
            "'decoupled' needs learning_rate",
        ),
        (
            lambda: rj.regularize(optax.sgd(0.1), rj.l1(1.0), mode="coupled", learning_rate=0.1),
            "'coupled' does not take learning_rate",
        ),
        (lambda: rj.regularize(optax.sgd(0.1), rj.l1(1.0), mode="loss"), "rj.build_loss"),
        (lambda: rj.regularize(optax.sgd(0.1), rj.l1(1.0), mode="proximl"), "did you mean 'proximal'"),
        (
            lambda: rj.regularize(optax.sgd(0.1), rj.l1(1.0), mode="proximal", stepsize=0.1),
            "must be one of rj.stepsizes",
        ),
        (
            lambda: rj.make_optimizer("sgd", lambda c: 0.1, penalty=rj.l2(1.0), mode="independent"),
            "cannot be taken apart",
        ),
        (lambda: rj.make_optimizer("adm", 0.1), "did you mean 'adam'"),
        (lambda: rj.make_optimizer("sgd", 0.0), "learning_rate must be > 0, got 0.0"),
        (lambda: rj.make_optimizer("momentum", 0.1, momentum=1.0), r"momentum must be in \[0, 1\), got 1.0"),
        (
            lambda: rj.regularize(
                optax.MultiSteps(optax.sgd(0.1), 2).gradient_transformation(),
                rj.l1(1.0),
                mode="proximal",
                stepsize=rj.stepsizes.sgd(0.1),
            ).init(start()),
            r"use MultiSteps\(regularize",
        ),
        (
            lambda: (lambda tx: tx.update(start(), tx.init(start()), start()))(
                rj.regularize(optax.sgd(0.1), rj.l1(1.0), mode="proximal", stepsize=rj.stepsizes.adam(0.1))
            ),
            "must hold one ScaleByAdamState, found 0",
        ),
    ],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_counters_and_keys_pass_unchanged():
    params = {"kernel": jnp.ones((1, 2)), "count": jnp.int32(3), "key": jax.random.key(0)}
    grads = {"kernel": jnp.zeros((1, 2)), "count": jnp.int32(0), "key": jax.random.key(0)}
    for tx in (rj.add_penalty(rj.l2(0.5)), rj.add_decay(rj.l2(0.5), 1.0)):
        updates, _ = tx.update(grads, tx.init(params), params)
        np.testing.assert_allclose(np.abs(updates["kernel"]), 1.0)
        assert updates["count"] is grads["count"]


@pytest.mark.parametrize("mode", ["decoupled", "proximal"])
def test_accumulation_inside_is_refused_wherever_it_hides(mode):
    inner = optax.chain(optax.clip(1.0), optax.MultiSteps(optax.sgd(0.1), 2).gradient_transformation())
    needs = {"learning_rate": 0.1} if mode == "decoupled" else {"stepsize": rj.stepsizes.sgd(0.1)}
    with pytest.raises(ValueError, match=r"use MultiSteps\(regularize"):
        rj.regularize(inner, rj.l2(0.1), mode=mode, **needs).init(start())


def test_update_without_params_is_refused():
    for mode in ("coupled", "proximal"):
        tx = rj.make_optimizer("sgd", 0.1, penalty=rj.l1(1.0), mode=mode)
        with pytest.raises(ValueError, match="need the parameters"):
            tx.update(start(), tx.init(start()))


@pytest.mark.parametrize("mode", ["loss", "coupled", "decoupled", "independent"])
def test_a_term_without_a_gradient_is_refused_where_it_would_do_nothing(mode):
    builders = {"loss": lambda: rj.build_loss(lambda v, x: x, "mse", rj.l0(0.1))}
    make = builders.get(mode, lambda: rj.make_optimizer("sgd", 0.1, penalty=rj.l0(0.1), mode=mode))
    with pytest.raises(ValueError, match=f"l0 does not support the mode {mode!r}; accepted penalty_mode: proximal"):
        make()
    with pytest.raises(ValueError, match="orthogonal does not support the mode 'proximal'"):
        rj.make_optimizer("sgd", 0.1, penalty=rj.orthogonal(0.1), mode="proximal")


@pytest.mark.parametrize(
    ("in_loss", "in_optimizer"),
    [
        (rj.elastic_net(0.1), rj.l1(0.1)),
        (rj.l2(0.1), rj.elastic_net(0.1)),
        (rj.sparse_group_lasso(0.1), rj.group_lasso(0.1)),
        (rj.l1(0.1), rj.sparse_group_lasso(0.1)),
    ],
)
def test_what_hides_in_a_composite_is_one_term_too(in_loss, in_optimizer):
    params = {"kernel": jnp.ones((2, 2))}
    loss_fn = rj.build_loss(lambda v, x: x @ v["params"]["kernel"], "mse", in_loss)
    tx = rj.make_optimizer("sgd", 0.1, penalty=in_optimizer, mode="proximal")
    state = rj.init_train_state(params, {}, tx)
    with pytest.raises(ValueError, match="in two modes"):
        rj.make_step(loss_fn, tx)(None, state, rj.Batch(jnp.eye(2), jnp.eye(2)), jax.random.key(0))


@pytest.mark.slow
def test_make_step_takes_multi_steps_as_it_is():
    loss_fn = rj.build_loss(lambda v, x: x @ v["params"]["kernel"], "mse")
    tx = optax.MultiSteps(rj.make_optimizer("sgd", 0.1, penalty=rj.l1(0.1), mode="proximal"), 2)
    state = rj.init_train_state({"kernel": jnp.zeros((2, 2))}, {}, tx)
    step = rj.make_step(loss_fn, tx)
    batch = rj.Batch(jnp.eye(2), jnp.eye(2))
    first, _ = step(None, state, batch, jax.random.key(0))
    np.testing.assert_array_equal(first.params["kernel"], 0.0)
    second, _ = step(None, first, batch, jax.random.key(0))
    assert np.any(second.params["kernel"])


def test_what_is_no_penalty_is_named():
    with pytest.raises(ValueError, match="add_penalty: expected a penalty"):
        rj.add_penalty(3)
