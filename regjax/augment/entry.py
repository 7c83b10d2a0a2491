"""What augmentations share: they take arrays and batches, check them, and draw numbers for each example."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

import jax
import jax.numpy as jnp

from regjax.typing import Array, Batch, PRNGKey

Rest = ParamSpec("Rest")
Examples = TypeVar("Examples", Array, Batch)


def takes_batches(
    function: Callable[Concatenate[PRNGKey, Array, Rest], Array],
) -> Callable[Concatenate[PRNGKey, Examples, Rest], Examples]:
    """Lets a function of arrays take a `Batch` as well: its `x` is augmented, the rest stays.

    Args:
      function: `(key, x, ...) -> x` on arrays.

    Returns:
      The same function, on arrays and batches.
    """

    @functools.wraps(function)
    def wrapped(key: PRNGKey, x: Examples, *args: Rest.args, **kwargs: Rest.kwargs) -> Examples:
        if isinstance(x, Batch):
            return x._replace(x=function(key, x.x, *args, **kwargs))
        return function(key, x, *args, **kwargs)

    return wrapped


def check_images(name: str, x: Array) -> Array:
    """`x` as an array, if it is a batch of floating-point images.

    Raises:
      ValueError: names the function, what it got and what it accepts.
    """
    x = check_examples(name, x)
    if x.ndim != 4:
        raise ValueError(f"{name}: x must be images [B, H, W, C], got shape {x.shape}")
    return x


def check_examples(name: str, x: Array) -> Array:
    """`x` as an array, if it is a batch of floating-point examples.

    Raises:
      ValueError: names the function, what it got and what it accepts.
    """
    x = jnp.asarray(x)
    if x.ndim < 2:
        raise ValueError(f"{name}: x must be a batch [B, ...] of examples, got shape {x.shape}")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"{name}: x must be floating point (scale the pixels first), got {x.dtype}")
    return x


def draws(key: PRNGKey, shape: tuple[int, ...]) -> Array:
    """A few uniform numbers in [0, 1) for each example, `float32[shape]`.

    Not `regjax.bits`: what XLA can fuse it does fuse, and then computes the number of an example again for
    each of its pixels. The loop inside `jax.random` keeps the result apart.
    """
    return jax.random.uniform(key, shape, jnp.float32)
