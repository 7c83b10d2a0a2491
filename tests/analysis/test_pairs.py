import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from regjax.analysis import Best, Pair, all_pairs, best_row, differ, joint_flips, letters, sign_flip_p

ROWS = {
    "plain": np.array([70, 71, 69, 70, 68, 70]),
    "l2": np.array([73, 75, 71, 74, 72, 71]),
    "l1": np.array([70, 72, 68, 71, 68, 69]),
}


def test_each_pair_has_its_own_test_and_one_correction_over_all():
    pairs = all_pairs(ROWS, unit=0.01)
    assert [(pair.a, pair.b) for pair in pairs] == [("plain", "l2"), ("plain", "l1"), ("l2", "l1")]
    assert [pair.mean for pair in pairs] == pytest.approx([-0.03, 0.0, 0.03])
    assert [pair.p for pair in pairs] == [sign_flip_p(ROWS[a] - ROWS[b]) for a, b, *_ in pairs]
    corrected = joint_flips(np.stack([ROWS[a] - ROWS[b] for a, b, *_ in pairs], axis=1))
    assert [pair.p_adjusted for pair in pairs] == [test.p_adjusted for test in corrected]
    assert pairs[0].p_adjusted == pairs[0].p == 2 / 2**6  # l2 is better in each of the six runs


def test_a_pair_of_equal_rows_is_no_evidence_and_costs_the_others_nothing():
    pairs = all_pairs({"a": ROWS["l2"], "copy": ROWS["l2"], "b": ROWS["plain"]})
    assert (pairs[0].mean, pairs[0].p, pairs[0].p_adjusted) == (0.0, 1.0, 1.0)
    assert pairs[1].p_adjusted == pairs[2].p_adjusted == 2 / 2**6


@settings(max_examples=25)
@given(st.integers(2, 8), st.integers(2, 5), st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_only_signs(runs, count, random):
    values = {str(i): np.array([random.randint(-4, 4) for _ in range(runs)]) for i in range(count)}
    known = {frozenset(pair[:2]): pair for pair in all_pairs(values)}
    for pair in all_pairs(dict(reversed(values.items()))):
        other = known[frozenset(pair[:2])]
        assert (pair.a, pair.b, pair.mean) == (other.b, other.a, -other.mean)
        assert (pair.p, pair.p_adjusted) == (other.p, other.p_adjusted)


@pytest.mark.parametrize("rows", [3, 5])
def test_the_family_wise_error_over_all_pairs_is_kept(rows):
    """1,000 comparisons of 7 runs, in turn with all rows equal and with two groups of equal rows.

    The count of errors exceeds this bound with probability below 1e-4.
    """
    rng, errors = np.random.default_rng(rows), 0
    for i in range(1000):
        better = i % 2 * 2  # so many rows have the same large effect
        scores = rng.normal(size=(7, rows)) + 5.0 * (np.arange(rows) < better)
        pairs = all_pairs({str(row): scores[:, row] for row in range(rows)})
        errors += any(pair.p_adjusted <= 0.05 and (int(pair.a) < better) == (int(pair.b) < better) for pair in pairs)
    assert errors <= stats.binom.ppf(1 - 1e-4, 1000, 0.05)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"a": [1, 2]}, "at least 2 rows, got 1"),
        ({"a": [1], "b": [2]}, r"got shape \(1, 1\)"),
        ({"a": [1, 2], "b": [2, np.nan]}, "finite"),
    ],
)
def test_what_cannot_be_compared_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        all_pairs(values)


def largest_sets(count, different):
    """The largest sets of rows of which no two differ, by trying all sets."""
    sets = [
        set(rows)
        for size in range(1, count + 1)
        for rows in itertools.combinations(range(count), size)
        if not any(set(pair) <= set(rows) for pair in different)
    ]
    return [rows for rows in sets if not any(rows < other for other in sets)]


@st.composite
def patterns(draw):
    count = draw(st.integers(1, 7))
    pairs = list(itertools.combinations(range(count), 2))
    return count, draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []


@settings(max_examples=200)
@given(patterns())
def test_rows_share_a_letter_if_and_only_if_they_do_not_differ(pattern):
    count, different = pattern
    names = [f"row {i}" for i in range(count)]
    shown = letters(names, [(names[i], names[j]) for i, j in different])
    for i, j in itertools.combinations(range(count), 2):
        assert bool(set(shown[names[i]]) & set(shown[names[j]])) == ((i, j) not in different)
    used = sorted(set("".join(shown.values())))
    columns = [{i for i, name in enumerate(names) if letter in shown[name]} for letter in used]
    assert sorted(columns, key=sorted) == columns  # letters follow the order of the rows
    assert columns == sorted(largest_sets(count, different), key=sorted)


def test_letters_by_hand():
    # Rows 7 and 8 share d and no pair says that 5 and 8, 6 and 7, or 6 and 8 differ, so 6 has three letters.
    different = [(1, 7), (1, 8), (2, 4), (2, 5), (2, 6), (2, 7), (2, 8), (3, 7), (3, 8), (4, 7), (4, 8), (5, 7)]
    shown = letters("12345678", [(str(i), str(j)) for i, j in different])
    assert shown == {"1": "ab", "2": "a", "3": "ab", "4": "b", "5": "bc", "6": "bcd", "7": "d", "8": "cd"}
    assert letters([], []) == {}
    assert letters(["only"], []) == {"only": "a"}


def test_there_are_letters_for_more_rows_than_the_alphabet_has():
    names = [str(i) for i in range(60)]
    shown = letters(names, itertools.combinations(names, 2))
    assert len(set(shown.values())) == 60
    assert all(len(letter) == 1 for letter in shown.values())


@pytest.mark.parametrize("pair", [("a", "a"), ("a", "c")])
def test_a_pair_that_is_none_is_refused(pair):
    with pytest.raises(ValueError, match="must be of two of the rows"):
        letters(["a", "b"], [pair])


def test_the_best_row_is_shown_better_only_where_a_pair_says_so():
    pairs = [
        Pair("plain", "l2", -3.0, 0.01, 0.05),
        Pair("plain", "l1", -1.0, 0.01, 0.02),
        Pair("l2", "l1", 2.0, 0.02, 0.06),
    ]
    assert best_row(["l2", "l1", "plain"], pairs) == Best("l2", ("plain",))
    assert best_row(["l2", "l1", "plain"], pairs, level=0.1) == Best("l2", ("l1", "plain"))
    assert best_row(["l2"], []) == Best("l2", ())


@pytest.mark.parametrize(
    ("ci95", "shown"), [(None, True), ((0.1, 4.0), True), ((-4.0, -0.1), True), ((-0.1, 4.0), False)]
)
def test_a_difference_needs_its_interval_too(ci95, shown):
    assert differ(Pair("l2", "l1", 2.0, 0.01, 0.02, ci95)) == shown
    assert not differ(Pair("l2", "l1", 2.0, 0.01, 0.06, ci95))
