import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import regjax as rj
from regjax.averaging import AVERAGES, averaged_params

VALUES = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)
RULES = {"ema": lambda: rj.ema(0.9), "swa": lambda: rj.swa(3, 2), "lookahead": lambda: rj.lookahead(4, 0.5)}
each = pytest.mark.parametrize("name", RULES)


def run(rule, values=VALUES, start=0.0):
    """Feed values as the parameters after each update; for lookahead the caller's own."""
    state = rule.init({"w": jnp.full(3, start)})
    for v in values:
        state, params = rule.update(state, {"w": jnp.asarray(v)})
    return state, params


def test_the_suite_covers_every_average():
    assert set(RULES) | {"snapshots"} == set(AVERAGES)  # an ensemble is no mean: tested on its own


def test_ema_by_hand():
    expected = np.zeros(3)
    for t, v in enumerate(VALUES):
        d = min(0.9, (1 + t) / (10 + t))
        expected = d * expected + (1 - d) * v
    np.testing.assert_allclose(run(rj.ema(0.9))[0].average["w"], expected, rtol=1e-5)
    expected = np.zeros(3)
    for v in VALUES:
        expected = 0.9 * expected + 0.1 * v
    np.testing.assert_allclose(run(rj.ema(0.9, warmup=False))[0].average["w"], expected, rtol=1e-5)


def test_swa_by_hand():
    np.testing.assert_allclose(run(rj.swa(3, 2))[0].average["w"], VALUES[2::2].mean(0), rtol=1e-5)
    np.testing.assert_allclose(run(rj.swa(1))[0].average["w"], VALUES.mean(0), rtol=1e-5)
    np.testing.assert_array_equal(run(rj.swa(99))[0].average["w"], VALUES[-1])


def test_lookahead_equals_optax():
    """The same trajectory as optax.lookahead around the same optimizer."""
    grads = lambda w: 2 * (w - jnp.arange(3.0))  # noqa: E731
    tx = optax.lookahead(optax.sgd(0.1), sync_period=4, slow_step_size=0.5)
    theirs = optax.LookaheadParams.init_synced(jnp.ones(3))
    opt = tx.init(theirs)
    rule, ours, sgd = rj.lookahead(4, 0.5), jnp.ones(3), optax.sgd(0.1)
    state, mine = rule.init(ours), sgd.init(ours)
    for _ in range(13):
        updates, opt = tx.update(grads(theirs.fast), opt, theirs)
        theirs = optax.apply_updates(theirs, updates)
        updates, mine = sgd.update(grads(ours), mine)
        state, ours = rule.update(state, optax.apply_updates(ours, updates))
        np.testing.assert_allclose(ours, theirs.fast, rtol=1e-6)
        np.testing.assert_allclose(state.average, theirs.slow, rtol=1e-6)


@each
def test_only_lookahead_changes_what_trains(name):
    params = run(RULES[name]())[1]["w"]
    assert np.array_equal(params, VALUES[-1]) == (name != "lookahead")


@each
def test_compiled_mapped_and_without_recompiling(name):
    traces = []

    @jax.jit
    def all_of_it(rule, values):
        traces.append(1)
        start = rule.init({"w": jnp.zeros(3)})
        return jax.lax.scan(lambda s, v: (rule.update(s, {"w": v})[0], None), start, values)[0].average["w"]

    rule = RULES[name]()
    np.testing.assert_allclose(all_of_it(rule, VALUES), run(rule)[0].average["w"], rtol=1e-5)
    all_of_it(jax.tree.map(lambda leaf: leaf / 2 if leaf.dtype == np.float32 else leaf + 1, rule), VALUES)
    assert len(traces) == 1
    lanes = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), rule)
    both = jax.vmap(all_of_it, in_axes=(0, None))(lanes, VALUES)
    np.testing.assert_allclose(both[1], run(rule)[0].average["w"], rtol=1e-5)


@each
def test_bfloat16_is_averaged_in_float32_and_given_back_as_it_was(name):
    rule = RULES[name]()
    params = {"w": jnp.ones(3, jnp.bfloat16), "steps": jnp.int32(3)}
    state, after = rule.update(rule.init(params), params)
    assert state.average["w"].dtype == jnp.float32
    assert after["w"].dtype == jnp.bfloat16
    assert averaged_params(state, params)["w"].dtype == jnp.bfloat16
    assert state.average["steps"] == 3


def test_a_small_decay_reaches_the_average_in_bfloat16():
    """In bfloat16 itself `a + 0.001 (w - a)` would stay where it is."""
    rule = rj.ema(0.999, warmup=False)
    state = rule.init({"w": jnp.zeros((), jnp.bfloat16)})
    for _ in range(1000):
        state, _ = rule.update(state, {"w": jnp.ones((), jnp.bfloat16)})
    assert float(state.average["w"]) == pytest.approx(1 - 0.999**1000, rel=1e-3)


@pytest.mark.slow
def test_averaging_helps_where_gradients_are_noisy():
    """Least squares by noisy SGD: the averages end nearer to the solution than the last iterate."""
    target = jnp.arange(5.0)

    def distance(rule, seed):
        w, state = jnp.zeros(5), None if rule is None else rule.init(jnp.zeros(5))
        for i in range(400):
            noise = jax.random.normal(jax.random.fold_in(jax.random.key(seed), i), (5,))
            w = w - 0.2 * (w - target + noise)
            if rule is not None:
                state, w = rule.update(state, w)
        return float(jnp.linalg.norm((w if rule is None else state.average) - target))

    last = np.mean([distance(None, s) for s in range(3)])
    for rule in (rj.ema(0.98), rj.swa(100)):
        assert np.mean([distance(rule, s) for s in range(3)]) < 0.6 * last


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rj.ema(1.0), r"ema: decay must be in \[0, 1\), got 1.0"),
        (lambda: rj.swa(0), "swa: start must be >= 1, got 0"),
        (lambda: rj.swa(1, every=0), "swa: every must be >= 1, got 0"),
        (lambda: rj.lookahead(0), "lookahead: period must be >= 1, got 0"),
        (lambda: rj.lookahead(5, 1.5), r"lookahead: slow_step must be in \(0, 1\], got 1.5"),
        (lambda: rj.swa(2.5), "swa: start must be a whole number of updates, got 2.5"),
    ],
)
def test_errors_name_argument_and_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()
