"""Barriers for the CPU compiler: against recomputing cheap steps where they are read, and against copies of weights."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from regjax.core.typing import Array, ArrayLike, PRNGKey, PyTree


@functools.partial(jax.jit, static_argnames="step", inline=True)
def opaque_call(
    step: Callable[..., Array], key: PRNGKey, x: Array, magnitude: ArrayLike, *arguments: ArrayLike
) -> Array:
    """`step(key, x, magnitude, *arguments)`, as a unit that the CPU compiler neither splits nor merges.

    XLA would fuse a cheap step into each of its consumers and recompute it there: an augmentation for every pixel
    that the next one gathers (ten times the cost of both), the random bits of a dropout mask in both the forward and
    the backward pass (twice). A conditional is not fused, and it skips the step at magnitude 0. On accelerators the
    step runs as it is.

    Args:
      step: a function of a module, the identity at magnitude 0; not a closure, because it is part of the cache key.
      key: one key.
      x: the array that the step changes.
      magnitude: scalar; may be traced.
      *arguments: further arguments of `step`.

    Returns:
      Array like `x`.
    """

    def guarded(key: PRNGKey, x: Array, magnitude: Array, *arguments: ArrayLike) -> Array:
        # The barrier keeps a constant magnitude from being folded, which would remove the conditional.
        acts = lax.optimization_barrier(magnitude) > 0.0
        return lax.cond(acts, step, lambda key, x, *_: x, key, x, magnitude, *arguments)

    return lax.platform_dependent(key, x, jnp.asarray(magnitude, jnp.float32), *arguments, cpu=guarded, default=step)


def after_all(tree: PyTree) -> PyTree:
    """The same arrays, none of which the CPU compiler uses before it has all of them.

    A weight is updated in its own memory if nothing reads the old one any more. The backward pass reads it for the
    gradients of the layers below, and the compiler does not know that these come first: it would copy every weight but
    the first in each update. So each array is made to depend on a number of every array, in a way that it cannot see
    through and that costs nothing. On accelerators the arrays are returned as they are.

    Args:
      tree: arrays, such as gradients.

    Example:
      >>> after_all({"w": jnp.ones(2), "b": jnp.zeros(0)})["w"]
      Array([1., 1.], dtype=float32)
    """

    def tied(leaves: list[Array]) -> list[Array]:
        zero = functools.reduce(jnp.bitwise_or, map(_hidden_zero, leaves))
        return jax.tree.map(lambda leaf: jnp.where(zero == 0, leaf, jnp.zeros_like(leaf)), leaves)

    leaves, structure = jax.tree.flatten(tree)
    numbers = [i for i, leaf in enumerate(leaves) if leaf.size and jnp.issubdtype(leaf.dtype, jnp.floating)]
    if len(numbers) > 1:
        made = lax.platform_dependent([leaves[i] for i in numbers], cpu=tied, default=lambda leaves: leaves)
        for i, leaf in zip(numbers, made, strict=True):
            leaves[i] = leaf
    return jax.tree.unflatten(structure, leaves)


def _hidden_zero(leaf: Array) -> Array:
    """0, computed from the first number: its sign bit, shifted out. The compiler does not add up shifts."""
    unsigned = jnp.dtype(f"uint{8 * leaf.dtype.itemsize}")
    bits = lax.bitcast_convert_type(leaf.ravel()[0], unsigned)
    shift = unsigned.type(8 * leaf.dtype.itemsize - 1)
    return lax.shift_right_logical(lax.shift_right_logical(bits, shift), unsigned.type(1)).astype(jnp.uint8)
