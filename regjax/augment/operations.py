"""The operations of AutoAugment and RandAugment, from which policies choose for each image."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from regjax.augment.color import brightened, contrasted, saturated
from regjax.augment.filters import sharpened
from regjax.augment.resample import affined, matrix
from regjax.augment.tone import autocontrasted, equalized, posterized, solarized
from regjax.core.typing import Array, ArrayLike

Operation = Callable[..., Array]


class Space(NamedTuple):
    """The effect of each operation at full strength, 1; it is linear in the strength.

    Attributes:
      degrees: angle of rotation.
      slope: slope of shears.
      share: size of shifts, as a fraction of the side.
      change: change of the factors of brightness, contrast, saturation and sharpness.
      bits: number of bits that posterize removes.
      inverted: fraction of the levels that solarize inverts.
    """

    degrees: float
    slope: float
    share: float
    change: float
    bits: float
    inverted: float


STANDARD = Space(degrees=30.0, slope=0.3, share=150 / 331, change=0.9, bits=4.0, inverted=1.0)
"""The space of AutoAugment (150 pixels of images of 331) and RandAugment."""
WIDE = Space(degrees=135.0, slope=0.99, share=1.0, change=0.99, bits=6.0, inverted=1.0)
"""The wide space of TrivialAugment; its shift of 32 pixels is the side of the images of its paper."""


MOVES = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
"""Operations that move pixels; all are compiled as one affine map with nearest-neighbour sampling."""


def _autocontrast(x: Array, s: Array, space: Space) -> Array:
    del s, space
    return autocontrasted(x, 1.0)


def _equalize(x: Array, s: Array, space: Space) -> Array:
    del s, space
    return equalized(x, 1.0)


def _posterize(x: Array, s: Array, space: Space) -> Array:
    return posterized(x, 8.0 - jnp.round(space.bits * jnp.abs(s)))


def _solarize(x: Array, s: Array, space: Space) -> Array:
    return solarized(x, jnp.floor(256.0 * (1.0 - space.inverted * jnp.abs(s))))


def _enhanced(x: Array, s: Array, space: Space, *, kernel: Operation) -> Array:
    return kernel(x, 1.0 + space.change * s)


# Each is `(x, s, space) -> x` with signed strengths s `[B]` in [-1, 1]; some ignore the sign.
COLORS: dict[str, Operation] = {
    "autocontrast": _autocontrast,
    "equalize": _equalize,
    "solarize": _solarize,
    "posterize": _posterize,
    "saturation": functools.partial(_enhanced, kernel=saturated),
    "contrast": functools.partial(_enhanced, kernel=contrasted),
    "brightness": functools.partial(_enhanced, kernel=brightened),
    "sharpness": functools.partial(_enhanced, kernel=sharpened),
}

OPERATIONS = ("identity", *MOVES, *COLORS)


def operated(
    x: Array,
    choices: Array,
    strengths: Array,
    names: tuple[str, ...],
    fill: ArrayLike = 0.0,
    *,
    space: Space = STANDARD,
) -> Array:
    """Apply to image b the operation number `choices[b]` of `names`.

    On CPU the images are processed one by one, so that operations that were not chosen cost nothing; on accelerators
    all operations are applied to all images, and one result of each is kept.

    Args:
      x: images `[B, H, W, C]`, gray or RGB, uint8 or floating point.
      choices: `int32[B]`.
      strengths: `float32[B]` in [-1, 1], as a fraction of full strength. At 0 every operation is the identity, bit for
        bit, also those without a strength.
      names: names in `OPERATIONS`.
      fill: value outside the image, one number or `[C]`.
      space: the effects at full strength.

    Returns:
      Images like `x`.

    Example:
      >>> x = jnp.array([10, 20], jnp.uint8).reshape(2, 1, 1, 1)
      >>> operated(x, jnp.array([0, 1]), jnp.array([0.5, 0.5]), ("identity", "solarize")).ravel()
      Array([10, 20], dtype=uint8)
    """
    colors = [name for name in names if name in COLORS]
    table = [2 + colors.index(name) if name in COLORS else int(name in MOVES) for name in names]
    branch = jnp.where(strengths == 0.0, 0, jnp.asarray(table)[choices])
    matrices = _matrices(x, choices, strengths, names, space)
    fill = jnp.asarray(fill)

    def colored(operation: Operation) -> Operation:
        return lambda image, strength, _: operation(image, strength, space)

    branches = [
        lambda image, *_: image,
        lambda image, _, matrices: affined(image, matrices, fill, "nearest"),
        *[colored(COLORS[name]) for name in colors],
    ]

    def apply_operation(image: Array, branch: Array, strength: Array, matrix: Array) -> Array:
        return lax.switch(branch, branches, image[None], strength[None], matrix[None])[0]

    def in_turn(*images: Array) -> Array:
        return lax.map(lambda image: apply_operation(*image), images)

    return lax.platform_dependent(x, branch, strengths, matrices, cpu=in_turn, default=jax.vmap(apply_operation))


def _matrices(x: Array, choices: Array, strengths: Array, names: tuple[str, ...], space: Space) -> Array:
    """The affine map of each image; the identity if its operation does not move pixels: `float32[B, 2, 3]`."""

    def amount(name: str, full: float) -> Array:
        if name not in names:
            return jnp.zeros_like(strengths)
        return jnp.where(choices == names.index(name), full * strengths, 0.0)

    angle = amount("rotate", space.degrees) * np.float32(np.pi / 180.0)
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    down = jnp.round(amount("translate_y", space.share * x.shape[1]))
    right = jnp.round(amount("translate_x", space.share * x.shape[2]))
    slopes = amount("shear_y", space.slope), amount("shear_x", space.slope)
    return matrix(cosine, sine + slopes[0], slopes[1] - sine, cosine, down, right)
