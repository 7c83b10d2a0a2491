"""Names of parameter leaves, and masks over them, which say on which weights a penalty acts."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.typing import Array, PyTree

# Leaves with these last names are offsets and scales, not weights: shrinking them only biases the fit.
UNPENALIZED = frozenset({"bias", "b", "scale", "offset"})

Where = str | Callable[[str, PyTree], bool] | frozenset[str] | None


def leaf_names(tree: PyTree) -> list[str]:
    """Names of the leaves of `tree`, as `"Dense_0/kernel"`, in the order of `jax.tree.leaves`.

    The trailing `.value` that states of `flax.nnx` add to every path is dropped.

    Example:
      >>> leaf_names({"dense": {"bias": 0.0, "kernel": 1.0}})
      ['dense/bias', 'dense/kernel']
    """
    return [_name(path) for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]


def is_weight_leaf(leaf: object) -> bool:
    """Whether a leaf holds real or complex numbers, on which a penalty can act; keys and counters do not."""
    dtype = getattr(leaf, "dtype", None)
    if dtype is None:
        return isinstance(leaf, float | complex)
    return bool(jnp.issubdtype(dtype, jnp.inexact))


def check_same_leaves(caller: str, given: PyTree, params: PyTree) -> None:
    """Refuse a tree whose leaves do not have the names of those of the parameters.

    Raises:
      ValueError: names the missing and the unknown leaves.

    Example:
      >>> check_same_leaves("prox: stepsize", {"a": 1.0, "c": 1.0}, {"a": 1.0, "b": 1.0})
      Traceback (most recent call last):
      ...
      ValueError: prox: stepsize must have the leaves of params; missing: b; unknown: c
    """
    expected, actual = leaf_names(params), leaf_names(given)
    if expected == actual:
        return
    clauses = []
    for label, these, those in (("missing", expected, actual), ("unknown", actual, expected)):
        names = [name for name in these if name not in set(those)]
        if names:
            clauses.append(f"{label}: {', '.join(names[:8])}{f' and {len(names) - 8} more' if len(names) > 8 else ''}")
    raise ValueError(f"{caller} must have the leaves of params; {'; '.join(clauses) or 'their order differs'}")


def check_arrays(caller: str, params: PyTree) -> None:
    """Refuse parameters with leaves that are not arrays, as the functions in an Equinox module.

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


def check_real(caller: str, name: str, array: Array) -> None:
    """Refuse complex numbers where values are ordered or a real gradient is needed.

    Raises:
      ValueError: names the array and its type.

    Example:
      >>> check_real("box", "w", jnp.ones(2))
    """
    if jnp.iscomplexobj(array):
        raise ValueError(f"{caller}: {name} must be real, got {array.dtype}")


def leaf_mask(params: PyTree, where: Where = None) -> list[bool]:
    """A mask over the leaves of `params`: which of them `where` selects.

    Args:
      params: any pytree of arrays.
      where: None selects weights: leaves of rank >= 2 that are not called bias, b, scale or offset and are not fields
        of a module whose type, or a base of it, is called ...Norm (in Equinox, `vmap` raises their rank). A string is a
        regular expression searched in the name of the leaf. A callable takes `(name, leaf)`. A frozenset lists names
        (see `freeze_where`). Leaves that are neither real nor complex are never selected.

    Returns:
      One bool for each leaf, in the order of `jax.tree.leaves`.

    Raises:
      ValueError: no leaf is selected; the message lists all leaves.

    Example:
      >>> params = {"bias": jnp.zeros(2), "kernel": jnp.zeros((3, 2))}
      >>> leaf_mask(params), leaf_mask(params, "bias")
      ([False, True], [True, False])
    """
    names, leaves, mask = leaf_names(params), jax.tree.leaves(params), _mask(params, where)
    if not any(mask):
        what = "no weight (rank >= 2 and not a bias or scale)" if where is None else f"nothing matches {_show(where)}"
        shapes = ", ".join(f"{n} {tuple(np.shape(x))}" for n, x in zip(names, leaves, strict=True)) or "none"
        raise ValueError(f"where: {what} among the leaves: {shapes}")
    return mask


def unnamed_offsets(params: PyTree) -> frozenset[str]:
    """Unnamed leaves of rank >= 2 that may be biases: all but one axis have length 1, or a sibling has a higher rank.

    Example:
      >>> sorted(unnamed_offsets([(jnp.ones((5, 5, 3, 8)), jnp.ones((1, 1, 1, 8)))]))
      ['0/1']
    """
    paths = jax.tree_util.tree_flatten_with_path(params)[0]
    offsets = set()
    for path, leaf in paths:
        shape = np.shape(leaf)
        if not path or not isinstance(path[-1], jax.tree_util.SequenceKey) or len(shape) < 2:
            continue
        siblings = [
            np.shape(other) for other_path, other in paths if other_path[:-1] == path[:-1] and other is not leaf
        ]
        has_lower_rank = any(len(other) > len(shape) and other[-1] == shape[-1] for other in siblings)
        if has_lower_rank or (siblings and max(shape) == np.size(leaf)):
            offsets.add(_name(path))
    return frozenset(offsets)


def uphill(grads: PyTree) -> PyTree:
    """Conjugated gradients of `jax.grad`, as optax expects them; they differ only for complex parameters.

    Example:
      >>> uphill({"w": jnp.array([1.0 + 2.0j])})["w"]
      Array([1.-2.j], dtype=complex64)
    """
    return jax.tree.map(jnp.conj, grads)


def weight_leaves(params: PyTree) -> list[PyTree]:
    """The leaves that count as weights in reports: those that `leaf_mask` selects, or else all numeric ones.

    Example:
      >>> [leaf.shape for leaf in weight_leaves({"w": np.zeros(3)})]
      [(3,)]
    """
    leaves = jax.tree.leaves(params)
    weights = [leaf for leaf, is_weight in zip(leaves, _mask(params, None), strict=True) if is_weight]
    return weights or [leaf for leaf in leaves if is_weight_leaf(leaf)]


def freeze_where(where: Where | PyTree) -> Where:
    """Make any accepted `where` hashable, so that it can be a static field of a penalty.

    Args:
      where: None, a regular expression, a callable `(name, leaf) -> bool`, or a pytree of bools with the
        structure of the parameters, which becomes the set of names whose leaf is True.

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


def map_selected(function: Callable[..., PyTree], mask: Sequence[bool], tree: PyTree, *others: PyTree) -> PyTree:
    """Apply `function` to the leaves in the mask (and the matching leaves of other trees); keep all others."""
    leaves, treedef = jax.tree.flatten(tree)
    matching = [jax.tree.leaves(jax.tree.map(lambda _, part: part, tree, other)) for other in others]
    out = [function(leaf, *(other[i] for other in matching)) if mask[i] else leaf for i, leaf in enumerate(leaves)]
    return jax.tree.unflatten(treedef, out)


def _name(path: tuple[object, ...]) -> str:
    keys = [jax.tree_util.keystr((key,), simple=True).lstrip(".") for key in path]
    if len(keys) > 1 and keys[-1] == "value":
        keys = keys[:-1]
    return "/".join(keys)


def _mask(params: PyTree, where: Where) -> list[bool]:
    """As `leaf_mask`, but the mask may be all False."""
    named = zip(leaf_names(params), jax.tree.leaves(params), strict=True)
    mask = [is_weight_leaf(leaf) and _matches(name, leaf, where) for name, leaf in named]
    if where is None:
        mask = [selected and not in_norm for selected, in_norm in zip(mask, _in_norms(params), strict=True)]
    return mask


def _matches(name: str, leaf: PyTree, where: Where) -> bool:
    if where is None:
        return np.ndim(leaf) >= 2 and name.rsplit("/", 1)[-1] not in UNPENALIZED
    if isinstance(where, str):
        return re.search(where, name) is not None
    if isinstance(where, frozenset):
        return name in where
    return bool(where(name, leaf))


def _in_norms(params: PyTree) -> list[bool]:
    """For each leaf, whether it is a field of an object whose type, or a base of it, is called ...Norm."""
    in_norms = []
    for path, _ in jax.tree_util.tree_flatten_with_path(params)[0]:
        owner: PyTree = params
        for key in path[:-1]:
            owner = _child(owner, key)
        in_norms.append(isinstance(path[-1] if path else None, jax.tree_util.GetAttrKey) and _is_norm(owner))
    return in_norms


def _is_norm(owner: object) -> bool:
    return any(base.__name__.endswith("Norm") for base in type(owner).__mro__)


def _child(node: PyTree, key: object) -> PyTree:
    """The child of a node at a key of a path; None if the node has no such access."""
    if isinstance(key, jax.tree_util.GetAttrKey):
        return getattr(node, key.name, None)
    if isinstance(key, jax.tree_util.DictKey | jax.tree_util.SequenceKey) and isinstance(node, dict | list | tuple):
        return node[key.key if isinstance(key, jax.tree_util.DictKey) else key.idx]
    return None


def _show(where: Where) -> str:
    return f"the names {sorted(where)}" if isinstance(where, frozenset) else repr(where)
