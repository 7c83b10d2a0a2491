import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import regjax as rj
from regjax.stopping import NEVER, REASONS, EarlyStopping
from regjax.stopping.gains import RULES

EXAMPLE = [4.0, 3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0]


_update = jax.jit(lambda stopper, state, value, train: stopper.update(state, value, train))


def run(stopper, values, train=None):
    """(epoch of the stop or None, final state), in a Python loop over a jitted update."""
    state, stopper = stopper.init(), stopper.canonical()
    for epoch, value in enumerate(values):
        state = _update(stopper, state, value, None if train is None else train[epoch])
        if state.should_stop:
            return epoch, state
    return None, state


def test_a_plain_python_object():
    stopper = EarlyStopping(patience=2)
    state = stopper.init()
    epoch = -1
    while not state.should_stop:
        epoch += 1
        state = stopper.update(state, EXAMPLE[epoch])
    assert (epoch, state.reason_name, float(state.best_value)) == (3, "patience", 3.0)


def test_the_published_example():
    epochs = {
        name: run(getattr(EarlyStopping, name)(2, 1e-3), EXAMPLE)[0]
        for name in ("keras", "lightning", "flax", "sklearn")
    }
    assert epochs == {"keras": 3, "lightning": 3, "flax": 7, "sklearn": 7}


# Values on a grid of 1/8 and thresholds off the grid, so that float32 and float64 compare alike.
losses = st.lists(st.integers(1, 24).map(lambda i: i / 8), min_size=1, max_size=30)
deltas = st.sampled_from([0.0, 0.0625, 0.3125])


def scanned(stopper, values):
    def body(state, value):
        state = stopper.update(state, value)
        return state, state.should_stop

    return jax.lax.scan(body, stopper.init(), values)


one_run, runs_side_by_side = jax.jit(scanned), jax.jit(jax.vmap(scanned))


@pytest.mark.slow
@settings(max_examples=50)
@given(values=losses, patience=st.integers(0, 4), delta=deltas)
def test_scan_and_vmap_equal_the_python_loop(values, patience, delta):
    stopper = EarlyStopping(patience=patience, min_delta=delta).canonical()
    state, stops = one_run(stopper, jnp.asarray(values))
    epoch = int(np.argmax(stops)) if np.any(stops) else None
    assert epoch == run(stopper, values)[0]
    stacked = jax.tree.map(lambda leaf: np.stack([leaf, leaf]), stopper)
    both, _ = runs_side_by_side(stacked, jnp.asarray([values, values]))
    np.testing.assert_array_equal(both.reason, [state.reason] * 2)


@settings(max_examples=50)
@given(values=losses, delta=deltas)
def test_best_is_the_true_minimum_even_below_min_delta(values, delta):
    _, state = run(EarlyStopping(patience=NEVER, min_delta=delta), values)
    assert float(state.best_value) == min(values)
    assert int(state.best_step) == int(np.argmin(values))


def test_mode_max_mirrors_mode_min():
    low = run(EarlyStopping(patience=2, min_delta=0.1), EXAMPLE)
    high = run(EarlyStopping(patience=2, min_delta=0.1, mode="max"), [-v for v in EXAMPLE])
    assert low[0] == high[0]
    assert float(low[1].best_value) == -float(high[1].best_value)


def test_relative_min_delta():
    values = [100.0, 99.5, 99.0, 98.5, 98.0]  # gains of half a percent
    assert run(EarlyStopping(patience=2, min_delta=0.01, relative=True), values)[0] == 2
    assert run(EarlyStopping(patience=2, min_delta=0.004, relative=True), values)[0] is None


def test_gl_by_hand():
    # Against the minimum 1.0: GL is 4, then 6 percent.
    epoch, state = run(EarlyStopping(criterion="gl", alpha=5.0), [2.0, 1.0, 1.04, 1.06, 0.5])
    assert (epoch, state.reason_name) == (3, "gl")


def test_pq_by_hand():
    # k = 2: P = 1000 (sum / (2 min) - 1). Train 1.0, 0.9: P = 55.6; GL = 10 at the third evaluation.
    values, train = [1.0, 1.0, 1.1], [1.0, 1.0, 0.9]
    assert run(EarlyStopping(criterion="pq", k=2, alpha=0.17), values, train)[0] == 2
    assert run(EarlyStopping(criterion="pq", k=2, alpha=0.19), values, train)[0] is None


def test_pq_waits_for_k_training_losses_and_survives_no_progress():
    stopper = EarlyStopping(criterion="pq", k=3, alpha=1.0)
    # Training stands still, so P = 0: any rise of validation stops, without a division by zero.
    epoch, state = run(stopper, [1.0, 2.0, 2.0, 2.0], [1.0, 1.0, 1.0, 1.0])
    assert (epoch, state.reason_name) == (2, "pq")
    with pytest.raises(ValueError, match="needs train_value"):
        stopper.update(stopper.init(), 1.0)


def test_up_counts_successive_strips():
    stopper = EarlyStopping(criterion="up", k=2, strips=2)
    # Ends of strips: 1.0, 1.1, 1.2, that is two rises in a row at evaluation 5.
    assert run(stopper, [2.0, 1.0, 0.5, 1.1, 0.5, 1.2])[0] == 5
    # A strip that ends lower starts the count again.
    assert run(stopper, [2.0, 1.0, 0.5, 1.1, 0.5, 1.0, 0.9, 1.1])[0] is None


def test_target_threshold_warmup_and_minimum():
    assert run(EarlyStopping(target=2.5), EXAMPLE)[1].reason_name == "target"
    epoch, state = run(EarlyStopping(divergence_threshold=3.5, start_from_epoch=3), EXAMPLE)
    assert (epoch, state.reason_name) == (0, "diverged")
    assert run(EarlyStopping(patience=1, min_epochs=7), EXAMPLE)[0] == 6
    # Evaluations before start_from_epoch do not count: the first watched one is the third.
    _, state = run(EarlyStopping(patience=1, start_from_epoch=2), [1.0, 1.0, 5.0, 4.0])
    assert (int(state.wait), int(state.best_step)) == (0, 3)


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("rule", RULES)
def test_an_unset_target_never_fires(rule, mode):
    """Not on an infinite value in the better direction either, on the host as in a compiled program."""
    best = -np.inf if mode == "min" else np.inf
    stopper = EarlyStopping(patience=NEVER, mode=mode, rule=rule, nan="ignore")
    assert stopper.update(stopper.init(), best).reason_name == "running"
    assert run(stopper, [1.0, best, 1.0])[0] is None
    assert run(dataclasses.replace(stopper, target=0.5), [1.0, best, 1.0])[1].reason_name == "target"


def test_keep_gain_keeps_the_weights_of_the_last_gain():
    values = [1.0, 0.95, 0.5, 0.45, 0.6]
    assert [int(run(EarlyStopping(min_delta=0.1, keep=keep), values)[1].best_step) for keep in ("best", "gain")] == [
        3,
        2,
    ]


def test_values_are_compared_in_float64_on_the_host():
    """Gains of 0.005 in losses of 2e6; spacing of float32 there: 0.125."""
    stopper = EarlyStopping(patience=2)
    state = stopper.init()
    for epoch in range(20):
        state = stopper.update(state, 2e6 - 0.005 * epoch)
    assert (int(state.wait), int(state.best_step)) == (0, 19)
    # Also in the criteria: the training loss falls by 1e-9 of itself, GL is 1e-7 percent of the best.
    stopper = EarlyStopping(criterion="pq", k=2, alpha=0.15)
    state = stopper.init()
    for value, train in [(1.0, 1.0), (1.0 + 1e-9, 1.0 - 1e-9)]:  # GL 1e-7, P_k 5e-7: their quotient is 0.2
        state = stopper.update(state, value, train)
    assert state.reason_name == "pq"


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.slow
def test_the_host_and_a_compiled_update_agree_on_float32_numbers(rule):
    rng = np.random.default_rng(3)
    for _ in range(20):
        values = (rng.integers(1, 12, 15) / 8).astype(np.float32)
        values[rng.random(15) < 0.1] = rng.choice([np.nan, np.inf, -np.inf])
        stopper = EarlyStopping(patience=2, min_delta=0.125, rule=rule, nan="ignore", keep="gain").canonical()
        host = compiled = stopper.init()
        for value in values:
            host, compiled = stopper.update(host, value), _update(stopper, compiled, value, None)
            for (path, a), b in zip(jax.tree_util.tree_leaves_with_path(host), jax.tree.leaves(compiled), strict=True):
                assert (a.shape, a.dtype) == (b.shape, b.dtype)
                np.testing.assert_array_equal(a, b, err_msg=jax.tree_util.keystr(path))


@pytest.mark.parametrize("level", [3000.0, -1e8])
@pytest.mark.parametrize("rule", RULES)
def test_a_plateau_of_large_losses_ends_a_compiled_run_too(rule, level):
    """In float32, 3000 - 1e-4 is 3000."""
    stopper = EarlyStopping(patience=2, min_delta=1e-4, rule=rule, nan="ignore")
    host, values = stopper.init(), [level] * 9
    for value in values:
        host = stopper.update(host, value)  # changes no more after the stop
    assert run(stopper, values)[0] == int(host.count) - 1 == (3 if RULES[rule].allows_one_more else 2)


@pytest.mark.parametrize("value", [None, [1.0, 2.0]])
def test_a_value_is_one_number(value):
    stopper = EarlyStopping()
    with pytest.raises(ValueError, match=r"\(2,\)|None"):
        stopper.update(stopper.init(), value if value is None else jnp.asarray(value))


def test_baseline_has_to_be_beaten():
    assert run(EarlyStopping(patience=2, baseline=0.5), [4.0, 3.0, 3.0])[0] == 2
    assert run(EarlyStopping(patience=2, baseline=3.5), [4.0, 3.0, 3.0])[0] is None


def test_nan_stops_or_is_ignored_and_never_becomes_best():
    epoch, state = run(EarlyStopping(patience=5), [1.0, float("nan"), 0.5])
    assert (epoch, state.reason_name, float(state.best_value)) == (1, "diverged", 1.0)
    _, state = run(EarlyStopping(patience=5, nan="ignore"), [1.0, float("nan"), 0.5])
    assert (float(state.best_value), int(state.best_step)) == (0.5, 2)
    epoch, state = run(EarlyStopping(patience=2, nan="ignore"), [float("nan")] * 4)
    assert (epoch, state.reason_name, int(state.best_step)) == (1, "diverged", -1)


def test_update_keeps_dtypes_and_does_not_retrace_for_numbers():
    traces = []

    @jax.jit
    def update(stopper, state, value):
        traces.append(1)
        return stopper.update(state, value)

    state = EarlyStopping().init()
    for patience in (1, 2, 3):
        new = update(EarlyStopping(patience=patience, min_delta=0.5 * patience).canonical(), state, jnp.float32(1.0))
        assert jax.tree.map(lambda a: (a.shape, a.dtype), new) == jax.tree.map(lambda a: (a.shape, a.dtype), state)
        state = new
    assert len(traces) == 1


def test_nothing_changes_after_the_stop_but_improved():
    """A loop under `scan` or `vmap` cannot end: what it kept must be what it would have kept had it ended."""
    stopper, values = EarlyStopping(patience=1), [1.0, 2.0, 0.1, 0.05]
    _, stopped = run(stopper, values)
    on_host = stopper.update(stopper.update(stopped, 0.1), 0.05)
    compiled = jax.lax.scan(lambda s, v: (stopper.update(s, v), s.improved), stopper.init(), jnp.asarray(values))[0]
    for state in (on_host, compiled):
        for name, before, after in zip(stopped._fields, stopped, state, strict=True):
            np.testing.assert_array_equal(before, after, err_msg=name)
    assert not stopper.update(stopped._replace(improved=jnp.asarray(True)), 0.1).improved


@pytest.mark.parametrize("kind", [np.float32, np.float16, jnp.float32, jnp.bfloat16, jnp.float16])
def test_a_limit_is_rounded_as_the_value_is(kind):
    """9 of 10 right in float32 reach a target of 0.9; on the host, too."""
    for limit in (0.1, 0.7, 0.9):
        for mode in ("min", "max"):
            stopper = EarlyStopping(target=limit, mode=mode)
            assert stopper.update(stopper.init(), kind(limit)).reason_name == "target"
            assert stopper.update(stopper.init(), np.float64(limit)).reason_name == "target"
            stopper = EarlyStopping(divergence_threshold=limit, mode=mode)
            assert stopper.update(stopper.init(), kind(limit)).reason_name == "running"
            stopper = EarlyStopping(patience=1, baseline=limit, mode=mode)
            assert int(stopper.update(stopper.init(), kind(limit)).wait) == 1
    assert EarlyStopping(target=0.9, mode="max").update(stopper.init(), float(np.float32(0.9))).reason != 2


def test_none_is_an_unset_limit_and_no_other_number():
    """As Keras and Lightning have it."""
    stopper = EarlyStopping(patience=1, baseline=None, target=None, divergence_threshold=None)
    for rule in (stopper, stopper.canonical()):
        assert run(rule, [1.0, 2.0])[0] == 1
        assert _update(rule, rule.init(), 1.0, None).reason == 0
    for name in ("patience", "min_delta", "alpha", "strips", "start_from_epoch", "min_epochs"):
        with pytest.raises(ValueError, match=f"{name} .*None"):
            EarlyStopping(**{name: None}).init()


@pytest.mark.parametrize("value", ["1.0", 1 + 2j])
def test_a_value_is_a_number(value):
    stopper = EarlyStopping(criterion="pq")
    for pair in ((value, 1.0), (1.0, value)):
        with pytest.raises(ValueError, match=re.escape(str(value))):
            stopper.update(stopper.init(), *pair)


def test_a_training_value_is_one_number():
    stopper = EarlyStopping(criterion="pq")
    with pytest.raises(ValueError, match=r"train_value.*\(3,\)"):
        stopper.update(stopper.init(), 1.0, np.ones(3))


@pytest.mark.parametrize("criterion", ["gl", "pq"])
def test_quotients_of_losses_want_losses_above_zero(criterion):
    stopper = EarlyStopping(criterion=criterion)
    with pytest.raises(ValueError, match=f"'{criterion}'.*-0.5"):
        stopper.update(stopper.init(), -0.5, 1.0)
    assert stopper.update(stopper.init(), 0.0, 1.0).reason == 0


def test_keep_best_takes_the_candidate_where_improved():
    best, candidate = {"w": jnp.zeros(2)}, {"w": jnp.ones(2)}
    np.testing.assert_array_equal(rj.keep_best(best, candidate, jnp.asarray(False))["w"], 0)
    np.testing.assert_array_equal(jax.jit(rj.keep_best)(best, candidate, True)["w"], 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patience": -1}, "patience must be >= 0, got -1"),
        ({"min_delta": float("nan")}, "min_delta must be >= 0, got nan"),
        ({"alpha": 0.0}, "alpha must be > 0, got 0.0"),
        ({"mode": "maximum"}, "did you mean 'max'"),
        ({"criterion": "glx"}, "did you mean 'gl'"),
        ({"k": 0}, "k must be >= 1"),
        ({"patience": 1.5}, "patience must be a whole number >= 0, got 1.5"),
        ({"patience": True}, "got True"),
        ({"criterion": "gl", "mode": "max"}, "is for losses"),
        ({"nan": "skip"}, "accepted: ignore, stop"),
        ({"rule": "kers"}, "did you mean 'keras'"),
        ({"keep": "last"}, "accepted: best, gain"),
        ({"keep": "gain", "criterion": "gl"}, "'gl'"),
        ({"patience": float("inf")}, "patience .*got inf"),
        ({"patience": 2**31}, "at most 2147483647, got 2147483648"),
        ({"target": float("nan")}, "target .*got nan"),
        ({"baseline": float("nan")}, "baseline .*got nan"),
        ({"divergence_threshold": "high"}, "divergence_threshold .*got 'high'"),
        ({"criterion": "gl", "min_delta": 0.1}, "min_delta=0.1 .*'gl'"),
        ({"criterion": "up", "baseline": 0.5}, "baseline=0.5 .*'up'"),
        ({"patience": np.asarray(2.5)}, "patience .*2.5"),
        ({"patience": jnp.float32(2.5)}, "patience .*2.5"),
        ({"patience": jnp.int32(-1)}, "patience .*-1"),
        ({"patience": jnp.asarray([3, -1])}, "patience .*-1"),
        ({"min_delta": jnp.float32(-0.5)}, "min_delta .*-0.5"),
        ({"baseline": jnp.float32(jnp.nan)}, "baseline .*nan"),
        ({"k": 2.5}, "k .*2.5"),
        ({"k": True}, "k .*True"),
        ({"relative": "no"}, "relative .*'no'"),
    ],
)
def test_errors_name_the_argument(options, message):
    with pytest.raises(ValueError, match=message):
        EarlyStopping(**options).init()


def test_reasons_keep_their_codes():
    """Checkpoints hold the codes."""
    assert REASONS[:7] == ["running", "patience", "gl", "pq", "up", "target", "diverged"]
