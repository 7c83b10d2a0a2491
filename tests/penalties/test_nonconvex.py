"""The nonconvex penalties by hand: values on each piece, proximal maps, where they flatten, and what they refuse."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj


def kernel(*values):
    return {"kernel": jnp.array([values])}


def test_mcp_on_its_two_pieces():
    # s = 2, gamma = 1.5: the parabola ends at 3, where it is 1.5 * 4 / 2.
    penalty = rj.mcp(2.0, gamma=1.5)
    assert float(penalty.value(kernel(-1.5))) == pytest.approx(2 * 1.5 - 2.25 / 3)
    assert float(penalty.value(kernel(2.75))) == pytest.approx(5.5 - 2.75**2 / 3)
    assert float(penalty.value(kernel(3.25))) == pytest.approx(3.0)
    assert float(penalty.value(kernel(-40.0))) == pytest.approx(3.0)
    assert float(penalty.value(kernel(-1.5, 40.0))) == pytest.approx(5.25)
    assert float(rj.mcp(1.0).value(kernel(1.0))) == pytest.approx(1 - 1 / 6)  # gamma is 3
    slope = jax.grad(lambda w: penalty.value({"kernel": w}))(jnp.array([[1.5, -1.5, 5.0, 0.0]]))
    np.testing.assert_allclose(slope, [[1.0, -1.0, 0.0, 0.0]], rtol=1e-6)


def test_scad_on_its_three_pieces():
    # s = 2, gamma = 3: linear up to 2, a parabola up to 6, then 4 * 4 / 2.
    penalty = rj.scad(2.0, gamma=3.0)
    assert float(penalty.value(kernel(-1.0))) == pytest.approx(2.0)
    assert float(penalty.value(kernel(4.0))) == pytest.approx((2 * 3 * 2 * 4 - 16 - 4) / 4)
    assert float(penalty.value(kernel(-9.0))) == pytest.approx(8.0)
    assert float(rj.scad(1.0).value(kernel(9.0))) == pytest.approx(4.7 / 2)  # gamma is 3.7
    slope = jax.grad(lambda w: penalty.value({"kernel": w}))(jnp.array([[1.0, -4.0, 9.0, 0.0]]))
    np.testing.assert_allclose(slope, [[2.0, -1.0, 0.0, 0.0]], rtol=1e-6)


def test_log_sum_and_the_number_of_nonzeros():
    assert float(rj.log_sum(2.0, epsilon=0.5).value(kernel(1.0, -2.0))) == pytest.approx(2 * np.log(3 * 5))
    assert float(rj.log_sum(1.0).value(kernel(0.1))) == pytest.approx(np.log(2))  # epsilon is 0.1
    assert float(rj.l0(0.5).value(kernel(1e-30, 0.0, -3.0))) == 1.0
    assert np.isnan(rj.l0(0.5).value(kernel(np.nan, 0.0)))


def test_one_strength_an_entry_weighs_the_entries():
    def by_entry(*strengths):
        return {"kernel": jnp.array([strengths])}

    assert float(rj.mcp(by_entry(1.0, 2.0), gamma=1.5).value(kernel(9.0, 9.0))) == pytest.approx(0.75 + 3.0)
    assert float(rj.scad(by_entry(1.0, 2.0), gamma=3.0).value(kernel(9.0, 9.0))) == pytest.approx(2.0 + 8.0)
    assert float(rj.log_sum(by_entry(1.0, 2.0), 1.0).value(kernel(1.0, 3.0))) == pytest.approx(np.log(2 * 16))
    assert float(rj.l0(by_entry(1.0, 2.0)).value(kernel(0.0, 3.0))) == 2.0


@pytest.mark.slow
def test_proximal_maps():
    """Each map on its pieces at step 0.5; the third weight of each is beyond the penalty's reach."""

    def prox(penalty, *values):
        return penalty.prox(kernel(*values), 0.5)["kernel"][0]

    # Firm threshold: 0 up to t s = 1, slope 1 / (1 - 0.5 / 2) up to gamma s = 4.
    np.testing.assert_allclose(prox(rj.mcp(2.0, gamma=2.0), 1.0, -2.5, 4.5), [0, -2, 4.5], rtol=1e-6)
    # On the parabola ((gamma - 1) |w| - t gamma s) / (gamma - 1 - t), with gamma = 3 and s = 2.
    np.testing.assert_allclose(prox(rj.scad(2.0, gamma=3.0), 1.0, -4.5, 6.5), [0, -4, 6.5], rtol=1e-6)
    # The larger root of (z - 3)(1 + z) + 0.5 * 2 = 0.
    np.testing.assert_allclose(prox(rj.log_sum(2.0, epsilon=1.0), 0.5, -3.0), [0, -1 - 3**0.5], rtol=1e-6)
    np.testing.assert_allclose(prox(rj.l0(4.0), 1.9, -2.1), [0, -2.1], rtol=1e-6)


def test_strength_max_is_the_largest_gradient_over_the_slope_at_zero():
    grads = kernel(0.5, -2.0)
    assert float(rj.mcp(1.0).strength_max(grads)) == 2.0
    assert float(rj.scad(1.0).strength_max(grads)) == 2.0
    assert float(rj.log_sum(1.0, epsilon=0.25).strength_max(grads)) == 0.5
    with pytest.raises(ValueError, match="no strength of l0"):
        rj.l0(1.0).strength_max(grads)


@pytest.mark.parametrize(
    ("make", "lowest"),
    [(rj.mcp, 1.0), (rj.scad, 2.0), (rj.log_sum, 0.0)],
    ids=lambda made: getattr(made, "__name__", ""),
)
def test_shapes_of_the_penalty_are_above_their_limit_and_finite(make, lowest):
    make(1.0, lowest + 0.01)
    for bad in (lowest, lowest - 0.5, np.inf, np.nan):
        with pytest.raises(ValueError, match=f"must be .*got {bad}"):
            make(1.0, bad)


def test_the_plan_names_strength_and_shape():
    assert "mcp(1, 2)" in str(rj.mcp(1.0, 2.0).plan(kernel(1.0)))
    assert "scad(1, 2.5)" in str(rj.scad(1.0, 2.5).plan(kernel(1.0)))
    assert "log_sum(1, 0.5)" in str(rj.log_sum(1.0, 0.5).plan(kernel(1.0)))


def test_they_are_not_smooth_and_only_l0_has_no_gradient():
    for penalty in (rj.mcp(1.0), rj.scad(1.0), rj.log_sum(1.0), rj.l0(1.0)):
        assert not penalty.smooth
    assert rj.l0(1.0).modes == ("proximal",)
    assert "loss" in rj.mcp(1.0).modes


def test_numbers_are_data_and_cannot_be_assigned():
    for penalty in (rj.mcp(1.0, 2.5), rj.scad(1.0, 2.5), rj.log_sum(1.0, 2.5), rj.l0(1.0)):
        raised = jax.tree.map(lambda leaf: leaf + 1, penalty)
        assert float(raised.strength) == 2.0
        assert [float(number) for number in raised.details()] in ([3.5], [])
        with pytest.raises(dataclasses.FrozenInstanceError):
            penalty.strength = 2.0
