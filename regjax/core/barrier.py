"""An optimization barrier for the CPU compiler, which would otherwise recompute cheap steps wherever they are read."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from regjax.core.typing import Array, ArrayLike, PRNGKey


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
