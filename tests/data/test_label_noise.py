import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import noisy_labels, noisy_targets


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


def test_noise_stays_within_the_classes():
    for classes in (2, 3, 4, 6, 7):
        noisy = noisy_labels(np.arange(600) % classes, 1.0, classes, 2)
        assert set(noisy.ravel().tolist()) == set(range(classes))
        assert (noisy != np.arange(600) % classes).all()


def test_labels_of_one_class_can_have_no_noise_but_no_labels_can():
    assert noisy_labels(np.zeros(3, np.int32), 0.0, 1, 1).tolist() == [[0, 0, 0]]
    assert noisy_labels(np.zeros(0, np.int32), 0.5, 2, 3).shape == (3, 0)
    with pytest.raises(InputError, match=r"labels must be class indices int\[N\], got float32\[2, 2\]"):
        noisy_labels(np.eye(2, dtype=np.float32), 0.1, 2, 1)
    with pytest.raises(InputError, match="noisy_labels: at least one seed"):
        noisy_labels(np.zeros(3, np.int32), 0.1, 2, [])


def test_each_of_several_labels_is_noisy_on_its_own():
    y = np.random.default_rng(0).integers(0, 2, (2000, 3)).astype(np.float32)
    (noisy,) = noisy_targets(y, 0.2, "multilabel", 0, [4])
    assert (noisy.dtype, noisy.shape) == (np.float32, y.shape)
    changed = noisy != y
    # 6,000 labels: the share is within five standard errors, of which the chance is below one in a million.
    assert abs(changed.mean() - 0.2) < 5 * np.sqrt(0.16 / changed.size)
    assert 0.03 < (changed[:, 0] & changed[:, 1]).mean() < 0.05  # 4% if independent
    np.testing.assert_array_equal(noisy_targets(y, 0.0, "multilabel", 0, 2), [y, y])
    labels = np.array([0, 1, 2])
    np.testing.assert_array_equal(noisy_targets(labels, 0.5, "classification", 3, 2), noisy_labels(labels, 0.5, 3, 2))
    with pytest.raises(InputError, match="task 'regression'"):
        noisy_targets(y, 0.1, "regression", 0, 1)
