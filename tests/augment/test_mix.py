"""Mixup: convexity, the distribution of the shares, padding, the limit at alpha 0."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from regjax.augment import MIXES, beta_symmetric, cutmix, mixup, row_cutmix
from regjax.core.typing import Batch

KEY = jax.random.key(0)


@pytest.mark.parametrize("alpha", [0.1, 0.4, 1.0, 2.0, 16.0])
def test_beta_has_its_distribution(alpha):
    draws = np.asarray(beta_symmetric(jax.random.key(7), alpha, (20_000,)), np.float64)
    # float32 rounds shares near 0 and 1 to them: compare where both are well inside. Level 1e-6.
    inside = draws[(draws > 1e-4) & (draws < 1 - 1e-4)]
    law = scipy.stats.beta(alpha, alpha)
    low, high = law.cdf([1e-4, 1 - 1e-4])
    assert scipy.stats.kstest(inside, lambda v: (law.cdf(v) - low) / (high - low)).pvalue > 1e-6
    assert scipy.stats.binomtest(len(inside), len(draws), high - low).pvalue > 1e-6
    assert scipy.stats.binomtest(int((draws > 0.5).sum()), len(draws), 0.5).pvalue > 1e-6


@settings(max_examples=30)
@given(st.floats(0, 1e6))
def test_beta_is_never_nan(alpha):
    draws = np.asarray(beta_symmetric(KEY, alpha, (200,)))
    assert ((draws >= 0) & (draws <= 1)).all()


def batch_of(count=64, weight=None):
    # x says which example it is, so that shares and partners can be read back from the result.
    return Batch(jnp.eye(count), jnp.arange(count) % 3, weight)


@pytest.mark.parametrize("per", ["example", "batch"])
@pytest.mark.slow
def test_x_and_y_are_mixed_by_the_same_shares(per):
    batch = batch_of()
    mixed = mixup(KEY, batch, 1.0, num_classes=3, per=per)
    shares = np.asarray(mixed.x)  # row i: the share of each example in the new example i
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(shares.sum(0), 1, atol=1e-6 if per == "batch" else 2)
    assert ((shares > 0).sum(1) <= 2).all()
    np.testing.assert_allclose(mixed.y, shares @ np.eye(3)[np.asarray(batch.y)], atol=1e-6)
    own = np.diag(shares)[np.diag(shares) < 1]
    assert len(np.unique(own)) == (1 if per == "batch" else len(own))


def test_soft_targets_and_numbers_are_mixed():
    batch = batch_of()
    shares = np.asarray(mixup(KEY, batch, 1.0, num_classes=3).x)
    for y in (jax.nn.one_hot(batch.y, 3), jnp.arange(64.0), jnp.arange(128.0).reshape(64, 2)):
        np.testing.assert_allclose(mixup(KEY, batch._replace(y=y), 1.0).y, shares @ np.asarray(y), rtol=1e-4)


@pytest.mark.parametrize("per", ["example", "batch"])
@pytest.mark.slow
def test_alpha_zero_is_the_identity_traced_or_not(per):
    batch = Batch(jnp.array([[-0.0, jnp.inf], [jnp.nan, 2.0]]), jnp.array([1, 0]))
    for run in (mixup, jax.jit(mixup, static_argnames=("num_classes", "per"))):
        same = run(KEY, batch, 0.0, num_classes=2, per=per)
        assert np.asarray(same.x).tobytes() == np.asarray(batch.x).tobytes()
        np.testing.assert_array_equal(same.y, [[0, 1], [1, 0]])


def test_padding_is_not_mixed_in():
    weight = jnp.arange(64) < 40
    mixed = mixup(KEY, batch_of(weight=weight.astype(jnp.float32)), 1.0, num_classes=3)
    assert not np.any(np.asarray(mixed.x)[:40, 40:])
    np.testing.assert_array_equal(mixed.weight, weight)


def test_one_program_for_every_alpha_and_under_vmap():
    traces = []
    batch = batch_of()

    @jax.jit
    def run(keys, alphas):
        traces.append(1)
        return jax.vmap(lambda key, alpha: mixup(key, batch, alpha, num_classes=3).x)(keys, alphas)

    keys = jax.random.split(KEY, 3)
    mapped = run(keys, jnp.array([0.0, 0.4, 1.0]))
    run(keys, jnp.array([0.1, 0.2, 0.3]))
    assert len(traces) == 1
    loop = [mixup(k, batch, a, num_classes=3).x for k, a in zip(keys, (0.0, 0.4, 1.0), strict=True)]
    np.testing.assert_allclose(mapped, jnp.stack(loop), atol=1e-6)
    assert mixup(KEY, batch._replace(x=batch.x.astype(jnp.bfloat16)), 1.0, num_classes=3).x.dtype == jnp.bfloat16


@pytest.mark.parametrize(
    ("batch", "options", "message"),
    [
        (batch_of(), {}, r"num_classes, got int32\[64\]"),
        (batch_of(), {"num_classes": 3, "alpha": -1.0}, "mixup: alpha must be >= 0, got -1.0"),
        (batch_of(), {"num_classes": 3, "per": "pixel"}, "mixup: per 'pixel' is not known"),
        (Batch(jnp.ones((2, 3)), jnp.ones(3)), {}, "as many examples, got 2 and 3"),
        (Batch(jnp.ones((2, 3), jnp.int32), jnp.ones(2)), {}, "mixup: x must be uint8 or floating point, got int32"),
    ],
)
def test_errors(batch, options, message):
    with pytest.raises(ValueError, match=message):
        mixup(KEY, batch, **{"alpha": 1.0, **options})


def test_bytes_are_mixed_and_rounded():
    x = jnp.asarray(np.random.default_rng(0).integers(0, 256, (64, 5), np.uint8))
    batch = Batch(x, jnp.arange(64.0))
    shares = np.asarray(mixup(KEY, batch_of(), 1.0, num_classes=3).x, np.float64)
    mixed = mixup(KEY, batch, 1.0)
    assert mixed.x.dtype == jnp.uint8
    np.testing.assert_allclose(mixed.x, shares @ np.asarray(x, np.float64), atol=0.51)


def numbered(count=40, size=(6, 9), weight=None):
    """Images that are constant, each with its own number, so that the result shows where a pixel comes from."""
    x = jnp.broadcast_to(jnp.arange(float(count)).reshape(-1, *[1] * len(size), 1), (count, *size, 2))
    return Batch(x, jnp.arange(count), weight)


@pytest.mark.parametrize("per", ["example", "batch"])
def test_cutmix_share_is_the_pasted_area(per):
    batch = numbered()
    mixed = jax.jit(cutmix, static_argnames=("num_classes", "per"))(KEY, batch, 1.0, num_classes=40, per=per)
    boxes = []
    for i, (image, target) in enumerate(zip(np.asarray(mixed.x), np.asarray(mixed.y), strict=True)):
        pasted = image[..., 0] != i
        np.testing.assert_array_equal(image[..., 0], image[..., 1])
        rows, columns = np.flatnonzero(pasted.any(1)), np.flatnonzero(pasted.any(0))
        assert pasted.sum() == len(rows) * len(columns)  # a rectangle, from one image
        assert len(np.unique(image[..., 0][pasted])) <= 1
        expected = np.bincount(image[..., 0].ravel().astype(int), minlength=40) / pasted.size
        np.testing.assert_allclose(target, expected, atol=1e-6)
        if (image != i).any():
            boxes.append((rows[0], columns[0], len(rows), len(columns)))
    assert len(set(boxes)) == 1 if per == "batch" else len(set(boxes)) > 10
    np.testing.assert_allclose(mixed.y.sum(1), 1, atol=1e-6)


@pytest.mark.slow
def test_cutmix_areas_follow_beta_and_the_cut_at_the_border():
    batch = Batch(jnp.zeros((4000, 100, 100, 1)).at[1::2].set(1.0), jnp.zeros((4000, 1)))
    y = jax.jit(lambda key: cutmix(key, batch._replace(y=jnp.eye(2)[jnp.arange(4000) % 2]), 1.0).y)(KEY)
    # With s^2 uniform and a uniform center, a side of s keeps s - s^2/4 on average; half of the partners look the same.
    s = np.sqrt(np.random.default_rng(0).uniform(size=1_000_000))
    pasted = np.mean(np.square(s * (1 - s / 4)))
    kept = np.asarray(y)[np.arange(4000), np.arange(4000) % 2].mean()
    # The deviation of one is below 0.5: 4.9 of the mean's, false alarm 1e-6, and 0.005 for whole pixels.
    assert abs((1 - kept) - pasted / 2) < 4.9 * 0.5 / np.sqrt(4000) + 0.005


@pytest.mark.slow
def test_row_cutmix_share_is_the_number_of_features():
    batch = Batch(jnp.broadcast_to(jnp.arange(40.0)[:, None], (40, 7)), jnp.arange(40))
    mixed = row_cutmix(KEY, batch, 1.0, num_classes=40)
    counts = np.stack([np.bincount(row.astype(int), minlength=40) / 7 for row in np.asarray(mixed.x)])
    np.testing.assert_allclose(mixed.y, counts, atol=1e-6)
    assert ((counts > 0).sum(1) <= 2).all()
    assert len(np.unique(np.diag(counts))) > 4
    taken = (np.asarray(mixed.x) != np.arange(40)[:, None]).any(0)
    assert taken.all()


@pytest.mark.parametrize(("mix", "size"), [(cutmix, (6, 9)), (row_cutmix, ())])
@pytest.mark.slow
def test_other_mixes_leave_padding_and_alpha_zero_alone(mix, size):
    weight = (jnp.arange(40) < 25).astype(jnp.float32)
    batch = numbered(40, size, weight)
    mixed = mix(KEY, batch, 1.0, num_classes=40)
    assert np.asarray(mixed.x)[:25].max() < 25
    for alpha in (0.0, -1.0, np.nan):
        same = jax.jit(lambda a: mix(KEY, batch, a, num_classes=40))(jnp.float32(alpha))
        np.testing.assert_array_equal(same.x, batch.x)
        np.testing.assert_array_equal(same.y, np.eye(40))
    bytes_ = batch._replace(x=batch.x.astype(jnp.uint8)) if size else batch
    assert mix(KEY, bytes_, 1.0, num_classes=40).x.dtype == bytes_.x.dtype


def test_errors_of_other_mixes():
    with pytest.raises(ValueError, match=r"cutmix: x must be images \[B, H, W, C\], got shape \(64, 64\)"):
        cutmix(KEY, batch_of(), 1.0, num_classes=3)
    with pytest.raises(ValueError, match=r"row_cutmix: x must be rows float\[B, F\] of a table"):
        row_cutmix(KEY, numbered(), 1.0, num_classes=40)
    with pytest.raises(ValueError, match="cutmix: alpha must be >= 0, got -1"):
        cutmix(KEY, numbered(), -1, num_classes=40)
    assert {name: mix.__name__ for name, mix in MIXES.items()} == {name: name for name in MIXES}
