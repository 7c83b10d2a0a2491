"""Shared by all augmentations: arrays and batches as input, checks, and random choice of the examples to change."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from regjax.core.barrier import opaque_call
from regjax.core.checks import check_range
from regjax.core.rng import APPLIED, stream
from regjax.core.typing import Array, ArrayLike, Batch, PRNGKey

Arguments = ParamSpec("Arguments")
Examples = TypeVar("Examples", Array, Batch)
Transform = Callable[..., Array]  # `(key, x, magnitude, ...) -> x`

LARGEST = 1e6  # traced magnitudes are clipped to this, so that no product with a pixel or a coordinate overflows


def takes_batches(
    function: Callable[Concatenate[PRNGKey, Array, Arguments], Array],
) -> Callable[Concatenate[PRNGKey, Examples, Arguments], Examples]:
    """Make a function of arrays also accept a `Batch`, of which it changes only `x`.

    Args:
      function: `(key, x, ...) -> x` on arrays.

    Returns:
      The same function, on arrays and batches.
    """

    @functools.wraps(function)
    def wrapped(key: PRNGKey, x: Examples, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Examples:
        if isinstance(x, Batch):
            return x._replace(x=function(key, x.x, *args, **kwargs))
        return function(key, x, *args, **kwargs)

    return wrapped  # type: ignore[return-value]  # functools.wraps names the arguments


def check_images(name: str, x: Array) -> Array:
    """Check that `x` is a batch of images, and return it as an array.

    Raises:
      ValueError: names the function, what it got and what it accepts.
    """
    x = check_examples(name, x)
    if x.ndim != 4:
        raise ValueError(f"{name}: x must be images [B, H, W, C], got shape {x.shape}")
    return x


def check_rows(name: str, x: Array) -> Array:
    """Check that `x` is a batch of rows of a table, and return it as an array.

    Raises:
      ValueError: names the function, what it got and what it accepts.
    """
    x = check_examples(name, x)
    if x.ndim != 2 or x.dtype == jnp.uint8:
        raise ValueError(f"{name}: x must be rows float[B, F] of a table, got {x.dtype}{list(x.shape)}")
    return x


def check_examples(name: str, x: Array) -> Array:
    """Check that `x` is a batch of examples in uint8 or floating point, and return it as an array.

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
    """Refuse a magnitude outside [0, high] or a probability outside [0, 1]; of traced numbers only shapes are checked.

    Raises:
      ValueError: names the function, the argument, what it got and what it accepts.
    """
    for label, value, limit in ((argument, magnitude, high), ("probability", probability, 1.0)):
        check_range(f"{name}: {label}", value, 0.0, limit, high_open=limit == np.inf)
        if np.ndim(value):
            raise ValueError(f"{name}: {label} must be one number for the batch, got shape {np.shape(value)}")


def check_fill(name: str, fill: ArrayLike, x: Array) -> None:
    """Refuse anything but a single number, or one for each channel of `x`, that a pixel of `x` can hold.

    Raises:
      ValueError: names the function, what it got and what it accepts.
    """
    if np.shape(fill) not in ((), (1,), (x.shape[-1],)):
        raise ValueError(
            f"{name}: fill must be one number or one for each of {x.shape[-1]} channels, got shape {np.shape(fill)}"
        )
    if x.dtype == jnp.uint8:
        check_range(f"{name}: fill", fill, 0.0, 255.0)


def applied(
    transform: Transform,
    key: PRNGKey,
    x: Array,
    magnitude: ArrayLike,
    probability: ArrayLike,
    *arguments: ArrayLike,
    high: float = LARGEST,
) -> Array:
    """Apply a transform to randomly chosen examples; all others, and all at magnitude 0, stay the same bit for bit.

    A traced `magnitude` or `probability` out of range cannot be refused: negative values and NaN act as 0, a larger
    probability as 1 and a larger magnitude as `high`, so that the result is finite.

    Args:
      transform: `(key, x, magnitude, *arguments) -> x`, a function of a module or a `variant` of one.
      key: one key.
      x: examples `[B, ...]`.
      magnitude: scalar >= 0; may be traced.
      probability: scalar in [0, 1], that an example is changed; may be traced.
      *arguments: further arrays for `transform`.
      high: largest magnitude that is passed to `transform`.

    Returns:
      Array like `x`.
    """
    return opaque_call(_gated(transform, high), key, x, magnitude, probability, *arguments)


@functools.cache
def _gated(transform: Transform, high: float) -> Transform:
    def gated(key: PRNGKey, x: Array, magnitude: Array, probability: Array, *arguments: ArrayLike) -> Array:
        chosen = (draws(stream(key, APPLIED), (x.shape[0],)) < probability) & (magnitude > 0.0)
        changed = transform(key, x, jnp.clip(magnitude, 0.0, np.float32(high)), *arguments)
        return jnp.where(over(chosen, x), changed, x)

    return gated


@functools.cache
def variant(transform: Transform, **options: Any) -> Transform:
    """A transform with static options; the same options give the same object, so that it is compiled once."""
    return functools.partial(transform, **options)


def over(values: Array, x: Array) -> Array:
    """Reshape one value for each example `[B]` to broadcast against `x` `[B, ...]`."""
    return values.reshape(values.shape[0], *[1] * (x.ndim - 1))


def draws(key: PRNGKey, shape: tuple[int, ...]) -> Array:
    """A few uniform numbers in [0, 1) for each example, `float32[shape]`.

    These are not from `regjax.core.random_bits`, which XLA would fuse, so that the number of an example would be
    recomputed for each of its pixels. The loop inside `jax.random` prevents that.
    """
    return jax.random.uniform(key, shape, jnp.float32)


def signed(key: PRNGKey, shape: tuple[int, ...]) -> Array:
    """Uniform numbers in [-1, 1), `float32[shape]`."""
    return 2.0 * draws(key, shape) - 1.0
