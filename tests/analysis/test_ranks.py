import numpy as np
import pytest
from scipy import stats

from regjax.analysis import rank_rows

# Table 6 of Demsar 2006: areas under the curve of C4.5 with and without two parameters, on 14 data sets.
DEMSAR = {
    "C4.5": [.763, .599, .954, .628, .882, .936, .661, .583, .775, 1.0, .940, .619, .972, .957],
    "C4.5+m": [.768, .591, .971, .661, .888, .931, .668, .583, .838, 1.0, .962, .666, .981, .978],
    "C4.5+cf": [.771, .590, .968, .654, .886, .916, .609, .563, .866, 1.0, .965, .614, .9751, .946],
    "C4.5+m+cf": [.798, .569, .967, .657, .898, .931, .685, .625, .875, 1.0, .962, .669, .975, .970],
}  # fmt: skip


def test_it_is_what_the_paper_of_demsar_says():
    """Mean ranks 3.143, 2.000, 2.893, 1.964; F 3.69, p 0.019; critical difference 1.25 (its section 3.2.2)."""
    found = rank_rows(DEMSAR)
    assert found.ranks == pytest.approx({"C4.5+m+cf": 1.964, "C4.5+m": 2.0, "C4.5+cf": 2.893, "C4.5": 3.143}, abs=1e-3)
    assert list(found.ranks) == ["C4.5+m+cf", "C4.5+m", "C4.5+cf", "C4.5"]
    assert found.p == pytest.approx(stats.f(3, 39).sf(3.69), abs=5e-4)
    assert found.critical_difference == pytest.approx(1.25, abs=0.005)
    assert found.data_sets == 14


def test_pairs_are_the_signed_rank_tests_of_scipy_with_holm():
    rng = np.random.default_rng(0)
    values = {name: rng.normal(size=30) + shift for name, shift in (("a", 0.0), ("b", 1.0), ("c", 0.1))}
    found = rank_rows(values)
    raw = {(pair.a, pair.b): pair.p for pair in found.pairs}
    assert set(raw) == {("b", "a"), ("b", "c"), ("c", "a")}
    for (a, b), p in raw.items():
        assert p == pytest.approx(stats.wilcoxon(values[a], values[b]).pvalue)
    ordered = sorted(found.pairs, key=lambda pair: pair.p)
    assert ordered[0].p_adjusted == pytest.approx(3 * ordered[0].p)
    assert ordered[1].p_adjusted == pytest.approx(max(2 * ordered[1].p, ordered[0].p_adjusted))
    assert found.groups["a"] == found.groups["c"] != found.groups["b"]


def test_the_friedman_statistic_is_that_of_scipy_without_ties():
    rng = np.random.default_rng(1)
    table = rng.normal(size=(4, 12)) + np.array([[0.0], [0.3], [0.6], [0.0]])
    x = stats.friedmanchisquare(*table).statistic
    f = 11 * x / (12 * 3 - x)
    assert rank_rows(dict(zip("abcd", table, strict=True))).p == pytest.approx(stats.f(3, 33).sf(f))


def test_rows_that_are_alike_share_rank_and_letter():
    found = rank_rows({"one": [1, 2, 3, 4, 5], "other": [1, 2, 3, 4, 5]})
    assert found.ranks == {"one": 1.5, "other": 1.5}
    assert found.groups == {"one": "a", "other": "a"}
    assert found.pairs[0].p == found.p == 1.0


def test_where_every_data_set_ranks_alike_the_p_value_is_zero():
    found = rank_rows({"best": [3] * 6, "middle": [2] * 6, "worst": [1] * 6})
    assert found.ranks == {"best": 1.0, "middle": 2.0, "worst": 3.0}
    assert found.p == 0.0


@pytest.mark.slow
def test_alike_rows_are_told_apart_no_more_often_than_the_level():
    """400 tables of 4 equal rows over 12 data sets: at a rate of 5% more than 36 have probability 2e-4."""
    rng = np.random.default_rng(2)
    alarms = sum(
        len(set(rank_rows(dict(zip("abcd", rng.normal(size=(4, 12)), strict=True))).groups.values())) > 1
        for _ in range(400)
    )
    assert alarms <= 36


@pytest.mark.parametrize("values", [{"a": [1] * 6}, {"a": [1, 2], "b": [2, 1]}, {"a": [1] * 6, "b": [np.nan] * 6}])
def test_tables_that_cannot_be_ranked_are_refused(values):
    with pytest.raises(ValueError, match="at least 2 rows of at least 5 finite"):
        rank_rows(values)
