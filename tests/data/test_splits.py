import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regjax.core.errors import InputError
from regjax.data import Dataset, load_embedded, nested_order, noisy_labels, split
from regjax.data.splits import _allot, strata

PARTS = ("train", "stop", "select", "test")


def labelled(counts, **parts):
    y = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    names = tuple(f"c{i}" for i in range(len(counts)))
    x = np.arange(len(y), dtype=np.float32)[:, None]
    return Dataset("toy", "classification", x, y, class_names=names, **parts)


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


@settings(max_examples=60)
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


@settings(max_examples=40)
@given(rare=st.integers(4, 9), common=st.integers(100, 400), seed=st.integers(0, 1000))
def test_every_class_is_in_every_part(rare, common, seed):
    splits = split(labelled([rare, common]), seed=seed)
    for part in PARTS:
        assert set(getattr(splits, f"y_{part}").tolist()) == {0, 1}


def test_a_rare_class_is_in_small_parts_too():
    """Of 21 examples, 0.2 would be of the class by proportion."""
    splits = split(labelled([4, 400]), test_fraction=0.05, validation_fraction=0.05)
    assert [(getattr(splits, f"y_{part}") == 0).sum() for part in PARTS] == [1, 1, 1, 1]


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


@settings(max_examples=60)
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


def test_a_split_is_the_same_in_every_version():
    """What these seeds gave when they were first published: numbers of old reports refer to such splits."""
    cut = split(labelled([6, 10, 4]), seed=3).indices
    assert cut["train"].tolist() == [0, 1, 6, 3, 9, 2, 13, 12, 19, 10, 18, 15]
    assert cut["test"].tolist() == [16, 11, 7, 5]
    assert (cut["stop"].tolist(), cut["select"].tolist()) == ([8, 4], [14, 17])
    order = nested_order(np.array([0, 1, 1, 2, 2, 2, 0, 2]), [0, 5], "classification")
    assert order.tolist() == [[7, 2, 4, 6, 3, 1, 5, 0], [7, 2, 5, 6, 3, 1, 4, 0]]
    assert nested_order(np.arange(5.0), [0, 5], "regression").tolist() == [[2, 0, 4, 1, 3], [2, 1, 3, 4, 0]]
    noisy = noisy_labels(np.arange(12) % 4, 0.6, 4, [0, 1])
    assert noisy.tolist() == [[0, 1, 2, 0, 1, 2, 1, 2, 0, 1, 2, 2], [1, 2, 0, 1, 2, 1, 3, 2, 0, 2, 3, 3]]


def best_allotments(counts, size, share, keep):
    """By brute force: those within the wishes, if they can be met, that are closest to proportion."""
    low = [min(share if n > keep else 0, max(n - keep, 0)) for n in counts]
    high = [max(n - keep, 0) for n in counts]
    if sum(low) > size or sum(high) < size:
        low, high = [0] * len(counts), counts
    ranges = [range(least, most + 1) for least, most in zip(low, high, strict=True)]
    feasible = [taken for taken in itertools.product(*ranges) if sum(taken) == size]
    # Times the total, so that the squares are whole numbers.
    far = [sum((t * sum(counts) - n * size) ** 2 for t, n in zip(taken, counts, strict=True)) for taken in feasible]
    return [taken for taken, distance in zip(feasible, far, strict=True) if distance == min(far)]


@settings(max_examples=150)
@given(
    counts=st.lists(st.integers(0, 9), min_size=1, max_size=4).filter(any),
    portion=st.floats(0, 1),
    share=st.integers(0, 3),
    keep=st.integers(0, 3),
)
def test_allotments_are_the_closest_to_proportion_that_the_wishes_allow(counts, portion, share, keep):
    size = round(portion * sum(counts))
    taken = tuple(_allot(np.array(counts), size, share=share, keep=keep).tolist())
    assert taken in (best_allotments(counts, size, share, keep) if size else [(0,) * len(counts)])


def test_ties_of_remainders_go_to_the_lower_class():
    assert _allot(np.array([5, 5, 5]), 4, share=0, keep=0).tolist() == [2, 1, 1]
    assert _allot(np.array([3, 3, 3]), 8, share=0, keep=0).tolist() == [3, 3, 2]
    assert _allot(np.array([2, 2, 20]), 4, share=2, keep=0).tolist() == [1, 0, 3]  # shares of 6 do not fit into 4
    assert _allot(np.array([1, 1, 8]), 8, share=0, keep=1).tolist() == [1, 1, 6]  # nor 9 - 3 kept into 8
    assert _allot(np.array([4, 4, 4]), 6, share=2, keep=2).tolist() == [2, 2, 2]


def test_the_number_of_outputs():
    x, y = np.zeros((20, 1), np.float32), np.arange(20, dtype=np.float32)
    assert split(labelled([10, 10, 10])).num_outputs == 3
    assert split(Dataset("toy", "regression", x, y)).num_outputs == 1
    assert split(Dataset("toy", "regression", x, np.stack([y, y, y], 1))).num_outputs == 3


def test_a_classification_has_two_classes():
    split(labelled([10, 10])).check_targets()
    split(
        Dataset("toy", "regression", np.zeros((20, 1), np.float32), np.arange(20.0, dtype=np.float32))
    ).check_targets()
    with pytest.raises(InputError, match="toy: all labels are the same"):
        split(labelled([20])).check_targets()


def validation(count):
    return np.full((count, 1), -1, np.float32), (np.arange(count) % 2).astype(np.int32)


def test_an_official_validation_split_is_halved():
    splits = split(labelled([20, 20], validation=validation(5)), test_fraction=0.25)
    assert splits.sizes == {"train": 30, "stop": 3, "select": 2, "test": 10}
    assert set(splits.indices) == {"train", "test"}
    assert (splits.x_stop == -1).all()
    assert (splits.x_select == -1).all()
    assert (splits.x_train >= 0).all()
    assert sorted([*splits.y_stop.tolist(), *splits.y_select.tolist()]) == [0, 0, 0, 1, 1]
    assert not splits.official_test
    # Both: nothing is cut from the examples, and one example is enough for training.
    one = np.zeros((1, 1), np.float32), np.zeros(1, np.float32)
    both = split(Dataset("toy", "regression", *one, test=one, validation=[np.repeat(part, 2, 0) for part in one]))
    assert both.sizes == {"train": 1, "stop": 1, "select": 1, "test": 1}
    with pytest.raises(InputError, match="the validation split has 1 example, at least 2 are needed"):
        split(labelled([20, 20], validation=validation(1)))
    with pytest.raises(InputError, match="cannot be cut into 4 for test, 0 for validation"):
        split(labelled([2, 2], validation=validation(4)), test_fraction=0.9)


def test_an_official_validation_split_of_a_regression():
    x, y = np.zeros((20, 1), np.float32), np.linspace(-5, 5, 20).astype(np.float32)
    splits = split(Dataset("toy", "regression", x, y, validation=(x[:7], y[:7])))
    assert splits.sizes == {"train": 16, "stop": 4, "select": 3, "test": 4}
    assert sorted([*splits.y_stop.tolist(), *splits.y_select.tolist()]) == y[:7].tolist()


def test_the_facts_of_the_dataset_are_kept():
    x = np.zeros((40, 2, 2, 1), np.uint8)
    y = (np.arange(40) % 2).astype(np.int32)
    splits = split(Dataset("toy", "classification", x, y, class_names=("a", "b"), embedded=True))
    assert (splits.name, splits.task, splits.kind, splits.num_classes) == ("toy", "classification", "image", 2)
    assert (splits.class_names, splits.embedded) == (("a", "b"), True)
    table = split(Dataset("toy", "classification", np.zeros((40, 1), np.float32), y, columns=("size",)))
    assert (table.columns, table.embedded, table.official_test) == (("size",), False, False)
    with pytest.raises(AttributeError):
        splits.name = "other"


def test_smallest_cuts():
    """Two for validation and one for training are enough, one for validation is not."""
    sizes = split(labelled([5]), test_fraction=0.4, validation_fraction=0.4).sizes
    assert sizes == {"train": 1, "stop": 1, "select": 1, "test": 2}
    with pytest.raises(InputError, match="cannot be cut into 1 for test, 1 for validation"):
        split(labelled([5]))
    with pytest.raises(InputError, match="cannot be cut into 3 for test, 2 for validation"):
        split(labelled([5]), test_fraction=0.6, validation_fraction=0.4)
    # 0.2 * 1795 is 359.00000000000006, which is no 360th example; 0.2 * 1796 is 359.2.
    assert split(labelled([1795])).sizes["test"] == 359
    assert split(labelled([1796])).sizes["test"] == 360


@pytest.mark.parametrize(("missing", "text"), [(8, "'c9'; each"), (9, r"'c9', \.\.\.; each")])
def test_of_missing_classes_eight_are_named(missing, text):
    with pytest.raises(InputError, match=f"labels missing from train: 'c2', .*{text}"):
        split(labelled([30, 30] + [0] * missing))


def test_orders_of_any_size():
    y = np.arange(6) % 2
    for task in ("classification", "regression"):
        assert nested_order(y, 2, task, size=0).shape == (2, 0)
        assert nested_order(y, 2, task, size=6).shape == (2, 6)
        assert nested_order(y[:0], 2, task).shape == (2, 0)
        assert nested_order(y, 2, task).dtype == np.int32
        for size in (-1, 7):
            with pytest.raises(InputError, match=rf"size must be in \[0, 6\], got {size}"):
                nested_order(y, 2, task, size=size)


TWO = np.stack([np.arange(20), np.ones(20)], axis=1)


@pytest.mark.parametrize(("y", "which"), [(np.ones(20), "the target"), (TWO, "target 1")])
def test_a_constant_target_is_refused(y, which):
    splits = split(Dataset("toy", "regression", np.zeros((20, 1), np.float32), y.astype(np.float32)))
    with pytest.raises(InputError, match=f"toy: {which} is the same in all training examples"):
        splits.check_targets()


def test_a_label_that_few_examples_have_is_in_every_part():
    """And examples of the same rarest label are divided in proportion."""
    rng = np.random.default_rng(0)
    y = (rng.random((200, 3)) < [0.5, 0.2, 0.0]).astype(np.float32)
    y[:8, 2] = 1
    assert strata(y[:1] * 0, "multilabel").tolist() == [3]
    rare = strata(y, "multilabel")
    assert set(rare[:8]) == {2}
    assert all(y[i, k] == 1 for i, k in enumerate(rare) if k < 3)
    for seed in range(5):
        parts = split(Dataset("toy", "multilabel", np.zeros((200, 1), np.float32), y), seed=seed)
        for part in PARTS:
            assert getattr(parts, f"y_{part}")[:, 2].any()
        assert parts.num_outputs == 3
        assert parts.targets == ("label 0", "label 1", "label 2")
    order = nested_order(y, 20, "multilabel")
    assert (y[order[:, :50], 2].sum(axis=1) >= 1).all()  # 50 of 200 examples hold a quarter of the 8
    assert sorted(order[0].tolist()) == list(range(200))


def test_a_label_without_variety_is_named():
    y = np.stack([np.arange(20) % 2, np.zeros(20)], axis=1).astype(np.float32)
    data = Dataset("toy", "multilabel", np.zeros((20, 1), np.float32), y, target_names=("wet", "hot"))
    with pytest.raises(InputError, match="target 'hot' is the same in all training examples"):
        split(data).check_targets()
