import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regjax.catalog import NOISES, NUMBERS
from regjax.cli.grid import (
    CONDITION,
    REFERENCES,
    Point,
    off_values,
    points_of,
    references_for,
    references_of,
    trial_points,
)
from regjax.cli.grid_text import NAMES
from regjax.cli.options import RunOptions

ELSE = {"learning_rate", "min_delta", "train_examples"}


def test_each_swept_name_is_a_regularizer_or_known_to_be_none():
    assert set(off_values(NAMES, 10)) == set(NAMES) - ELSE | {"min_delta"}
    assert off_values([*NOISES, *NUMBERS, "l1", "l2"], 10) == dict.fromkeys([*NOISES, *NUMBERS, "l1", "l2"], 0.0)
    assert off_values(sorted(ELSE), 10) == {}


def test_off_is_the_default_of_the_flag():
    options = RunOptions()
    for name, value in off_values([*NOISES, *NUMBERS, "l1", "l2"], 10).items():
        assert getattr(options, name) == value


def test_a_patience_is_off_where_it_cannot_run_out():
    assert off_values(["patience", "min_delta", "l2"], 7) == {"l2": 0.0, "patience": 7.0, "min_delta": 0.0}


def test_the_reference_comes_after_the_grid():
    swept = {"l2": [0.1, 1.0], "dropout": [0.0, 0.5]}
    points = points_of(swept, off_values(swept, 10))
    assert [tuple(point.values.values()) for point in points] == [
        (0.1, 0.0),
        (0.1, 0.5),
        (1.0, 0.0),
        (1.0, 0.5),
        (0, 0),
    ]
    assert [point.reference for point in points] == [False, False, False, False, True]


def test_a_reference_in_the_grid_is_not_added_again():
    points = points_of({"l2": [1.0, 0.0]}, {"l2": 0.0})
    assert points == [Point({"l2": 1.0}, False), Point({"l2": 0.0}, True)]


def test_without_a_regularizer_there_is_no_reference():
    points = points_of({"learning_rate": [0.1, 0.2]}, {})
    assert [point.reference for point in points] == [False, False]
    assert references_of(points, [1, 0]) == [None, None]


values = st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3]), min_size=1, max_size=3, unique=True)


@given(st.dictionaries(st.sampled_from(["l2", "dropout", "learning_rate", CONDITION]), values, min_size=1))
def test_every_combination_is_there_once_with_its_reference(swept):
    off = off_values(swept, 10)
    points = points_of(swept, off)
    found = [tuple(point.values.values()) for point in points]
    assert len(set(found)) == len(found)
    grid = list(itertools.product(*swept.values()))
    assert found[: len(grid)] == grid
    references = {value for value, point in zip(found, points, strict=True) if point.reference}
    wanted = {tuple(off.get(name, value) for name, value in zip(swept, point, strict=True)) for point in grid}
    assert references == (wanted if off else set())
    assert set(found) == set(grid) | references


@pytest.mark.parametrize(("ranking", "expected"), [([0, 1, 2, 3, 4, 5], 4), ([5, 4], 5), ([0, 1], None)])
def test_the_reference_is_the_best_of_those_without_regularizers(ranking, expected):
    points = points_of({"l2": [0.1, 0.2], "learning_rate": [1.0, 2.0]}, {"l2": 0.0})
    assert references_of(points, ranking) == [expected] * 6


def test_each_number_of_examples_has_a_reference_of_its_own():
    points = points_of({CONDITION: [20.0, 60.0], "l2": [0.1, 0.0]}, {"l2": 0.0})
    assert references_of(points, [3, 2, 1, 0]) == [1, 1, 3, 3]
    assert references_of(points, [3, 2, 0]) == [None, None, 3, 3]


def test_the_reference_of_a_search_has_the_other_values_of_its_first_trials():
    off = {"l2": 0.0}
    points = trial_points([{"l2": 0.1 * (i + 1), "learning_rate": float(i // 2)} for i in range(40)], off)
    found = references_for(points, off, [])
    assert [point.values for point in found] == [{"l2": 0.0, "learning_rate": float(i)} for i in range(REFERENCES)]
    assert all(point.reference for point in found)
    assert references_for(points, {}, []) == []


def test_a_trial_that_is_a_reference_is_not_trained_again():
    off = {"l2": 0.0, "dropout": 0.0}
    points = trial_points([{"l2": 0.0, "dropout": 0.0}, {"l2": 0.1, "dropout": 0.0}], off)
    assert [point.reference for point in points] == [True, False]
    assert references_for(points, off, points) == []
    assert references_for(points, off, points[1:]) == [Point(off, True)]  # it was halted
