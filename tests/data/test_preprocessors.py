import numpy as np
import pytest

from regjax.data import Dataset, Preprocessor, Preprocessors, nested_order, split


@pytest.fixture(scope="module")
def splits():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3)).astype(np.float32) * [1, 10, 100]
    return split(Dataset("numbers", "regression", x.astype(np.float32), (5 + x[:, 0]).astype(np.float32)))


def test_a_run_has_the_moments_of_its_own_examples(splits):
    made = Preprocessors(splits)
    for seed in (0, 1):
        rows = nested_order(splits.y_train, [seed], "regression")[0, :20]
        own = made.of(seed, 20)
        np.testing.assert_allclose(own.mean, splits.x_train[rows].mean(axis=0), rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(own.scale, splits.x_train[rows].std(axis=0), rtol=1e-4)
        assert own.y_scale == pytest.approx(splits.y_train[rows].std(), rel=1e-4)
    assert not np.array_equal(made.of(0, 20).mean, made.of(1, 20).mean)


def test_each_is_fitted_once_and_the_whole_pool_is_that_of_all_seeds(splits):
    made = Preprocessors(splits)
    assert made.of(0, 20) is made.of(0, 20)
    assert made.of(0) is made.of(7, len(splits.y_train)) is made.whole


def test_losses_of_two_preprocessors_have_a_common_unit(splits):
    """A prediction that is off by the same number in the target's own units has the same loss in one unit."""
    made = Preprocessors(splits)
    own, whole = made.of(0, 20), made.whole
    error = 3.0
    assert (error / own.y_scale) ** 2 * own.loss_unit(whole) == pytest.approx((error / whole.y_scale) ** 2, rel=1e-5)
    factor, offset = own.units_of(whole)
    standardized = own.target_transform(splits.y_train)
    np.testing.assert_allclose(standardized * factor + offset, whole.target_transform(splits.y_train), atol=1e-5)
    assert whole.units_of(whole) is None


def test_all_runs_have_the_link_of_the_whole(splits):
    made = Preprocessors(splits, Preprocessor.for_splits(splits, link="log"))
    assert made.of(0, 20).link == "log"
    assert made.of(0, 20).y_scale is None
