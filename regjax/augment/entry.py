"""What augmentations share: they take arrays and batches, check them, draw for each example and leave some alone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.checks import check_range
from regjax.core.opaque import opaque_call
from regjax.core.rng import stream
from regjax.core.typing import Array, ArrayLike, Batch, PRNGKey

Rest = ParamSpec("Rest")
Examples = TypeVar("Examples", Array, Batch)
Transform = Callable[..., Array]  # `(key, x, magnitude, ...) -> x`

LARGEST = 1e6  # a traced magnitude above it counts as this: no product with a pixel or a coordinate overflows


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
    """`x` as an array, if it is a batch of images.

    Raises:
      ValueError: names the function, what it got and what it accepts.
    """
    x = check_examples(name, x)
    if x.ndim != 4:
        raise ValueError(f"{name}: x must be images [B, H, W, C], got shape {x.shape}")
    return x


def check_rows(name: str, x: Array) -> Array:
    """`x` as an array, if it is a batch of rows of a table.

    Raises:
      ValueError: names the function, what it got and what it accepts.
    """
    x = check_examples(name, x)
    if x.ndim != 2 or x.dtype == jnp.uint8:
        raise ValueError(f"{name}: x must be rows float[B, F] of a table, got {x.dtype}{list(x.shape)}")
    return x


def check_examples(name: str, x: Array) -> Array:
    """`x` as an array, if it is a batch of examples in uint8 or floating point.

    Raises:
      ValueError: names the function, what it got and what it accepts.
    """
    x = jnp.asarray(x)
    if x.ndim < 2:
        raise ValueError(f"{name}: x must be a batch [B, ...] of examples, got shape {x.shape}")
    if x.dtype != jnp.uint8 and not jnp.issubdtype(x.dtype, jnp.floating):
        raise ValueError(f"{name}: x must be uint8 or floating point, got {x.dtype}")
    return x


def check_numbers(name: str, argument: str, magnitude: ArrayLike, probability: ArrayLike, high: float = np.inf) -> None:
    """Refuse a magnitude outside [0, high] or a probability outside [0, 1]; of traced ones only the shape is known.

    Raises:
      ValueError: names the function, the argument, what it got and what it accepts.
    """
    for label, value, limit in ((argument, magnitude, high), ("probability", probability, 1.0)):
        check_range(f"{name}: {label}", value, 0.0, limit, high_open=limit == np.inf)
        if np.ndim(value):
            raise ValueError(f"{name}: {label} must be one number for the batch, got shape {np.shape(value)}")


def check_channels(name: str, argument: str, value: ArrayLike, x: Array) -> None:
    """Refuse what is neither one number nor one for each channel of `x`.

    Raises:
      ValueError: names the argument, what it got and what it accepts.
    """
    if np.shape(value) not in ((), (1,), (x.shape[-1],)):
        raise ValueError(
            f"{name}: {argument} must be one number or one for each of {x.shape[-1]} channels, "
            f"got shape {np.shape(value)}"
        )


def applied(
    step: Transform,
    key: PRNGKey,
    x: Array,
    magnitude: ArrayLike,
    probability: ArrayLike,
    *rest: ArrayLike,
    high: float = LARGEST,
) -> Array:
    """`step` on the examples that draw it; the others, and all at magnitude 0, stay bit for bit.

    A traced `magnitude` or `probability` out of range cannot be refused. Then a negative or NaN one acts as 0, a
    larger probability as 1 and a larger magnitude as `high`, so that the result is finite.

    Args:
      step: `(key, x, magnitude, *rest) -> x`, a function of a module or a `variant` of one.
      key: one key.
      x: examples `[B, ...]`.
      magnitude: scalar >= 0; may be traced.
      probability: scalar in [0, 1], that an example is changed; may be traced.
      *rest: further arrays for `step`.
      high: largest magnitude that `step` sees.

    Returns:
      Array like `x`.
    """
    return opaque_call(_gated(step, high), key, x, magnitude, probability, *rest)


@functools.cache
def _gated(step: Transform, high: float) -> Transform:
    def gated(key: PRNGKey, x: Array, magnitude: Array, probability: Array, *rest: ArrayLike) -> Array:
        chosen = (draws(stream(key, "applied"), (x.shape[0],)) < probability) & (magnitude > 0.0)
        changed = step(key, x, jnp.clip(magnitude, 0.0, np.float32(high)), *rest)
        return jnp.where(over(chosen, x), changed, x)

    return gated


@functools.cache
def variant(step: Transform, **options: Any) -> Transform:
    """`step` with static options: the same object for the same options, so that it is compiled once."""
    return functools.partial(step, **options)


def over(values: Array, x: Array) -> Array:
    """One value for each example `[B]`, shaped to broadcast against `x` `[B, ...]`."""
    return values.reshape(values.shape[0], *[1] * (x.ndim - 1))


def draws(key: PRNGKey, shape: tuple[int, ...]) -> Array:
    """A few uniform numbers in [0, 1) for each example, `float32[shape]`.

    Not `regjax.core.random_bits`: what XLA can fuse it does fuse, and then computes the number of an example again for
    each of its pixels. The loop inside `jax.random` keeps the result apart.
    """
    return jax.random.uniform(key, shape, jnp.float32)


def signed(key: PRNGKey, shape: tuple[int, ...]) -> Array:
    """Uniform numbers in [-1, 1), `float32[shape]`."""
    return 2.0 * draws(key, shape) - 1.0
