import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from regjax.data.shuffle import _scale, shuffled_indices

pytestmark = pytest.mark.slow


@settings(max_examples=40)
@given(n=st.integers(1, 300), seed=st.integers(0, 5))
def test_each_pass_visits_every_example_once(n, seed):
    visited = np.asarray(shuffled_indices(jax.random.key(seed), 0, 300, n))
    for start in range(0, 300 - n + 1, n):
        np.testing.assert_array_equal(np.sort(visited[start : start + n]), np.arange(n))


def test_any_position_on_its_own():
    key = jax.random.key(3)
    whole = np.asarray(shuffled_indices(key, 0, 500, 77))
    np.testing.assert_array_equal(shuffled_indices(key, 123, 40, 77), whole[123:163])


def test_passes_and_keys_differ():
    one = np.asarray(shuffled_indices(jax.random.key(0), 0, 200, 100)).reshape(2, 100)
    other = np.asarray(shuffled_indices(jax.random.key(1), 0, 100, 100))
    assert (one[0] != one[1]).mean() > 0.9
    assert (one[0] != other).mean() > 0.9


def test_all_orders_of_five_are_equally_likely():
    """Chi-square over the 120 orders, 24,000 passes; a fair shuffle fails once in a million."""
    keys = jax.random.split(jax.random.key(0), 24_000)
    orders = np.asarray(jax.vmap(lambda key: shuffled_indices(key, 0, 5, 5))(keys))
    _, counts = np.unique(orders @ 5 ** np.arange(5), return_counts=True)
    assert len(counts) == 120
    assert stats.chisquare(counts).pvalue > 1e-6


def test_pairs_of_a_longer_pass_are_uniform():
    """First two examples of a pass of 40: chi-square over 1,560 pairs; a fair shuffle fails once in a million."""
    keys = jax.random.split(jax.random.key(1), 40_000)
    pairs = np.asarray(jax.vmap(lambda key: shuffled_indices(key, 0, 2, 40))(keys))
    counts = np.bincount(pairs[:, 0] * 40 + pairs[:, 1], minlength=1600).reshape(40, 40)
    assert np.trace(counts) == 0
    assert stats.chisquare(counts[~np.eye(40, dtype=bool)]).pvalue > 1e-6


def test_number_of_examples_is_data():
    traces = []

    @jax.jit
    def first(n):
        traces.append(1)
        return shuffled_indices(jax.random.key(0), 0, 4, n)

    for n in (4, 5, 60_000, 2**31 - 1):
        assert np.all((first(n) >= 0) & (first(n) < n))
    assert len(traces) == 1


def test_scale_equals_exact_integers():
    rng = np.random.default_rng(0)
    h, n = rng.integers(0, 2**32, 1000, dtype=np.uint64), rng.integers(1, 2**31, 1000, dtype=np.uint64)
    ours = _scale(jax.numpy.asarray(h, np.uint32), jax.numpy.asarray(n, np.uint32))
    np.testing.assert_array_equal(np.asarray(ours, np.uint64), h * n >> np.uint64(32))


def test_no_examples_is_refused():
    with pytest.raises(ValueError, match="n must be >= 1, got 0"):
        shuffled_indices(jax.random.key(0), 0, 4, 0)
