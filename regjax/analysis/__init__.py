"""Analysis of results: diagnosis of a run, selection on validation data, statistics over seeds."""

from regjax.analysis.diagnosis import Diagnosis, diagnose
from regjax.analysis.flips import FEWEST_RUNS, FlipTest, detectable_effect, joint_flips
from regjax.analysis.selection import Choice, choose
from regjax.analysis.statistics import (
    Interval,
    holm,
    mean_interval,
    minimum_detectable_effect,
    sign_flip_p,
    two_way_interval,
)

__all__ = [
    "FEWEST_RUNS",
    "Choice",
    "Diagnosis",
    "FlipTest",
    "Interval",
    "choose",
    "detectable_effect",
    "diagnose",
    "holm",
    "joint_flips",
    "mean_interval",
    "minimum_detectable_effect",
    "sign_flip_p",
    "two_way_interval",
]
