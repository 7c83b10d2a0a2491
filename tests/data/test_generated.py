import numpy as np
import pytest

from regjax.core.errors import InputError
from regjax.data import SPARSE_REGRESSION, sparse_regression_problem, spirals_problem


def test_spirals_without_noise_lie_on_their_curves():
    x, y = spirals_problem(3, 101, noise=0.0)
    radius = np.hypot(*x.T.astype(np.float64))
    angle = 3 * np.pi * radius + np.pi * y
    np.testing.assert_allclose(x, radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1), atol=1e-5)
    assert np.bincount(y).tolist() == [51, 50]


def test_seeds_decide():
    assert np.array_equal(spirals_problem(1, 20, 0.1)[0], spirals_problem(1, 20, 0.1)[0])
    assert not np.array_equal(spirals_problem(1, 20, 0.1)[0], spirals_problem(2, 20, 0.1)[0])


def test_sparse_regression_has_the_stated_coefficients_and_noise():
    x, y, coef = sparse_regression_problem(**SPARSE_REGRESSION)
    size = np.abs(coef[coef != 0])
    assert len(size) == SPARSE_REGRESSION["k"]
    assert size.min() >= 1
    assert size.max() <= 3
    residual = y - x @ coef
    assert abs(residual.std() - SPARSE_REGRESSION["noise"]) < 0.3
    assert x.dtype == y.dtype == coef.dtype == np.float32


def test_least_squares_recovers_the_coefficients():
    x, y, coef = sparse_regression_problem(0, n=400, p=30, k=5, noise=0.01)
    np.testing.assert_allclose(np.linalg.lstsq(x, y, rcond=None)[0], coef, atol=0.01)


def test_feature_scales_leave_the_signal():
    plain = sparse_regression_problem(5, 60, 12, 4, noise=1.0)
    scaled = sparse_regression_problem(5, 60, 12, 4, noise=1.0, feature_scales=True)
    np.testing.assert_array_equal(plain[1], scaled[1])
    np.testing.assert_allclose(scaled[0] @ scaled[2], plain[0] @ plain[2], rtol=1e-4, atol=1e-4)
    spread = scaled[0].std(0)
    assert spread.max() / spread.min() > 10


def test_outliers_change_exactly_their_share_of_targets():
    plain = sparse_regression_problem(5, 100, 12, 4, noise=1.0)
    wild = sparse_regression_problem(5, 100, 12, 4, noise=1.0, outliers=0.1)
    np.testing.assert_array_equal(plain[0], wild[0])
    assert (plain[1] != wild[1]).sum() == 10


@pytest.mark.parametrize(
    ("change", "message"),
    [({"k": 21}, r"k must be in \[0, p\] = \[0, 20\], got 21"), ({"outliers": 1.5}, "outliers must be in")],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        sparse_regression_problem(**({"seed": 0, "n": 50, "p": 20, "k": 3, "noise": 1.0} | change))
    assert issubclass(InputError, ValueError)
