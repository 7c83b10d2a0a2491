"""The operations of the policies against PIL, and how they are compiled for processors and for accelerators."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from regjax.augment.operations import OPERATIONS, STANDARD, WIDE, operated
from tests.augment.pictures import pictures, with_pil


def sheared(picture, s, space, axis):
    slope, center = s * space.slope, (picture.size[1 - axis] - 1) / 2 + 0.5
    rows = [(1, 0, 0), (0, 1, 0)]
    rows[axis] = (1, slope, -slope * center) if axis == 0 else (slope, 1, -slope * center)
    return picture.transform(picture.size, Image.Transform.AFFINE, (*rows[0], *rows[1]))


def moved(picture, s, space, axis):
    offset = [0, 0]
    offset[axis] = np.round(np.float32(s) * np.float32(space.share * picture.size[axis]))
    return picture.transform(picture.size, Image.Transform.AFFINE, (1, 0, offset[0], 0, 1, offset[1]))


ORACLES = {
    "identity": lambda p, s, space: p,
    "autocontrast": lambda p, s, space: ImageOps.autocontrast(p),
    "equalize": lambda p, s, space: ImageOps.equalize(p),
    "rotate": lambda p, s, space: p.rotate(float(s) * space.degrees),
    "solarize": lambda p, s, space: ImageOps.solarize(p, int(256 * (1 - space.inverted * abs(s)))),
    "posterize": lambda p, s, space: ImageOps.posterize(p, int(8 - np.round(space.bits * abs(s)))),
    "saturation": lambda p, s, space: ImageEnhance.Color(p).enhance(float(1 + space.change * s)),
    "contrast": lambda p, s, space: ImageEnhance.Contrast(p).enhance(float(1 + space.change * s)),
    "brightness": lambda p, s, space: ImageEnhance.Brightness(p).enhance(float(1 + space.change * s)),
    "sharpness": lambda p, s, space: ImageEnhance.Sharpness(p).enhance(float(1 + space.change * s)),
    "shear_x": lambda p, s, space: sheared(p, s, space, 0),
    "shear_y": lambda p, s, space: sheared(p, s, space, 1),
    "translate_x": lambda p, s, space: moved(p, s, space, 0),
    "translate_y": lambda p, s, space: moved(p, s, space, 1),
}


@pytest.mark.parametrize("space", [STANDARD, WIDE], ids=["standard", "wide"])
@pytest.mark.slow
def test_every_operation_equals_pil(space):
    assert set(OPERATIONS) == set(ORACLES)
    names, per = tuple(ORACLES), 12
    x = pictures(per * len(names), (32, 32))
    choices = np.repeat(np.arange(len(names)), per)
    strengths = np.tile(np.linspace(-1, 1, per), len(names)).astype(np.float32)
    ours = jax.jit(lambda *a: operated(*a, names, space=space))(jnp.asarray(x), choices, strengths)
    expected = with_pil(lambda picture, c, s: ORACLES[names[c]](picture, s, space), x, choices, strengths)
    away = np.abs(np.asarray(ours).astype(int) - expected)
    for i, name in enumerate(names):
        part = away[choices == i]
        if name in ("rotate", "shear_x", "shear_y"):
            # PIL counts in 1/65536 of a pixel, which decides for places that near to an edge between two.
            assert (part > 0).mean() < 5e-3, name
        else:
            # Autocontrast: where a quotient is whole. Blends: see `assert_pixels_equal`.
            assert part.max() <= 1, name
            assert (part > 0).mean() < (0.02 if name == "autocontrast" else 0.01), name


def test_strength_zero_is_the_identity_of_every_operation():
    x = jnp.asarray(pictures(len(OPERATIONS)))
    same = operated(x, jnp.arange(len(x)), jnp.zeros(len(x)), OPERATIONS)
    np.testing.assert_array_equal(same, x)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_accelerators_are_served_without_a_loop_over_images(platform):
    x = jnp.zeros((4, 8, 8, 3), jnp.uint8)
    traced = jax.jit(lambda *a: operated(*a, OPERATIONS)).trace(x, jnp.zeros(4, jnp.int32), jnp.ones(4))
    assert "stablehlo.while" not in traced.lower(lowering_platforms=(platform,)).as_text()
    assert "stablehlo.while" in traced.lower(lowering_platforms=("cpu",)).as_text()


@pytest.mark.slow
def test_all_operations_at_once_and_one_kept_is_the_same():
    """What accelerators do: under `vmap` the switch becomes a selection."""
    x, rng = jnp.asarray(pictures(40, (8, 9))), np.random.default_rng(0)
    choices, strengths = rng.integers(0, len(OPERATIONS), 40), rng.uniform(-1, 1, 40).astype(np.float32)
    one = jax.jit(lambda x, c, s: operated(x, c, s, OPERATIONS))
    every = jax.vmap(lambda x, c, s: operated(x[None], c[None], s[None], OPERATIONS)[0])
    np.testing.assert_array_equal(jax.jit(every)(x, choices, strengths), one(x, choices, strengths))
