"""1, 2, 4 and 8 virtual CPU devices give the answers of one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
# Sums over parts of a batch, and over lanes side by side, have another order; the weights are of the order of 0.1
# to 1. Measured: below 2e-7 for split batches, 5e-7 for lanes side by side.
TOLERANCE = 5e-6


def virtual(function):
    command = [sys.executable, "-W", "ignore", str(Path(__file__).with_name("virtual.py")), function]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout)


def test_a_batch_split_over_devices_gives_the_same_weights():
    """Dropout, augmentation, mixup, batch statistics and micro-batches included."""
    found = virtual("split_batches")
    assert len(found) == 5
    assert max(found.values()) < TOLERANCE, found


def test_each_device_works_on_its_part_of_a_batch():
    assert virtual("lowered") == {"all_reduce": True, "whole_batch": False, "part": True}


@pytest.fixture(scope="module")
def swept():
    return virtual("swept_lanes")


def test_mapped_lanes_are_bitwise_the_run_alone_on_any_number_of_devices(swept):
    assert len(set(swept["alone"])) == 6
    assert swept["default"] == swept["alone"]
    for count in ("1", "2", "4", "8"):
        assert swept["mapped"][count] == swept["alone"], count


@pytest.mark.parametrize("kind", ["vmapped", "grid"])
def test_other_layouts_agree_within_rounding(swept, kind):
    assert len(swept[kind]) == 2
    assert max(swept[kind].values()) < TOLERANCE, swept[kind]
