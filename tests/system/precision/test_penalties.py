"""Every penalty, constraint and converter in every type: dtypes, NumPy in float64, finite."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.penalties import PENALTIES
from regjax.penalties.constraints import CONSTRAINTS
from tests.penalties.test_suite import CASES
from tests.system.precision.settings import (
    PrecisionSetting,
    capped,
    each_setting,
    firm,
    group_soft,
    log_sum,
    scad,
    singular,
    soft,
)

pytestmark = pytest.mark.slow

S, T = 0.3, 0.7  # neither is a number of float32
W = np.array([[0.4, -1.7], [0.01, 0.33], [-2.6, 0.9]])
ANCHOR = np.array([[0.5, 0.0], [-1.0, 2.0]])
# The proximal map in NumPy: (w, t, s) -> z.
PROX = {
    "l1": lambda w, t, s: soft(w, t * s),
    "l2": lambda w, t, s: w / (1 + 2 * t * s),
    "elastic_net": lambda w, t, s: soft(w, t * s * 0.3) / (1 + 2 * t * s * 0.7),
    "l1 + l2": lambda w, t, s: soft(w, t * s) / (1 + 4 * t * s),
    "mcp": firm,
    "mcp + l2": lambda w, t, s: firm(w / (1 + 2 * t * s), t / (1 + 2 * t * s), s),
    "scad": scad,
    "log_sum": log_sum,
    "l0": lambda w, t, s: w * (w**2 > 2 * t * s),
    "group_lasso": lambda w, t, s: group_soft(w, t * s),
    "group_lasso + l1 + l2": lambda w, t, s: group_soft(soft(w, t * s) / (1 + 2 * t * s), t * s / (1 + 2 * t * s)),
    "sparse_group_lasso": lambda w, t, s: group_soft(soft(w, t * s * 0.25), t * s * 0.75),
    "nuclear": lambda w, t, s: singular(w, lambda v: soft(v, t * s)),
    "spectral": lambda w, t, s: singular(w, lambda v: capped(v, t * s)),
    "l2_to": lambda w, t, s: (w + 2 * t * s * ANCHOR) / (1 + 2 * t * s),
}
each = pytest.mark.parametrize("name", CASES)
each_prox = pytest.mark.parametrize("name", PROX)


def weights(name, setting):
    """The parameters, and the same numbers in float64."""
    w = setting.array(W[:2] if "anchored" in CASES[name][2] else W)
    return {"a": {"kernel": w, "bias": setting.array([5.0, 5.0])}}, np.asarray(w, np.float64)


def test_the_suite_covers_every_penalty_and_constraint():
    assert set(PENALTIES) <= {n for name in CASES for n in name.split(" + ")}
    assert set(PROX) == {name for name, case in CASES.items() if "no prox" not in case[2]}
    assert set(PROJECTIONS) == set(CONSTRAINTS)


@each
@each_setting
def test_values_and_gradients(name, setting):
    with PrecisionSetting(setting) as at:
        params, w = weights(name, at)
        expected = CASES[name][1](w, S)
        penalty = CASES[name][0](S)
        for value in (penalty.value(params), jax.jit(lambda p, w: p.value(w))(penalty, params)):
            assert value.dtype == at.wide
            np.testing.assert_allclose(value, expected, rtol=at.rtol)
        gradient = jax.grad(penalty.value)(params)["a"]["kernel"]
        assert gradient.dtype == at.dtype
        assert np.isfinite(np.asarray(gradient, np.float64)).all()
        for other in (penalty.scaled(0.1), 0.1 * penalty, penalty * 0.1):
            np.testing.assert_allclose(other.value(params), CASES[name][1](w, 0.1 * S), rtol=at.rtol)


@each_prox
@each_setting
def test_proximal_maps(name, setting):
    with PrecisionSetting(setting) as at:
        params, w = weights(name, at)
        expected = PROX[name](w, T, S)
        penalty = CASES[name][0](S)
        steps = jax.tree.map(lambda leaf: jnp.full(leaf.shape, T, at.wide), params)
        found = [penalty.prox(params, T), jax.jit(lambda p, w, t: p.prox(w, t))(penalty, params, T)]
        if name not in ("nuclear", "spectral"):
            found.append(penalty.prox(params, steps))
        for new in found:
            assert (new["a"]["kernel"].dtype, new["a"]["bias"].dtype) == (at.dtype, at.dtype)
            at.near(new["a"]["kernel"], expected, factor=4)


@pytest.mark.parametrize("name", ["l1", "elastic_net", "mcp", "scad", "log_sum", "group_lasso", "sparse_group_lasso"])
@each_setting
def test_the_smallest_strength_without_weights(name, setting):
    with PrecisionSetting(setting) as at:
        gradient = at.array(W)
        g = np.asarray(gradient, np.float64)
        found = CASES[name][0](1.0).strength_max({"kernel": gradient})
        assert found.dtype == at.wide
        columns = np.sqrt((g**2).sum(0))
        expected = {"elastic_net": np.abs(g).max() / 0.3, "log_sum": np.abs(g).max() / 2, "group_lasso": columns.max()}
        if name == "sparse_group_lasso":
            kept = np.sqrt((soft(g, float(found) * 0.25) ** 2).sum(0)) - float(found) * 0.75
            assert abs(kept.max()) <= 4 * at.rtol
        else:
            np.testing.assert_allclose(found, expected.get(name, np.abs(g).max()), rtol=at.rtol)


PROJECTIONS = {
    "max_norm": (lambda: rj.max_norm(1.1), lambda w: w * np.minimum(1, 1.1 / np.sqrt((w**2).sum(0)))),
    "unit_norm": (rj.unit_norm, lambda w: w / np.sqrt((w**2).sum(0))),
    "non_negative": (rj.non_negative, lambda w: np.maximum(w, 0)),
    "box": (lambda: rj.box(-0.3, 0.35), lambda w: np.clip(w, -0.3, 0.35)),
}


@pytest.mark.parametrize("name", PROJECTIONS)
@each_setting
def test_projections(name, setting):
    with PrecisionSetting(setting) as at:
        make, reference = PROJECTIONS[name]
        w = at.array(W)
        for project in (make().project, jax.jit(make().project)):
            new = project({"kernel": w})["kernel"]
            assert new.dtype == at.dtype
            at.near(new, reference(np.asarray(w, np.float64)))


@each_setting
@pytest.mark.parametrize("name", ["l2", "group_lasso"])
def test_a_schedule_and_a_strength_an_entry(name, setting):
    with PrecisionSetting(setting) as at:
        w = at.array(W)
        penalty = PENALTIES[name](lambda step: 0.1 * step)
        np.testing.assert_allclose(
            penalty.value({"kernel": w}, 3), CASES[name][1](np.asarray(w, np.float64), 0.1 * 3), rtol=at.rtol
        )
        assert penalty.value({"kernel": w}, 3).dtype == at.wide
        assert penalty.prox({"kernel": w}, T, 3)["kernel"].dtype == at.dtype


def test_converted_constants_are_those_that_were_given():
    with jax.enable_x64(True):
        penalty = rj.from_sklearn("lasso", alpha=0.1)
        assert float(jax.tree.leaves(penalty)[0]) == 0.2
        assert rj.to_torch_weight_decay(rj.from_torch_weight_decay(0.1)) == 0.1


@each_setting
def test_large_weights_have_finite_norms_in_half_precision(setting):
    """Squares of 300 overflow in float16, and 4,096 squares of 1 add up to 256 in bfloat16."""
    with PrecisionSetting(setting) as at:
        params = {"kernel": at.array(np.full((64, 64), 300.0))}
        expected = {"l1": 64**2 * 300, "l2": 64**2 * 300.0**2, "group_lasso": 64 * 2400, "nuclear": 64 * 300}
        for name, value in expected.items():
            np.testing.assert_allclose(PENALTIES[name](1.0).value(params), value, rtol=1e-5)
        bounded = rj.max_norm(1.5).project(params)["kernel"]
        at.near(bounded, 1.5 / 8)


@pytest.mark.parametrize("factor", [2, 2.0, np.float64(2), np.float32(2), np.asarray(2), jnp.float32(2)], ids=repr)
def test_a_number_times_a_penalty(factor):
    both = rj.l1(0.5) + rj.group_lasso(0.25)
    params = {"kernel": jnp.asarray(W)}
    for scaled in (factor * both, both * factor, jax.jit(lambda f: f * both)(factor)):
        np.testing.assert_allclose(scaled.value(params), 2 * both.value(params), rtol=1e-6)


@pytest.mark.parametrize("factor", [-1.0, float("nan"), float("inf"), np.ones(2)], ids=repr)
def test_what_is_no_factor_is_refused(factor):
    for product in (lambda: factor * rj.l1(0.5), lambda: rj.l1(0.5) * factor):
        with pytest.raises(ValueError, match="factor must be"):
            product()
    with pytest.raises(TypeError):
        "2" * rj.l1(0.5)
