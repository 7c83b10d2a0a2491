"""The study of learning curves: a part of it is run again, and its record says what the page says."""

import json
from pathlib import Path

import pytest
from scipy import stats

from experiments.studies import learning_curves

RECORD = Path(__file__).resolve().parents[2] / "experiments/records/learning_curves.json"


@pytest.mark.parametrize(("runs", "floor", "shared"), [(3, 0.0, 0.5), (6, 0.05, 0.0)])
def test_a_part_of_the_record_is_found_again(runs, floor, shared):
    """60 fits of 500; a share beyond the limits is seen in one of 10,000 of them."""
    record = json.loads(RECORD.read_text())
    key = {"runs": runs, "floor": floor, "shared": shared}
    [case] = [one for one in record["cases"] if key.items() <= one.items()]
    found = learning_curves.coverage(runs, floor, shared, fits=60)
    assert found.keys() == case["held"].keys()
    for name, share in case["held"].items():
        low, high = stats.binom.interval(1 - 1e-4, 60, min(max(share, 0.01), 0.99))
        assert low <= 60 * found[name] <= high, name


def test_stretched_intervals_hold_the_truth_more_often_and_those_of_few_runs_need_it():
    for case in json.loads(RECORD.read_text())["cases"]:
        held = case["held"]
        assert held["worth"] >= held["worth, not stretched"]
        if case["runs"] == 3:
            assert held["worth, not stretched"] < 0.8
