"""Analysis of results: diagnosis of a run, selection on validation data, calibration, statistics over seeds."""

from regjax.analysis.bayes import Posterior, number_posterior, practical_posterior, signed_rank_posterior
from regjax.analysis.calibration import (
    ReliabilityCurve,
    brier_score,
    expected_calibration_error,
    log_loss,
    reliability_curve,
)
from regjax.analysis.conformal import conformal_quantile
from regjax.analysis.diagnosis import Diagnosis, diagnose
from regjax.analysis.flips import FEWEST_RUNS, FlipTest, joint_flips
from regjax.analysis.folds import bounded_fold_interval, fold_interval, fold_p
from regjax.analysis.meta import RandomEffects, equal_effects, random_effects, resampled_variance
from regjax.analysis.paired import McNemar, mcnemar, paired_bootstrap
from regjax.analysis.pairs import Best, Pair, all_pairs, best_row, differ, letters
from regjax.analysis.power import MOST_RUNS, VerdictPower, detectable_effect
from regjax.analysis.power_law import PowerLaw, equivalent_examples, fit_power_law
from regjax.analysis.predictions import Predictions, read_predictions, write_predictions
from regjax.analysis.ranks import Ranks, rank_rows
from regjax.analysis.selection import Choice, choose
from regjax.analysis.shapley import ShapleyDesign, shapley_design
from regjax.analysis.statistics import (
    Interval,
    RunVariance,
    bounded_interval,
    holm,
    mean_interval,
    minimum_detectable_effect,
    run_interval,
    run_variance,
    sign_flip_p,
    two_way_interval,
    variance_components,
)
from regjax.analysis.thresholds import Threshold, threshold_of_cost, threshold_of_precision

__all__ = [
    "FEWEST_RUNS",
    "MOST_RUNS",
    "Best",
    "Choice",
    "Diagnosis",
    "FlipTest",
    "Interval",
    "McNemar",
    "Pair",
    "Posterior",
    "PowerLaw",
    "Predictions",
    "RandomEffects",
    "Ranks",
    "ReliabilityCurve",
    "RunVariance",
    "ShapleyDesign",
    "Threshold",
    "VerdictPower",
    "all_pairs",
    "best_row",
    "bounded_fold_interval",
    "bounded_interval",
    "brier_score",
    "choose",
    "conformal_quantile",
    "detectable_effect",
    "diagnose",
    "differ",
    "equal_effects",
    "equivalent_examples",
    "expected_calibration_error",
    "fit_power_law",
    "fold_interval",
    "fold_p",
    "holm",
    "joint_flips",
    "letters",
    "log_loss",
    "mcnemar",
    "mean_interval",
    "minimum_detectable_effect",
    "number_posterior",
    "paired_bootstrap",
    "practical_posterior",
    "random_effects",
    "rank_rows",
    "read_predictions",
    "reliability_curve",
    "resampled_variance",
    "run_interval",
    "run_variance",
    "shapley_design",
    "sign_flip_p",
    "signed_rank_posterior",
    "threshold_of_cost",
    "threshold_of_precision",
    "two_way_interval",
    "variance_components",
    "write_predictions",
]
