"""Policies that choose operations for each image: RandAugment, TrivialAugment, AugMix.

Magnitudes are on the scale of the papers, where 10 is an operation at full strength.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax

from regjax.augment.batched import applied, check_fill, check_numbers, draws, over, takes_batches, variant
from regjax.augment.levels import check_colors
from regjax.augment.operations import OPERATIONS, STANDARD, WIDE, operated
from regjax.core.rng import LENGTH, MIX, OPERATION, SIGN, STRENGTH, WEIGHTS, stream
from regjax.core.typing import Array, ArrayLike, PRNGKey

FULL = 10.0
AUGMIX = (
    *("autocontrast", "equalize", "posterize", "rotate", "solarize"),
    *("shear_x", "shear_y", "translate_x", "translate_y"),
)
"""The operations of AugMix, none of which overlaps with the corruptions of ImageNet-C."""


@takes_batches
def rand_augment(
    key: PRNGKey,
    x: Array,
    magnitude: ArrayLike,
    fill: ArrayLike = 0.0,
    probability: ArrayLike = 1.0,
    layers: int = 2,
) -> Array:
    """RandAugment: operations drawn from 14 for each image and applied in turn, all with one magnitude.

    The operations are those of PIL: identity, autocontrast, equalize, rotate, solarize, posterize, saturation,
    contrast, brightness, sharpness, shear and translate along either axis, with nearest-neighbour sampling.
    If an operation has two directions, both are equally likely. At magnitude 10: 30 degrees, slope 0.3, 45% of the
    side, factors 0.1 or 1.9, 4 bits, all levels inverted; linear in between, so that posterize and solarize grow
    with the magnitude (in the first published code they shrink), and at 0 nothing is changed.

    Args:
      key: one key.
      x: images `[B, H, W, C]`, gray or RGB, uint8 or floating point.
      magnitude: scalar in [0, 10]; may be traced. 0 is the identity. torchvision counts to 30 instead.
      fill: value outside the image, one number or `[C]`.
      probability: scalar in [0, 1], that an image is changed; may be traced.
      layers: number of operations, >= 1.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of gray or RGB images.

    Example:
      >>> rand_augment(jax.random.key(0), jnp.zeros((4, 8, 8, 3), jnp.uint8), 9).shape
      (4, 8, 8, 3)

    Reference: RandAugment: Practical Automated Data Augmentation with a Reduced Search Space (Cubuk et al., 2020).
    """
    x = _check("rand_augment", x, magnitude, fill, probability)
    _check_count("rand_augment", "layers", layers)
    transform = variant(_rand_augment, layers=layers)
    return applied(transform, key, x, magnitude, probability, fill, high=FULL)


def _rand_augment(key: PRNGKey, x: Array, magnitude: Array, fill: Array, *, layers: int) -> Array:
    shape = (layers, x.shape[0])
    choices = _choices(stream(key, OPERATION), shape, len(OPERATIONS))
    strengths = _with_sign(key, jnp.full(shape, magnitude / FULL))
    return _in_turn(x, choices, strengths, OPERATIONS, fill)


@takes_batches
def trivial_augment(
    key: PRNGKey,
    x: Array,
    magnitude: ArrayLike,
    fill: ArrayLike = 0.0,
    probability: ArrayLike = 1.0,
    wide: bool = True,
) -> Array:
    """TrivialAugment: one operation for each image, with a magnitude uniform in [0, magnitude].

    The operations are those of `rand_augment`. In the wide space, at magnitude 10: 135 degrees, slope 0.99, the
    whole side, factors 0.01 or 1.99, 6 bits, all levels inverted.

    Args:
      key: one key.
      x: images `[B, H, W, C]`, gray or RGB, uint8 or floating point.
      magnitude: scalar in [0, 10], the largest that is drawn; may be traced. 0 is the identity, 10 the paper.
      fill: value outside the image, one number or `[C]`.
      probability: scalar in [0, 1], that an image is changed; may be traced.
      wide: whether to use the wide space of the paper, or that of `rand_augment`.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of gray or RGB images.

    Example:
      >>> trivial_augment(jax.random.key(0), jnp.zeros((4, 8, 8, 3), jnp.uint8), 10).shape
      (4, 8, 8, 3)

    Reference: TrivialAugment: Tuning-free Yet State-of-the-Art Data Augmentation (Müller & Hutter, 2021).
    """
    x = _check("trivial_augment", x, magnitude, fill, probability)
    transform = variant(_trivial_augment, wide=bool(wide))
    return applied(transform, key, x, magnitude, probability, fill, high=FULL)


def _trivial_augment(key: PRNGKey, x: Array, magnitude: Array, fill: Array, *, wide: bool) -> Array:
    choices = _choices(stream(key, OPERATION), x.shape[:1], len(OPERATIONS))
    strengths = _with_sign(key, magnitude / FULL * draws(stream(key, STRENGTH), x.shape[:1]))
    return operated(x, choices, strengths, OPERATIONS, fill, space=WIDE if wide else STANDARD)


@takes_batches
def aug_mix(
    key: PRNGKey,
    x: Array,
    magnitude: ArrayLike,
    fill: ArrayLike = 0.0,
    probability: ArrayLike = 1.0,
    width: int = 3,
    depth: int = 3,
) -> Array:
    """AugMix: mixes each image with a mean over chains of operations.

      y = (1 - m) x + m sum_i w_i chain_i(x),   m ~ Beta(1, 1),   w ~ Dirichlet(1, ..., 1)

    Each of `width` chains is 1 to `depth` operations long, with magnitudes uniform in [1, magnitude]
    (or equal to it, below 1), all drawn for each image. The consistency loss of the paper, a divergence between the
    predictions on several such images, is not included.

    Args:
      key: one key.
      x: images `[B, H, W, C]`, gray or RGB, uint8 (then rounded) or floating point.
      magnitude: scalar in [0, 10]; may be traced. 0 is the identity; the paper uses 3, 1 on CIFAR in its code.
      fill: value outside the image, one number or `[C]`.
      probability: scalar in [0, 1], that an image is changed; may be traced.
      width: number of chains, >= 1.
      depth: largest length of a chain, >= 1.

    Returns:
      Images like `x`.

    Raises:
      ValueError: a concrete number out of range, or `x` is not a batch of gray or RGB images.

    Example:
      >>> aug_mix(jax.random.key(0), jnp.zeros((4, 8, 8, 3), jnp.uint8), 3).shape
      (4, 8, 8, 3)

    Reference: AugMix: A Simple Data Processing Method to Improve Robustness and Uncertainty
    (Hendrycks et al., 2020).
    """
    x = _check("aug_mix", x, magnitude, fill, probability)
    _check_count("aug_mix", "width", width)
    _check_count("aug_mix", "depth", depth)
    transform = variant(_aug_mix, width=width, depth=depth)
    return applied(transform, key, x, magnitude, probability, fill, high=FULL)


def _aug_mix(key: PRNGKey, x: Array, magnitude: Array, fill: Array, *, width: int, depth: int) -> Array:
    batch = x.shape[0]
    shape = (depth, width * batch)
    choices = _choices(stream(key, OPERATION), shape, len(AUGMIX))
    least = jnp.minimum(magnitude, 1.0)
    drawn = least + (magnitude - least) * draws(stream(key, STRENGTH), shape)
    # An operation beyond the length of its chain has strength 0, which is the identity.
    lengths = 1 + _choices(stream(key, LENGTH), shape[1:], depth)
    strengths = jnp.where(jnp.arange(depth)[:, None] < lengths, _with_sign(key, drawn / FULL), 0.0)
    chains = _in_turn(jnp.concatenate([x] * width), choices, strengths, AUGMIX, fill)
    # Exponential numbers divided by their sum are Dirichlet(1, ..., 1); the sum is never 0.
    weights = -jnp.log1p(-draws(stream(key, WEIGHTS), (width, batch))) + 1e-6
    weights = weights / weights.sum(0)
    mean = jnp.zeros(x.shape, jnp.float32)
    for weight, chain in zip(weights, jnp.split(chains, width), strict=True):
        mean = mean + over(weight, x) * chain.astype(jnp.float32)
    start = x.astype(jnp.float32)
    mixed = start + over(draws(stream(key, MIX), (batch,)), x) * (mean - start)
    return (jnp.round(mixed) if x.dtype == jnp.uint8 else mixed).astype(x.dtype)


def _in_turn(x: Array, choices: Array, strengths: Array, names: tuple[str, ...], fill: Array) -> Array:
    """Apply layers of operations, with `choices` and `strengths` `[layers, B]`, in a loop that is compiled once."""

    def layer(x: Array, drawn: tuple[Array, Array]) -> tuple[Array, None]:
        return operated(x, *drawn, names, fill), None

    return lax.scan(layer, x, (choices, strengths))[0]


def _choices(key: PRNGKey, shape: tuple[int, ...], count: int) -> Array:
    """Uniform whole numbers below `count`: `int32[shape]`."""
    return jax.random.randint(key, shape, 0, count, jnp.int32)


def _with_sign(key: PRNGKey, strengths: Array) -> Array:
    """The strengths with random signs."""
    return jnp.where(draws(stream(key, SIGN), strengths.shape) < 0.5, -strengths, strengths)


def _check(name: str, x: Array, magnitude: ArrayLike, fill: ArrayLike, probability: ArrayLike) -> Array:
    x = check_colors(name, x, gray_or_rgb=True)
    check_fill(name, fill, x)
    check_numbers(name, "magnitude", magnitude, probability, FULL)
    return x


def _check_count(name: str, argument: str, value: int) -> None:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}: {argument} must be a whole number >= 1, got {value!r}")
