import itertools

import numpy as np
import pytest
from scipy import stats
from scipy.stats import qmc

from regjax.core.ranges import Range
from regjax.sweeps.points import random_points, sobol_points

SPACE = {"l2": Range(1e-6, 1e-1, log=True), "dropout": Range(0.0, 0.8)}


def shares(points):
    """The number in [0, 1] that each value was made from: the formulas of `Range`, turned round."""
    l2, dropout = np.array([[point["l2"], point["dropout"]] for point in points]).T
    return np.stack([(np.log10(l2) + 6) / 5, dropout / 0.8], axis=1)


def test_random_points_are_even():
    """Kolmogorov-Smirnov at a false-alarm rate of 1e-4 for each axis; the seed is fixed."""
    for axis in shares(random_points(SPACE, 2000, seed=3)).T:
        assert stats.kstest(axis, "uniform").pvalue > 1e-4


@pytest.mark.parametrize("draw", [random_points, sobol_points])
def test_points_depend_on_the_seed_alone_and_the_first_ones_not_on_their_number(draw):
    assert draw(SPACE, 8, seed=1) == draw(SPACE, 8, seed=1)
    assert draw(SPACE, 8, seed=1) == draw(SPACE, 21, seed=1)[:8]
    assert draw(SPACE, 8, seed=1) != draw(SPACE, 8, seed=2)


@pytest.mark.parametrize("count", [1, 5, 16])
def test_sobol_points_are_the_first_of_scipy(count):
    own = qmc.Sobol(2, scramble=True, rng=np.random.default_rng(7)).random_base2(4)[:count]
    np.testing.assert_allclose(shares(sobol_points(SPACE, count, seed=7)), own, atol=1e-9)


def test_sobol_points_have_one_in_every_part_and_random_ones_do_not():
    def fullest(points):
        return max(np.bincount((axis * 64).astype(int), minlength=64).max() for axis in shares(points).T)

    assert fullest(sobol_points(SPACE, 64, seed=0)) == 1
    assert fullest(random_points(SPACE, 64, seed=0)) > 2
    assert qmc.discrepancy(shares(sobol_points(SPACE, 64))) < 0.3 * qmc.discrepancy(shares(random_points(SPACE, 64)))


def test_choices_are_as_probable_as_each_other():
    """A count of 1000 draws of 4 is 250 +- 13.7; five standard deviations are passed in 6 of 1e7 trials."""
    points = random_points({"l2": Range(0.0, 1.0), "sam": [0.0, 0.1, 0.2, 0.3]}, 1000)
    counts = np.unique([point["sam"] for point in points], return_counts=True)[1]
    assert np.abs(counts - 250).max() < 5 * 13.7
    spread = sobol_points({"l2": Range(0.0, 1.0), "sam": [0.0, 0.1, 0.2, 0.3]}, 64)
    assert np.unique([point["sam"] for point in spread], return_counts=True)[1].tolist() == [16] * 4


def test_choices_alone_are_drawn_without_repetition():
    space = {"l2": [0.1, 0.2, 0.3], "dropout": [0.0, 0.5]}
    points = random_points(space, 6, seed=4)
    assert sorted(tuple(point.values()) for point in points) == sorted(itertools.product(*space.values()))
    assert points != random_points(space, 6, seed=5)


@pytest.mark.parametrize(
    ("draw", "space", "count", "message"),
    [
        (random_points, {"l2": [0.1, 0.2]}, 3, "3 points are more than the 2 combinations"),
        (sobol_points, {"l2": [0.1, 0.2]}, 2, "needs a range"),
        (random_points, {}, 2, "no name"),
        (random_points, {"l2": []}, 2, "l2: the list of choices is empty"),
        (sobol_points, {"l2": Range(0.0, 1.0, log=True)}, 2, "l2: loguniform"),
        (random_points, SPACE, 0, "number of points"),
    ],
)
def test_spaces_without_such_points_are_refused(draw, space, count, message):
    with pytest.raises(ValueError, match=message):
        draw(space, count)
