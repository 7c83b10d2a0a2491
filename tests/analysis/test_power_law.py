import numpy as np
import pytest

from regjax.analysis.power_law import fit_power_law
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


@pytest.mark.slow
def test_intervals_cover_the_error_at_twice_the_data_and_the_rate():
    """Forty draws of ten runs. A bootstrap of so few covers a little less than it says.

    Of 40 with a coverage of 85%, fewer than 27 cover with a probability of about 0.3%.
    """
    rng = np.random.default_rng(1)
    covered = {"at": 0, "rate": 0, "floor": 0}
    for _ in range(40):
        found = fit_power_law(SIZES, runs_of(rng, 0.1, 2.0, 0.6, 0.03), resamples=80)
        _, low, high = found.at(2 * SIZES[-1])
        covered["at"] += low <= 0.1 + 2.0 * (2.0 * SIZES[-1]) ** -0.6 <= high
        for name, truth in (("rate", 0.6), ("floor", 0.1)):
            _, low, high = found.interval(name)
            covered[name] += low <= truth <= high
    assert min(covered.values()) >= 27, covered


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
