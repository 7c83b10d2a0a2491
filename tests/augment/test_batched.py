"""What all augmentations share: batches, checks, and the choice of the examples that change."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from regjax.augment.batched import (
    _gated,
    applied,
    check_examples,
    check_fill,
    check_images,
    check_numbers,
    check_rows,
    draws,
    over,
    signed,
    takes_batches,
    variant,
)
from regjax.core.typing import Batch

KEY = jax.random.key(0)
X = jnp.ones((2000, 2))


def raised(key, x, magnitude):
    """Not the identity at magnitude 0."""
    del key
    return x + 1 + magnitude


def test_only_the_inputs_of_a_batch_change():
    double = takes_batches(lambda key, x, factor: x * factor)
    batch = Batch(jnp.ones(2), jnp.zeros(2), jnp.ones(2))
    changed = double(KEY, batch, factor=2.0)
    np.testing.assert_array_equal(changed.x, [2, 2])
    assert changed.y is batch.y
    assert changed.weight is batch.weight
    np.testing.assert_array_equal(double(KEY, batch.x, 3.0), [3, 3])


def test_examples_change_as_a_whole_and_as_often_as_asked():
    y = np.asarray(applied(raised, KEY, X, 1.0, 0.3))
    assert set(np.unique(y)) == {1, 3}
    assert (y[:, 0] == y[:, 1]).all()
    # Binomial: 4.9 standard deviations, false alarm 1e-6.
    assert abs((y[:, 0] == 3).mean() - 0.3) < 4.9 * np.sqrt(0.21 / len(X))


@pytest.mark.parametrize(
    ("magnitude", "probability", "high", "expected"),
    [
        (0.0, 1.0, 9.0, 1.0),
        (1.0, 0.0, 9.0, 1.0),
        (-2.0, 1.0, 9.0, 1.0),
        (np.nan, 1.0, 9.0, 1.0),
        (1.0, np.nan, 9.0, 1.0),
        (1.0, 7.0, 9.0, 3.0),
        (50.0, 1.0, 9.0, 11.0),
        (np.inf, 1.0, 9.0, 11.0),
    ],
)
def test_traced_numbers_out_of_range(magnitude, probability, high, expected):
    y = jax.jit(lambda m, p: applied(raised, KEY, X[:3], m, p, high=high))(magnitude, probability)
    np.testing.assert_array_equal(y, np.full((3, 2), expected))


def test_magnitude_zero_is_the_identity_where_the_step_is_not_skipped_too():
    gated = _gated(raised, 9.0)  # as accelerators run it
    np.testing.assert_array_equal(gated(KEY, X[:3], jnp.float32(0.0), jnp.float32(1.0)), X[:3])
    np.testing.assert_array_equal(gated(KEY, X[:3], jnp.float32(1.0), jnp.float32(1.0)), X[:3] + 2)


def test_a_variant_is_one_object_for_each_set_of_options():
    assert variant(raised, magnitude=1.0) is variant(raised, magnitude=1.0)
    assert variant(raised, magnitude=1.0) is not variant(raised, magnitude=2.0)
    np.testing.assert_array_equal(variant(raised, magnitude=1.0)(KEY, X), X + 2)


def test_a_value_for_each_example():
    assert over(jnp.ones(4), jnp.ones((4, 3, 2, 1))).shape == (4, 1, 1, 1)
    plain, both = draws(KEY, (1000,)), signed(KEY, (1000,))
    np.testing.assert_allclose(both, 2 * plain - 1)
    assert -1 <= both.min() < -0.9  # missing with probability 0.95^1000 < 1e-22
    assert 0.9 < both.max() < 1


@pytest.mark.parametrize(
    ("check", "x", "message"),
    [
        (check_examples, np.ones(3, np.float32), r"f: x must be a batch \[B, ...\] of examples, got shape \(3,\)"),
        (check_examples, np.ones((2, 3), np.int32), "f: x must be uint8 or floating point, got int32"),
        (check_images, np.ones((2, 3), np.float32), r"f: x must be images \[B, H, W, C\], got shape \(2, 3\)"),
        (check_rows, np.ones((2, 3), np.uint8), r"f: x must be rows float\[B, F\] .* got uint8\[2, 3\]"),
        (check_rows, np.ones((2, 3, 1), np.float32), r"f: x must be rows .* got float32\[2, 3, 1\]"),
    ],
)
def test_input_that_is_refused(check, x, message):
    with pytest.raises(ValueError, match=message):
        check("f", x)


def test_numbers_that_are_refused():
    check_numbers("f", "angle", 90.0, 1.0)
    for magnitude, probability, message in (
        (-1.0, 1.0, "f: angle must be >= 0.*, got -1.0"),
        (181.0, 1.0, r"f: angle must be in \[0, 180\], got 181.0"),
        (1.0, 1.5, r"f: probability must be in \[0, 1\], got 1.5"),
        ([1.0, 2.0], 1.0, r"f: angle must be one number for the batch, got shape \(2,\)"),
    ):
        with pytest.raises(ValueError, match=message):
            check_numbers("f", "angle", magnitude, probability, high=180.0 if magnitude == 181.0 else np.inf)


def test_one_number_or_one_for_each_channel():
    x = jnp.ones((1, 2, 2, 3))
    for value in (0.0, [0.0], [0.0, 1.0, 2.0]):
        check_fill("f", value, x)
    with pytest.raises(ValueError, match=r"f: fill must be one number or one for each of 3 channels, got shape \(2,\)"):
        check_fill("f", [0.0, 1.0], x)
