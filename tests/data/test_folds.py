import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import TimeSeriesSplit

from regjax.core.errors import InputError
from regjax.data.folds import folds


def validated(made):
    return np.sort(np.concatenate([fold.validation for fold in made]))


@given(st.lists(st.integers(2, 30), min_size=1, max_size=4), st.integers(2, 6), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_each_example_is_validated_once_and_classes_are_even(counts, count, seed):
    y = np.repeat(np.arange(len(counts)), counts).astype(np.int32)
    if count > len(y):
        return
    made = folds(y, count, task="classification", seed=seed)
    np.testing.assert_array_equal(validated(made), np.arange(len(y)))
    for fold in made:
        np.testing.assert_array_equal(np.union1d(fold.train, fold.validation), np.arange(len(y)))
        assert not np.intersect1d(fold.train, fold.validation).size
    by_class = np.stack([np.bincount(y[fold.validation], minlength=len(counts)) for fold in made])
    assert (np.ptp(by_class, axis=0) <= 1).all()
    assert np.ptp(by_class.sum(axis=1)) <= 1


def test_a_seed_gives_the_same_folds_and_another_seed_others():
    y = np.arange(40) % 2
    first, again, other = (folds(y, 4, task="classification", seed=seed) for seed in (0, 0, 1))
    assert all((a.validation == b.validation).all() for a, b in zip(first, again, strict=True))
    assert any((a.validation != b.validation).any() for a, b in zip(first, other, strict=True))


@given(st.integers(0, 1000), st.integers(2, 5))
@settings(max_examples=40, deadline=None)
def test_groups_stay_whole(seed, count):
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 25, 120)
    y = rng.integers(0, 2, 120).astype(np.int32)
    made = folds(y, count, task="classification", groups=groups, seed=seed)
    np.testing.assert_array_equal(validated(made), np.arange(120))
    for fold in made:
        assert not np.intersect1d(groups[fold.train], groups[fold.validation]).size


def test_groups_of_one_class_are_spread_over_the_folds():
    """Twelve groups of ten: six of each class; three folds hold two of each."""
    groups = np.repeat(np.arange(12), 10)
    y = np.asarray(groups % 2, np.int32)
    for fold in folds(y, 3, task="classification", groups=groups):
        assert np.bincount(y[fold.validation]).tolist() == [20, 20]


def test_single_examples_fill_up_what_large_groups_leave_uneven():
    groups = np.concatenate([np.zeros(10, int), np.arange(1, 31)])  # one group of ten and thirty single examples
    sizes = [len(fold.validation) for fold in folds(np.zeros(40), 4, task="regression", groups=groups)]
    assert sizes == [10] * 4


@pytest.mark.parametrize(("n", "count"), [(12, 3), (25, 4), (7, 6)])
def test_folds_in_time_are_those_of_scikit_learn(n, count):
    times = np.random.default_rng(0).permutation(n) * 10.0
    order = np.argsort(times)
    made = folds(np.zeros(n), count, task="regression", times=times, seed=5)
    for fold, (train, validation) in zip(made, TimeSeriesSplit(count).split(order), strict=True):
        np.testing.assert_array_equal(fold.train, np.sort(order[train]))
        np.testing.assert_array_equal(fold.validation, np.sort(order[validation]))
        assert times[fold.train].max() < times[fold.validation].min()


def test_several_labels_are_stratified_by_the_rarest():
    y = np.zeros((40, 2), np.float32)
    y[:4, 0] = 1  # four of forty
    for fold in folds(y, 4, task="multilabel"):
        assert y[fold.validation, 0].sum() == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.zeros(5), 1), "count must be at least 2, got 1"),
        ((np.zeros(3), 4), "3 examples are too few for 4 folds"),
        ((np.zeros(6), 3, {"groups": [0, 0, 0, 1, 1, 1]}), "2 groups are too few for 3 folds"),
        ((np.zeros(3), 3, {"times": np.arange(3)}), "3 examples are too few for 3 folds in time"),
        ((np.array([0, 0, 0, 1]), 2, {"task": "classification"}), "no training example of class 1 in fold"),
        ((np.array([0, 0, 1, 1]), 3, {"task": "classification", "times": np.arange(4)}), "class 1 in fold 0"),
    ],
)
def test_what_cannot_be_cut_is_refused(arguments, words):
    y, count, *options = arguments
    with pytest.raises(InputError, match=words):
        folds(y, count, **{"task": "regression"} | (options[0] if options else {}))
