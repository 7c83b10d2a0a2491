import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from regjax.analysis import conformal_quantile

SHARES = st.sampled_from([0.5, 0.8, 0.9, 0.95])


@given(st.lists(st.floats(0, 100), min_size=1, max_size=60), SHARES)
def test_it_is_the_quantile_of_numpy(errors, share):
    """The level is ceil((n + 1) share) / n, and "inverted_cdf" takes the smallest error that reaches it."""
    n = len(errors)
    level = np.ceil(round((n + 1) * share, 6)) / n
    # A little below, since 29 times 15 / 29 lies above 15 in float64.
    expected = np.inf if level > 1 else np.quantile(errors, level - 1e-9, method="inverted_cdf")
    assert conformal_quantile(np.array(errors), share) == expected


def test_a_tenth_of_new_examples_is_outside():
    """N = 19 errors: the 18th is exceeded by a new one with probability 2/20 exactly.

    4,000 sets: the covered share is within 0.9 +- 0.0237 (5 standard errors) but for one in 2 million.
    """
    errors = np.random.default_rng(0).exponential(size=(4000, 20))
    covered = [row[19] <= conformal_quantile(row[:19], 0.9) for row in errors]
    assert abs(np.mean(covered) - 0.9) < 5 * np.sqrt(0.09 / 4000)


def test_each_target_has_its_own():
    errors = np.stack([np.arange(1.0, 10.0), 10 * np.arange(1.0, 10.0)], axis=1)
    assert conformal_quantile(errors, 0.9).tolist() == [9, 90]
    assert conformal_quantile(errors[:8], 0.9).tolist() == [np.inf, np.inf]
    with pytest.raises(ValueError, match="share"):
        conformal_quantile(errors, 1.5)
