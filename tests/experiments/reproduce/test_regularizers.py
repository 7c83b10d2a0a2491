"""The cost of published comparisons: the arithmetic, a measurement of a small net, and the figures on the page."""

import json
from pathlib import Path

import pytest

from experiments.reproduce import regularizers as module

ROOT = Path(__file__).resolve().parents[3]


def test_hours_follow_from_the_time_of_an_update():
    found = module.summary(3600 / module.UPDATES_PER_EPOCH)
    assert found["hours_per_epoch"] == pytest.approx(1.0)
    hours = {own["net"]: own["hours_with_resnet_18"] for own in found["runs"].values()}
    assert hours == pytest.approx({"ResNet-18": 200, "WRN 16-8": 400, "PyramidNet-200": 300})


def test_the_time_of_a_run_is_measured():
    assert 0 < module.seconds(1, widths=(4, 8), size=8, batch=8) < 60


def test_the_page_states_the_record():
    record = json.loads((ROOT / "experiments/records/regularizers_cost.json").read_text())
    assert record["hours_per_epoch"] == pytest.approx(
        record["seconds_per_update"] * module.UPDATES_PER_EPOCH / 3600, rel=1e-6
    )
    page = (ROOT / "scripts/docs/pages/reproductions.md").read_text()
    hours = [own["hours_with_resnet_18"] for own in record["runs"].values()]
    for text in (f"{record['seconds_per_update']:.1f} seconds", f"{min(hours) / 24:.0f} days"):
        assert text in page
