"""Names of parameter leaves, and masks over them: which weights a penalty acts on."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.typing import PyTree

# Leaves with these last names are offsets and scales, not weights: shrinking them only biases the fit.
UNPENALIZED = frozenset({"bias", "b", "scale", "offset"})

Where = str | Callable[[str, Any], bool] | frozenset[str] | None


def leaf_names(tree: PyTree) -> list[str]:
    """Names of the leaves of `tree` in the order of `jax.tree.leaves`, as `"Dense_0/kernel"`.

    A trailing `.value`, which the states of `flax.nnx` add to every path, is left off.

    Example:
      >>> leaf_names({"dense": {"bias": 0.0, "kernel": 1.0}})
      ['dense/bias', 'dense/kernel']
    """
    return [_name(path) for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]


def is_weight_leaf(leaf: Any) -> bool:
    """Whether a leaf holds real or complex numbers, so that a penalty can act on it; keys and counters do not."""
    dtype = getattr(leaf, "dtype", None)
    if dtype is None:
        return isinstance(leaf, float | complex)
    return bool(jnp.issubdtype(dtype, jnp.inexact))


def check_same_leaves(caller: str, given: PyTree, params: PyTree) -> None:
    """Refuse a tree whose leaves are not those of the parameters.

    Raises:
      ValueError: names the leaves that are missing and those that are too many.

    Example:
      >>> check_same_leaves("prox: stepsize", {"a": 1.0, "c": 1.0}, {"a": 1.0, "b": 1.0})
      Traceback (most recent call last):
      ...
      ValueError: prox: stepsize must have the leaves of params; missing: b; unknown: c
    """
    wanted, got = leaf_names(params), leaf_names(given)
    if wanted == got:
        return
    parts = []
    for label, ours, theirs in (("missing", wanted, got), ("unknown", got, wanted)):
        names = [name for name in ours if name not in set(theirs)]
        if names:
            parts.append(f"{label}: {', '.join(names[:8])}{f' and {len(names) - 8} more' if len(names) > 8 else ''}")
    raise ValueError(f"{caller} must have the leaves of params; {'; '.join(parts) or 'their order differs'}")


def check_arrays(caller: str, params: PyTree) -> None:
    """Refuse a tree of parameters with leaves that are no arrays, as the functions in an Equinox module.

    Raises:
      ValueError: names the leaves.

    Example:
      >>> check_arrays("regularize", {"w": jnp.ones(2), "activation": jnp.tanh})
      Traceback (most recent call last):
      ...
      ValueError: regularize: activation holds no array but a PjitFunction; give the arrays of a model alone, ...
    """
    for name, leaf in zip(leaf_names(params), jax.tree.leaves(params), strict=True):
        if not isinstance(leaf, bool | int | float | complex) and not hasattr(leaf, "dtype"):
            raise ValueError(
                f"{caller}: {name} holds no array but a {type(leaf).__name__}; give the arrays of a model alone, "
                "as equinox.filter(model, equinox.is_inexact_array)"
            )


def check_real(caller: str, name: str, array: Any) -> None:
    """Refuse complex numbers where an order or a real gradient is meant.

    Raises:
      ValueError: names the array and its type.

    Example:
      >>> check_real("box", "w", jnp.ones(2))
    """
    if jnp.iscomplexobj(array):
        raise ValueError(f"{caller}: {name} must be real, got {array.dtype}")


def select(params: PyTree, where: Where = None) -> list[bool]:
    """For each leaf of `params`, whether `where` selects it.

    Args:
      params: any pytree of arrays.
      where: None selects weights: numeric leaves of rank >= 2 that are not called bias, b, scale or offset and do not
        lie directly in a module whose type, or a base of it, is called ...Norm (as Equinox's, where `vmap` raises their
        rank). A string is a regular expression searched in the leaf's name. A callable gets `(name, leaf)`. A frozenset
        lists names (see `freeze_where`). Leaves that are not floating point are never selected.

    Returns:
      One bool a leaf, in the order of `jax.tree.leaves`.

    Raises:
      ValueError: nothing is selected; the message lists the leaves there are.

    Example:
      >>> params = {"bias": jnp.zeros(2), "kernel": jnp.zeros((3, 2))}
      >>> select(params), select(params, "bias")
      ([False, True], [True, False])
    """
    names, leaves, chosen = leaf_names(params), jax.tree.leaves(params), _mask(params, where)
    if not any(chosen):
        what = "no weight (rank >= 2 and not a bias or scale)" if where is None else f"nothing matches {_show(where)}"
        shapes = ", ".join(f"{n} {tuple(np.shape(x))}" for n, x in zip(names, leaves, strict=True)) or "none"
        raise ValueError(f"where: {what} among the leaves: {shapes}")
    return chosen


def unnamed_offsets(params: PyTree) -> frozenset[str]:
    """Leaves of rank >= 2 that may be biases: without a name, and with one long axis or beside a leaf of higher rank.

    Example:
      >>> sorted(unnamed_offsets([(jnp.ones((5, 5, 3, 8)), jnp.ones((1, 1, 1, 8)))]))
      ['0/1']
    """
    paths = jax.tree_util.tree_flatten_with_path(params)[0]
    found = set()
    for path, leaf in paths:
        shape = np.shape(leaf)
        if not path or not isinstance(path[-1], jax.tree_util.SequenceKey) or len(shape) < 2:
            continue
        beside = [np.shape(other) for other_path, other in paths if other_path[:-1] == path[:-1] and other is not leaf]
        is_lower = any(len(other) > len(shape) and other[-1] == shape[-1] for other in beside)
        if is_lower or (beside and max(shape) == np.size(leaf)):
            found.add(_name(path))
    return frozenset(found)


def uphill(grads: PyTree) -> PyTree:
    """Gradients of `jax.grad` as optax wants them: for complex parameters JAX gives the conjugate.

    Example:
      >>> uphill({"w": jnp.array([1.0 + 2.0j])})["w"]
      Array([1.-2.j], dtype=complex64)
    """
    return jax.tree.map(jnp.conj, grads)


def weight_leaves(params: PyTree) -> list[Any]:
    """The leaves that reports count as weights: those that `select` takes, or all numbers if there are none of those.

    Example:
      >>> [leaf.shape for leaf in weight_leaves({"w": np.zeros(3)})]
      [(3,)]
    """
    leaves = jax.tree.leaves(params)
    chosen = [leaf for leaf, use in zip(leaves, _mask(params, None), strict=True) if use]
    return chosen or [leaf for leaf in leaves if is_weight_leaf(leaf)]


def freeze_where(where: Where | PyTree) -> Where:
    """Turn any accepted `where` into a hashable one, so that it can be a static part of a penalty.

    Args:
      where: None, a regular expression, a callable `(name, leaf) -> bool`, or a pytree of bools with the
        structure of the parameters, which becomes the set of the names marked True.

    Raises:
      ValueError: an invalid regular expression, or a pytree whose leaves are not bools.

    Example:
      >>> sorted(freeze_where({"a": True, "b": {"c": True, "d": False}}))
      ['a', 'b/c']
    """
    # A tree may be callable too: an Equinox module is.
    if where is None or isinstance(where, frozenset) or (callable(where) and jax.tree_util.all_leaves([where])):
        return where
    if isinstance(where, str):
        try:
            re.compile(where)
        except re.error as error:
            raise ValueError(f"where: {where!r} is not a regular expression: {error}") from None
        return where
    leaves = jax.tree.leaves(where)
    if not leaves or not all(isinstance(leaf, bool | np.bool_) for leaf in leaves):
        raise ValueError(
            "where must be None, a regular expression, a callable (name, leaf) -> bool, or a tree of bools"
        )
    return frozenset(name for name, leaf in zip(leaf_names(where), leaves, strict=True) if leaf)


def map_selected(function: Callable[..., Any], chosen: Sequence[bool], tree: PyTree, *rest: PyTree) -> PyTree:
    """Apply `function` to the chosen leaves (and the matching leaves of `rest`); keep the others."""
    leaves, treedef = jax.tree.flatten(tree)
    others = [jax.tree.leaves(jax.tree.map(lambda _, part: part, tree, other)) for other in rest]
    out = [function(leaf, *(other[i] for other in others)) if chosen[i] else leaf for i, leaf in enumerate(leaves)]
    return jax.tree.unflatten(treedef, out)


def _name(path: tuple[Any, ...]) -> str:
    parts = [jax.tree_util.keystr((key,), simple=True).lstrip(".") for key in path]
    if len(parts) > 1 and parts[-1] == "value":
        parts = parts[:-1]
    return "/".join(parts)


def _mask(params: PyTree, where: Where) -> list[bool]:
    """For each leaf, whether `where` selects it."""
    named = zip(leaf_names(params), jax.tree.leaves(params), strict=True)
    chosen = [is_weight_leaf(leaf) and _matches(name, leaf, where) for name, leaf in named]
    if where is None:
        chosen = [use and not norm for use, norm in zip(chosen, _in_norms(params), strict=True)]
    return chosen


def _matches(name: str, leaf: Any, where: Where) -> bool:
    if where is None:
        return np.ndim(leaf) >= 2 and name.rsplit("/", 1)[-1] not in UNPENALIZED
    if isinstance(where, str):
        return re.search(where, name) is not None
    if isinstance(where, frozenset):
        return name in where
    return bool(where(name, leaf))


def _in_norms(params: PyTree) -> list[bool]:
    """For each leaf, whether it lies directly in an object whose type, or a base of it, is called ...Norm."""
    found = []
    for path, _ in jax.tree_util.tree_flatten_with_path(params)[0]:
        owner: Any = params
        for key in path[:-1]:
            owner = _child(owner, key)
        found.append(isinstance(path[-1] if path else None, jax.tree_util.GetAttrKey) and _is_norm(owner))
    return found


def _is_norm(owner: Any) -> bool:
    return any(base.__name__.endswith("Norm") for base in type(owner).__mro__)


def _child(node: Any, key: Any) -> Any:
    """What a key of a path leads to; None where the node does not say."""
    if isinstance(key, jax.tree_util.GetAttrKey):
        return getattr(node, key.name, None)
    if isinstance(key, jax.tree_util.DictKey | jax.tree_util.SequenceKey) and isinstance(node, dict | list | tuple):
        return node[key.key if isinstance(key, jax.tree_util.DictKey) else key.idx]
    return None


def _show(where: Where) -> str:
    return f"the names {sorted(where)}" if isinstance(where, frozenset) else repr(where)
