"""Whether ours counts as slower than in a record: by hand, and how often by chance."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[3] / "scripts/bench"))

from cases.against import changes, sentence, slower


def row(**rounds):
    return {"case": "made", "rounds": rounds}


BEFORE = row(ours=[10.0] * 5, floor=[8.0] * 5, torch=[20.0] * 5)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (row(ours=[20.0] * 5, floor=[16.0] * 5, torch=[40.0] * 5), False),  # a machine of half the speed
        (row(ours=[11.0] * 5, floor=[8.0] * 5, torch=[20.0] * 5), True),  # 10% more beside both
        (row(ours=[10.0] * 5, floor=[8.0] * 5, torch=[10.0] * 5), False),  # torch became faster
        (row(ours=[10.4] * 5, floor=[8.0] * 5, torch=[20.0] * 5), False),  # less than counts
        (row(ours=[11.0, 9.0, 11.0, 14.0, 8.0], floor=[8.0] * 5, torch=[20.0] * 5), False),  # not beyond the noise
        (row(ours=[5.0] * 5, floor=[8.0] * 5), False),
    ],
)
def test_slower_is_slower_beside_every_contender(now, expected):
    found = changes(now, BEFORE, 0.05)
    assert slower(found) is expected
    assert ("SLOWER" in sentence(found)) is expected


def test_the_change_is_that_of_the_medians_of_paired_rounds():
    """Ours over the floor is 2, 2, 3 now and was 1 throughout: twice as slow, with a median deviation of 0."""
    (one,) = changes(row(ours=[2.0, 4.0, 9.0], floor=[1.0, 2.0, 3.0]), row(ours=[1.0] * 3, floor=[1.0] * 3), 0.05)
    assert (one.contender, one.change, one.limit) == ("floor", pytest.approx(1.0), pytest.approx(0.05))


def test_without_common_rounds_nothing_is_said_to_be_slower():
    for recorded in ({}, row(ours=[1.0], torch=[1.0]), row(ours=[-1.0], floor=[1.0])):
        found = changes(row(ours=[3.0], floor=[1.0]), recorded, 0.05)
        assert not slower(found)
        assert "no contender with rounds in both" in sentence(found)


def test_how_often_chance_makes_it_slower_and_how_often_a_slowdown_is_seen():
    """Five rounds whose times differ by 4%: false alarms in at most 2% of 1,000; 25% more is seen in three of four."""
    rng = np.random.default_rng(0)

    def call(factor=1.0):
        return row(ours=factor * np.exp(0.04 * rng.normal(size=5)), floor=np.exp(0.04 * rng.normal(size=5)))

    def lists(made):
        return {"rounds": {name: values.tolist() for name, values in made["rounds"].items()}}

    alarms = [slower(changes(lists(call()), lists(call()), 0.05)) for _ in range(1_000)]
    assert np.mean(alarms) < 0.02
    seen = [slower(changes(lists(call(1.25)), lists(call()), 0.05)) for _ in range(1_000)]
    assert np.mean(seen) > 0.75
