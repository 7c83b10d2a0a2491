"""Sequences of augmentations: order, streams, descriptions and their errors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax import augment
from regjax.core.errors import InputError
from regjax.core.rng import stream
from regjax.core.typing import Batch

KEY = jax.random.key(0)
X = jax.random.uniform(jax.random.key(1), (4, 6, 6, 1))
ALL = "shift=1,noise=0.2,rotate=15,flip=0.5,cutout=4"


def test_description_round_trip_and_hash():
    made = augment.make(" shift = 1, noise=0.2 ,rotate=15,flip=0.5,cutout=4,")
    assert made == augment.make(ALL) == augment.make(str(made))
    assert hash(made) == hash(augment.make(ALL))
    assert made.images_only == ("shift", "rotate", "flip", "cutout")
    assert augment.make("noise=1").images_only == ()
    assert augment.make("") == augment.Augmentation()


def test_options():
    text = "pad_crop(2.0, padding='reflect'),flip=0.5,rand_augment(9.0, layers=3, probability=0.5),cutout=4.0"
    made = augment.make(text.replace(".0", ""))
    assert str(made) == text
    assert augment.make(str(made)) == made
    assert hash(augment.make(str(made))) == hash(made)
    assert made.steps[0] == augment.AugmentationStep("pad_crop", 2.0, (("padding", "reflect"),))
    x = jax.random.uniform(KEY, (4, 6, 6, 3))
    expected = augment.pad_crop(stream(KEY, "pad_crop"), x, 2.0, padding="reflect", probability=0.5)
    ours = augment.make("pad_crop(2, padding='reflect', probability=0.5)").apply(KEY, x)
    np.testing.assert_array_equal(ours, expected)
    with pytest.raises(ValueError, match="pad_crop: padding 'mirror' is not known"):
        augment.make("pad_crop(2, padding='mirror')").apply(KEY, x)
    with pytest.raises(InputError, match="shift: option 'layers' is not known"):
        augment.Augmentation((("shift", 1.0, (("layers", 2),)),))


@pytest.mark.slow
def test_pixels_are_augmented_before_they_are_standardized_and_inputs_after():
    """Whatever the order of the description: noise is in standard deviations, and what is covered is the mean."""
    pixels = jax.random.randint(KEY, (4, 6, 6, 1), 0, 256).astype(jnp.uint8)

    def standardize(x):
        assert x.dtype == jnp.uint8
        return (x.astype(jnp.float32) - 100.0) / 50.0

    made = augment.make("cutout=3,shift=2,noise=0.5,brightness=0.5")
    found = made.apply(KEY, Batch(pixels, None), 1.0, standardize)
    y = augment.brightness(stream(KEY, "brightness"), augment.shift(stream(KEY, "shift"), pixels, 2.0), 0.5)
    y = augment.cutout(stream(KEY, "cutout"), standardize(y), 3.0)
    np.testing.assert_array_equal(found.x, augment.gaussian_noise(stream(KEY, "noise"), y, 0.5))
    np.testing.assert_array_equal(augment.make("").apply(KEY, pixels, 1.0, standardize), standardize(pixels))


def test_fill_is_an_option_of_each_step():
    turned = augment.make("shift(2, fill=0.5)").apply(KEY, X)
    np.testing.assert_array_equal(turned, augment.shift(stream(KEY, "shift"), X, 2.0, fill=0.5))
    with pytest.raises(InputError, match=r"augmentation shift: fill must be in \[0, 255\], got 300"):
        augment.make("shift(2, fill=300)").check_fits("image", "toy", (6, 6, 1), jnp.uint8)
    augment.make("cutout(2, fill=-1)").check_fits("image", "toy", (6, 6, 1), jnp.uint8)  # of standardized inputs
    assert augment.make("row_cutout=0.1,noise=1").rows_only == ("row_cutout",)


def test_steps_apply_in_order_each_from_its_own_stream():
    expected = augment.cutout(stream(KEY, "cutout"), augment.shift(stream(KEY, "shift"), X, 2.0), 3.0)
    np.testing.assert_array_equal(augment.make("shift=2,cutout=3").apply(KEY, X), expected)
    assert not np.array_equal(augment.make("cutout=3,shift=2").apply(KEY, X), expected)


def test_strength_multiplies_and_clips():
    half = augment.make("shift=2,noise=0.4").apply(KEY, X, 0.5)
    np.testing.assert_allclose(half, augment.make("shift=1,noise=0.2").apply(KEY, X), rtol=1e-6)
    np.testing.assert_array_equal(augment.make("flip=0.6").apply(KEY, X, 5.0), X[:, :, ::-1])


@pytest.mark.slow
def test_strength_is_traced_and_zero_is_the_identity():
    traces = []

    @jax.jit
    def run(strengths):
        traces.append(1)
        return jax.vmap(lambda strength: augment.make(ALL).apply(KEY, X, strength))(strengths)

    result = run(jnp.array([0.0, 1.0]))
    run(jnp.array([0.5, 0.7]))
    assert len(traces) == 1
    assert np.asarray(result[0]).tobytes() == np.asarray(X).tobytes()
    np.testing.assert_allclose(result[1], augment.make(ALL).apply(KEY, X), rtol=1e-5, atol=1e-5)
    assert augment.make("").apply(KEY, X) is X
    with pytest.raises(ValueError, match="augmentation: strength must be >= 0, got -1"):
        augment.make(ALL).apply(KEY, X, -1)


def test_batches_pass_through():
    batch = Batch(X, jnp.arange(4))
    changed = augment.make(ALL).apply(KEY, batch)
    np.testing.assert_array_equal(changed.x, augment.make(ALL).apply(KEY, X))
    assert changed.y is batch.y


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("shfit=1", r"'shfit' is not known \(did you mean 'shift'\?\); accepted: affine, aug_mix"),
        ("shift", r"'shift': write shift=NUMBER \(largest shift in pixels\)"),
        ("shift=big", "'shift=big': write shift=NUMBER"),
        ("shift=-1", "shift=-1: largest shift in pixels must be >= 0"),
        ("flip=2", "flip=2: probability of a horizontal flip must be >= 0 and <= 1"),
        ("noise=nan", "noise=nan: standard deviation of added noise must be >= 0"),
        ("noise=inf", "noise=inf"),
        ("shift=1,shift=2", "'shift' is given twice"),
        (
            "rand_augment(9, layer=2)",
            r"takes no argument 'layer' \(did you mean 'layers'\?\); accepted: magn",
        ),
        ("rand_augment(11)", "rand_augment=11: magnitude of all operations must be >= 0 and <= 10"),
        ("rand_augment(9, layers='two')", "rand_augment: layers must be like 2, got 'two'"),
        ("rotate('9')", "rotate: magnitude must be a number, got '9'"),
        ("rotate(9, probability=2)", r"rotate: probability must be in \[0, 1\], got 2"),
        ("rotate(9, fill='black')", "rotate: fill must be like 0.0, got 'black'"),
        ("rotate(9", "'rotate\\(9' cannot be read"),
        ("rotate(__import__('os'))", "is not accepted; values are numbers"),
    ],
)
def test_description_errors(description, message):
    with pytest.raises(InputError, match=message):
        augment.make(description)


def test_compose_gives_each_function_its_key():
    keys = []

    def plus(amount):
        return lambda key, x: (keys.append(key), x + amount)[1]

    def times(amount):
        return lambda key, x: (keys.append(key), x * amount)[1]

    assert augment.compose(plus(1), times(3))(KEY, 2) == 9
    assert keys == [jax.random.fold_in(KEY, 0), jax.random.fold_in(KEY, 1)]
    assert augment.compose()(KEY, X) is X


def test_compose_mixes_after_moving():
    run = augment.compose(
        lambda key, b: augment.shift(key, b, 1), lambda key, b: augment.mixup(key, b, 0.0, num_classes=4)
    )
    result = run(KEY, Batch(X, jnp.arange(4)))
    np.testing.assert_array_equal(result.x, augment.shift(jax.random.fold_in(KEY, 0), X, 1))
    assert result.y.shape == (4, 4)


def test_steps_that_do_not_fit_the_data():
    augment.make("noise=1,feature_dropout=0.1").check_fits("table", "wine", (13,))
    augment.make("noise=1,rand_augment=9").check_fits("image", "digits", (8, 8, 1))
    message = r"'shift', 'hue' is for images; wine is a table \(accepted: noise, row_cutout, feature_dropout\)"
    with pytest.raises(InputError, match=message):
        augment.make("shift=1,noise=1,hue=0.1").check_fits("table", "wine", (13,))
    with pytest.raises(InputError, match="'row_cutout' is for tables; digits is a set of images"):
        augment.make("row_cutout=0.1").check_fits("image", "digits", (8, 8, 1))
    with pytest.raises(InputError, match=r"augmentation hue: x must have 1"):
        augment.make("hue=0.1").check_fits("image", "toy", (8, 8, 2))


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ("rand_augment(9, layers=0)", "augmentation rand_augment: layers must be a whole number >= 1, got 0"),
        ("blur(1, kernel_size=4)", "augmentation blur: kernel_size must be an odd whole number of pixels, got 4"),
        ("shift=1,cutout=9", r"augmentation cutout: size must be in \[0, 8\], got 9"),
        ("pad_crop(1, padding='mirror')", "augmentation pad_crop: padding 'mirror' is not known"),
        ("elastic(1, sigma=0)", "augmentation elastic: sigma must be > 0, got 0"),
    ],
)
def test_what_the_function_refuses_is_refused_before_the_run(description, message):
    with pytest.raises(InputError, match=message):
        augment.make(description).check_fits("image", "toy", (8, 6, 3))
