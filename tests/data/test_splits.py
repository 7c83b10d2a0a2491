import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regjax.core.errors import InputError
from regjax.data import Dataset, load_embedded, nested_order, noisy_labels, split
from regjax.data.splits import _allot

PARTS = ("train", "stop", "select", "test")


def labelled(counts, test=None):
    y = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    names = tuple(f"c{i}" for i in range(len(counts)))
    x = np.arange(len(y), dtype=np.float32)[:, None]
    return Dataset("toy", "classification", x, y, class_names=names, test=test)


def test_allot_by_hand():
    # Quotas of 10 among 23, 43, 34 are 2.3, 4.3, 3.4: floors 2, 4, 3 and the last seat to the remainder .4.
    assert _allot(np.array([23, 43, 34]), 10, share=0, keep=0).tolist() == [2, 4, 4]
    # A rare class gets its share although proportion gives 0, and keeps one.
    assert _allot(np.array([2, 98]), 10, share=1, keep=1).tolist() == [1, 9]
    assert _allot(np.array([1, 99]), 10, share=1, keep=1).tolist() == [0, 10]
    # Too small for one each: plain proportion.
    assert _allot(np.array([5, 5, 5]), 2, share=1, keep=1).sum() == 2
    assert _allot(np.array([5, 5]), 0, share=1, keep=1).tolist() == [0, 0]


def test_digits_has_the_sizes_of_the_study(warm_cache):
    digits = load_embedded("digits", cache_dir=warm_cache)
    splits = split(digits)
    assert splits.sizes == {"train": 1077, "stop": 180, "select": 180, "test": 360}
    assert (splits.kind, splits.task, splits.num_classes) == ("image", "classification", 10)
    for part in PARTS:
        y = getattr(splits, f"y_{part}")
        assert np.abs(np.bincount(y) / len(y) - np.bincount(digits.y) / 1797).max() < 1 / len(y) + 0.003
        np.testing.assert_array_equal(getattr(splits, f"x_{part}"), digits.x[splits.indices[part]])
    assert splits.indices["test"][:5].tolist() == split(digits).indices["test"][:5].tolist()
    assert splits.indices["test"][:5].tolist() != split(digits, seed=1).indices["test"][:5].tolist()


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.integers(4, 60), min_size=1, max_size=8),
    seed=st.integers(0, 2**40),
    test_fraction=st.floats(0.1, 0.4),
    validation_fraction=st.floats(0.1, 0.4),
)
def test_splits_are_disjoint_complete_and_proportional(counts, seed, test_fraction, validation_fraction):
    counts = np.array(counts)
    n = counts.sum()
    if n < 20:
        return
    splits = split(labelled(counts), seed=seed, test_fraction=test_fraction, validation_fraction=validation_fraction)
    together = np.concatenate([splits.indices[part] for part in PARTS])
    assert sorted(together.tolist()) == list(range(n))
    assert sorted(np.concatenate([getattr(splits, f"x_{p}")[:, 0] for p in PARTS]).tolist()) == list(range(n))
    assert set(splits.y_train.tolist()) == set(range(len(counts)))
    # Each cut is within one of proportional to what it divides, where no class asks for more than its share.
    test = np.bincount(splits.y_test, minlength=len(counts))
    quota = counts * len(splits.y_test) / n
    if quota.min() >= 1:
        assert np.abs(test - quota).max() < 1
    rest = counts - test
    held = np.bincount(np.concatenate([splits.y_stop, splits.y_select]), minlength=len(counts))
    quota = rest * held.sum() / rest.sum()
    if quota.min() >= 2:
        assert np.abs(held - quota).max() < 1
        stop = np.bincount(splits.y_stop, minlength=len(counts))
        assert np.abs(stop - held / 2).max() <= 1
    assert 0 <= len(splits.y_stop) - len(splits.y_select) <= 1


@settings(max_examples=40, deadline=None)
@given(rare=st.integers(4, 9), common=st.integers(100, 400), seed=st.integers(0, 1000))
def test_every_class_is_in_every_part(rare, common, seed):
    splits = split(labelled([rare, common]), seed=seed)
    for part in PARTS:
        assert set(getattr(splits, f"y_{part}").tolist()) == {0, 1}


def test_a_single_example_goes_to_train():
    for seed in range(5):
        splits = split(labelled([1, 40]), seed=seed)
        assert (splits.y_train == 0).sum() == 1


def test_official_test_split_is_used_as_it_is():
    x_test, y_test = np.full((3, 1), -1, np.float32), np.array([0, 1, 1], np.int32)
    splits = split(labelled([50, 50], test=(x_test, y_test)))
    assert splits.official_test
    assert "test" not in splits.indices
    assert splits.x_test is x_test
    assert splits.y_test is y_test
    assert splits.sizes == {"train": 80, "stop": 10, "select": 10, "test": 3}


def test_regression_is_cut_plainly(warm_cache):
    splits = split(load_embedded("diabetes", cache_dir=warm_cache))
    assert splits.sizes == {"train": 264, "stop": 45, "select": 44, "test": 89}
    assert splits.num_classes == 0
    together = np.concatenate([splits.indices[part] for part in PARTS])
    assert sorted(together.tolist()) == list(range(442))


@pytest.mark.parametrize(
    ("counts", "kwargs", "message"),
    [
        ([5, 0, 5], {}, "labels missing from train: 'c1'"),
        ([20], {"test_fraction": 0.0}, r"test_fraction must be in \(0, 1\), got 0.0"),
        ([20], {"validation_fraction": 1.5}, r"validation_fraction must be in \(0, 1\), got 1.5"),
        ([20], {"test_fraction": 0.5, "validation_fraction": 0.5}, "cannot be cut into 10 for test"),
        ([3], {}, "cannot be cut"),
        ([2, 2, 2, 2], {"test_fraction": 0.5, "validation_fraction": 0.3}, "labels missing from train"),
    ],
)
def test_refusals(counts, kwargs, message):
    with pytest.raises(InputError, match=message):
        split(labelled(counts), **kwargs)


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.integers(1, 40), min_size=1, max_size=10), seed=st.integers(0, 2**40))
def test_every_prefix_is_stratified(counts, seed):
    y = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    order = nested_order(y, [seed, 7], "classification")
    assert order.dtype == np.int32
    share = np.array(counts) / len(y)
    for row in order:
        assert sorted(row.tolist()) == list(range(len(y)))
        seen = np.cumsum(np.eye(len(counts))[y[row]], axis=0)
        assert np.abs(seen - np.arange(1, len(y) + 1)[:, None] * share).max() < 1


def test_an_order_depends_on_its_seed_alone():
    y = np.arange(60) % 3
    three = nested_order(y, 3, "classification")
    assert len({row.tobytes() for row in three}) == 3
    np.testing.assert_array_equal(nested_order(y, [2], "classification")[0], three[2])
    np.testing.assert_array_equal(nested_order(y, range(1, 3), "classification"), three[1:])


def test_first_class_is_not_always_the_same():
    y = np.arange(60) % 6
    assert len(set(y[nested_order(y, 30, "classification")[:, 0]].tolist())) > 3


def test_a_shorter_order_is_the_beginning():
    y = np.arange(100) % 7
    for task in ("classification", "regression"):
        whole = nested_order(y, [4, 5], task)
        np.testing.assert_array_equal(nested_order(y, [4, 5], task, size=33), whole[:, :33])
    with pytest.raises(InputError, match=r"size must be in \[0, 100\], got 101"):
        nested_order(y, 1, "classification", size=101)


def test_numpy_seeds_are_the_same_seeds():
    y = np.arange(50) % 3
    ours = nested_order(y, [0, 1], "classification")
    np.testing.assert_array_equal(nested_order(y, np.arange(2), "classification"), ours)
    np.testing.assert_array_equal(nested_order(y, np.int32(2), "classification"), ours)


def test_labels_need_not_be_consecutive():
    order = nested_order(np.array([7, 7, 3, 3]), 1, "classification")
    assert sorted(order[0].tolist()) == [0, 1, 2, 3]


def test_regression_orders_are_plain():
    order = nested_order(np.linspace(0, 1, 50), 4, "regression")
    assert order.shape == (4, 50)
    assert all(sorted(row.tolist()) == list(range(50)) for row in order)


def test_orders_want_a_seed_and_a_task():
    with pytest.raises(InputError, match="at least one seed"):
        nested_order(np.zeros(3), [], "classification")
    with pytest.raises(InputError, match="did you mean 'regression'"):
        nested_order(np.zeros(3), 1, "regresion")


@pytest.mark.parametrize("rate", [0.0, 0.1, 0.5, 1.0])
def test_noise_has_its_rate_and_is_uniform_over_others(rate):
    y = np.arange(20_000) % 5
    noisy = noisy_labels(y, rate, 5, [3, 4])
    assert noisy.shape == (2, 20_000)
    assert noisy.dtype == np.int32
    wrong = noisy != y
    assert np.abs(wrong.mean(1) - rate).max() <= 5 * np.sqrt(rate * (1 - rate) / 20_000)
    if rate:
        jumps = np.bincount(((noisy - y) % 5)[wrong], minlength=5)
        assert jumps[0] == 0
        assert np.abs(jumps[1:] / wrong.sum() - 0.25).max() < 0.02
        assert not np.array_equal(noisy[0], noisy[1]) or rate == 0


def test_noise_is_monotone_in_rate_and_keyed_by_position():
    y = np.arange(500) % 3
    low, high = noisy_labels(y, 0.2, 3, 1)[0], noisy_labels(y, 0.6, 3, 1)[0]
    np.testing.assert_array_equal(low[low != y], high[low != y])
    np.testing.assert_array_equal(noisy_labels(y[:100], 0.2, 3, 1)[0], low[:100])
    np.testing.assert_array_equal(noisy_labels(y, 0.2, 3, [0, 9])[0], low)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1], 1.2, 2, 1), r"rate must be in \[0, 1\], got 1.2"),
        (([0, 1], float("nan"), 2, 1), "rate must be in"),
        (([0, 2], 0.1, 2, 1), r"must be in \[0, 1\], got 2"),
        (([0, 0], 0.1, 1, 1), "needs at least 2 classes"),
    ],
)
def test_noise_refusals(arguments, message):
    y, *rest = arguments
    with pytest.raises(InputError, match=message):
        noisy_labels(np.array(y), *rest)
