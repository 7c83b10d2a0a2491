"""Which axes are units: stacks, attention, `[out, in]`; each kind of term on a stack is the sum over its kernels."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import regjax as rj

RNG = np.random.default_rng(0)
STACK = jnp.asarray(RNG.normal(size=(3, 4, 5)), jnp.float32)
UNIT_TERMS = {
    "group_lasso": rj.group_lasso,
    "group_lasso, weighted": lambda s, **k: rj.group_lasso(s, weighting="sqrt_size", **k),
    "sparse_group_lasso": rj.sparse_group_lasso,
    "nuclear": rj.nuclear,
    "spectral": rj.spectral,
    "spectral, power": lambda s, **k: rj.spectral(s, iterations=30, **k),
    "orthogonal": rj.orthogonal,
    "srip": lambda s, **k: rj.orthogonal(s, "srip", **k),
}
PROXIMAL = [name for name in UNIT_TERMS if name not in ("orthogonal", "srip")]
CONSTRAINTS = {"max_norm": lambda **k: rj.max_norm(0.7, **k), "unit_norm": rj.unit_norm}


@pytest.mark.parametrize("name", UNIT_TERMS)
def test_a_stack_is_the_sum_over_its_kernels(name):
    make = UNIT_TERMS[name]
    stacked = make(0.3, layout="bio").value({"kernel": STACK})
    single = sum(make(0.3).value({"kernel": kernel}) for kernel in STACK)
    np.testing.assert_allclose(stacked, single, rtol=1e-5)
    merged = make(0.3).value({"kernel": STACK})
    assert not np.isclose(merged, single, rtol=1e-2)


@pytest.mark.parametrize("name", PROXIMAL)
def test_the_proximal_map_of_a_stack_is_that_of_each_kernel(name):
    make = UNIT_TERMS[name]
    stacked = make(0.8, layout="bio").prox({"kernel": STACK}, 0.5)["kernel"]
    single = [make(0.8).prox({"kernel": kernel}, 0.5)["kernel"] for kernel in STACK]
    np.testing.assert_allclose(stacked, np.stack(single), atol=2e-6)


@pytest.mark.parametrize("name", UNIT_TERMS)
def test_out_in_is_the_transpose(name):
    make, kernel = UNIT_TERMS[name], STACK[0]
    params = {"kernel": kernel}, {"kernel": kernel.T}
    np.testing.assert_allclose(make(0.3, layout="oi...").value(params[1]), make(0.3).value(params[0]), rtol=1e-5)
    if name in PROXIMAL:
        moved = [make(0.8, layout=l).prox(p, 0.5)["kernel"] for l, p in zip(("...io", "oi..."), params, strict=True)]
        np.testing.assert_allclose(moved[1].T, moved[0], atol=2e-6)


@pytest.mark.parametrize("name", CONSTRAINTS)
def test_constraints_on_stacks_and_on_out_in(name):
    make = CONSTRAINTS[name]
    single = np.stack([make().project({"kernel": kernel})["kernel"] for kernel in STACK])
    np.testing.assert_allclose(make(layout="bio").project({"kernel": STACK})["kernel"], single, rtol=1e-6)
    swapped = jnp.swapaxes(STACK, 1, 2)
    np.testing.assert_allclose(
        make(layout="boi").project({"kernel": swapped})["kernel"], np.swapaxes(single, 1, 2), rtol=1e-6
    )


def test_attention_by_unit_and_by_head():
    """A query kernel [in, heads, features] of Flax, against groups made by hand."""
    w = np.asarray(STACK)
    params = {"query": {"kernel": STACK}}
    by_unit = sum(np.linalg.norm(w[:, h, f]) for h in range(4) for f in range(5))
    by_head = sum(np.linalg.norm(w[:, h, :]) for h in range(4))
    np.testing.assert_allclose(rj.group_lasso(1.0, layout="ioo").value(params), by_unit, rtol=1e-6)
    np.testing.assert_allclose(rj.group_lasso(1.0, layout={"query": "ioi"}).value(params), by_head, rtol=1e-6)


def test_inputs_are_groups_too():
    w = np.asarray(STACK)
    by_input = sum(np.linalg.norm(w[layer, i]) for layer in range(3) for i in range(4))
    np.testing.assert_allclose(rj.group_lasso(1.0, axis="in", layout="bio").value({"k": STACK}), by_input, rtol=1e-6)
    np.testing.assert_allclose(rj.group_lasso(1.0, axis=(0, 1)).value({"k": STACK}), by_input, rtol=1e-6)


def test_equinox_stores_out_in():
    linear = eqx.nn.Linear(4, 5, key=jax.random.key(0))
    projected = rj.max_norm(0.1, layout="oi...").project(eqx.filter(linear, eqx.is_array))
    np.testing.assert_allclose(np.linalg.norm(projected.weight, axis=1), 0.1, rtol=1e-5)


class Scaled(eqx.nn.LayerNorm):
    """A norm layer by another name."""


@pytest.mark.parametrize("norm", [eqx.nn.LayerNorm, Scaled])
def test_norm_layers_that_are_mapped_are_no_weights(norm):
    """Vmap gives the scale of a norm layer rank 2; its type still tells what it is."""

    def make(key):
        return eqx.nn.Sequential(
            [
                eqx.nn.Linear(3, 3, key=key),
                norm(3),
                eqx.nn.SpectralNorm(eqx.nn.Linear(3, 3, key=key), "weight", key=key),
            ]
        )

    model = eqx.filter(eqx.filter_vmap(make)(jax.random.split(jax.random.key(0), 2)), eqx.is_inexact_array)
    penalized = [row.leaf for row in rj.l2(1.0).plan(model).rows if row.terms]
    assert [name for name in penalized if "layers/1" in name] == []
    assert "layers/0/weight" in penalized
    assert "layers/2/layer/weight" in penalized  # SpectralNorm holds a layer, whose weight is one


def test_the_plan_shows_units_and_doubts():
    rows = {row.leaf: row for row in rj.group_lasso(0.5).plan({"scanned": STACK, "dense": STACK[0]}).rows}
    assert rows["dense"].terms == ("group_lasso(0.5, 5 units on axis 1)",)
    assert rows["dense"].doubts == ()
    assert len(rows["scanned"].doubts) == 1
    (told,) = rj.group_lasso(0.5, layout={"scanned": "bio"}).plan({"scanned": STACK}).rows
    assert told.doubts == ()
    assert "15 units on axes 0, 2" in told.terms[0]
    (matrix,) = rj.nuclear(0.5, layout="bio").plan({"scanned": STACK}).rows
    assert "3 times 4x5" in matrix.terms[0]
    unnamed = rj.l2(0.5).plan([(jnp.ones((2, 3, 4)), jnp.ones((2, 4)))]).rows
    assert [len(row.doubts) for row in unnamed] == [0, 1]
    assert "0/1" in str(rj.l2(0.5).plan([(jnp.ones((2, 3, 4)), jnp.ones((2, 4)))]))


def test_a_kernel_of_rank_four_is_doubtful_unless_it_is_called_a_convolution():
    """Stacked attention, `[layers, in, heads, features]`, has the rank of the kernel of a convolution."""
    params = {"Conv_0": {"kernel": jnp.ones((3, 3, 2, 4))}, "query": {"kernel": jnp.ones((3, 8, 2, 4))}}
    assert [len(row.doubts) for row in rj.group_lasso(1.0).plan(params).rows] == [0, 1]
    assert [len(row.doubts) for row in rj.group_lasso(1.0, layout={"query": "bioo"}).plan(params).rows] == [0, 0]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: rj.group_lasso(1.0, layout="xyz"), "got 'xyz'"),
        (lambda: rj.max_norm(1.0, layout="bi"), "got 'bi'"),
        (lambda: rj.group_lasso(1.0, axis=0, layout="bio"), "axis is 'out' or 'in', got 0"),
        (lambda: rj.group_lasso(1.0, axis="outer"), "got 'outer'"),
        (lambda: rj.nuclear(1.0, layout="bio").value({"kernel": STACK[0]}), r"'bio' does not fit kernel \(4, 5\)"),
        (lambda: rj.unit_norm(layout="oi").project({"kernel": STACK}), r"'oi' does not fit kernel \(3, 4, 5\)"),
    ],
)
def test_errors_name_the_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_leaf_of_equinox_or_torch_is_doubtful_until_it_is_told():
    linear = eqx.filter(eqx.nn.Linear(3, 5, key=jax.random.key(0)), eqx.is_array)
    for guessed in (rj.group_lasso(0.1).plan(linear), rj.max_norm(2.0).plan(linear), rj.nuclear(0.1).plan(linear)):
        assert [bool(row.doubts) for row in guessed.rows] == [True, False]
    for told in (rj.group_lasso(0.1, layout="oi...").plan(linear), rj.max_norm(2.0, layout="oi...").plan(linear)):
        assert not any(row.doubts for row in told.rows)
        assert "5 units on axis 0" in told.rows[0].terms[0]
    named = rj.group_lasso(0.1, layout={"weight": "...io"}).plan(linear)
    assert not any(row.doubts for row in named.rows)


def test_the_plan_of_constraints():
    params = {"dense": {"kernel": STACK[0], "bias": jnp.ones(5)}}
    plan = (rj.max_norm(2.0) + rj.non_negative()).plan(params)
    assert [row.terms for row in plan.rows] == [(), ("max_norm(2, 5 units on axis 1)", "non_negative")]
    assert "20 of 25 numbers" in str(plan)
    assert rj.unit_norm().plan(params).rows[1].terms == ("unit_norm(5 units on axis 1)",)
