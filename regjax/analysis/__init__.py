"""Analysis of results: diagnosis of a run, selection on validation data, statistics over seeds."""

from regjax.analysis.bayes import Posterior, practical_posterior
from regjax.analysis.diagnosis import Diagnosis, diagnose
from regjax.analysis.flips import FEWEST_RUNS, FlipTest, detectable_effect, joint_flips
from regjax.analysis.pairs import Best, Pair, all_pairs, best_row, differ, letters
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
    "Best",
    "Choice",
    "Diagnosis",
    "FlipTest",
    "Interval",
    "Pair",
    "Posterior",
    "all_pairs",
    "best_row",
    "choose",
    "detectable_effect",
    "diagnose",
    "differ",
    "holm",
    "joint_flips",
    "letters",
    "mean_interval",
    "minimum_detectable_effect",
    "practical_posterior",
    "sign_flip_p",
    "two_way_interval",
]
