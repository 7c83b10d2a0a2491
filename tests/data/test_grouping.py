import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regjax.core.errors import InputError
from regjax.data import Dataset, from_arrays, split
from regjax.data.grouping import (
    FEWEST_DISTINCT,
    check_weights,
    duplicate_files,
    duplicates,
    effective_number,
    group_numbers,
    with_duplicates_together,
)

PARTS = ("train", "stop", "select", "test")


def made(groups=None, times=None, n=120, task="classification"):
    x = np.arange(2.0 * n, dtype=np.float32).reshape(n, 2)
    y = (np.arange(n) % 3).astype(np.int32) if task == "classification" else x[:, 0]
    return Dataset("toy", task, x, y, groups=groups, times=times)


@given(st.lists(st.sampled_from("abcde"), min_size=1))
def test_groups_are_numbered_in_the_order_of_their_first_example(names):
    numbers = group_numbers(names)
    order = list(dict.fromkeys(names))
    assert numbers.tolist() == [order.index(name) for name in names]


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0, np.nan]), min_size=2, max_size=2), min_size=1, max_size=30))
def test_duplicates_are_equal_rows_of_bytes(rows):
    x = np.array(rows, np.float32)
    texts = [row.tobytes() for row in x]
    np.testing.assert_array_equal(duplicates(x), group_numbers(texts))


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float32])
def test_duplicates_of_any_shape_and_dtype(dtype):
    x = np.random.default_rng(0).integers(0, 3, (50, 2, 2, 1)).astype(dtype)
    expected = np.unique(x.reshape(50, -1), axis=0, return_inverse=True)[1].reshape(-1)
    np.testing.assert_array_equal(duplicates(x), group_numbers(expected))


@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("largest", [2, 3, 7])
def test_no_group_is_divided_and_every_split_has_the_same_sizes(task, largest):
    rng = np.random.default_rng(largest)
    groups = group_numbers(np.repeat(np.arange(120), rng.integers(1, largest + 1, 120))[:120])
    sizes = set()
    for seed in range(30):
        parts = split(made(groups, task=task), seed=seed)
        sizes.add(tuple(parts.sizes.values()))
        everything = np.concatenate([parts.indices[part] for part in PARTS])
        assert len(set(everything.tolist())) == len(everything)
        of_parts = [set(groups[parts.indices[part]]) for part in PARTS]
        assert sum(map(len, of_parts)) == len(set.union(*of_parts))
    ((train, *others),) = sizes
    assert others == [12, 12, 24]
    assert 72 - 3 * (largest - 1) <= train <= 72


def test_copies_of_a_few_examples_leave_nothing_out():
    groups = group_numbers(np.concatenate([np.arange(110), np.arange(10)]))
    for seed in range(30):
        indices = split(made(groups), seed=seed).indices
        np.testing.assert_array_equal(np.sort(np.concatenate([indices[part] for part in PARTS])), np.arange(120))


def test_groups_are_stratified_by_their_most_frequent_class():
    groups = np.repeat(np.arange(60), 2)
    data = made(groups)
    data = Dataset("toy", "classification", data.x, (groups % 3).astype(np.int32), groups=groups)
    for seed in range(5):
        parts = split(data, seed=seed)
        assert np.bincount(parts.y_test).tolist() == [8, 8, 8]


def test_groups_of_one_are_the_split_without_groups():
    plain, grouped = split(made()), split(made(np.arange(120)))
    for part in PARTS:
        np.testing.assert_array_equal(plain.indices[part], grouped.indices[part])


@given(st.permutations(range(50)))
def test_nothing_is_trained_on_that_is_later_than_what_is_tested(order):
    times = np.array(order, float)
    indices = split(made(times=times, n=50, task="regression"), seed=3).indices
    ends = [(times[indices[part]].min(), times[indices[part]].max()) for part in PARTS]
    assert all(before[1] < after[0] for before, after in itertools.pairwise(ends))
    assert [len(indices[part]) for part in PARTS] == [30, 5, 5, 10]


def test_copies_stay_in_one_part_and_are_counted():
    x = np.random.default_rng(0).normal(size=(60, 3))
    data = from_arrays(np.concatenate([x, x]), np.arange(120) % 2)
    assert data.groups is not None
    assert "60 of 120 examples are exact duplicates, such as example 60 of example 0" in data.notes[-1]
    test = set(split(data).indices["test"].tolist())
    assert test == {(i + 60) % 120 for i in test}
    assert from_arrays(x, np.arange(60) % 2).groups is None


def test_files_with_the_same_content_are_duplicates(tmp_path):
    files = [tmp_path / f"{i}.bin" for i in range(5)]
    for file, content in zip(files, [b"aa", b"bb", b"aa", b"long", b"bb"], strict=True):
        file.write_bytes(content)
    assert duplicate_files(files).tolist() == [0, 1, 0, 2, 1]


def test_equal_examples_of_a_few_possible_ones_are_no_copies():
    x = np.random.default_rng(0).integers(0, 2, (100, 3)).astype(np.float32)
    assert FEWEST_DISTINCT * 100 > 8
    data = from_arrays(x, np.arange(100) % 2)
    assert data.groups is None
    assert "only 8 distinct ones" in data.notes[-1]


def test_groups_that_are_given_are_kept():
    x = np.zeros((9, 2))
    data = from_arrays(x, np.arange(9) % 3, groups=list("aabbccdde"))
    assert data.groups.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4]
    assert with_duplicates_together(data) is data


def test_what_does_not_fit_is_refused():
    x, y = np.eye(4), np.arange(4) % 2
    with pytest.raises(InputError, match="2 groups for 4 examples"):
        from_arrays(x, y, groups=[1, 2])
    with pytest.raises(InputError, match="times must be 4 finite numbers or dates"):
        from_arrays(x, y, times=["a"] * 4)
    with pytest.raises(InputError, match="groups and times; accepted: one of them"):
        from_arrays(x, y, groups=[1, 2, 3, 4], times=[1, 2, 3, 4])
    days = np.array(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"], "datetime64[D]")
    assert np.diff(from_arrays(x, y, times=days).times).tolist() == [86400] * 3
    with pytest.raises(InputError, match="the groups are too large"):
        split(from_arrays(np.eye(40), np.arange(40) % 2, groups=np.arange(40) // 20))


def test_weights_have_the_mean_one():
    np.testing.assert_allclose(check_weights("toy", [1, 0, 5], 3), [0.5, 0, 2.5])
    for wrong in ([1.0, -1.0, 2.0], [0.0, 0.0, 0.0], [1.0, 2.0], [1.0, np.nan, 1.0], ["a", "b", "c"]):
        with pytest.raises(InputError, match="toy: weights must be 3 finite numbers >= 0"):
            check_weights("toy", wrong, 3)


def test_parts_know_their_groups_and_how_many_are_independent():
    groups = np.repeat(np.arange(20), 5)
    splits = split(made(groups=groups, n=100, task="regression"), seed=1)
    for part in PARTS:
        np.testing.assert_array_equal(splits.groups[part], groups[splits.indices[part]])
    assert splits.independent("test") == len(splits.y_test) // 5 == 4
    assert splits.independent("test", 10) == 2  # of the first ten examples
    plain = split(made(n=100, task="regression"), seed=1)
    assert plain.groups == {}
    assert (plain.independent("stop"), plain.independent("stop", 3)) == (len(plain.y_stop), 3)


def test_groups_of_other_sizes_tell_less_than_their_number():
    assert effective_number(np.repeat(np.arange(4), 3)) == 4
    assert effective_number(np.array([0] * 90 + list(range(1, 11)))) == 1  # 100^2 / (90^2 + 10) = 1.2
    assert effective_number(np.arange(7)) == 7
