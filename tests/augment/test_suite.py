"""What every augmentation of the registry promises."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.augment import AUGMENTATIONS
from regjax.typing import Batch

KEY = jax.random.key(3)
MAGNITUDES = {"shift": 2.0, "rotate": 25.0, "flip": 0.5, "noise": 0.3, "cutout": 3.0}
each = pytest.mark.parametrize("name", AUGMENTATIONS)


@functools.cache
def compiled(name):
    return jax.jit(AUGMENTATIONS[name].apply)


def images(dtype=jnp.float32, count=8):
    return jnp.asarray(np.random.default_rng(0).normal(size=(count, 6, 5, 2)), dtype)


def test_every_augmentation_has_a_magnitude_here():
    assert MAGNITUDES.keys() == AUGMENTATIONS.keys()


@each
def test_jit_equals_eager_and_vmap_equals_loop(name):
    apply, top = AUGMENTATIONS[name].apply, MAGNITUDES[name]
    x, keys, magnitudes = images(), jax.random.split(KEY, 3), jnp.array([0.0, top / 2, top])
    loop = jnp.stack([compiled(name)(k, x, m) for k, m in zip(keys, magnitudes, strict=True)])
    np.testing.assert_allclose(jax.vmap(apply, (0, None, 0))(keys, x, magnitudes), loop, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(apply(keys[2], x, top), loop[2], rtol=1e-5, atol=1e-5)


@each
def test_key_decides(name):
    apply, magnitude, x = compiled(name), MAGNITUDES[name], images(count=40)
    first = apply(KEY, x, magnitude)
    np.testing.assert_array_equal(first, apply(KEY, x, magnitude))
    assert not np.array_equal(first, apply(jax.random.key(4), x, magnitude))
    assert not np.array_equal(first, x)


@each
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_magnitude_zero_is_the_identity_bit_for_bit(name, dtype):
    x = np.array(images(dtype))
    x[0, 0, 0, 0], x[1, 2, 3, 1], x[2, 1, 1, 0] = -0.0, np.inf, np.nan
    for apply in (AUGMENTATIONS[name].apply, compiled(name)):
        assert np.asarray(apply(KEY, jnp.asarray(x), 0.0)).tobytes() == x.tobytes()
    changed = compiled(name)(KEY, images(dtype), MAGNITUDES[name])
    assert changed.dtype == dtype
    assert changed.shape == x.shape


@each
def test_a_new_magnitude_does_not_retrace(name):
    traces = []
    run = jax.jit(lambda key, x, m: (traces.append(1), AUGMENTATIONS[name].apply(key, x, m))[1])
    for fraction in (0.0, 0.3, 1.0):
        run(KEY, images(), jnp.float32(fraction * MAGNITUDES[name]))
    assert len(traces) == 1


@each
def test_images_are_augmented_apart(name):
    same = jnp.broadcast_to(images(count=1), (30, 6, 5, 2))
    outcomes = {y.tobytes() for y in np.asarray(compiled(name)(KEY, same, MAGNITUDES[name]))}
    assert len(outcomes) > 1


@each
def test_a_batch_keeps_its_targets(name):
    apply, magnitude = AUGMENTATIONS[name].apply, MAGNITUDES[name]
    batch = Batch(images(), jnp.arange(8), jnp.ones(8))
    changed = apply(KEY, batch, magnitude)
    np.testing.assert_array_equal(changed.x, apply(KEY, batch.x, magnitude))
    assert changed.y is batch.y
    assert changed.weight is batch.weight


@each
def test_bad_input_is_named(name):
    apply = AUGMENTATIONS[name].apply
    for bad in (-1.0, np.nan):
        with pytest.raises(ValueError, match=r": \w+ must be .*, got"):
            apply(KEY, images(), bad)
    with pytest.raises(ValueError, match=r"x must be floating point .*, got uint8"):
        apply(KEY, jnp.zeros((2, 4, 4, 1), jnp.uint8), 1.0)
    with pytest.raises(ValueError, match=r": x must be .*, got shape \(4,\)"):
        apply(KEY, jnp.zeros(4), 1.0)
    if AUGMENTATIONS[name].images:
        with pytest.raises(ValueError, match=rf"{name}: x must be images \[B, H, W, C\], got shape \(4, 3\)"):
            apply(KEY, jnp.zeros((4, 3)), 1.0)
    else:
        assert apply(KEY, jnp.zeros((4, 3)), 1.0).shape == (4, 3)
