import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import Preprocessor, as_rows, joined, source
from tests.helpers import Reading


@pytest.fixture
def array():
    return np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)


def test_views_read_nothing_and_slices_read(array):
    asked = []

    def read(index):
        asked.append(index.tolist())
        return array[index]

    lazy = as_rows("toy", Reading(read, (20, 3)))
    view = lazy[np.array([5, 1, 9])][np.array([2, 0])]
    assert (lazy.shape, lazy.ndim, lazy.dtype, len(view), asked) == ((20, 3), 2, np.float32, 2, [])
    np.testing.assert_array_equal(view[:], array[[9, 5]])
    np.testing.assert_array_equal(lazy[17:40], array[17:])
    np.testing.assert_array_equal(lazy.take(np.array([3, 3])), array[[3, 3]])
    assert asked == [[9, 5], [17, 18, 19], [3, 3]]
    with pytest.raises(TypeError, match="a slice or an array of indices, got 3"):
        lazy[3]


def test_joined_rows_are_one_after_the_other(array):
    both = joined([as_rows("a", array[:7]), as_rows("b", array[7:])])
    picked = np.array([19, 0, 7, 6, 12])
    np.testing.assert_array_equal(both.take(picked), array[picked])
    np.testing.assert_array_equal(both[:], array)
    np.testing.assert_array_equal(joined([array[:7], array[7:]]), array)


def test_other_sources_are_joined_and_read_as_a_whole(array, monkeypatch):
    monkeypatch.setattr(source, "SLICE_ROWS", 3)
    both = joined([source.ArraySource(array[:7]), source.ArraySource(array[7:] * 2, lambda x: x / 2)])
    assert (both.shape, both.dtype, len(both)) == ((20, 3), np.float32, 20)
    np.testing.assert_array_equal(source.read_all(both), array)
    halves = source.ArraySource(np.arange(4, dtype=np.uint8), lambda x: x[:, None] / np.float32(2))
    assert (halves.shape, halves.dtype) == ((4, 1), np.float32)
    assert halves.take(np.array([3, 0])).tolist() == [[1.5], [0.0]]


def test_a_value_that_cannot_be_used_names_its_record(array):
    array[13, 1] = np.nan
    lazy = as_rows("toy", array)
    assert len(lazy[:13]) == 13
    with pytest.raises(InputError, match=r"toy: values of record 13 must be finite, found \[nan, nan\]"):
        lazy[np.arange(19, 0, -1)].take(np.arange(19))
    with pytest.raises(InputError, match="record 13"):
        lazy.check()
    images = np.zeros((5, 2, 2, 1), np.float32)
    images[3, 0, 0] = 2
    with pytest.raises(InputError, match=r"record 3 must be in \[0, 1\]"):
        as_rows("toy", images).check()


@pytest.mark.parametrize(("shape", "dtype"), [((50, 7), np.float32), ((50, 4, 4, 3), np.uint8)])
def test_moments_are_those_of_the_array(shape, dtype, monkeypatch):
    monkeypatch.setattr(source, "SLICE_BYTES", 8 * int(np.prod(shape[1:])) * 16)  # 16 examples at a time
    values = np.random.default_rng(1).integers(0, 255, shape).astype(dtype)
    kind = "image" if len(shape) == 4 else "table"
    assert [len(part) for part in source.slices(values)] == [16, 16, 16, 2]
    lazy = as_rows("toy", values)
    assert Preprocessor.fit(lazy, kind).to_json() == Preprocessor.fit(values, kind).to_json()
