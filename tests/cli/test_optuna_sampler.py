import math

import pytest

from regjax.cli.optuna_sampler import OptunaSampler
from regjax.core.extras import MissingPackage
from regjax.core.ranges import Range

SPACE = {"l2": Range(1e-6, 1e-1, log=True), "patience": Range(2, 9, whole=True), "dropout": [0.0, 0.5]}


def test_without_optuna_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match=r"optuna is needed here .*regjax\[optuna\]"):
        OptunaSampler(SPACE, 0)


def proposed(seed, count=40, score=lambda point: -abs(math.log10(point["l2"]) + 3.0)):
    sampler = OptunaSampler(SPACE, seed)
    for trial in range(count):
        sampler.ask(trial)
        sampler.tell(trial, score(sampler.points[trial]))
    return sampler.points


def test_points_are_in_the_space_and_depend_on_the_seed_and_the_scores():
    points = proposed(1)
    for point in points:
        assert SPACE["l2"].low <= point["l2"] <= SPACE["l2"].high
        assert point["patience"] in range(2, 10)
        assert point["dropout"] in (0.0, 0.5)
    assert points == proposed(1)
    assert points[:10] != proposed(2)[:10]
    assert points[12:] != proposed(1, score=lambda point: point["dropout"])[12:]


def test_later_points_are_nearer_to_the_optimum():
    """Of 30 later points the mean distance in decades is below that of 10 drawn at random, in each of five seeds."""
    for seed in range(5):
        distance = [abs(math.log10(point["l2"]) + 3.0) for point in proposed(seed)]
        assert sum(distance[10:]) / 30 < 0.7 * sum(distance[:10]) / 10


def test_what_may_be_left_out_is_left_out_in_part_and_where_that_is_better():
    space = {"l2": Range(1e-6, 1e-1, log=True, off=0.5), "dropout": Range(0.1, 0.8, off=0.5)}
    sampler = OptunaSampler(space, 0)
    for trial in range(60):
        sampler.ask(trial)
        point = sampler.points[trial]
        sampler.tell(trial, (point["l2"] > 0) - point["dropout"])
    assert all(own["l2"] == 0 or 1e-6 <= own["l2"] <= 1e-1 for own in sampler.points)
    first, last = sampler.points[:10], sampler.points[40:]
    assert 0 < sum(own["l2"] == 0 for own in first) < 10
    assert sum(own["l2"] > 0 and own["dropout"] == 0 for own in last) > 15


def test_a_trial_without_a_score_has_failed_and_the_search_goes_on():
    points = proposed(0, 15, lambda point: math.nan if point["dropout"] else -point["l2"])
    assert len(points) == 15
