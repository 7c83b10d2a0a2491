"""The chapter on L2: what it does to weights, to features, and to errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from regjax.claims.claim import Claim, Measured, Picture
from regjax.claims.fit import NETS, score, titles
from regjax.claims.grids import CHOSEN, grid, strength_picture
from regjax.claims.lab import baseline, chosen, kernels
from regjax.claims.linear import LINEAR_RUNS, RIDGE_STRENGTHS, Design, Linear, best, lasso, ridge
from regjax.claims.problems import TITLES
from regjax.core.typing import PyTree

CHAPTER = "L2 regularization"
NETWORKS = ("noisy digits", "clusters", "teacher")
COMPLEX = ("noisy digits", "clusters", "teacher", "spirals")
PAIRS = {
    "correlation 0.95, both matter alike": Design((1.0, 1.0), n=50, correlation=0.95),
    "correlation 0.95, one matters": Design((2.0, 0.0), n=50, correlation=0.95),
    "independent, both matter alike": Design((1.0, 1.0), n=50),
}
TRUE_AND_IDLE = {
    "independent columns": Design((1.0,) * 5 + (0.0,) * 5),
    "correlation 0.8": Design((1.0,) * 5 + (0.0,) * 5, correlation=0.8),
}
_RANGES = tuple(np.logspace(-2, 2, 20).tolist())
RANGES = {
    "all columns matter alike": Design(tuple(0.5 / s for s in _RANGES), n=30, noise=2.0, scales=_RANGES),
    "columns matter in proportion to their range": Design((0.05,) * 20, n=30, noise=2.0, scales=_RANGES),
    "equal ranges": Design((0.5,) * 20, n=30, noise=2.0),
}
TYPICAL = 0.1
"""The strength at which shrinkage is looked at where nothing is chosen, of columns with variance 1."""


def zero_share(weights: PyTree) -> float:
    """The share of the weights, biases left out, that are exactly zero, in percent."""
    return float(100 * np.mean(np.concatenate([kernel.ravel() for kernel in kernels(weights)]) == 0))


def norm(weights: PyTree) -> float:
    """The Euclidean norm of the weights, biases left out."""
    return float(np.sqrt(sum(np.sum(np.square(kernel, dtype=np.float64)) for kernel in kernels(weights))))


def _shrinks(runs: Sequence[int]) -> Measured:
    effects = {}
    for name in NETWORKS:
        plain = baseline(name, runs).weights
        with_l2 = grid("l2", name, runs)["0.01"].weights
        ratio = [norm(after) / norm(before) for after, before in zip(with_l2, plain, strict=True)]
        effects[TITLES[name]] = 100 * (1 - np.array(ratio))
    return Measured(effects)


def _no_zeros(runs: Sequence[int]) -> Measured:
    effects = {}
    for name in NETWORKS:
        weights = grid("l2", name, runs)["0.01"].weights
        effects[TITLES[name]] = np.array([zero_share(one) for one in weights])
    return Measured(effects)


def imbalance(coefficients: np.ndarray) -> np.ndarray:
    """`|a - b| / (|a| + |b|)` of pairs `[..., 2]`: 0 if both are equal, 1 if one is zero or the signs differ."""
    a, b = np.moveaxis(np.asarray(coefficients), -1, 0)
    total = np.abs(a) + np.abs(b)
    found: np.ndarray = np.abs(a - b) / np.where(total > 0, total, 1.0)
    return found


def _spreads(runs: Sequence[int]) -> Measured:
    effects = {}
    for label, design in PAIRS.items():
        each = []
        for run in runs:
            sample = design.draw(run)
            along = ridge(sample.x, sample.y, RIDGE_STRENGTHS)
            path = lasso(sample)
            both = along[best(sample, along)], path[best(sample, path)]
            each.append(imbalance(both[1]) - imbalance(both[0]))
        effects[label] = 100 * np.array(each)
    sample = PAIRS["correlation 0.95, both matter alike"].draw(runs[0])
    along = ridge(sample.x, sample.y, RIDGE_STRENGTHS)
    lines = {"first coefficient": along[:, 0], "second coefficient": along[:, 1]}
    picture = Picture(
        "L2 path of two correlated columns", "strength", "coefficient", RIDGE_STRENGTHS, lines, log_x=True
    )
    return Measured(effects, [picture])


def _insignificant(runs: Sequence[int]) -> Measured:
    effects = {}
    for label, design in TRUE_AND_IDLE.items():
        true = np.array(design.coefficients) != 0
        each = []
        for run in runs:
            sample = design.draw(run)
            free, held = ridge(sample.x, sample.y, np.array([0.0, TYPICAL]))
            kept = [np.linalg.norm(held[part]) / np.linalg.norm(free[part]) for part in (true, ~true)]
            each.append(kept[0] - kept[1])
        effects[label] = 100 * np.array(each)
    return Measured(effects)


def standardized(sample: Linear) -> tuple[Linear, np.ndarray]:
    """The sample with columns divided by the standard deviation of the training rows, and these deviations."""
    scale = sample.x.std(axis=0)
    covariance = sample.covariance / np.outer(scale, scale)
    changed = sample._replace(
        x=sample.x / scale,
        x_validation=sample.x_validation / scale,
        coefficients=sample.coefficients * scale,
        covariance=covariance,
    )
    return changed, scale


def _ranges(runs: Sequence[int]) -> Measured:
    effects = {}
    strengths = np.logspace(5, -6, 67)
    for label, design in RANGES.items():
        each = []
        for run in runs:
            sample = design.draw(run)
            errors = []
            for one in (standardized(sample)[0], sample):
                along = ridge(one.x, one.y, strengths)
                errors.append(one.excess(along[best(one, along)]))
            each.append((errors[1] - errors[0]) / max(errors))
        effects[label] = 100 * np.array(each)
    return Measured(effects)


def _complex(runs: Sequence[int]) -> Measured:
    effects, pictures = {}, []
    for name in COMPLEX:
        plain = baseline(name, runs)
        found = grid("l2", name, runs)
        metric = score(plain)
        effects[TITLES[name]] = 100 * (chosen(found)[1][metric] - plain.last("test", metric))
        pictures.append(strength_picture(found, TITLES[name].capitalize(), "strength of L2"))
    return Measured(effects, pictures)


CLAIMS = (
    Claim(
        name="l2_shrinks",
        chapter=CHAPTER,
        statement="L2 forces weights to be small.",
        hypothesis="With L2 of strength 0.01 in the loss, the norm of all weights is more than 10% smaller.",
        design=NETS,
        quantity="The reduction of the norm of the weights",
        unit="%",
        margin=10.0,
        circumstances=titles(NETWORKS),
        measure=_shrinks,
    ),
    Claim(
        name="l2_makes_no_zeros",
        chapter=CHAPTER,
        statement="The weights under L2 are small but not zero.",
        hypothesis="With L2 of strength 0.01 in the loss, fewer than 0.1% of the weights are exactly zero.",
        design=NETS,
        quantity="The share of exact zeros",
        unit="points",
        margin=0.1,
        relation="within",
        circumstances=titles(NETWORKS),
        measure=_no_zeros,
    ),
    Claim(
        name="l2_shrinks_insignificant_more",
        chapter=CHAPTER,
        statement="L2 penalizes the insignificant weights: it shrinks them more than those that matter.",
        hypothesis="The share of the norm that L2 leaves of the coefficients of columns that matter exceeds that of "
        "columns that do not by more than 10 points.",
        design="Linear regression on ten columns of variance 1, five of which have a coefficient of 1 and five of 0; "
        f"60 examples, noise of standard deviation 1; ridge of strength {TYPICAL:g} against least squares.",
        quantity="The difference between what is left of both",
        unit="points",
        margin=10.0,
        circumstances=tuple(TRUE_AND_IDLE),
        runs_per_seed=LINEAR_RUNS,
        measure=_insignificant,
        literature="On orthonormal columns ridge multiplies every coefficient by the same factor (Hastie, Tibshirani "
        "and Friedman, The elements of statistical learning, 2009, section 3.4).",
    ),
    Claim(
        name="l2_spreads_weight",
        chapter=CHAPTER,
        statement="L2 gives almost equal emphasis to all features: it spreads weight over correlated ones.",
        hypothesis="The imbalance |a - b| / (|a| + |b|) of two coefficients is more than 20 points lower under L2 than "
        "under L1.",
        design="Linear regression on two columns, 50 examples, noise of standard deviation 1; both strengths are "
        "chosen in each run on 60 validation examples.",
        quantity="The difference in imbalance between L1 and L2",
        unit="points",
        margin=20.0,
        circumstances=tuple(PAIRS),
        runs_per_seed=LINEAR_RUNS,
        measure=_spreads,
        literature="Zou and Hastie (Regularization and variable selection via the elastic net, 2005) describe that the "
        "lasso tends to pick one of a group of correlated columns and ridge to share among them.",
    ),
    Claim(
        name="l2_needs_equal_ranges",
        chapter=CHAPTER,
        statement="L2 works best when the features have the same range.",
        hypothesis="Dividing the columns by their standard deviations lowers the excess test error of ridge by more "
        "than 10%.",
        design="Linear regression on 20 columns, 30 examples, noise of standard deviation 2, standard deviations of "
        "the columns from 0.01 to 100 (1 in the last circumstance); the strength is chosen in each run on 60 "
        "validation examples, with and without the division. The excess error is known exactly from the true "
        "coefficients, and a difference is in percent of the larger error.",
        quantity="The reduction of the excess error",
        unit="%",
        margin=10.0,
        circumstances=tuple(RANGES),
        runs_per_seed=LINEAR_RUNS,
        measure=_ranges,
    ),
    Claim(
        name="l2_learns_complex_patterns",
        chapter=CHAPTER,
        statement="L2 helps a model to learn complex patterns without overfitting easily.",
        hypothesis="L2 raises test accuracy (R² of the regression) after the last epoch by more than 1 point.",
        design=f"{NETS} {CHOSEN['l2']}",
        quantity="The gain by L2",
        unit="points",
        margin=1.0,
        circumstances=titles(COMPLEX),
        measure=_complex,
    ),
)
