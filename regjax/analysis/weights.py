"""Trained weights: their fingerprint, and the fraction that is exactly zero."""

from __future__ import annotations

import hashlib

import jax
import numpy as np

from regjax.core.tree import leaf_names, weight_leaves
from regjax.core.typing import ArrayLike, PyTree


def params_sha256(params: PyTree) -> str:
    """SHA-256 of the names, dtypes, shapes and bytes of all leaves; equal for weights that are equal bit for bit.

    Example:
      >>> zeros, ones = np.zeros(2, np.float32), np.ones(2, np.float32)
      >>> params_sha256({"w": zeros}) == params_sha256({"w": zeros.copy()})
      True
      >>> params_sha256({"w": zeros}) == params_sha256({"w": ones})
      False
    """
    digest = hashlib.sha256()
    for name, leaf in zip(leaf_names(params), jax.tree.leaves(params), strict=True):
        array = np.ascontiguousarray(leaf)
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def zero_fraction(params: PyTree) -> float:
    """Fraction of the weights that are exactly zero; weights are as in `regjax.core.tree.weight_leaves`.

    Example:
      >>> zero_fraction({"kernel": np.array([[0.0, 1.0]], np.float32)})
      0.5
    """
    return share_of_zeros(*weight_leaves(params))


def share_of_zeros(*arrays: ArrayLike) -> float:
    """Fraction of the elements of all arrays that are exactly zero; 0 if there are no elements.

    Example:
      >>> share_of_zeros(np.zeros(1), np.arange(3))
      0.5
    """
    size = sum(np.size(array) for array in arrays)
    return sum(int(np.sum(np.asarray(array) == 0)) for array in arrays) / max(size, 1)
