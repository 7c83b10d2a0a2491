"""The rule of the docstring in plain Python, against which random rules are compared, and numbers at their limits."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regjax.stopping import NEVER, EarlyStopping


def stop_of(stopper, values, train=None):
    """The evaluation at which it stops, or None."""
    state = stopper.init()
    for t, value in enumerate(values):
        state = stopper.update(state, value, None if train is None else train[t])
        if state.should_stop:
            return t
    return None


def by_the_book(values, train, *, sign, patience, min_delta, baseline, start, least, target, threshold, keep, nan,
                relative, criterion, alpha, strips, k):  # fmt: skip
    """The rule of the docstring in plain Python floats: (stop, reason, best value, its evaluation, wait)."""
    reference, best, best_step, wait = np.inf, np.inf, -1, 0
    strip_end, rises = np.inf, 0
    for t, value in enumerate(values):
        v, watched = sign * value, t >= start
        finite, usable = np.isfinite(v), watched and (nan == "ignore" or np.isfinite(v))

        def is_gain(limit, v=v):
            delta = min_delta * (abs(limit) if np.isfinite(limit) else 0.0) if relative else min_delta
            return np.isfinite(v) and limit - v > delta

        gain = usable and is_gain(reference)
        improved = gain if keep == "gain" else watched and finite and v < best
        if improved:
            best, best_step = v, t
        if watched:
            wait = 0 if gain and (np.isinf(baseline) or is_gain(sign * baseline)) else wait + 1
        if gain:
            reference = v
        loss_of_generalization = 100 * (v / best - 1)
        stops = False
        if criterion == "patience":
            stops = not gain and wait >= patience
        elif criterion == "gl":
            stops = loss_of_generalization > alpha
        elif criterion == "pq" and t + 1 >= k:
            last = train[t + 1 - k : t + 1]
            stops = loss_of_generalization > alpha * 1000 * (sum(last) / (k * min(last)) - 1)
        elif criterion == "up":
            if watched and (t + 1 - start) % k == 0:
                rises = rises + 1 if v > strip_end else 0
                strip_end = v
            stops = rises >= strips
        reason = criterion if stops and watched else "running"
        if reason != "running" and np.isinf(best):
            reason = "diverged"
        if watched and np.isfinite(target) and v <= sign * target:
            reason = "target"
        if t + 1 < least:
            reason = "running"
        if (nan == "stop" and not finite) or (np.isfinite(threshold) and v > sign * threshold):
            reason = "diverged"
        if reason != "running":
            return t, reason, sign * best, best_step, wait
    return None, "running", sign * best, best_step, wait


eighths = st.integers(1, 24).map(lambda i: i / 8)
choices = {
    "patience": st.integers(0, 4), "min_delta": st.sampled_from([0.0, 0.125, 0.3125]),
    "baseline": st.sampled_from([np.inf, 1.0, 2.0]), "start": st.integers(0, 4), "least": st.integers(0, 8),
    "target": st.sampled_from([-np.inf, -np.inf, 0.25, 1.0]), "threshold": st.sampled_from([np.inf, np.inf, 2.5]),
    "keep": st.sampled_from(["best", "gain"]), "nan": st.sampled_from(["stop", "ignore"]), "relative": st.booleans(),
    "criterion": st.sampled_from(["patience", "patience", "gl", "pq", "up"]), "alpha": st.sampled_from([0.125, 20.0]),
    "strips": st.integers(1, 3), "k": st.integers(1, 3), "sign": st.sampled_from([1.0, 1.0, -1.0]),
}  # fmt: skip


@settings(max_examples=250)
@given(
    values=st.lists(st.one_of(eighths, eighths, eighths, st.sampled_from([np.nan, np.inf, -np.inf])), max_size=14),
    train=st.lists(eighths, min_size=14, max_size=14),
    options=st.fixed_dictionaries(choices),
)
@pytest.mark.slow
def test_it_stops_where_the_rule_says(values, train, options):
    if (criterion := options["criterion"]) != "patience":
        options |= {"min_delta": 0.0, "baseline": np.inf}  # which such criteria do not read
        if criterion in ("gl", "pq"):
            options |= {"sign": 1.0, "keep": "best"}
            values = [value for value in values if value != -np.inf]
    sign = options["sign"]
    values = [sign * value for value in values]
    for name in ("baseline", "target", "threshold"):
        options[name] *= sign
    stopper = EarlyStopping(
        patience=options["patience"], min_delta=options["min_delta"], alpha=options["alpha"], strips=options["strips"],
        baseline=options["baseline"], start_from_epoch=options["start"], min_epochs=options["least"],
        target=options["target"], divergence_threshold=options["threshold"], mode="min" if sign == 1 else "max",
        criterion=criterion, k=options["k"], relative=options["relative"], keep=options["keep"], nan=options["nan"],
    )  # fmt: skip
    state, stop = stopper.init(), None
    for t, value in enumerate(values):
        state = stopper.update(state, value, train[t] if criterion == "pq" else None)
        assert int(state.count) == t + 1
        assert bool(state.improved) == (int(state.best_step) == t)
        if state.should_stop:
            stop = t
            break
    found = stop, state.reason_name, float(state.best_value), int(state.best_step), int(state.wait)
    assert found == by_the_book(values, train, **options)


def test_the_state_before_the_first_evaluation():
    state = EarlyStopping(criterion="pq", k=2).init()
    assert (float(state.reference), float(state.best_value), float(state.strip_value)) == (np.inf, np.inf, np.inf)
    assert EarlyStopping(mode="max").init().best_value == -np.inf
    assert [int(state.best_step), int(state.wait), int(state.count), int(state.reason), int(state.rises)] == [
        -1,
        0,
        0,
        0,
        0,
    ]
    assert not state.improved
    assert not state.should_stop
    np.testing.assert_array_equal(state.window, [np.inf, np.inf])
    np.testing.assert_array_equal(state.remainder, np.zeros((5, 2)))
    kinds = {name: np.asarray(leaf).dtype for name, leaf in state._asdict().items() if name != "criterion_state"}
    whole = dict.fromkeys(("best_step", "wait", "count", "reason", "rises"), np.int32)
    assert kinds == dict.fromkeys(kinds, np.float32) | whole | {"improved": bool}


def test_defaults_of_the_rule_and_of_the_presets():
    rule = EarlyStopping()
    assert (rule.patience, rule.min_delta, rule.alpha, rule.strips, rule.k) == (10, 0.0, 5.0, 3, 5)
    assert (rule.start_from_epoch, rule.min_epochs, rule.relative) == (0, 0, False)
    assert (rule.baseline, rule.target, rule.divergence_threshold) == (np.inf, -np.inf, np.inf)
    presets = {name: getattr(EarlyStopping, name)() for name in ("keras", "lightning", "flax", "sklearn")}
    assert {name: (p.patience, p.min_delta, p.rule, p.nan) for name, p in presets.items()} == {
        "keras": (0, 0.0, "keras", "ignore"), "lightning": (3, 0.0, "lightning", "stop"),
        "flax": (0, 0.0, "flax", "ignore"), "sklearn": (10, 1e-4, "sklearn", "ignore"),
    }  # fmt: skip
    for name in presets:
        assert getattr(EarlyStopping, name)(nan="stop", mode="max").nan == "stop"
    with pytest.raises(dataclasses.FrozenInstanceError):
        rule.patience = 3


def test_canonical_numbers_have_fixed_types():
    rule = EarlyStopping(patience=2.0, target=None, strips=np.int64(2)).canonical()
    whole = ("patience", "strips", "start_from_epoch", "min_epochs")
    for name in whole:
        assert getattr(rule, name).dtype == np.int32
    for name in ("min_delta", "alpha", "baseline", "target", "divergence_threshold"):
        assert getattr(rule, name).dtype == np.float32
    assert (int(rule.patience), int(rule.strips)) == (2, 2)
    assert np.isinf(rule.target)


def test_numbers_at_the_ends_of_their_ranges_are_accepted():
    EarlyStopping(patience=0, min_delta=0.0, alpha=1e-9, strips=1, start_from_epoch=0, min_epochs=0, k=1).init()
    EarlyStopping(patience=NEVER, k=np.int64(2), relative=np.bool_(True), baseline=-3.0, target=-np.inf).init()
    EarlyStopping(patience=jnp.asarray([3, 0]), min_delta=jnp.asarray([0.5, 0.0])).init()
    for criterion in ("gl", "up"):
        EarlyStopping(criterion=criterion, min_delta=0.0, baseline=-np.inf)
    EarlyStopping(criterion="up", min_delta=0.1, keep="gain")  # which reads it
    with pytest.raises(ValueError, match=r"baseline=0\.5 is not read"):
        EarlyStopping(criterion="up", baseline=0.5, keep="gain")
    for name in ("strips", "start_from_epoch", "min_epochs"):
        with pytest.raises(ValueError, match=rf"{name} must be .*got -1"):
            EarlyStopping(**{name: -1})


def test_a_best_loss_of_zero_makes_any_rise_infinite():
    """GL divides by the best loss; 0 / 0 is no rise."""
    assert stop_of(EarlyStopping(criterion="gl", alpha=1e6), [1.0, 0.0, 0.0, 1e-30]) == 3


def test_pq_with_training_losses_of_zero():
    stopper = EarlyStopping(criterion="pq", k=2, alpha=1.0)
    assert stop_of(stopper, [1.0, 1.0, 0.5], [0.0] * 3) is None  # no progress, but no rise either
    assert stop_of(stopper, [1.0, 2.0], [0.0, 0.0]) == 1
    assert stop_of(stopper, [1.0, 2.0], [1.0, 0.0]) is None  # nearly infinite progress


@pytest.mark.parametrize("level", [0.18698192409008127, 1.0516351075158907, 0.1, 1e-3])
@pytest.mark.parametrize("k", [3, 7])
def test_pq_does_not_stop_an_improving_run_whose_training_stands_still(level, k):
    """The sum of k equal numbers over k of them may be rounded to less than 1, but progress is not negative."""
    stopper = EarlyStopping(criterion="pq", k=k)
    falling = [1.0 - t / 16 for t in range(12)]
    assert stop_of(stopper, falling, [level] * 12) is None
    compiled = jax.jit(stopper.update)
    state = stopper.init()
    for value in falling:
        state = compiled(state, value, level)
    assert not state.should_stop


def test_a_relative_delta_of_an_unset_reference_is_zero():
    stopper = EarlyStopping(min_delta=0.5, relative=True, patience=3)
    state = stopper.update(stopper.init(), 1e30)
    assert (int(state.wait), int(state.best_step)) == (0, 0)
    # By hand: half of |-4| is 2, so -5.5 is no gain and -6.5 is one.
    for value, wait in ((-5.5, 1), (-6.5, 0)):
        state = stopper.init()
        for v in (-4.0, value):
            state = stopper.update(state, v)
        assert int(state.wait) == wait


def waits(stopper, values):
    """The number of evaluations since the last gain, after each."""
    state, found = stopper.init(), []
    for value in values:
        state = stopper.update(state, value)
        found.append(int(state.wait))
    return found


def test_a_worse_value_does_not_move_the_reference_of_sklearn():
    stopper = EarlyStopping.sklearn(10, tol=0.25)
    assert waits(stopper, [1.0, 2.0, 1.5, 0.875, 0.75]) == [0, 1, 2, 3, 4]  # a small gain moves it, without a restart
    late = EarlyStopping.sklearn(10, tol=0.25, start_from_epoch=2)
    assert waits(late, [0.5, 0.5, 2.0, 1.5]) == [0, 0, 0, 0]  # what came before the first watched value does not count


@pytest.mark.parametrize(("rule", "restarts"), [("sklearn", True), ("lightning", False), ("keras", False)])
def test_nan_restarts_the_count_of_sklearn_alone_and_where_it_is_ignored(rule, restarts):
    stopper = EarlyStopping(rule=rule, nan="ignore")
    assert waits(stopper, [1.0, 1.5, np.nan]) == [0, 1, 0 if restarts else 2]
    assert stop_of(EarlyStopping(rule=rule, nan="stop"), [1.0, np.nan]) == 1


def test_a_criterion_counts_at_least_one_strip():
    with pytest.raises(ValueError, match=r"strips must be .*got 0"):
        EarlyStopping(criterion="up", strips=0)
