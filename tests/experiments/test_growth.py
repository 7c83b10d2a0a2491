"""Studies of growth: the lines through points, the points themselves, and a sweep over hosts on which some die."""

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.studies import growth, hosts

RECORDS = Path(__file__).resolve().parents[2] / "experiments/records"


def test_the_line_is_that_of_the_largest_half():
    assert growth.line([1, 2, 4, 8, 16, 32], [9.0, 9.0, 9.0, 16.0, 32.0, 64.0])["exponent"] == 1.0
    assert growth.line([1, 10, 100, 1_000], [2.0, 2.0, 2.0, 2.0]) == {"exponent": 0.0, "from": 1}
    # 10 is a quarter above the line, 100 on it.
    assert growth.line([1, 10, 100, 1_000, 10_000], [9.0, 12.5, 100.0, 1e3, 1e4]) == {"exponent": 1.0, "from": 100}


@pytest.mark.slow
@pytest.mark.parametrize("series", growth.SERIES)
def test_a_point_is_measured_in_a_process_of_its_own(series):
    point = growth.measured(series, growth.SERIES[series][0])
    assert 0 < point["seconds"] < 60
    assert point["bytes"] >= 0
    assert point.get("planned", 1.0) > 0


def test_the_record_of_growth_has_every_series_and_its_lines():
    record = json.loads((RECORDS / "growth.json").read_text())["series"]
    assert {name: tuple(found["sizes"]) for name, found in record.items()} == growth.SERIES
    for found in record.values():
        for name, line in found["lines"].items():
            assert growth.line(found["sizes"], found[name]) == line


def test_workers_take_lanes_in_order():
    assert hosts.ends([5.0, 1.0, 1.0, 1.0, 4.0], workers=2, start=10.0) == [15.0, 11.0, 12.0, 13.0, 17.0]


def test_without_a_death_the_slowest_host_decides():
    seconds = np.array([1.0, 2.0, 3.0, 10.0])  # two hosts of one worker: 1 + 3 and 2 + 10
    assert hosts.simulated(seconds, np.random.default_rng(0), None, hosts=2, workers=1) == (hosts.START + 12.0, 0, 0.0)


class Deaths:
    """A generator whose deaths are known."""

    def __init__(self, *times):
        self.times = list(times)

    def exponential(self, scale):
        del scale
        return self.times.pop(0)


def test_after_a_death_only_the_lanes_in_flight_train_anew():
    seconds = np.array([10.0, 20.0, 30.0])  # one host, one worker
    # The second lane has trained 5 of its 20 seconds; the third has not begun.
    death = hosts.START + 15.0
    found = hosts.simulated(seconds, Deaths(death, np.inf), 1.0, hosts=1, workers=1)
    assert found == (death + hosts.HEARTBEAT + hosts.RESTART + hosts.START + 50.0, 1, 5.0)


@pytest.mark.parametrize("kind", hosts.KINDS)
def test_lanes_take_ten_minutes_on_average(kind):
    """10,000 lanes vary by at most 0.82 of their mean: four standard errors are 3.3%."""
    assert hosts.durations(kind, np.random.default_rng(1)).mean() == pytest.approx(hosts.MEAN, rel=0.033)


def test_the_record_of_hosts_is_what_the_rules_give():
    """Three of the hundred sweeps of a row: the hours differ by a few percent from sweep to sweep."""
    record = json.loads((RECORDS / "hosts.json").read_text())["cases"]
    for row in record:
        found = hosts.case(row["lanes"], row["life"], repeats=3)
        assert found["one queue"] == pytest.approx(row["one queue"], rel=0.05)
        assert row["one queue"] <= row["hours"] <= row["longest"] * 1.001
        if row["life"] is None:
            assert found["hours"] == pytest.approx(row["hours"], rel=0.1)
            assert row["deaths"] == row["lost"] == 0
