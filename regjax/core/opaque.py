"""An optimization barrier for the CPU compiler, which would otherwise compute cheap steps again where they are read."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from regjax.core.typing import Array, ArrayLike, PRNGKey


@functools.partial(jax.jit, static_argnames="step", inline=True)
def opaque_call(step: Callable[..., Array], key: PRNGKey, x: Array, magnitude: ArrayLike, *rest: ArrayLike) -> Array:
    """`step(key, x, magnitude, *rest)`, as a unit that the CPU compiler neither splits nor merges.

    Left alone, XLA fuses a cheap step into everything that reads it and computes it again there: an augmentation
    for every pixel that the next one gathers (ten times the sum of both), the random bits of a dropout mask in the
    forward and again in the backward pass (twice). A conditional is not fused, and it skips the step at
    magnitude 0. Accelerators run the step as it is.

    Args:
      step: a function of the module (not a closure: it is part of the cache key), the identity at 0.
      key: one key.
      x: what the step changes.
      magnitude: scalar; may be traced.
      *rest: further arguments of `step`.

    Returns:
      Array like `x`.
    """

    def guarded(key: PRNGKey, x: Array, magnitude: Array, *rest: ArrayLike) -> Array:
        # Behind the barrier a constant magnitude is not folded, which would remove the conditional.
        acts = lax.optimization_barrier(magnitude) > 0.0
        return lax.cond(acts, step, lambda key, x, *_: x, key, x, magnitude, *rest)

    return lax.platform_dependent(key, x, jnp.asarray(magnitude, jnp.float32), *rest, cpu=guarded, default=step)
