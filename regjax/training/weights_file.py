"""Weights in a file that NumPy alone reads: one array for each leaf, under its path in the tree."""

from __future__ import annotations

from pathlib import Path

import jax
import numpy as np

from regjax.core.errors import InputError
from regjax.core.typing import PyTree


def write_weights(weights: PyTree, path: Path) -> None:
    """Write the arrays of a tree to an `.npz`, such as `params/Dense_0/kernel`.

    Args:
      weights: the tree.
      path: the file, which is replaced.
    """
    np.savez(path, **named_arrays(weights))


def read_weights(like: PyTree, path: Path) -> PyTree:
    """Read a tree that `write_weights` wrote.

    Args:
      like: a tree of the same structure, of arrays or of their shapes.
      path: the file.

    Raises:
      InputError: the file has other names, or arrays of other shapes.

    Example:
      >>> import tempfile
      >>> with tempfile.TemporaryDirectory() as folder:
      ...     file = Path(folder, "weights.npz")
      ...     write_weights({"a": np.ones(2)}, file)
      ...     read_weights({"a": np.zeros(2)}, file)
      {'a': array([1., 1.])}
    """
    wanted = named_arrays(like)
    with np.load(path, allow_pickle=False) as arrays:
        names = set(arrays.files)
        if names != set(wanted):
            other = sorted(names ^ set(wanted))
            raise InputError(f"{path.name}: the weights are of another model; {other[0]!r} is only in one of the two")
        found = {name: arrays[name] for name in wanted}
    for name, leaf in wanted.items():
        if found[name].shape != leaf.shape:
            raise InputError(f"{path.name}: {name} has shape {found[name].shape}, the model has {leaf.shape}")
    return jax.tree.unflatten(jax.tree.structure(like), list(found.values()))


def named_arrays(tree: PyTree) -> dict[str, PyTree]:
    """Return the leaves by their paths, as NumPy arrays unless they are shapes, in the order of the tree.

    Example:
      >>> list(named_arrays({"params": {"kernel": np.ones(2), "bias": np.ones(1)}}))
      ['params/bias', 'params/kernel']
    """
    leaves = jax.tree_util.tree_flatten_with_path(tree)[0]
    arrays = [leaf if isinstance(leaf, jax.ShapeDtypeStruct) else np.asarray(leaf) for _, leaf in leaves]
    names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
    return dict(zip(names, arrays, strict=True))
