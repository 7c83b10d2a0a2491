import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from regjax.data import from_frame
from regjax.data.tables.leaks import ORDERED, SEPARATED, leaks

NAMES = ["a", "b"]


@given(st.integers(0, 1000), st.sampled_from([0.01, 0.1, 0.2, 0.5]))
def test_rank_correlation_is_that_of_scipy(seed, noise):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=80)
    x = np.stack([np.exp(-y) + noise * rng.normal(size=80), rng.normal(size=80)], axis=1)
    correlation = abs(spearmanr(x[:, 0], y)[0])
    assume(abs(correlation - ORDERED) > 1e-9)
    found = correlation >= ORDERED
    assert [note.split(" alone")[0] for note in leaks(x, y, NAMES, "regression")] == (["a"] if found else [])


@given(st.integers(0, 1000), st.sampled_from([1.0, 2.0, 4.0]), st.sampled_from([-1, 1]))
def test_area_is_that_of_scikit_learn(seed, distance, sign):
    rng = np.random.default_rng(seed)
    y = np.arange(80) % 2
    x = np.stack([rng.normal(size=80), sign * distance * y + rng.normal(size=80).round(1)], axis=1)
    area = roc_auc_score(y, x[:, 1])
    assume(abs(max(area, 1 - area) - SEPARATED) > 1e-9)  # scikit-learn adds up trapezoids, and rounds
    found = max(area, 1 - area) >= SEPARATED
    assert [note.split(" alone")[0] for note in leaks(x, y, NAMES, "classification")] == (["b"] if found else [])


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_missing_cells_constants_and_few_rows_are_no_leaks(task):
    y = np.arange(60.0) % 2 if task == "classification" else np.arange(60.0)
    holes = np.where(np.arange(60) < 20, np.nan, y)
    assert len(leaks(np.stack([holes, np.ones(60)], axis=1), y, NAMES, task)) == 1
    assert leaks(np.stack([y, y], axis=1)[:29], y[:29], NAMES, task) == []
    assert leaks(np.stack([y, y], axis=1), np.stack([y, y], axis=1), NAMES, task) == []


def test_a_table_says_so():
    wage = np.random.default_rng(0).lognormal(size=100)
    data = from_frame({"logwage": np.log(wage), "age": np.arange(100) % 37, "wage": wage}, "wage")
    (note,) = [line for line in data.notes if "alone" in line]
    assert note.endswith("ignore=logwage")
