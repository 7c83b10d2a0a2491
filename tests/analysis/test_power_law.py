import numpy as np
import pytest
from scipy import optimize

from regjax.analysis.power_law import equivalent_examples, fit_power_law
from regjax.core.errors import InputError

SIZES = np.array([40, 80, 160, 320, 640, 1280])


def runs_of(rng, floor, scale, rate, noise, count=10):
    """Runs whose errors at all sizes share a part of their noise, as the sizes of one split do."""
    curve = floor + scale * SIZES**-rate
    shared, own = rng.normal(size=(count, 1)), rng.normal(size=(count, len(SIZES)))
    return curve * (1 + noise * (0.6 * shared + 0.8 * own))


@pytest.mark.parametrize(("floor", "rate"), [(0.0, 0.3), (0.05, 0.5), (0.1, 1.0)])
def test_a_curve_without_noise_is_found(floor, rate):
    found = fit_power_law(SIZES, np.tile(floor + 2.0 * SIZES**-rate, (3, 1)))
    assert found.floor == pytest.approx(floor, abs=2e-3)
    assert found.rate == pytest.approx(rate, rel=0.02)
    assert found.scale == pytest.approx(2.0, rel=0.1)
    assert found.at(2560).mean == pytest.approx(floor + 2.0 * 2560**-rate, rel=0.01)


def test_without_a_floor_it_is_a_line_in_the_logarithms():
    rng = np.random.default_rng(0)
    runs = runs_of(rng, 0.0, 3.0, 0.4, 0.02)
    found = fit_power_law(SIZES, runs, floor=False)
    slope, _ = np.polyfit(np.log(SIZES), np.log(runs.mean(axis=0)), 1)
    assert (found.floor, found.rate) == (0.0, pytest.approx(-slope, abs=0.01))
    assert (found.resampled[:, 0] == 0).all()


@pytest.mark.parametrize("runs", [3, 10])
def test_intervals_cover_the_error_at_twice_the_data_and_the_rate(runs):
    """Of 100 with a coverage of 90%, fewer than 81 cover with a probability of 0.3%.

    Without the stretch, about 70 of 3 runs do.
    """
    rng = np.random.default_rng(1)
    covered = {"at": 0, "rate": 0, "floor": 0}
    for _ in range(100):
        found = fit_power_law(SIZES, runs_of(rng, 0.1, 2.0, 0.6, 0.03, runs), resamples=80)
        _, low, high = found.at(2 * SIZES[-1])
        covered["at"] += low <= 0.1 + 2.0 * (2.0 * SIZES[-1]) ** -0.6 <= high
        for name, truth in (("rate", 0.6), ("floor", 0.1)):
            _, low, high = found.interval(name)
            covered[name] += low <= truth <= high
    assert min(covered.values()) >= 81, covered


@pytest.mark.parametrize("floor", [True, False])
def test_the_fit_has_the_least_weighted_squares(floor):
    """As found by SciPy from the truth and from the fit itself."""
    rng = np.random.default_rng(4)
    for _ in range(5):
        runs = runs_of(rng, 0.1 if floor else 0.0, 2.0, 0.6, 0.05, 4)
        weight, means = runs.std(axis=0, ddof=1) / 2, runs.mean(axis=0)

        def residuals(p, means=means, weight=weight):
            return ((p[0] if floor else 0.0) + np.exp(p[1]) * SIZES ** -np.exp(p[2]) - means) / weight

        found = fit_power_law(SIZES, runs, floor=floor, resamples=2)
        own = [found.floor, np.log(found.scale), np.log(found.rate)]
        for start in (own, [means.min() / 2, np.log(2.0), np.log(0.6)]):
            bounds = [0, -9, np.log(1e-3)], [means.min(), 9, np.log(10)]
            best = optimize.least_squares(residuals, start, bounds=bounds)
            assert np.square(residuals(own)).sum() <= 2 * best.cost * (1 + 1e-6) + 1e-12


def test_what_is_no_power_law_has_a_misfit():
    steps = np.tile(np.where(SIZES < 200, 0.5, 0.1), (6, 1)) + np.random.default_rng(2).normal(0, 0.005, (6, 6))
    assert fit_power_law(SIZES, steps).misfit > 3
    rng = np.random.default_rng(3)
    assert fit_power_law(SIZES, runs_of(rng, 0.1, 2.0, 0.5, 0.03)).misfit < 3


@pytest.mark.parametrize(
    ("sizes", "errors", "options", "words"),
    [
        ([1, 2, 3], np.ones((3, 3)), {}, "4 different sizes > 0, got .*; floor=False needs 3"),
        ([1, 2], np.ones((3, 2)), {"floor": False}, "3 different sizes"),
        ([1, 2, 3, 0], np.ones((3, 4)), {}, "sizes > 0"),
        ([1, 2, 3, 4], np.ones((2, 4)), {}, "at least 3 runs"),
        ([1, 2, 3, 4], np.zeros((3, 4)), {}, "finite number > 0"),
        ([1, 2, 3, 4], np.ones((3, 3)), {}, "must be .runs, 4."),
    ],
)
def test_what_cannot_be_fitted_is_refused(sizes, errors, options, words):
    with pytest.raises(InputError, match=words):
        fit_power_law(sizes, errors, **options)


def curves(factor, runs=12, seed=0, resamples=400, sizes=(50, 100, 200, 400)):
    """Losses of a baseline and of a technique that is worth `factor` times its examples, with noise that both share."""
    rng = np.random.default_rng(seed)
    noise, own = rng.normal(0, 0.02, (2, runs, len(sizes)))
    n = np.array(sizes, float)
    base, other = (0.1 + 2.0 * (n * worth) ** -0.5 for worth in (1.0, factor))
    tables = base * (1 + noise), other * (1 + noise + own / 4)
    first, second = (fit_power_law(sizes, table, resamples=resamples) for table in tables)
    return first, second


@pytest.mark.parametrize("factor", [0.5, 1.0, 1.8])
def test_a_technique_is_worth_as_many_examples_as_it_was_made_to_be(factor):
    base, other = curves(factor)
    number, low, high = equivalent_examples(base, other, 200)
    assert number == pytest.approx(200 * factor, rel=0.1)
    assert low < number < high


def test_the_paired_interval_covers_the_truth():
    """Of 100 experiments with 90% coverage, fewer than 81 cover with a probability of 0.3%."""
    covered = 0
    for seed in range(100):
        _, low, high = equivalent_examples(*curves(1.5, runs=6, seed=seed, resamples=60), 200)
        covered += low <= 300 <= high
    assert covered >= 81


def test_an_error_below_the_floor_needs_more_examples_than_there_are():
    sizes, n = (50, 100, 200, 400), np.array([50.0, 100.0, 200.0, 400.0])
    noise = np.random.default_rng(0).normal(0, 1e-4, (6, 4))
    base, other = fit_power_law(sizes, 0.5 + n**-1.0 + noise), fit_power_law(sizes, 0.1 + n**-1.0 + noise)
    assert equivalent_examples(base, other, 200) == (np.inf, np.inf, np.inf)
    assert equivalent_examples(other, base, 200).mean < 5


def test_curves_of_different_resamples_are_refused():
    base, other = curves(1.0)
    fewer = other._replace(resampled=other.resampled[:10])
    with pytest.raises(ValueError, match="the same resamples, got 400 and 10"):
        equivalent_examples(base, fewer, 200)
