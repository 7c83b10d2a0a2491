"""Sweeps: many runs with different hyperparameters and seeds, over cores, devices and processes."""

from regjax.catalog import LAYOUTS
from regjax.core.ranges import Range
from regjax.sweeps.lane import Lane
from regjax.sweeps.memory import parse_memory, shown_bytes
from regjax.sweeps.path import Path, path
from regjax.sweeps.plan import LanePlan, plan_lanes
from regjax.sweeps.points import random_points, sobol_points
from regjax.sweeps.run import run_lanes, sweep
from regjax.sweeps.rungs import Rung, epochs_in_all, halving_rungs, halving_trials
from regjax.sweeps.schedule import Asha, AskTell, Halving, Schedule, Score, Task
from regjax.sweeps.search import Searched, Step, search
from regjax.sweeps.store import LaneStore, LaneWarning

__all__ = [
    "LAYOUTS",
    "Asha",
    "AskTell",
    "Halving",
    "Lane",
    "LanePlan",
    "LaneStore",
    "LaneWarning",
    "Path",
    "Range",
    "Rung",
    "Schedule",
    "Score",
    "Searched",
    "Step",
    "Task",
    "epochs_in_all",
    "halving_rungs",
    "halving_trials",
    "parse_memory",
    "path",
    "plan_lanes",
    "random_points",
    "run_lanes",
    "search",
    "shown_bytes",
    "sobol_points",
    "sweep",
]
