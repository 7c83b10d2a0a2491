"""Proximal maps of single arrays: `prox_{t f}(w) = argmin_z 1/2 (z - w)^2 + t f(z)`."""

from __future__ import annotations

import jax.numpy as jnp

from regjax.typing import Array, ArrayLike


def soft_threshold(w: Array, threshold: ArrayLike) -> Array:
    """Proximal map of the L1 norm: `argmin_z 1/2 (z - w)^2 + threshold |z| = sign(w) max(|w| - threshold, 0)`.

    Entries with `|w| <= threshold` become exactly zero.

    Args:
      w: array of any shape.
      threshold: >= 0; a scalar or an array that broadcasts against `w`.

    Returns:
      Array like `w`, in its dtype.

    Example:
      >>> soft_threshold(jnp.array([-2.0, 0.5, 3.0]), 1.0)
      Array([-1.,  0.,  2.], dtype=float32)

    Reference:
      Tibshirani, Regression shrinkage and selection via the lasso, 1996.
    """
    threshold = jnp.asarray(threshold)
    if jnp.iscomplexobj(w):  # shrinks the modulus
        return (jnp.sign(w) * jnp.maximum(jnp.abs(w) - threshold, 0)).astype(w.dtype)
    # Moreau: w minus its projection onto [-threshold, threshold], half the arithmetic of the form above.
    return (w - jnp.maximum(jnp.minimum(w, threshold), -threshold)).astype(w.dtype)


def elastic(w: Array, l1: ArrayLike, l2: ArrayLike) -> Array:
    """Proximal map of `l1 |z| + l2 z^2`: `soft_threshold(w, l1) / (1 + 2 l2)`.

    Args:
      w: array of any shape.
      l1: step times the weight of `|z|`, >= 0; broadcasts against `w`.
      l2: step times the weight of `z^2`, >= 0; broadcasts against `w`.

    Returns:
      Array like `w`, in its dtype.

    Example:
      >>> elastic(jnp.array([-2.0, 0.5, 3.0]), 1.0, 0.5)
      Array([-0.5,  0. ,  1. ], dtype=float32)

    Reference:
      Zou and Hastie, Regularization and variable selection via the elastic net, 2005.
    """
    return (soft_threshold(w, l1) / (1 + 2 * jnp.asarray(l2))).astype(w.dtype)
