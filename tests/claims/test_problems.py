import numpy as np
import pytest

from regjax.claims.problems import PROBLEMS, TITLES, TRAIN, problem
from regjax.core.errors import InputError
from regjax.data import load


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_parts_of_a_run_are_disjoint_and_do_not_depend_on_the_other_runs(name):
    both, alone = problem(name, [4, 9]), problem(name, [9])
    for row in range(2):
        parts = np.concatenate([both.order[row], both.validation[row], both.test[row]])
        assert len(set(parts.tolist())) == len(parts)
    for part in ("order", "validation", "test"):
        own, other = getattr(both, part)[1], getattr(alone, part)[0]
        np.testing.assert_array_equal(both.x[own], alone.x[other])
        np.testing.assert_array_equal(both.y[1][own], alone.y[0][other])


@pytest.mark.parametrize(("name", "share"), [("noisy digits", 0.1), ("random labels", 0.9), ("digits", 0.0)])
def test_label_noise_is_in_the_training_rows_alone(name, share):
    """1,024 labels: a share of 0.1 or 0.9 has a standard error below 0.01; 0.05 is five of them."""
    of = problem(name, [0])
    wrong = of.y[0] != of.clean
    assert abs(wrong[of.order[0]].mean() - share) < 0.05
    assert not wrong[of.validation[0]].any()
    assert not wrong[of.test[0]].any()
    np.testing.assert_array_equal(of.clean, load("digits").y)


def test_columns_are_standardized_by_the_first_training_rows():
    of = problem("breast cancer", [2])
    z = of.standardizations[0].apply(of.x[of.order[0][:TRAIN]])
    np.testing.assert_allclose(z.mean(axis=0), 0.0, atol=1e-4)
    np.testing.assert_allclose(z.std(axis=0), 1.0, atol=1e-4)


def test_half_of_the_variance_of_the_regression_is_noise():
    of = problem("teacher", range(6))
    assert of.task == "regression"
    assert np.var(of.clean) == pytest.approx(1.0, abs=0.1)


def test_every_problem_has_a_title():
    assert set(TITLES) == set(PROBLEMS)


def test_an_unknown_problem_is_refused():
    with pytest.raises(InputError, match="noisy digits"):
        problem("digit", [0])
