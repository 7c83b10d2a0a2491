"""Sweeps: many runs with different hyperparameters and seeds, over cores, devices and processes."""

from regjax.catalog import LAYOUTS
from regjax.sweeps.lane import Lane
from regjax.sweeps.memory import parse_memory, shown_bytes
from regjax.sweeps.path import Path, path
from regjax.sweeps.plan import LanePlan, plan_lanes
from regjax.sweeps.run import run_lanes, sweep
from regjax.sweeps.store import LaneStore, LaneWarning

__all__ = [
    "LAYOUTS",
    "Lane",
    "LanePlan",
    "LaneStore",
    "LaneWarning",
    "Path",
    "parse_memory",
    "path",
    "plan_lanes",
    "run_lanes",
    "shown_bytes",
    "sweep",
]
