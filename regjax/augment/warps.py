"""Affine maps and elastic distortion of images."""

from __future__ import annotations

import jax.numpy as jnp
import numpy as np

from regjax.augment.batched import applied, check_numbers, signed, takes_batches, variant
from regjax.augment.geometry import check_moved
from regjax.augment.resample import affined, displaced, matrix
from regjax.core import random_bits as bits
from regjax.core.checks import check_range
from regjax.core.rng import FIELD, stream
from regjax.core.typing import Array, ArrayLike, PRNGKey


@takes_batches
def affine(
    key: PRNGKey,
    x: Array,
    magnitude: ArrayLike,
    fill: ArrayLike = 0.0,
    probability: ArrayLike = 1.0,
    interpolation: str = "bilinear",
    degrees: ArrayLike = 30.0,
    share: ArrayLike = 0.1,
    change: ArrayLike = 0.2,
    slope: ArrayLike = 0.2,
) -> Array:
    """Rotates, shears, scales and shifts each image, in one interpolation.

      A = R(m a) [[1, m s], [0, 1]] / (1 + m c)^v,   t = m share (H, W),   a, s, v and t symmetric and uniform

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      magnitude: scalar m >= 0 that multiplies all that follows; may be traced. 0 is the identity.
      fill: value outside the image, one number or `[C]`.
      probability: scalar in [0, 1], that an image is changed; may be traced.
      interpolation: `"bilinear"` or `"nearest"`.
      degrees: largest angle at magnitude 1.
      share: largest shift at magnitude 1, as a share of the side.
      change: largest change of scale at magnitude 1, as in `scale`.
      slope: largest slope of the shear at magnitude 1.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> affine(jax.random.key(0), jnp.ones((1, 5, 5, 1)), 1.0)[0, 2, 2, 0]
      Array(1., dtype=float32)
    """
    x = check_moved("affine", x, fill, interpolation)
    check_numbers("affine", "magnitude", magnitude, probability)
    limits = {"degrees": degrees, "share": share, "change": change, "slope": slope}
    for name, limit in limits.items():
        check_numbers("affine", name, limit, probability)
    transform = variant(_affine, interpolation=interpolation)
    return applied(transform, key, x, magnitude, probability, fill, *limits.values())


def _affine(
    key: PRNGKey, x: Array, magnitude: Array, fill: ArrayLike, degrees: ArrayLike, share: ArrayLike,
    change: ArrayLike, slope: ArrayLike, *, interpolation: str,
) -> Array:  # fmt: skip
    turn, size, slant, down, right = signed(key, (5, x.shape[0]))
    angle = turn * magnitude * degrees * np.float32(np.pi / 180.0)
    shrink = (1.0 + magnitude * change) ** -size
    cosine, sine, slant = shrink * jnp.cos(angle), shrink * jnp.sin(angle), slant * magnitude * slope
    down, right = down * magnitude * share * x.shape[1], right * magnitude * share * x.shape[2]
    matrices = matrix(cosine, cosine * slant + sine, -sine, cosine - sine * slant, down, right)
    return affined(x, matrices, fill, interpolation)


@takes_batches
def elastic(
    key: PRNGKey,
    x: Array,
    pixels: ArrayLike,
    fill: ArrayLike = 0.0,
    probability: ArrayLike = 1.0,
    interpolation: str = "bilinear",
    sigma: ArrayLike = 4.0,
) -> Array:
    """Distorts each image by a smooth random field: `displaced` by white noise under a Gaussian window.

      d = pixels * A n B',   n_ij ~ N(0, 1),   A_ik = exp(-(i - k)^2 / (2 sigma^2)), rows of A and B of length 1

    so that every displacement is normal with standard deviation `pixels`, at the border too.

    Args:
      key: one key.
      x: images `[B, H, W, C]`, uint8 or floating point.
      pixels: scalar >= 0, standard deviation of the displacement along each axis; may be traced. 0 is the identity.
      fill: value outside the image, one number or `[C]`.
      probability: scalar in [0, 1], that an image is changed; may be traced.
      interpolation: `"bilinear"` or `"nearest"`.
      sigma: width of the window in pixels, > 0; may be traced.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of images.

    Example:
      >>> import jax
      >>> elastic(jax.random.key(0), jnp.ones((1, 9, 9, 1)), 0.5)[0, 4, 4, 0]
      Array(1., dtype=float32)

    Reference: Best Practices for Convolutional Neural Networks Applied to Visual Document Analysis
    (Simard et al., 2003).
    """
    x = check_moved("elastic", x, fill, interpolation)
    check_numbers("elastic", "pixels", pixels, probability)
    check_range("elastic: sigma", sigma, 0.0, low_open=True, high_open=True)
    return applied(variant(_elastic, interpolation=interpolation), key, x, pixels, probability, fill, sigma)


def _elastic(key: PRNGKey, x: Array, pixels: Array, fill: ArrayLike, sigma: ArrayLike, *, interpolation: str) -> Array:
    batch, height, width = x.shape[:3]
    noise = bits.random_normal(stream(key, FIELD), (2 * batch, height, width))
    rows, columns = _window(height, sigma), _window(width, sigma)
    smooth = pixels * jnp.einsum("ik,bkl,jl->bij", rows, noise, columns)
    return displaced(x, smooth[:batch], smooth[batch:], fill, interpolation)


def _window(size: int, sigma: ArrayLike) -> Array:
    """Gaussian weights between any two positions along a side, each row of norm 1: `float32[size, size]`."""
    position = np.arange(size, dtype=np.float32)
    width = jnp.maximum(jnp.asarray(sigma, jnp.float32), np.float32(1e-3))
    weights = jnp.exp(-0.5 * jnp.square((position[:, None] - position) / width))
    return weights / jnp.linalg.norm(weights, axis=1, keepdims=True)
