"""Geometric augmentations with one parameter: shift, pad_crop, flip, rotate, shear, scale."""

from __future__ import annotations

import jax.numpy as jnp

from regjax.augment.batched import (
    applied,
    check_fill,
    check_images,
    check_numbers,
    draws,
    over,
    signed,
    takes_batches,
    variant,
)
from regjax.augment.resample import (
    INTERPOLATIONS,
    PADDINGS,
    rotated,
    scaled,
    sheared,
    shifted,
)
from regjax.core.checks import check_choice
from regjax.core.typing import Array, ArrayLike, PRNGKey


@takes_batches
def shift(key: PRNGKey, x: Array, max_pixels: ArrayLike, fill: ArrayLike = 0.0, probability: ArrayLike = 1.0) -> Array:
    """Shifts each image by independent whole numbers of pixels along both axes.

      d = round(v (max_pixels + 1/2)),  v uniform in [-1, 1)

    For a whole `max_pixels = m` that is uniform over {-m, ..., m}; between whole numbers the largest shift
    becomes more frequent gradually.

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      max_pixels: scalar >= 0, in pixels; may be traced. 0 is the identity.
      fill: what enters at the borders, one number or `[C]`.
      probability: scalar in [0, 1], that an image is changed; may be traced.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> x = jnp.arange(4.0).reshape(1, 2, 2, 1)
      >>> bool((shift(jax.random.key(0), x, 0) == x).all())
      True
    """
    x = check_moved("shift", x, fill)
    check_numbers("shift", "max_pixels", max_pixels, probability)
    return applied(variant(_shift, padding="constant"), key, x, max_pixels, probability, fill)


@takes_batches
def pad_crop(
    key: PRNGKey,
    x: Array,
    pad: ArrayLike,
    fill: ArrayLike = 0.0,
    probability: ArrayLike = 1.0,
    padding: str = "constant",
) -> Array:
    """Pads each image on all sides and crops it to its size at a random position: a `shift` with a choice of padding.

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      pad: scalar >= 0, in pixels; may be traced, and need not be whole (see `shift`). 0 is the identity.
      fill: what is padded with, one number or `[C]`.
      probability: scalar in [0, 1], that an image is changed; may be traced.
      padding: `"constant"` pads with `fill`, `"edge"` with the border, `"reflect"` with the mirrored image.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, another padding, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> x = jnp.ones((1, 4, 4, 1), jnp.uint8)
      >>> int(pad_crop(jax.random.key(0), x, 2, padding="reflect").min())
      1

    Reference: Deeply-Supervised Nets (Lee et al., 2015), as Deep Residual Learning (He et al., 2016) cites it.
    """
    x = check_moved("pad_crop", x, fill)
    check_choice("pad_crop: padding", padding, PADDINGS)
    check_numbers("pad_crop", "pad", pad, probability)
    return applied(variant(_shift, padding=padding), key, x, pad, probability, fill)


def _shift(key: PRNGKey, x: Array, limit: Array, fill: ArrayLike, *, padding: str) -> Array:
    offsets = jnp.round(signed(key, (2, x.shape[0])) * (limit + 0.5))
    # At the very end of the interval, rounding could reach one pixel too far.
    offsets = jnp.clip(offsets, -jnp.ceil(limit), jnp.ceil(limit)).astype(jnp.int32)
    return shifted(x, offsets[0], offsets[1], fill, padding)


@takes_batches
def flip(key: PRNGKey, x: Array, probability: ArrayLike = 0.5) -> Array:
    """Mirrors each image left to right with a given probability.

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      probability: scalar in [0, 1]; may be traced. 0 is the identity.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete `probability` is outside [0, 1], or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> flip(jax.random.key(0), jnp.array([1.0, 2.0]).reshape(1, 1, 2, 1), 1.0).ravel()
      Array([2., 1.], dtype=float32)
    """
    x = check_images("flip", x)
    check_numbers("flip", "probability", probability, 1.0, 1.0)
    return applied(_flip, key, x, probability, 1.0, high=1.0)


def _flip(key: PRNGKey, x: Array, probability: Array) -> Array:
    return jnp.where(over(draws(key, x.shape[:1]) < probability, x), x[:, :, ::-1], x)


@takes_batches
def rotate(
    key: PRNGKey,
    x: Array,
    max_degrees: ArrayLike,
    fill: ArrayLike = 0.0,
    probability: ArrayLike = 1.0,
    interpolation: str = "bilinear",
) -> Array:
    """Rotates each image about its center by an angle uniform in [-max_degrees, max_degrees]: `rotated`.

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      max_degrees: scalar >= 0, in degrees; may be traced. 0 is the identity.
      fill: value outside the image, one number or `[C]`.
      probability: scalar in [0, 1], that an image is changed; may be traced.
      interpolation: `"bilinear"` or `"nearest"`.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> rotate(jax.random.key(0), jnp.ones((1, 5, 5, 1)), 15.0)[0, 2, 2, 0]
      Array(1., dtype=float32)
    """
    x = check_moved("rotate", x, fill, interpolation)
    check_numbers("rotate", "max_degrees", max_degrees, probability)
    return applied(variant(_rotate, interpolation=interpolation), key, x, max_degrees, probability, fill)


def _rotate(key: PRNGKey, x: Array, max_degrees: Array, fill: ArrayLike, *, interpolation: str) -> Array:
    return rotated(x, max_degrees * signed(key, x.shape[:1]), fill, interpolation)


@takes_batches
def shear(
    key: PRNGKey,
    x: Array,
    max_slope: ArrayLike,
    fill: ArrayLike = 0.0,
    probability: ArrayLike = 1.0,
    interpolation: str = "bilinear",
) -> Array:
    """Slants each image along both axes by independent slopes uniform in [-max_slope, max_slope]: `sheared`.

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      max_slope: scalar >= 0, pixels along one axis for each along the other; may be traced. 0 is the identity.
      fill: value outside the image, one number or `[C]`.
      probability: scalar in [0, 1], that an image is changed; may be traced.
      interpolation: `"bilinear"` or `"nearest"`.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> shear(jax.random.key(0), jnp.ones((1, 5, 5, 1)), 0.3)[0, 2, 2, 0]
      Array(1., dtype=float32)
    """
    x = check_moved("shear", x, fill, interpolation)
    check_numbers("shear", "max_slope", max_slope, probability)
    return applied(variant(_shear, interpolation=interpolation), key, x, max_slope, probability, fill)


def _shear(key: PRNGKey, x: Array, max_slope: Array, fill: ArrayLike, *, interpolation: str) -> Array:
    down, right = max_slope * signed(key, (2, x.shape[0]))
    return sheared(x, down, right, fill, interpolation)


@takes_batches
def scale(
    key: PRNGKey,
    x: Array,
    max_change: ArrayLike,
    fill: ArrayLike = 0.0,
    probability: ArrayLike = 1.0,
    interpolation: str = "bilinear",
) -> Array:
    """Enlarges or reduces each image about its center: `scaled`.

      factor = (1 + max_change)^v,  v uniform in [-1, 1)

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      max_change: scalar >= 0; may be traced. 0 is the identity, 1 goes from half to twice the size.
      fill: value outside the image, one number or `[C]`.
      probability: scalar in [0, 1], that an image is changed; may be traced.
      interpolation: `"bilinear"` or `"nearest"`.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> scale(jax.random.key(0), jnp.ones((1, 5, 5, 1)), 0.3)[0, 2, 2, 0]
      Array(1., dtype=float32)
    """
    x = check_moved("scale", x, fill, interpolation)
    check_numbers("scale", "max_change", max_change, probability)
    return applied(variant(_scale, interpolation=interpolation), key, x, max_change, probability, fill)


def _scale(key: PRNGKey, x: Array, max_change: Array, fill: ArrayLike, *, interpolation: str) -> Array:
    return scaled(x, (1.0 + max_change) ** signed(key, x.shape[:1]), fill, interpolation)


def check_moved(name: str, x: Array, fill: ArrayLike, interpolation: str = "bilinear") -> Array:
    """Check that `x` is a batch of images and the other arguments fit, and return it as an array.

    Raises:
      ValueError: names the function, the argument, what it got and what it accepts.
    """
    x = check_images(name, x)
    check_fill(name, fill, x)
    check_choice(f"{name}: interpolation", interpolation, INTERPOLATIONS)
    return x
