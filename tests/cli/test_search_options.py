import pytest

from regjax.cli.flags import FlagError
from regjax.cli.search_options import SearchOptions, check_search
from regjax.core.ranges import Range

RANGES = {"l2": Range(1e-6, 1e-1, log=True), "dropout": [0.0, 0.5]}
LISTS = {"l2": [0.1, 0.2, 0.3], "dropout": [0.0, 0.5]}


@pytest.mark.parametrize(
    ("options", "space", "count"),
    [
        ({"search": "random"}, RANGES, 32),
        ({"search": "optuna"}, RANGES, 32),
        ({"search": "asha"}, RANGES, 64),
        ({"search": "halving", "trials": 9}, RANGES, 9),
        ({"search": "halving"}, LISTS, 6),
        ({"search": "grid"}, LISTS, 6),
    ],
)
def test_the_number_of_trials(options, space, count):
    config = SearchOptions(**options)
    check_search(config, space)
    assert config.trial_count(space) == count


@pytest.mark.parametrize(
    ("options", "space", "message"),
    [
        ({"trials": 3}, LISTS, "trials.*: is for --search=random, sobol, halving, asha, optuna, not grid"),
        ({"search": "random", "reduction": 2}, RANGES, "reduction.*is for --search=halving, asha, not random"),
        ({"search": "sobol", "min_epochs": 2}, RANGES, "min_epochs.*not sobol"),
        ({"search": "halving", "places": 2}, RANGES, "places.*is for --search=asha, optuna, not halving"),
        ({"search": "halving", "min_epochs": 51}, RANGES, "min_epochs.*at most --epochs=50"),
        ({"search": "sobol"}, LISTS, "sweep.*a Sobol sequence needs a range"),
        ({"search": "random", "trials": 7}, LISTS, "trials.*the lists have 6 combinations"),
        ({"search": "asha", "distributed": True}, RANGES, "distributed.*asha trains in one process"),
    ],
)
def test_options_that_do_not_fit_the_search_are_refused(options, space, message):
    with pytest.raises(FlagError, match=message):
        check_search(SearchOptions(**options), space)


@pytest.mark.parametrize("name", ["reduction", "trials", "places"])
def test_numbers_below_the_smallest_are_refused(name):
    with pytest.raises(ValueError, match=name):
        SearchOptions(**{name: 0})


def test_defaults():
    assert (SearchOptions().reduction_or_default, SearchOptions().places_or_default) == (3, 8)
    given = SearchOptions(reduction=2, places=5, seed=7)
    assert (given.reduction_or_default, given.places_or_default, given.search_seed) == (2, 5, 7)
