import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from regjax.core.tree import freeze_where, leaf_mask, leaf_names, map_selected

PARAMS = {
    "dense": {"kernel": jnp.ones((2, 3)), "bias": jnp.zeros((2, 3)), "scale": jnp.ones((1, 3))},
    "list": [jnp.ones((2, 2)), jnp.ones(2)],
    "counter": jnp.zeros((2, 2), jnp.int32),
    "nothing": None,
}


def test_names_follow_the_order_of_leaves():
    assert leaf_names(PARAMS) == [
        "counter", "dense/bias", "dense/kernel", "dense/scale", "list/0", "list/1",
    ]  # fmt: skip


def test_default_takes_weights_only():
    chosen = dict(zip(leaf_names(PARAMS), leaf_mask(PARAMS), strict=True))
    assert [name for name, use in chosen.items() if use] == ["dense/kernel", "list/0"]


def test_nnx_state_has_names_without_value():
    state = nnx.state(nnx.Linear(2, 3, rngs=nnx.Rngs(0)))
    assert sorted(leaf_names(state)) == ["bias", "kernel"]
    assert leaf_mask(state) == [name == "kernel" for name in leaf_names(state)]


@pytest.mark.parametrize(
    "where",
    [
        "bias$",
        lambda name, leaf: name.endswith("bias"),
        freeze_where({"dense": {"bias": True, "kernel": False}}),
    ],
    ids=["regex", "callable", "mask"],
)
def test_every_form_of_where_selects_the_same(where):
    assert [n for n, use in zip(leaf_names(PARAMS), leaf_mask(PARAMS, where), strict=True) if use] == ["dense/bias"]


def test_no_match_lists_the_leaves():
    with pytest.raises(ValueError, match=r"nothing matches 'kernl' among the leaves: .*dense/kernel \(2, 3\)"):
        leaf_mask(PARAMS, "kernl")
    with pytest.raises(ValueError, match="no weight"):
        leaf_mask({"bias": jnp.ones(2)})


def test_integers_are_never_selected():
    with pytest.raises(ValueError, match="nothing matches"):
        leaf_mask(PARAMS, "counter")


def test_freeze_where_is_hashable_and_refuses_nonsense():
    assert hash(freeze_where({"a": True, "b": False})) == hash(frozenset({"a"}))
    with pytest.raises(ValueError, match="not a regular expression"):
        freeze_where("(")
    with pytest.raises(ValueError, match="tree of bools"):
        freeze_where({"a": 1.0})


def test_map_selected_leaves_the_rest_alone():
    tree = {"a": np.ones(2), "b": np.ones(2)}
    out = map_selected(lambda x, y: x + y, [True, False], tree, {"a": 2.0, "b": 3.0})
    np.testing.assert_array_equal(out["a"], [3, 3])
    assert out["b"] is tree["b"]
