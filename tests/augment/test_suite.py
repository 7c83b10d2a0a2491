"""What every augmentation of the registry promises."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax import catalog
from regjax.augment import AUGMENTATIONS
from regjax.core.typing import Batch

pytestmark = pytest.mark.slow

KEY = jax.random.key(3)
MAGNITUDES = {name: kind.typical * (10.0 if kind.per_side else 1.0) for name, kind in AUGMENTATIONS.items()}
IMAGES = [name for name, kind in AUGMENTATIONS.items() if kind.takes != "rows"]
FAST = {
    "xla_backend_optimization_level": 0
}  # these programs run a few times on small images: compiling is all the time
# The other policies compile for seconds and run the operations of rand_augment through the same functions.
ONE_POLICY = [name for name in AUGMENTATIONS if name not in ("trivial_augment", "aug_mix")]
each = pytest.mark.parametrize("name", AUGMENTATIONS)
each_kind = pytest.mark.parametrize("name", ONE_POLICY)


def call(name, key, x, magnitude, probability=1.0):
    """The augmentation, with a probability if it has one of its own."""
    kind = AUGMENTATIONS[name]
    return kind.apply(key, x, magnitude, **({"probability": probability} if "probability" in kind.options else {}))


@functools.cache
def compiled(name):
    return jax.jit(functools.partial(call, name), compiler_options=FAST)


def run(name, key, x, magnitude, probability=1.0):
    """The compiled augmentation, with numbers that are always traced."""
    return compiled(name)(key, x, jnp.float32(magnitude), jnp.float32(probability))


def examples(name, dtype=jnp.float32, count=24):
    """Images or standardized rows; few values, and so many pixels that equalizing them does something."""
    shape = (count, 7) if AUGMENTATIONS[name].takes == "rows" else (count, 18, 16, 3)
    levels = np.random.default_rng(0).integers(40, 200, shape, np.uint8)
    if dtype == jnp.uint8:
        return jnp.asarray(levels)
    return jnp.asarray(levels / 51 - 2 if len(shape) == 2 else levels / 255, dtype)


@each_kind
def test_vmap_equals_loop(name):
    top, x = MAGNITUDES[name], examples(name)
    keys, magnitudes = jax.random.split(KEY, 3), jnp.array([0.0, top / 2, top])
    mapped = jax.jit(jax.vmap(functools.partial(call, name), (0, None, 0)), compiler_options=FAST)
    loop = jnp.stack([run(name, k, x, m) for k, m in zip(keys, magnitudes, strict=True)])
    np.testing.assert_allclose(mapped(keys, x, magnitudes), loop, rtol=1e-5, atol=1e-5)


@each_kind
def test_eager_equals_jit_and_a_batch_keeps_its_targets(name):
    x, magnitude = examples(name), MAGNITUDES[name]
    batch = Batch(x, jnp.arange(len(x)), jnp.ones(len(x)))
    changed = call(name, KEY, batch, magnitude)
    assert changed.y is batch.y
    assert changed.weight is batch.weight
    np.testing.assert_allclose(changed.x, run(name, KEY, x, magnitude), rtol=1e-5, atol=1e-5)


@each
def test_key_and_probability_decide_for_each_example(name):
    magnitude, x = MAGNITUDES[name], examples(name)
    same = jnp.broadcast_to(x[:1], x.shape)
    first = run(name, KEY, same, magnitude, 0.5)
    np.testing.assert_array_equal(first, run(name, KEY, same, magnitude, 0.5))
    assert not np.array_equal(first, run(name, jax.random.key(4), same, magnitude, 0.5))
    kept = (np.asarray(first) == np.asarray(same)).all(tuple(range(1, x.ndim)))
    assert 0 < kept.sum() < len(x)


@each
def test_a_new_number_does_not_retrace_and_the_dtype_stays(name):
    traces = []
    run = jax.jit(lambda key, x, m, p: (traces.append(1), call(name, key, x, m, p))[1])
    for share in (0.0, 0.3, 1.0):
        jax.eval_shape(run, KEY, examples(name), jnp.float32(share), jnp.float32(share))
    assert len(traces) == 1
    half = examples(name, jnp.bfloat16)
    result = jax.eval_shape(run, KEY, half, jnp.float32(0.1), jnp.float32(0.1))
    assert (result.dtype, result.shape) == (half.dtype, half.shape)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(n, d) for n, k in AUGMENTATIONS.items() for d in (jnp.float32, jnp.uint8) if k.takes != "rows" or d != jnp.uint8],
)
def test_zero_is_the_identity_bit_for_bit(name, dtype):
    x, magnitude = np.array(examples(name, dtype)), MAGNITUDES[name]
    assert not np.array_equal(run(name, KEY, jnp.asarray(x), magnitude), x)
    if dtype != jnp.uint8:
        x[0, 0], x[1, 2], x[2, 1] = -0.0, np.inf, np.nan
    assert np.asarray(run(name, KEY, jnp.asarray(x), 0.0)).tobytes() == x.tobytes()
    if name != "flip":
        assert np.asarray(run(name, KEY, jnp.asarray(x), magnitude, 0.0)).tobytes() == x.tobytes()


@each
def test_traced_numbers_out_of_range_stay_finite(name):
    x = examples(name)
    for bad in (-1.0, np.nan):
        np.testing.assert_array_equal(run(name, KEY, x, bad), x)
        if name != "flip":
            np.testing.assert_array_equal(run(name, KEY, x, MAGNITUDES[name], bad), x)
    for large in (1e9, np.inf):
        assert np.isfinite(run(name, KEY, x, large, large)).all()


@each_kind
def test_gradients_are_finite(name):
    gradient = jax.grad(lambda x: jnp.sum(jnp.square(call(name, KEY, x, MAGNITUDES[name], 0.9))))
    found = np.asarray(jax.jit(gradient, compiler_options=FAST)(examples(name, count=8)))
    assert np.isfinite(found).all()
    # Where levels are steps of their input, the derivative is 0.
    assert found.any() or name in ("posterize", "equalize")


@pytest.mark.parametrize("name", [name for name in IMAGES if name != "noise"])
def test_floating_point_images_are_augmented_as_their_bytes_are(name):
    """The same draws on bytes and on numbers from 0 to 1 give the same picture, up to the rounding of bytes."""
    levels, magnitude = examples(name, jnp.uint8), MAGNITUDES[name]
    ours = np.asarray(run(name, KEY, examples(name), magnitude)) * 255
    away = np.abs(ours - np.asarray(run(name, KEY, levels, magnitude), np.float32))
    # Each of at most two layers truncates bytes, and what is truncated may cross a threshold of the next.
    assert np.quantile(away, 0.98) < 2.1


@each
def test_bad_input_is_named(name):
    kind, high, x = AUGMENTATIONS[name], catalog.AUGMENTATIONS[name].high, examples(name)
    apply = kind.apply
    for bad in (-1.0, np.nan, np.inf, *([high * 1.1] if high < 100 else [])):
        with pytest.raises(ValueError, match=r"\w+: \w+ must be .*, got"):
            apply(KEY, x, bad)
    with pytest.raises(ValueError, match=r"\w+: \w+ must be one number for the batch, got shape \(2,\)"):
        apply(KEY, x, jnp.zeros(2))
    with pytest.raises(ValueError, match=r": x must be uint8 or floating point, got int32"):
        apply(KEY, x.astype(jnp.int32), 0.1)
    with pytest.raises(ValueError, match=r": x must be .*, got shape \(4,\)"):
        apply(KEY, jnp.zeros(4), 0.1)
    if "probability" in kind.options:
        with pytest.raises(ValueError, match=r": probability must be in \[0, 1\], got 1.5"):
            apply(KEY, x, 0.1, probability=1.5)
    if kind.images:
        with pytest.raises(ValueError, match=rf"{name}: x must be images \[B, H, W, C\], got shape \(4, 3\)"):
            apply(KEY, jnp.zeros((4, 3)), 0.1)
    elif kind.takes == "rows":
        with pytest.raises(ValueError, match=rf"{name}: x must be rows float\[B, F\] of a table, got float32\[4, 3, 3"):
            apply(KEY, jnp.zeros((4, 3, 3)), 0.1)
    else:
        assert apply(KEY, jnp.zeros((4, 3)), 0.1).shape == (4, 3)


@pytest.mark.parametrize("name", [name for name in IMAGES if not AUGMENTATIONS[name].standardized])
def test_values_beyond_black_and_white_are_refused_or_do_not_matter(name):
    """Standardized images have no black and no white: what needs them refuses, everything else is linear."""
    x, magnitude = examples(name, count=4), MAGNITUDES[name]
    if np.allclose(run(name, KEY, 3.0 * x, magnitude), 3.0 * run(name, KEY, x, magnitude), rtol=1e-4, atol=1e-4):
        call(name, KEY, 3.0 * x, magnitude)
    else:
        message = rf"{name}: floating-point images must be in \[0, 1\], .* got \[0.470588, 2.34118\]"
        with pytest.raises(ValueError, match=message):
            call(name, KEY, 3.0 * x, magnitude)


@pytest.mark.parametrize("name", ["contrast", "saturation", "hue", "rand_augment", "trivial_augment", "aug_mix"])
def test_two_channels_have_no_gray(name):
    with pytest.raises(ValueError, match=rf"{name}: x must have 1 \(gray\) or 3 .* channels, got 2"):
        call(name, KEY, examples(name)[..., :2], 0.1)


@pytest.mark.parametrize("name", [name for name in IMAGES if "fill" in AUGMENTATIONS[name].options])
def test_bad_fill_is_named(name):
    apply = AUGMENTATIONS[name].apply
    with pytest.raises(ValueError, match=rf"{name}: fill must be one number or one for each of 3 channels, got shape"):
        apply(KEY, examples(name), 0.1, fill=jnp.zeros(2))
    with pytest.raises(ValueError, match=rf"{name}: fill must be in \[0, 255\], got 256"):
        apply(KEY, examples(name, jnp.uint8), 0.1, fill=256)
