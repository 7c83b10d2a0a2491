"""`rj.regularize`: what people wrap around a penalty, wrap a penalty around, or do to its numbers at run time."""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib as contrib
import pytest
from sklearn.linear_model import Lasso

import regjax as rj
from regjax.optim import stepsizes

PARAMS = {"body": jnp.ones((2, 2)), "head": jnp.ones((2, 2))}
FLAT = jax.tree.map(jnp.zeros_like, PARAMS)
NEEDS = {
    "coupled": {},
    "decoupled": {"learning_rate": 0.1},
    "independent": {"learning_rate": 0.1},
    "proximal": {"stepsize": stepsizes.sgd(0.1)},
}
FREEZING = {
    "multi_transform": lambda tx: optax.multi_transform(
        {"t": tx, "f": optax.set_to_zero()}, {"body": "f", "head": "t"}
    ),
    "by function": lambda tx: optax.partition(
        {"t": tx, "f": optax.set_to_zero()}, lambda tree: {name: "ft"[name == "head"] for name in tree}
    ),
    "freeze": lambda tx: optax.chain(tx, optax.freeze({"body": True, "head": False})),
}


def applied(tx, params=PARAMS, grads=FLAT, steps=1):
    state = tx.init(params)
    for _ in range(steps):
        updates, state = tx.update(grads, state, params)
        params = optax.apply_updates(params, updates)
    return params


@pytest.mark.parametrize("freeze", FREEZING)
@pytest.mark.parametrize("mode", NEEDS)
@pytest.mark.parametrize("jitted", [False, True])
def test_frozen_leaves_stay(freeze, mode, jitted):
    def train(params):
        inner = FREEZING[freeze](optax.sgd(0.1))
        return applied(rj.regularize(inner, rj.l2(0.5), mode=mode, **NEEDS[mode]), params)

    moved = (jax.jit(train) if jitted else train)(PARAMS)
    np.testing.assert_array_equal(moved["body"], 1.0)
    assert np.all(moved["head"] < 1.0)


@pytest.mark.parametrize("mode", ["decoupled", "proximal"])
def test_frozen_leaves_stay_where_the_penalty_is_inside(mode):
    tx = FREEZING["multi_transform"](rj.regularize(optax.sgd(0.1), rj.l2(0.5), mode=mode, **NEEDS[mode]))
    rj.check_optimizer(tx, PARAMS)
    moved = applied(tx)
    np.testing.assert_array_equal(moved["body"], 1.0)
    assert np.all(moved["head"] < 1.0)


def test_two_rates_have_two_thresholds():
    """Labels by the user's own names, which no try on other parameters can judge."""
    labels = {"body": "slow", "head": "fast"}
    tx = optax.multi_transform({"slow": optax.sgd(0.001), "fast": optax.sgd(0.1)}, labels)
    with pytest.raises(ValueError, match="stepsize: on body"):
        rj.regularize(tx, rj.l1(0.5), mode="proximal", stepsize=stepsizes.sgd(0.1)).init(PARAMS)
    steps = {"slow": stepsizes.sgd(0.001), "fast": stepsizes.sgd(0.1)}
    for given in (labels, lambda tree: labels):
        step = stepsizes.partition(steps, given)
        moved = applied(rj.regularize(tx, rj.l1(0.5), mode="proximal", stepsize=step))
        np.testing.assert_allclose(moved["body"], 1 - 0.0005, rtol=1e-6)
        np.testing.assert_allclose(moved["head"], 1 - 0.05, rtol=1e-6)
    lacking = stepsizes.partition({"fast": stepsizes.sgd(0.1)}, labels)
    with pytest.raises(ValueError, match="no step for the labels slow"):
        rj.regularize(tx, rj.l1(0.5), mode="proximal", stepsize=lacking).init(PARAMS)


@pytest.mark.parametrize("name", ["sgd", "momentum", "adam", "rmsprop", "adagrad"])
def test_a_schedule_that_starts_at_zero_begins_with_the_identity(name):
    rate = optax.warmup_cosine_decay_schedule(0.0, 0.1, 2, 10)
    tx = rj.make_optimizer(name, rate, penalty=rj.l1(0.5), mode="proximal")
    state = tx.init(PARAMS)
    grads = jax.tree.map(jnp.ones_like, PARAMS)
    updates, state = tx.update(grads, state, PARAMS)  # outside jit, where the step is a number
    jax.tree.map(lambda u: np.testing.assert_array_equal(u, 0.0), updates)
    updates, _ = tx.update(grads, state, PARAMS)
    assert all(np.all(u < 0) for u in jax.tree.leaves(updates))


@pytest.mark.parametrize("mode", ["decoupled", "proximal"])
@pytest.mark.parametrize(
    "rate",
    [
        optax.cosine_decay_schedule(0.1, 500),
        optax.warmup_cosine_decay_schedule(0.0, 0.1, 50, 300),
        optax.join_schedules([optax.constant_schedule(0.0), optax.constant_schedule(0.1)], [20]),
        optax.sgdr_schedule([{"init_value": 0.0, "peak_value": 0.1, "decay_steps": 9, "warmup_steps": 3}] * 4),
        optax.exponential_decay(0.1, 10, 0.5),
    ],
    ids=["cosine", "warm-up", "delayed", "restarts", "to nothing"],
)
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_schedules_that_are_zero_somewhere_are_no_skipped_updates(mode, rate, optimizer):
    tx = getattr(optax, optimizer)(rate)
    needs = {"learning_rate": rate} if mode == "decoupled" else {"stepsize": getattr(stepsizes, optimizer)(rate)}
    ours = rj.regularize(tx, rj.l2(0.1), mode=mode, **needs)
    assert ours.init(PARAMS).applied.frozen == ()
    rj.check_optimizer(ours, PARAMS)


WRONG = {
    "plain for momentum": (lambda rate: optax.sgd(rate, momentum=0.9), stepsizes.sgd),
    "lion": (optax.lion, stepsizes.sgd),
    "clipped": (lambda rate: optax.chain(optax.clip(1.0), optax.sgd(rate)), stepsizes.sgd),
    "lbfgs": (lambda rate: optax.lbfgs(rate, linesearch=None), stepsizes.sgd),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("transform", ["jit", "vmap", "scan", "eager"])
@pytest.mark.parametrize("traced", [False, True])
def test_a_wrong_step_is_refused_inside_transformations_too(name, transform, traced):
    make, step = WRONG[name]

    def train(rate, params):
        rate = rate if traced else 0.01
        return applied(rj.regularize(make(rate), rj.l1(0.1), mode="proximal", stepsize=step(rate)), params)

    run = {
        "eager": lambda: train(0.01, PARAMS),
        "jit": lambda: jax.jit(train)(0.01, PARAMS),
        "vmap": lambda: jax.vmap(train, (0, None))(jnp.array([0.01, 0.02]), PARAMS),
        "scan": lambda: jax.lax.scan(lambda p, rate: (train(rate, p), None), PARAMS, jnp.array([0.01, 0.02])),
    }[transform]
    with pytest.raises(ValueError, match="stepsize: on"):
        run()


@pytest.mark.parametrize("transform", ["jit", "vmap"])
@pytest.mark.slow
def test_a_right_step_with_a_traced_rate_passes(transform):
    def train(rate):
        tx = rj.regularize(optax.adam(rate), rj.l1(0.1), mode="proximal", stepsize=stepsizes.adam(rate))
        return applied(tx, grads=PARAMS)["head"]

    by_hand = train(0.01)
    got = jax.jit(train)(0.01) if transform == "jit" else jax.vmap(train)(jnp.array([0.02, 0.01]))[1]
    np.testing.assert_allclose(got, by_hand, rtol=1e-6)


def test_a_step_that_does_not_read_a_traced_rate_is_refused():
    """The threshold would stay at the old rate: 0.01 where 0.0001 is right."""

    def around(stepsize):
        return optax.inject_hyperparams(
            lambda learning_rate: rj.regularize(
                optax.sgd(learning_rate), rj.l1(0.1), mode="proximal", stepsize=stepsize(learning_rate)
            )
        )(learning_rate=0.1)

    def threshold(tx):
        state = tx.init(PARAMS)
        state.hyperparams["learning_rate"] = jnp.float32(0.001)
        updates, _ = jax.jit(tx.update)(jax.tree.map(jnp.zeros_like, PARAMS), state, PARAMS)
        return updates["head"]

    np.testing.assert_allclose(threshold(around(stepsizes.sgd)), -1e-4, rtol=1e-3)
    with pytest.raises(ValueError, match="stepsize: "):
        threshold(around(lambda _: stepsizes.sgd(0.1)))


def test_lbfgs_is_refused_in_every_form():
    for tx in (optax.lbfgs(), optax.lbfgs(0.1, linesearch=None)):
        with pytest.raises(ValueError, match=r"regularize|stepsize"):
            rj.regularize(tx, rj.l1(0.1), mode="proximal", stepsize=stepsizes.sgd(0.1)).init(PARAMS)
        rj.regularize(tx, rj.l1(0.1), mode="proximal", stepsize=stepsizes.sgd(0.1), check_step=False).init(PARAMS)
    with pytest.raises(ValueError, match="line search"):
        rj.regularize(optax.lbfgs(), rj.l2(0.1), mode="coupled").init(PARAMS)


def test_a_gradient_that_is_not_finite_moves_nothing_where_it_is_skipped():
    with pytest.raises(ValueError, match="apply_if_finite"):
        rj.regularize(optax.apply_if_finite(optax.sgd(0.1), 5), rj.l1(0.5), mode="proximal", **NEEDS["proximal"]).init(
            PARAMS
        )
    tx = optax.apply_if_finite(rj.regularize(optax.sgd(0.1), rj.l1(0.5), mode="proximal", **NEEDS["proximal"]), 5)
    bad = {**FLAT, "head": jnp.full((2, 2), jnp.nan)}
    jax.tree.map(np.testing.assert_array_equal, applied(tx, grads=bad), PARAMS)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_clipping_the_proximal_mapping_keeps_the_lasso(name):
    """Clipping the gradient never ends at the solution; the mapping vanishes there."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 8)).astype(np.float32)
    y = (x @ np.array([2, -1.5, 1, 0, 0, 0, 0, 0], np.float32) + 0.3 * rng.normal(size=60)).astype(np.float32)
    reference = Lasso(alpha=0.4, fit_intercept=False, tol=1e-10).fit(x.astype(float), y.astype(float)).coef_
    rate = optax.cosine_decay_schedule(0.05, 3000)
    inner = {"sgd": optax.sgd, "adam": optax.adam}[name](rate)
    step = {"sgd": stepsizes.sgd, "adam": stepsizes.adam}[name](rate)
    tx = rj.regularize(inner, rj.l1(0.8), mode="proximal", stepsize=step, clip_mapping=3.0)

    def loss(params):
        return jnp.mean(jnp.square(y - x @ params["w"][:, 0]))

    def body(carry, _):
        params, state = carry
        updates, state = tx.update(jax.grad(loss)(params), state, params)
        return (optax.apply_updates(params, updates), state), updates

    start = {"w": jnp.full((8, 1), 3.0)}
    (params, _), moves = jax.jit(lambda p: jax.lax.scan(body, (p, tx.init(p)), None, length=3000))(start)
    np.testing.assert_allclose(params["w"][:, 0], reference, atol=1e-3)
    np.testing.assert_array_equal(np.asarray(params["w"][:, 0]) == 0, reference == 0)
    if name == "sgd":  # the first mapping is longer than 3 and is cut to it
        np.testing.assert_allclose(np.linalg.norm(moves["w"][0]), 0.05 * 3.0, rtol=1e-4)
    with pytest.raises(ValueError, match="clip_mapping must be > 0, got 0"):
        rj.regularize(inner, rj.l1(0.8), mode="proximal", stepsize=step, clip_mapping=0.0)
    with pytest.raises(ValueError, match="'coupled' does not take clip_mapping"):
        rj.regularize(inner, rj.l1(0.8), mode="coupled", clip_mapping=0.5)


def test_decay_beside_accumulation_is_refused_by_the_step_and_right_inside():
    beside = optax.chain(
        optax.MultiSteps(optax.sgd(0.1), 4).gradient_transformation(), rj.add_decay(rj.l2(0.5), learning_rate=0.1)
    )
    with pytest.raises(ValueError, match=r"beside optax\.MultiSteps"):
        rj.check_optimizer(beside, PARAMS)
    inside = optax.MultiSteps(optax.chain(optax.sgd(0.1), rj.add_decay(rj.l2(0.5), learning_rate=0.1)), 4)
    rj.check_optimizer(inside, PARAMS)
    np.testing.assert_allclose(applied(inside, steps=4)["head"], 0.9, rtol=1e-6)


@pytest.mark.slow
def test_the_step_checks_what_it_is_given():
    loss_fn = rj.build_loss(lambda v, x: x @ v["params"]["kernel"], "mse")
    ours = rj.regularize(optax.sgd(0.1), rj.l1(0.1), mode="proximal", stepsize=stepsizes.sgd(0.1))
    params, batch = {"kernel": jnp.ones((2, 2))}, rj.Batch(jnp.eye(2), jnp.eye(2))
    for tx in (
        optax.chain(optax.clip_by_global_norm(1.0), ours),
        optax.chain(ours, optax.scale(0.5)),
        contrib.schedule_free(ours, 0.1),
        optax.chain(ours, contrib.reduce_on_plateau()),
    ):
        state = rj.init_train_state(params, {}, tx)
        with pytest.raises(ValueError, match="optimizer: "):
            jax.jit(rj.make_step(loss_fn, tx))(None, state, batch, jax.random.key(0))
    tx = optax.chain(optax.scale(0.5), ours)
    state = rj.init_train_state(params, {}, tx)
    rj.make_step(loss_fn, tx, check_step=False)(None, state, batch, jax.random.key(0))


@pytest.mark.slow
def test_what_is_no_array_is_named():
    model = eqx.nn.MLP(2, 2, 4, 1, key=jax.random.key(0))
    for make in (
        lambda: rj.regularize(optax.sgd(0.1), rj.l1(0.1), mode="proximal", stepsize=stepsizes.sgd(0.1)),
        lambda: rj.regularize(optax.sgd(0.1), rj.l2(0.1), mode="decoupled", learning_rate=0.1),
        lambda: rj.add_penalty(rj.l2(0.1)),
    ):
        with pytest.raises(ValueError, match=r"activation holds no array.*equinox\.filter"):
            make().init(model)
        make().init(eqx.filter(model, eqx.is_inexact_array))


def test_a_step_of_another_tree_is_named():
    with pytest.raises(ValueError, match=r"missing: kernel"):
        rj.regularize(contrib.muon(0.1), rj.l1(0.1), mode="proximal", stepsize=stepsizes.adam(0.1)).init(
            {"kernel": jnp.ones((3, 2)), "bias": jnp.ones(2)}
        )


def test_sums_describe_themselves():
    assert rj.from_sklearn("elastic_net", alpha=0.5, l1_ratio=0.5).describe("w").count(" + ") == 1
    assert rj.l1(0.5).describe("w") == "l1(0.5)"


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [False, True])
def test_runs_and_sweeps_with_an_optimizer_of_ones_own_are_checked(spec, blobs, wrong):
    """Their numbers are traced: learning rate and strength differ between lanes."""

    def make_tx(hparams):
        rate = hparams.learning_rate
        tx = rj.regularize(
            optax.adam(rate), hparams.penalties["proximal"], mode="proximal", stepsize=stepsizes.adam(rate)
        )
        return optax.chain(optax.clip_by_global_norm(1.0), tx) if wrong else tx

    run = rj.make_run(spec, make_tx=make_tx)
    lanes = rj.stack_hparams(
        [
            rj.make_hparams(learning_rate=0.02, n_train=80, penalties={"proximal": rj.l1(strength)})
            for strength in (1e-3, 3e-3)
        ]
    )
    if wrong:
        with pytest.raises(ValueError, match="optimizer: the gradient is changed"):
            rj.sweep(run, lanes, jax.random.split(jax.random.key(0), 2), blobs.for_seed(0))
        return
    ours = rj.sweep(run, lanes, jax.random.split(jax.random.key(0), 2), blobs.for_seed(0))
    named = rj.sweep(rj.make_run(spec), lanes, jax.random.split(jax.random.key(0), 2), blobs.for_seed(0))
    jax.tree.map(np.testing.assert_array_equal, ours.weights, named.weights)


@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("name", ["sgd", "adam"])
@pytest.mark.slow
def test_parameters_need_no_container(name, clip):
    tx = rj.regularize(
        getattr(optax, name)(0.1),
        rj.l1(0.5),
        mode="proximal",
        stepsize=getattr(stepsizes, name)(0.1),
        clip_mapping=clip,
    )
    params = jnp.array([[1.0, -2.0], [0.5, 3.0]])
    grads = jnp.array([[0.1, -0.2], [0.3, 0.4]])
    bare, _ = tx.update(grads, tx.init(params), params)
    held, _ = tx.update({"w": grads}, tx.init({"w": params}), {"w": params})
    np.testing.assert_array_equal(bare, held["w"])


@pytest.mark.parametrize(
    ("optimizer", "mode"),
    [("lion", "decoupled"), *itertools.product(("sgd", "momentum", "adam"), ("decoupled", "proximal"))],
)
@pytest.mark.parametrize("jitted", [False, True])
@pytest.mark.slow
def test_an_injected_rate_that_would_not_be_followed_is_refused(optimizer, mode, jitted):
    """Under another name than `learning_rate` a change at run time would not reach the penalty."""
    make = {"momentum": lambda rate: optax.sgd(rate, momentum=0.9)}.get(optimizer) or getattr(optax, optimizer)
    step = {"momentum": stepsizes.sgd(0.1, 0.9), "adam": stepsizes.adam(0.1)}.get(optimizer, stepsizes.sgd(0.1))
    needs = {"learning_rate": 0.1} if mode == "decoupled" else {"stepsize": step}

    def train(params):
        tx = optax.inject_hyperparams(lambda lr: make(lr))(lr=0.1)
        return applied(rj.regularize(tx, rj.l1(0.1), mode=mode, **needs), params)

    with pytest.raises(ValueError, match=r"'lr'.*learning_rate"):
        (jax.jit(train) if jitted else train)(PARAMS)
    followed = optax.inject_hyperparams(lambda learning_rate: make(learning_rate))(learning_rate=0.1)
    rj.regularize(followed, rj.l1(0.1), mode=mode, **needs).init(PARAMS)


def test_an_independent_decay_follows_no_rate():
    tx = optax.inject_hyperparams(lambda lr: optax.sgd(lr))(lr=0.1)
    rj.regularize(tx, rj.l2(0.1), mode="independent", learning_rate=0.1).init(PARAMS)


@pytest.mark.parametrize("mode", ["decoupled", "proximal"])
@pytest.mark.slow
def test_injected_numbers_that_are_no_rates_may_have_any_name(mode):
    def make(learning_rate, noise, decay):
        return optax.chain(optax.add_decayed_weights(decay), optax.adam(learning_rate, b1=noise))

    tx = optax.inject_hyperparams(make)(learning_rate=0.1, noise=0.8, decay=0.01)
    needs = {"learning_rate": 0.1} if mode == "decoupled" else {"stepsize": stepsizes.adam(0.1)}
    rj.regularize(tx, rj.l1(0.1), mode=mode, **needs).init(PARAMS)


@pytest.mark.parametrize("mode", ["decoupled", "independent"])
def test_entries_that_an_optimizer_never_moves_are_not_decayed(mode):
    mask = jnp.array([[1.0, 0.0], [1.0, 1.0]])
    tx = optax.chain(optax.adam(0.1), optax.stateless_with_tree_map(lambda u, _: u * mask))
    with pytest.raises(ValueError, match="some entries of body"):
        rj.regularize(tx, rj.l2(0.5), mode=mode, **NEEDS[mode]).init(PARAMS)


@pytest.mark.parametrize("mode", ["decoupled", "independent", "proximal"])
@pytest.mark.slow
def test_leaves_that_are_frozen_for_their_size_are_not_penalized(mode):
    """The trial takes small parameters of the same structure, in which a label by size may be another."""

    def by_size(tree):
        return jax.tree.map(lambda w: "f" if w.size > 1000 else "t", tree)

    tx = optax.multi_transform({"t": optax.adam(0.1), "f": optax.set_to_zero()}, by_size)
    needs = {"stepsize": stepsizes.adam(0.1)} if mode == "proximal" else {"learning_rate": 0.1}
    large = {"embedding": jnp.ones((100, 60)), "head": jnp.ones((4, 3))}
    with pytest.raises(ValueError, match="embedding"):
        rj.regularize(tx, rj.l2(0.1), mode=mode, **needs).init(large)
    by_rank = optax.multi_transform(
        {"t": optax.adafactor(0.1) if mode != "proximal" else optax.sgd(0.1), "f": optax.set_to_zero()},
        lambda tree: jax.tree.map(lambda w: "f" if w.ndim == 1 else "t", tree),
    )
    needs = {"stepsize": stepsizes.sgd(0.1)} if mode == "proximal" else {"learning_rate": 0.1}
    known = {"scale": jnp.ones(300), "kernel": jnp.ones((200, 150))}
    assert rj.regularize(by_rank, rj.l2(0.1), mode=mode, **needs).init(known).applied.frozen == ("scale",)
