"""Random bits: equal to JAX's generator block by block, uniform, and the same under every transformation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.extend.random import threefry_2x32

from regjax.core import random_bits as bits

words = st.integers(0, 2**32 - 1)
DRAWS = [bits.random_words, bits.random_u16, bits.random_uniform, bits.random_normal]


@settings(max_examples=20)
@given(words, words, words, words)
def test_block_equals_jax(k0, k1, c0, c1):
    counters = np.array([c0, c1, c1, c0], np.uint32)
    ours = bits.threefry_block((jnp.uint32(k0), jnp.uint32(k1)), (counters[:2], counters[2:]))
    theirs = threefry_2x32(jnp.array([k0, k1], jnp.uint32), jnp.asarray(counters))
    np.testing.assert_array_equal(np.concatenate(ours), theirs)


def test_known_answers():
    # Random123's published vectors for threefry2x32 with 20 rounds.
    ones = jnp.uint32(0xFFFFFFFF)
    assert [int(w) for w in bits.threefry_block((ones, ones), (ones, ones))] == [0x1CB996FC, 0xBB002BE7]
    key = (jnp.uint32(0x13198A2E), jnp.uint32(0x03707344))
    counter = (jnp.uint32(0x243F6A88), jnp.uint32(0x85A308D3))
    assert [int(w) for w in bits.threefry_block(key, counter)] == [0xC4923A9C, 0x483DF7A0]


def test_both_words_of_a_block_are_used():
    key = jax.random.key(5)
    high = jnp.full(3, bits._COUNTER_HIGH)
    first, second = bits.threefry_block(bits.key_words(key), (high, jnp.arange(3, dtype=jnp.uint32)))
    np.testing.assert_array_equal(bits.random_words(key, (5,)), jnp.concatenate([first, second])[:5])
    parts = [first & 0xFFFF, first >> 16, second & 0xFFFF, second >> 16]
    np.testing.assert_array_equal(bits.random_u16(key, (11,)), jnp.concatenate(parts)[:11])


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (2, 3, 4), (0, 4)])
def test_shapes(draw, shape):
    assert draw(jax.random.key(0), shape).shape == shape


@pytest.mark.parametrize("draw", DRAWS)
def test_jit_vmap_raw_and_eager_agree(draw):
    keys = jax.random.split(jax.random.key(1), 3)
    eager = jnp.stack([draw(key, (4, 5)) for key in keys])
    # Integers are exact; the inverse error function may differ in its last bits.
    close = np.testing.assert_array_equal if eager.dtype != jnp.float32 else np.testing.assert_allclose
    tolerance = {} if eager.dtype != jnp.float32 else {"rtol": 2e-6, "atol": 1e-7}
    close(jax.vmap(lambda key: draw(key, (4, 5)))(keys), eager, **tolerance)
    close(jax.jit(lambda key: draw(key, (4, 5)))(keys[0]), eager[0], **tolerance)
    close(draw(jax.random.key_data(keys[0]), (4, 5)), eager[0], **tolerance)
    assert not np.array_equal(eager[0], eager[1])


def test_no_word_coincides_with_a_split_key():
    key = jax.random.key(0)
    derived = np.asarray(jax.random.key_data(jax.random.split(key, 500))).ravel()
    # False alarm: 1e6 pairs of 32-bit words coincide by chance with probability 2.3e-4; the key is fixed.
    assert not set(derived.tolist()) & set(np.asarray(bits.random_words(key, (1000,))).tolist())


def test_every_word_of_a_long_key_counts():
    data = jnp.array([1, 2, 3, 4], jnp.uint32)
    draws = {tuple(np.asarray(bits.random_words(data.at[i].add(1), (2,))).tolist()) for i in range(4)}
    draws.add(tuple(np.asarray(bits.random_words(data, (2,))).tolist()))
    assert len(draws) == 5
    rbg = jax.random.key(0, impl="rbg")
    assert not np.array_equal(bits.random_words(rbg, (4,)), bits.random_words(jax.random.key(0), (4,)))


@pytest.mark.parametrize(
    "bad", [None, 3, jnp.zeros(2), jnp.zeros((2, 2), jnp.uint32), jax.random.split(jax.random.key(0))]
)
def test_what_is_not_one_key_is_refused(bad):
    with pytest.raises(ValueError, match="key must be one key"):
        bits.random_words(bad, (2,))


def test_distributions():
    # Kolmogorov-Smirnov and chi-square at level 1e-6: one false alarm in a million keys; the keys are fixed.
    n = 100_000
    uniform = np.asarray(bits.random_uniform(jax.random.key(2), (n,)))
    assert scipy.stats.kstest(uniform, "uniform").pvalue > 1e-6
    assert uniform.min() > 0
    assert uniform.max() < 1
    assert scipy.stats.kstest(np.asarray(bits.random_normal(jax.random.key(3), (n,))), "norm").pvalue > 1e-6
    counts = np.bincount(np.asarray(bits.random_u16(jax.random.key(4), (n,))) >> 8, minlength=256)
    assert scipy.stats.chisquare(counts).pvalue > 1e-6


def test_parts_of_a_block_are_uncorrelated():
    n = 40_000
    parts = np.asarray(bits.random_u16(jax.random.key(6), (4, n))).astype(float)
    correlation = np.corrcoef(parts)[np.triu_indices(4, 1)]
    # Each is N(0, 1/n); 5.2 standard deviations on 6 pairs: false alarm 1.2e-6.
    assert np.abs(correlation).max() < 5.2 / np.sqrt(n)


def test_ends_of_the_uniform_are_open(monkeypatch):
    for word, expected in ((0, 2.0**-24), (0xFFFFFFFF, 1 - 2.0**-24)):
        monkeypatch.setattr(bits, "random_words", lambda key, shape, w=word: jnp.full(shape, w, jnp.uint32))
        assert float(bits.random_uniform(jax.random.key(0), ())) == expected
        assert np.isfinite(bits.random_normal(jax.random.key(0), ()))


@pytest.mark.parametrize("shape", [(), (0,), (24, 2), (3, 2, 5)])
@pytest.mark.slow
def test_a_light_key_draws_what_jax_draws(shape):
    def draws(key):
        truncated = jax.random.truncated_normal(key, -2, 2, shape)
        return jax.random.bits(key, shape), jax.random.bits(key, shape, jnp.uint16), truncated

    key = jax.random.key(3)
    for ours, theirs in (
        (lambda key: draws(bits.fast_key(key)), draws),
        (lambda key: draws(jax.random.fold_in(bits.fast_key(key), 5)), lambda key: draws(jax.random.fold_in(key, 5))),
        (lambda key: draws(jax.random.split(bits.fast_key(key))[1]), lambda key: draws(jax.random.split(key)[1])),
    ):
        jax.tree.map(np.testing.assert_array_equal, jax.jit(ours)(key), jax.jit(theirs)(key))
    keys = jax.random.split(key, 3)
    ours, theirs = (jax.jit(jax.vmap(f))(keys) for f in (lambda key: draws(bits.fast_key(key)), draws))
    jax.tree.map(np.testing.assert_array_equal, ours, theirs)


def test_other_keys_are_left_as_they_are():
    for key in (jax.random.key(0, impl="rbg"), jax.random.PRNGKey(0)):
        assert bits.fast_key(key) is key
    with jax.threefry_partitionable(False):
        key = jax.random.key(1)
        np.testing.assert_array_equal(jax.random.bits(bits.fast_key(key), (5,)), jax.random.bits(key, (5,)))
