import hashlib

import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import keyed_random


def test_words_are_those_of_splitmix64():
    # The reference recurrence, one word at a time with Python integers, from the stream's own start.
    state = int.from_bytes(hashlib.sha256(b"str:a\x1fint:3").digest()[:8], "little")
    mask, expected = 2**64 - 1, []
    for _ in range(5):
        state = (state + 0x9E3779B97F4A7C15) & mask
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        expected.append(z ^ (z >> 31))
    assert keyed_random.bits(5, "a", 3).tolist() == expected


def test_the_stream_is_frozen():
    # Splits of published results depend on these numbers; they never change.
    assert keyed_random.order(8, "split", 0).tolist() == [4, 0, 2, 3, 5, 1, 7, 6]


def test_streams_differ_and_types_count():
    assert not np.array_equal(keyed_random.bits(4, "a", 0), keyed_random.bits(4, "a", 1))
    assert not np.array_equal(keyed_random.bits(4, "a", 0), keyed_random.bits(4, "a", "0"))
    assert not np.array_equal(keyed_random.bits(4, "a", 12), keyed_random.bits(4, "a1", 2))


def test_uniform_is_uniform():
    u = keyed_random.uniform(100_000, "u")
    assert u.min() >= 0
    assert u.max() < 1
    counts = np.histogram(u, 10, (0, 1))[0]
    assert np.abs(counts - 10_000).max() < 5 * np.sqrt(10_000)
    assert abs(np.corrcoef(u[:-1], u[1:])[0, 1]) < 0.02


def test_empty_draw():
    assert keyed_random.order(0, "x").shape == (0,)


def test_seeds_are_listed_and_none_is_refused():
    assert keyed_random.seed_list("toy", np.int32(2)) == [0, 1]
    assert keyed_random.seed_list("toy", [5, 2]) == [5, 2]
    with pytest.raises(InputError, match=r"toy: at least one seed is needed, got \[\]"):
        keyed_random.seed_list("toy", [])
