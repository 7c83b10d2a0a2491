import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from regjax.analysis import (
    bounded_interval,
    holm,
    mean_interval,
    minimum_detectable_effect,
    run_interval,
    run_variance,
    sign_flip_p,
    two_way_interval,
    variance_components,
)


def test_mean_interval_equals_scipy():
    values = [0.8, 0.9, 0.7, 0.95]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    np.testing.assert_allclose(mean_interval(values), (np.mean(values), low, high))
    assert math.isnan(mean_interval([1.0]).low)


def test_mean_interval_covers():
    """2,000 intervals of 5 normal numbers: 95% cover 0, a rate outside 93-97% has probability below 1e-4."""
    rng = np.random.default_rng(0)
    hits = [low <= 0 <= high for _, low, high in (mean_interval(rng.normal(size=5)) for _ in range(2000))]
    assert 0.93 < np.mean(hits) < 0.97


@settings(max_examples=25)
@given(st.lists(st.integers(-9, 9), min_size=2, max_size=8).filter(lambda d: len(set(d)) > 1))
def test_sign_flip_equals_enumeration(d):
    flips = [
        abs(sum(s * v for s, v in zip(signs, d, strict=True))) for signs in itertools.product((1, -1), repeat=len(d))
    ]
    assert sign_flip_p(d) == pytest.approx(np.mean([f >= abs(sum(d)) for f in flips]))


def test_sign_flip_equals_scipy_with_many_pairs():
    d = np.random.default_rng(1).normal(0.4, 1, size=20)
    reference = stats.permutation_test(
        (d,), np.mean, permutation_type="samples", n_resamples=50_000, rng=np.random.default_rng(2)
    ).pvalue
    assert sign_flip_p(d) == pytest.approx(reference, abs=0.01)


def test_smallest_p_and_no_variance():
    assert sign_flip_p([1, 2, 3, 4, 5]) == 0.0625
    assert sign_flip_p([0.1] * 10) == 2 / 2**10
    assert sign_flip_p([0.0, 0.0, 0.0]) == 1
    assert sign_flip_p([1.0]) is None
    assert sign_flip_p([1.0, float("nan")]) is None


def test_holm_by_hand():
    # Sorted .01 .02 .03 .5 times 4 3 2 1, made monotone.
    assert holm([0.02, 0.5, 0.01, 0.03]) == [0.06, 0.5, 0.04, 0.06]
    assert holm([None, 0.2]) == [None, 0.4]
    assert holm([0.9, 0.9]) == [1.0, 1.0]


def test_the_variance_of_a_mean_in_parts_by_hand():
    """Two runs that agree on two examples: the mean of the examples varies as 0.25 / 2, and the runs add nothing."""
    found = run_variance(np.array([[1.0, 0.0], [1.0, 0.0]]), counted=True)
    assert (found.mean, found.groups, found.examples, found.several) == (0.5, 2, 2, False)
    assert (found.of_groups, found.of_examples, found.of_both) == (0.0, 0.25, 0.0625)
    assert found.shared == 0.125
    assert found.variance == 0.25 + 1 / 2**2
    assert found.beyond_groups(2) == 0.25
    assert found.beyond_groups(1_000_000) == pytest.approx(2 * 0.125, rel=1e-5)  # 2 / (2 - 1) of what is shared
    # Runs that disagree on every example share nothing.
    assert run_variance(np.array([[1.0, 0.0], [0.0, 1.0]])).shared == 0.0


@pytest.mark.parametrize("several", [True, False])
def test_the_parts_at_the_number_of_runs_seen_are_those_of_the_interval(several):
    rng = np.random.default_rng(0)
    ids = np.stack([rng.permutation(60)[:40] for _ in range(8)])
    d = rng.normal(size=60)[ids] + rng.normal(size=ids.shape)
    splits = list(range(8)) if several else None
    parts = run_variance(d, splits=splits, examples=ids, counted=True)
    assert parts.variance == pytest.approx(parts.of_groups + parts.beyond_groups(8) + 1 / parts.examples**2)
    interval = run_interval(d, splits=splits, examples=ids, counted=True)
    assert interval.high - interval.mean == pytest.approx(stats.t.ppf(0.975, 7) * np.sqrt(parts.variance))


def test_what_an_answer_moves_widens_the_interval_and_few_examples_have_few_degrees():
    d = np.random.default_rng(0).normal(size=(8, 3))
    found = run_variance(d, counted=2.5)
    assert found.variance == pytest.approx(run_variance(d).variance + (2.5 / 3) ** 2)
    interval = run_interval(d, counted=2.5)
    assert interval.high - interval.mean == pytest.approx(stats.t.ppf(0.975, 2) * np.sqrt(found.variance))


def test_minimum_detectable_effect_has_the_power_it_promises():
    """Power of the t-test at that effect, from the noncentral t distribution: 80%, within 3 points."""
    d = np.random.default_rng(0).normal(size=12)
    effect = minimum_detectable_effect(d)
    shift = effect / (d.std(ddof=1) / math.sqrt(12))
    critical = stats.t.ppf(0.975, 11)
    power = stats.nct.sf(critical, 11, shift) + stats.nct.cdf(-critical, 11, shift)
    assert abs(power - 0.8) < 0.03
    assert minimum_detectable_effect([1.0, 1.0]) is None


@settings(max_examples=30)
@given(rows=st.integers(2, 10), columns=st.integers(2, 40), seed=st.integers(0, 99))
def test_two_way_interval_is_never_narrower_than_over_seeds(rows, columns, seed):
    table = np.random.default_rng(seed).normal(size=(rows, columns))
    seeds, both = mean_interval(table.mean(axis=1)), two_way_interval(table)
    assert both.mean == pytest.approx(seeds.mean)
    assert both.low <= seeds.low
    assert both.high >= seeds.high


def test_two_way_interval_covers_both_sources():
    """1,000 tables of 6 seeds and 50 examples with effects of both: a rate below 93% has probability below 0.003."""
    rng = np.random.default_rng(0)

    def table():
        return rng.normal(size=(6, 1)) + rng.normal(size=(1, 50)) + rng.normal(size=(6, 50))

    hits = [low <= 0 <= high for _, low, high in (two_way_interval(table()) for _ in range(1000))]
    assert np.mean(hits) > 0.93


def exact_p(d):
    """Of whole numbers, from the distribution of their sum under random signs, one number after another."""
    counts = {0: 1}
    for value in d:
        after = {}
        for total, count in counts.items():
            for moved in (total + value, total - value):
                after[moved] = after.get(moved, 0) + count
        counts = after
    return sum(count for total, count in counts.items() if abs(total) >= abs(sum(d))) / 2 ** len(d)


@pytest.mark.parametrize("d", [[3, 4, -1] * 6, [1, 2] + [0] * 18, [7, 5, 5, 3, -2, 1] * 5, [9, -9, 1] * 7])
def test_random_flips_of_many_pairs_estimate_the_exact_p(d):
    """100,000 flips: five standard errors are 0.008 at most, which a right estimate exceeds less than once in 10^6."""
    p = exact_p(d)
    assert abs(sign_flip_p(d) - p) < 5 * math.sqrt(p * (1 - p) / 100_000) + 1e-5
    # Sums of tenths are rounded in another order than the flipped ones; what ties must still tie.
    assert sign_flip_p(np.array(d) / 10) == sign_flip_p(d)


def test_20_pairs_are_enumerated_and_more_are_flipped_at_random():
    assert sign_flip_p(np.arange(1, 21)) == 2 / 2**20
    assert sign_flip_p(np.arange(1, 22)) * 100_001 == pytest.approx(round(sign_flip_p(np.arange(1, 22)) * 100_001))
    # No random flip of 40 numbers of one sign is as far from 0; the observed one counts.
    assert sign_flip_p(np.arange(1, 41)) == 1 / 100_001


def test_two_differences_can_be_tested():
    assert sign_flip_p([1.0, 2.0]) == 0.5
    assert sign_flip_p([0.5, 0.3, -0.5]) == 1.0  # in another order the sum of these is rounded to a little less
    assert sign_flip_p([-1.0, 1.0]) == 1.0
    effect = (stats.t.ppf(0.975, 1) + stats.t.ppf(0.8, 1)) * np.std([1, 2], ddof=1) / math.sqrt(2)
    assert minimum_detectable_effect([1.0, 2.0]) == pytest.approx(effect)


def test_minimum_detectable_effect_at_other_levels():
    d = [1.0, 2.0, 4.0, 4.5, 7.0]
    expected = (stats.t.ppf(0.995, 4) + stats.t.ppf(0.9, 4)) * np.std(d, ddof=1) / math.sqrt(5)
    assert minimum_detectable_effect(d, level=0.01, power=0.9) == pytest.approx(expected)
    for untestable in ([1.0], [], [1.0, math.nan], [1.0, math.inf], [2.0, 2.0, 2.0]):
        assert minimum_detectable_effect(untestable) is None


def test_intervals_at_other_levels_and_sizes():
    values = [1.0, 2.0, 4.0]
    expected = stats.t.interval(0.8, 2, loc=np.mean(values), scale=stats.sem(values))
    np.testing.assert_allclose(mean_interval(values, level=0.8)[1:], expected)
    np.testing.assert_allclose(mean_interval([1.0, 3.0])[1:], stats.t.interval(0.95, 1, loc=2, scale=1))
    assert mean_interval([4.0])[:1] == (4.0,)
    assert np.isnan(mean_interval([4.0])[1:]).all()
    for level in (0.0, 1.0, -0.5, 1.5):
        with pytest.raises(ValueError, match=r"level must be in \(0, 1\)"):
            mean_interval(values, level)
        with pytest.raises(ValueError, match=r"level must be in \(0, 1\)"):
            two_way_interval(np.ones((2, 2)), level)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_two_way_interval_by_hand(level):
    """Row means 2, 5 and 8 with variance 9; column means 2, 4, 6 and 8 with variance 20 / 3."""
    table = np.array([2.0, 5.0, 8.0])[:, None] + np.array([-3.0, -1.0, 1.0, 3.0])
    half = stats.t.ppf((1 + level) / 2, 2) * math.sqrt(9 / 3 + 20 / 3 / 4)
    np.testing.assert_allclose(two_way_interval(table, level), (5.0, 5.0 - half, 5.0 + half))
    if level == 0.95:
        assert two_way_interval(table) == two_way_interval(table, level)


def test_two_way_interval_wants_two_seeds_and_two_examples():
    half = stats.t.ppf(0.975, 1) * math.sqrt(2 / 2 + 0 / 2)
    np.testing.assert_allclose(two_way_interval(np.array([[0.0, 0.0], [2.0, 2.0]])), (1, 1 - half, 1 + half))
    for table in (np.array([[1.0, 2.0, 3.0]]), np.array([[1.0], [2.0], [3.0]])):
        assert two_way_interval(table).mean == 2.0
        assert np.isnan(two_way_interval(table)[1:]).all()


def test_holm_counts_each_test_and_never_falls():
    # Times 3, 2 and 1: 0.03, 0.05 and 0.04, which may not be below the one before.
    assert holm([0.01, 0.025, 0.04]) == pytest.approx([0.03, 0.05, 0.05])
    assert holm([]) == []
    assert holm([None]) == [None]


def by_definition(values, splits, examples):
    """`run_interval` as its formula reads, with loops."""
    d, mean = np.asarray(values, float), np.mean(values)
    runs, n = d.shape
    several = len(set(splits)) > 1
    groups = sorted(set(splits)) if several else range(runs)
    members = {g: [i for i in range(runs) if (splits[i] == g if several else i == g)] for g in groups}
    means = [np.mean([d[i] for i in members[g]]) for g in groups]
    of_groups = np.var(means, ddof=1) / len(means)
    ids = sorted({int(e) for e in np.ravel(examples)})
    where = {e: [(i, j) for i in range(runs) for j in range(n) if examples[i][j] == e] for e in ids}
    of_examples = sum(sum(d[i, j] - mean for i, j in where[e]) ** 2 for e in ids) / d.size**2
    of_examples *= len(ids) / (len(ids) - 1)
    both = sum(sum(d[i, j] - mean for i, j in where[e] if i in members[g]) ** 2 for e in ids for g in groups)
    variance = max(of_groups, of_groups + of_examples - (both / d.size**2 if several else 0.0))
    return mean, stats.t.ppf(0.975, len(means) - 1) * math.sqrt(variance)


@pytest.mark.parametrize("splits", [[0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 2, 2], [0, 1, 2, 3, 4, 5]])
def test_run_interval_is_its_formula(splits):
    rng = np.random.default_rng(len(set(splits)))
    values = rng.normal(size=(6, 7)) + rng.normal(size=(1, 7))
    rows = np.stack([rng.permutation(15)[:7] for _ in range(6)])
    examples = rows[splits] if len(set(splits)) > 1 else np.tile(np.arange(7), (6, 1))
    found = run_interval(values, splits=splits, examples=examples)
    mean, half = by_definition(values, splits, examples)
    assert found == pytest.approx((mean, mean - half, mean + half))


def test_run_interval_of_one_split_is_the_two_way_interval():
    values = np.random.default_rng(0).normal(size=(5, 40))
    found, other = run_interval(values), two_way_interval(values)
    assert found == pytest.approx(other, rel=1e-12)


def test_run_interval_of_answers_that_never_differ_has_a_width():
    """40 examples: one of them, in one run, might have been answered differently."""
    found = run_interval(np.zeros((10, 40)), splits=range(10), examples=np.tile(np.arange(40), (10, 1)), counted=True)
    assert found.high == pytest.approx(stats.t.ppf(0.975, 9) / 40)
    assert run_interval(np.zeros((10, 40))).high == 0.0


def test_run_interval_needs_two_runs_and_two_examples():
    for values in (np.ones((1, 5)), np.ones((5, 1))):
        assert math.isnan(run_interval(values).low)


def test_run_interval_covers_a_mean_over_splits_and_examples():
    """1,000 draws of 10 splits that share examples, nominal 95%; the standard error of the rate is 0.7 points."""
    rng, covered = np.random.default_rng(3), 0
    for _ in range(1000):
        examples = np.stack([rng.choice(100, 25, replace=False) for _ in range(10)])
        of_examples = rng.normal(size=100)
        values = of_examples[examples] + 0.2 * rng.normal(size=(10, 1)) + rng.normal(size=(10, 25))
        found = run_interval(values, splits=range(10), examples=examples)
        covered += found.low <= 0 <= found.high
    assert 0.92 <= covered / 1000 <= 0.985


def test_variance_components_by_hand_and_in_the_mean():
    found = variance_components(np.array([1.0, 3.0, 5.0, 7.0]), np.array([0, 0, 1, 1]))
    assert found == {"split": 7.0, "seed": 2.0}  # means 2 and 6: 8 - 2 / 2
    assert variance_components(np.array([1.0, 3.0]), np.array([0, 0])) == {"split": None, "seed": 2.0}
    assert variance_components(np.array([1.0, 3.0]), np.array([0, 1])) == {"split": 2.0, "seed": None}
    rng, splits = np.random.default_rng(0), np.repeat(np.arange(2000), 3)
    many = variance_components(2 * rng.normal(size=2000)[splits] + rng.normal(size=6000), splits)
    assert many["split"] == pytest.approx(4, rel=0.1)
    assert many["seed"] == pytest.approx(1, rel=0.1)


def accuracies(rng, p, seeds, examples, share):
    """Accuracies of runs whose own expected accuracies have mean `p`, on examples that are as hard for all of them.

    `share` is the standard deviation of the expected accuracies, as a part of the largest that is possible.
    """
    expected = rng.beta(p / share**2 - p, (1 - p) / share**2 - (1 - p), size=seeds)
    return (rng.random(examples) < expected[:, None]).mean(axis=1)


@pytest.mark.parametrize("p", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("seeds", [3, 5, 10])
@pytest.mark.parametrize("share", [0.02, 0.1])
def test_bounded_interval_covers_another_draw_of_seeds_and_examples(p, seeds, share):
    """2,000 intervals of 360 examples: if 95% cover, a rate below 93% has probability below 1e-4 (all cases: 0.002).

    The rates here are 94.7 to 99.0%. Those of `mean_interval`, which holds the examples fixed, are 20 to 54% where
    seeds are alike and 73 to 90% where they are not, and its upper ends pass 1.
    """
    rng = np.random.default_rng(0)
    intervals = [bounded_interval(accuracies(rng, p, seeds, 360, share), 360) for _ in range(2000)]
    assert np.mean([low <= p <= high for _, low, high in intervals]) > 0.93
    assert all(0 <= low < high <= 1 for _, low, high in intervals)


@settings(max_examples=50)
@given(st.integers(1, 400), st.integers(0, 400))
def test_bounded_interval_of_seeds_that_agree_is_that_of_wilson(examples, right):
    right = min(right, examples)
    found = stats.binomtest(right, examples).proportion_ci(method="wilson")
    interval = bounded_interval([right / examples] * 4, examples)
    np.testing.assert_allclose(interval[1:], (found.low, found.high), atol=1e-9)


@settings(max_examples=50)
@given(st.lists(st.floats(0.01, 0.99), min_size=2, max_size=8), st.integers(2, 1000))
def test_bounded_interval_is_wider_with_fewer_examples_and_mirrors(values, examples):
    wide, narrow = bounded_interval(values, examples // 2), bounded_interval(values, examples)
    assert wide.low <= narrow.low <= narrow.mean <= narrow.high <= wide.high
    mirrored = bounded_interval([1 - value for value in values], examples)
    np.testing.assert_allclose((1 - mirrored.high, 1 - mirrored.low), narrow[1:], atol=1e-12)


def test_bounded_interval_with_endless_examples_is_nearly_that_of_student():
    values = [0.50, 0.51, 0.52]
    np.testing.assert_allclose(bounded_interval(values, 10**9), mean_interval(values), atol=2e-4)


def test_bounded_interval_by_hand():
    """Mean 0.75, variance 0.005, t = 12.706: c = 1.96^2 / 50 + 12.706^2 * 0.005 / 2 / 0.1875 = 2.22938."""
    c = 2.22938
    middle, half = (0.75 + c / 2) / (1 + c), math.sqrt(c * 0.1875 + c * c / 4) / (1 + c)
    np.testing.assert_allclose(bounded_interval([0.7, 0.8], 50), (0.75, middle - half, middle + half), atol=1e-4)
    assert np.isnan(bounded_interval([0.7], 50)[1:]).all()
    assert np.isnan(bounded_interval([0.7, math.nan], 50)).all()


def test_bounded_interval_refuses_what_is_no_accuracy():
    for values, examples, level in (([0.5, 1.1], 10, 0.95), ([-0.1, 0.5], 10, 0.95), ([0.5, 0.6], 0, 0.95)):
        with pytest.raises(ValueError, match=r"bounded_interval: (values|examples) must be"):
            bounded_interval(values, examples, level)
    with pytest.raises(ValueError, match="bounded_interval: level must be"):
        bounded_interval([0.5, 0.6], 10, 1.0)
