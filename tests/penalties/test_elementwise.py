"""The convex elementwise penalties by hand: values, proximal maps, gradients at zero, and what they refuse."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj
from regjax.penalties.elementwise import absolute, l2_to_start, squares

W = {"kernel": jnp.array([[1.0, -3.0], [0.0, 0.25]])}
ANCHOR = {"kernel": jnp.array([[2.0, -3.0], [-1.0, 0.25]])}


@pytest.mark.parametrize(
    ("penalty", "value"),
    [
        (rj.l1(0.5), 0.5 * 4.25),
        (rj.l2(0.5), 0.5 * 10.0625),
        (rj.elastic_net(2.0, l1_ratio=0.25), 2 * (0.25 * 4.25 + 0.75 * 10.0625)),
        (rj.elastic_net(2.0), 4.25 + 10.0625),
        (rj.elastic_net(2.0, l1_ratio=1.0), 2 * 4.25),
        (rj.elastic_net(2.0, l1_ratio=0.0), 2 * 10.0625),
        (rj.l2_to(ANCHOR, 3.0), 3 * (1 + 1)),
    ],
)
def test_values(penalty, value):
    assert float(penalty.value(W)) == pytest.approx(value)


def test_proximal_maps():
    """Step 0.5: the threshold of L1 and the shrinkage of L2 in their closed forms."""

    def prox(penalty):
        return penalty.prox(W, 0.5)["kernel"]

    np.testing.assert_allclose(prox(rj.l1(1.0)), [[0.5, -2.5], [0, 0]])
    np.testing.assert_allclose(prox(rj.l2(1.0)), np.asarray(W["kernel"]) / 2)
    # Threshold 0.5 * 2 * 0.25, then division by 1 + 2 * 0.5 * 2 * 0.75.
    np.testing.assert_allclose(prox(rj.elastic_net(2.0, l1_ratio=0.25)), [[0.3, -1.1], [0, 0]], rtol=1e-6)
    # (w + 2 * 0.5 * 3 a) / (1 + 2 * 0.5 * 3)
    np.testing.assert_allclose(prox(rj.l2_to(ANCHOR, 3.0)), [[1.75, -3.0], [-0.75, 0.25]], rtol=1e-6)


def test_one_strength_an_entry_weighs_the_entries():
    strengths = jnp.array([[1.0, 0.0], [5.0, 4.0]])
    assert float(rj.l1({"kernel": strengths}).value(W)) == pytest.approx(1 + 1)
    assert float(rj.l2({"kernel": strengths}).value(W)) == pytest.approx(1 + 4 / 16)
    assert float(rj.elastic_net({"kernel": strengths}, 0.25).value(W)) == pytest.approx(0.25 * 2 + 0.75 * 1.25)
    assert float(rj.l2_to(ANCHOR, {"kernel": strengths}).value(W)) == pytest.approx(1 + 5)


def test_strength_max_is_the_largest_gradient_over_the_share_of_l1():
    grads = {"kernel": jnp.array([[0.5, -2.0]])}
    assert float(rj.l1(1.0).strength_max(grads)) == 2.0
    assert float(rj.elastic_net(1.0, l1_ratio=0.8).strength_max(grads)) == 2.5
    assert float(rj.elastic_net(1.0, l1_ratio=1.0).strength_max(grads)) == 2.0
    traced = jax.jit(lambda ratio: rj.elastic_net(1.0, ratio).strength_max(grads))
    assert float(traced(0.5)) == 4.0
    assert np.isinf(traced(0.0))  # not known before the run, so not refused
    with pytest.raises(ValueError, match="l1_ratio 0"):
        rj.elastic_net(1.0, l1_ratio=0.0).strength_max(grads)


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_a_ratio_is_in_the_unit_interval(ratio):
    with pytest.raises(ValueError, match=r"l1_ratio must be in \[0, 1\]"):
        rj.elastic_net(1.0, l1_ratio=ratio)


def test_what_is_smooth():
    assert rj.l2(1.0).smooth
    assert rj.l2_to(ANCHOR, 1.0).smooth
    assert not rj.l1(1.0).smooth
    assert not rj.elastic_net(1.0).smooth


def test_the_plan_names_strength_and_ratio():
    assert "elastic_net(2, 0.25)" in str(rj.elastic_net(2.0, 0.25).plan(W))


def test_numbers_are_data_and_cannot_be_assigned():
    for penalty in (rj.l1(1.0), rj.l2(1.0), rj.elastic_net(1.0), rj.l2_to(ANCHOR, 1.0)):
        assert float(jax.tree.map(lambda leaf: leaf + 1, penalty).strength) == 2.0
        with pytest.raises(dataclasses.FrozenInstanceError):
            penalty.strength = 2.0
    assert float(jax.tree.map(lambda leaf: leaf / 2, rj.elastic_net(1.0)).l1_ratio) == 0.25


def test_anchors_are_those_of_the_selected_leaves():
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.ones(2)}
    anchor = {"kernel": jnp.zeros((2, 2))}
    assert float(rj.l2_to(anchor, 1.0).value(params)) == 4.0  # the bias is not selected and needs none
    with pytest.raises(ValueError, match=r"l2_to: bias of shape \(2,\) needs an anchor .* got none"):
        rj.l2_to(anchor, 1.0, where="").value(params)
    for rows in (1, 3):
        with pytest.raises(ValueError, match=rf"kernel of shape \(2, 2\) needs an anchor .* got shape \({rows}, 2\)"):
            rj.l2_to({"kernel": jnp.zeros((rows, 2))}, 1.0).value(params)


@pytest.mark.parametrize("anchor", [{}, "begin", None])
def test_an_anchor_is_a_tree_of_arrays_or_the_start(anchor):
    with pytest.raises(ValueError, match="anchor must be a tree of arrays or 'start'"):
        rj.l2_to(anchor, 1.0)


def test_the_start_is_known_once_a_run_gives_it():
    for penalty in (rj.l2_to("start", 0.5), l2_to_start(0.5)):
        assert penalty.needs_start
        assert not penalty.anchored(W).needs_start
        assert float(penalty.anchored(ANCHOR).value(W)) == 1.0
        with pytest.raises(ValueError, match="'start' is known in a training run only"):
            penalty.value(W)
    own = rj.l2_to(ANCHOR, 0.5)
    assert not own.needs_start
    assert float(own.anchored(W).value(W)) == 1.0  # an anchor of its own stays


def test_modulus_and_square_with_their_gradients():
    real, complex_ = jnp.array([-2.0, 0.0, 3.0]), jnp.array([3 + 4j, 0j])
    np.testing.assert_array_equal(absolute(real), [2, 0, 3])
    np.testing.assert_array_equal(jax.grad(lambda w: jnp.sum(absolute(w)))(real), [-1, 0, 1])
    np.testing.assert_allclose(absolute(complex_), [5, 0], rtol=1e-6)
    np.testing.assert_array_equal(absolute(jnp.array([1 + 0j, -1 + 0j])), [1, 1])
    gradient = jax.grad(lambda w: jnp.sum(absolute(w)))(complex_)
    np.testing.assert_allclose(gradient, [0.6 - 0.8j, 0], rtol=1e-6)
    np.testing.assert_array_equal(squares(real), [4, 0, 9])
    np.testing.assert_allclose(squares(complex_), [25, 0], rtol=1e-6)
    assert squares(complex_).dtype == absolute(complex_).dtype == jnp.float32
