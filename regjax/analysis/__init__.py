"""Analysis of results: diagnosis of a run, selection on validation data, statistics over seeds."""

from regjax.analysis.diagnosis import Diagnosis, diagnose
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
    "Choice",
    "Diagnosis",
    "Interval",
    "choose",
    "diagnose",
    "holm",
    "mean_interval",
    "minimum_detectable_effect",
    "sign_flip_p",
    "two_way_interval",
]
