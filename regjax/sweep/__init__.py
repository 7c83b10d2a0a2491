"""Many runs: lanes of hyperparameters and seeds, laid out over cores, devices and processes."""

from regjax.sweep.lane import Lane
from regjax.sweep.lanes import run_lanes, sweep
from regjax.sweep.memory import parse_memory, shown_bytes
from regjax.sweep.plan import LAYOUTS, LanePlan, plan_lanes
from regjax.sweep.store import LaneStore, LaneWarning

__all__ = [
    "LAYOUTS",
    "Lane",
    "LanePlan",
    "LaneStore",
    "LaneWarning",
    "parse_memory",
    "plan_lanes",
    "run_lanes",
    "shown_bytes",
    "sweep",
]
