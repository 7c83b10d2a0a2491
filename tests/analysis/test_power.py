"""The power of a verdict, against the rule itself on data sets that are drawn anew."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from regjax.analysis import MOST_RUNS, VerdictPower, detectable_effect, joint_flips, run_interval, run_variance

EXAMPLES = 120  # of a data set, of which each of several splits tests a fifth
ROWS = 3


def comparison(rng, runs, effect, *, counted, several):
    """Differences `[rows, runs, N]` of each test example, and which examples these are; row 0 has the effect.

    Rows share a part of the noise of runs and of examples. Counts are -1, 0 and 1.
    """
    size = EXAMPLES // 5 if several else EXAMPLES // 2
    ids = np.stack([rng.permutation(EXAMPLES)[:size] if several else np.arange(size) for _ in range(runs)])
    of_run = (rng.normal(size=(ROWS, runs)) + rng.normal(size=runs)) * 0.03
    of_example = (rng.normal(size=(ROWS, EXAMPLES)) + rng.normal(size=EXAMPLES)) * 0.12
    d = of_run[:, :, None] + of_example[:, ids]
    d[0] += effect
    if not counted:
        return d + rng.normal(size=d.shape) * 0.2, ids
    u = rng.random(d.shape)
    return np.where(u < 0.1 + np.maximum(d, 0), 1.0, np.where(u > 0.9 + np.minimum(d, 0), -1.0, 0.0)), ids


def table(d):
    return d.mean(axis=2).T


def variances(d, ids, counted, several):
    splits = list(range(d.shape[1])) if several else None
    return [run_variance(row, splits=splits, examples=ids, counted=counted) for row in d]


def shown(d, ids, counted, several):
    """The verdict itself on row 0."""
    counts = np.round(d.sum(axis=2).T) if counted else table(d)
    splits = list(range(d.shape[1])) if several else None
    low = run_interval(d[0], splits=splits, examples=ids, counted=counted).low
    return bool(low > 0 and joint_flips(counts)[0].p_adjusted <= 0.05)


@pytest.mark.parametrize(
    ("counted", "several", "runs", "effect"),
    [(False, True, 8, 0.09), (False, False, 14, 0.06), (True, True, 14, 0.12), (True, False, 8, 0.12)],
)
def test_the_power_is_that_of_the_verdict_on_data_sets_drawn_anew(counted, several, runs, effect):
    """600 comparisons against a prediction from 60 other runs.

    The tolerance is 4.9 standard errors of a share in 600 and of one in 1,000, false alarm 1e-6, and 0.08 for the 60
    runs and for what the prediction leaves out: the parts of an interval that it takes as given vary, too.
    """
    rng = np.random.default_rng(runs)
    seen, ids = comparison(rng, 60, effect, counted=counted, several=several)
    population = EXAMPLES if several else None
    power = VerdictPower(table(seen), variances(seen, ids, counted, several), population=population, draws=1000)
    one = [comparison(rng, runs, effect, counted=counted, several=several) for _ in range(600)]
    share = np.mean([shown(*drawn, counted, several) for drawn in one])
    assert abs(power.found(0, effect, runs) - share) < 4.9 * np.sqrt(0.25 / 600 + 0.25 / 1000) + 0.08
    # The test alone promises more than the verdict keeps, which this tolerance can tell from it where counts are few.
    if counted and not several:
        assert VerdictPower(table(seen), draws=1000).found(0, effect, runs) > share + 0.2


def rare_changes(runs, examples=178, size=18):
    """Counts of splits of a small data set on which hardly an answer changes, with their examples."""
    rng = np.random.default_rng(runs)
    ids = np.stack([rng.permutation(examples)[:size] for _ in range(runs)])
    d = np.zeros((1, runs, size))
    d[0, 0, 0] = 1.0
    return d, ids


def test_no_number_of_runs_shows_what_the_examples_cannot():
    """The interval of counts adds `1 / m^2`: with 178 examples no half-width is below 1.96 / 178, 1.1 points."""
    d, ids = rare_changes(10)
    power = VerdictPower(table(d), variances(d, ids, counted=True, several=True), population=178)
    assert 1.96 / 178 - 1e-4 < power.least(0) < 0.0135
    assert power.runs_needed(0, 0.003) is None
    assert power.found(0, 0.003, MOST_RUNS) == 0
    assert power.detectable(0) > 1.96 / len(np.unique(ids))
    # The test alone has no such bound.
    assert VerdictPower(table(d)).runs_needed(0, 0.003) < MOST_RUNS


@settings(max_examples=25)
@given(st.integers(6, 13), st.booleans(), st.booleans(), st.integers(0, 2**32 - 1))
def test_no_detectable_effect_is_below_half_the_width_of_the_interval(runs, counted, several, seed):
    d, ids = comparison(np.random.default_rng(seed), runs, 0.0, counted=counted, several=several)
    splits = list(range(runs)) if several else None
    power = VerdictPower(table(d), variances(d, ids, counted, several), draws=50)
    for row in range(ROWS):
        interval = run_interval(d[row], splits=splits, examples=ids, counted=counted)
        half = (interval.high - interval.low) / 2
        # Products of deviations below 0 narrow an interval; as they are chance, the prediction takes them as 0.
        assert power.detectable(row) >= half * (1 - 1e-9)


def test_so_many_runs_are_needed_and_no_fewer():
    d, ids = comparison(np.random.default_rng(3), 10, 0.05, counted=False, several=True)
    power = VerdictPower(table(d), variances(d, ids, counted=False, several=True))
    needed = power.runs_needed(0, 0.06)
    assert power.found(0, 0.06, needed) >= 0.8 > power.found(0, 0.06, needed - 1)
    assert power.runs_needed(0, -0.06) == needed
    assert power.runs_needed(0, 0.2) == 6  # with fewer no sign flip can be significant
    large = power.runs_needed(0, 1.02 * power.least(0))
    assert large is None or (large > 100 and large % 10 == 0)
    assert power.runs_needed(0, 0.98 * power.least(0)) is None


def test_the_critical_value_of_a_number_of_runs_is_its_own():
    """Six signs have to agree; an effect that six runs miss most often for that reason is found by eleven."""
    d = np.random.default_rng(8).normal(size=(6, 1))
    few, more = (VerdictPower(d).found(0, 1.2 * d.std(), runs) for runs in (6, 11))
    assert few < 0.6 < more


def test_enumerated_flips_and_a_critical_value_agree_where_they_meet():
    """11 runs are enumerated and 12 are not: one run more cannot change the power by much."""
    d, ids = comparison(np.random.default_rng(4), 12, 0.05, counted=False, several=True)
    power = VerdictPower(table(d), variances(d, ids, counted=False, several=True), draws=2000)
    for effect in (0.04, 0.06, 0.08):
        fewer, more, most = (power.found(0, effect, runs) for runs in (10, 11, 12))
        assert abs((most - more) - (more - fewer)) < 0.08


@pytest.mark.parametrize(("runs", "count"), [(10, 1), (8, 3)])
def test_the_detectable_effect_is_found_as_often_as_promised(runs, count):
    """400 comparisons that the search has not seen: 4.9 standard errors of shares of 0.8 in 200 and 400."""
    rng = np.random.default_rng(5)
    root = np.linalg.cholesky(np.eye(count) * 0.5 + 0.5)
    d = rng.normal(size=(runs, count)) @ root.T
    effect = detectable_effect(d, 0)
    factor = np.linalg.cholesky(np.atleast_2d(np.cov(d, rowvar=False)) + 1e-12 * np.eye(count))
    found = 0
    for _ in range(400):
        fresh = rng.normal(size=(runs, count)) @ factor.T
        fresh[:, 0] += effect
        found += joint_flips(fresh)[0].p_adjusted <= 0.05
    assert abs(found / 400 - 0.8) < 4.9 * np.sqrt(0.16 / 200 + 0.16 / 400)


def test_five_runs_can_detect_nothing():
    d = np.random.default_rng(6).normal(size=(6, 2))
    assert detectable_effect(d[:5], 0) is None
    assert detectable_effect(d, 0) > 0
    assert detectable_effect(np.ones((9, 1)), 0) is None


@pytest.mark.parametrize(("runs", "level"), [(14, 5e-4), (20, 5e-5)])
def test_a_level_below_one_in_the_flips_that_are_drawn_is_searched_and_not_for_ever(runs, level):
    d = np.random.default_rng(7).normal(size=(runs, 2))
    strict, usual = detectable_effect(d, 0, level=level, draws=20), detectable_effect(d, 0, draws=20)
    assert usual < strict < 10 * usual


def test_of_a_single_example_nothing_is_detectable():
    d = np.random.default_rng(0).normal(size=(8, 1))
    power = VerdictPower(d, [run_variance(d)])
    assert power.detectable(0) is None
    assert power.runs_needed(0, 100.0) is None
