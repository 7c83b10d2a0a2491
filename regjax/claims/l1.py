"""The chapter on L1: zeros, the selection of features, outliers, and complex patterns."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from regjax.claims.claim import Claim, Measured, Picture
from regjax.claims.fit import NETS, score, titles
from regjax.claims.grids import CHOSEN, grid, strength_picture
from regjax.claims.l2 import zero_share
from regjax.claims.lab import Setting, baseline, chosen, shared, train
from regjax.claims.linear import LINEAR_RUNS, RIDGE_STRENGTHS, Design, Linear, best, lasso, ridge
from regjax.claims.problems import TITLES
from regjax.penalties import l1

CHAPTER = "L1 regularization"
COMPLEX = ("noisy digits", "clusters", "teacher", "spirals")
ZEROS = ("noisy digits", "teacher")
SPARSE = (2.0, -2.0, 1.5, -1.5, 1.0) + (0.0,) * 45
WEAK = tuple(coefficient / 5 for coefficient in SPARSE)
DESIGNS = {
    "independent columns": Design(SPARSE, n=100, validation=100),
    "correlation 0.8": Design(SPARSE, n=100, validation=100, correlation=0.8),
    "weak effects": Design(WEAK, n=100, validation=100),
}
RULES = {"lowest validation error": False, "one standard error": True}
SELECTIONS = {f"{label}, {title}": (design, rule) for label, design in DESIGNS.items() for title, rule in RULES.items()}
OUTLIERS = Design((1.0,) * 10, n=60, outliers=0.1)


def _zeros(runs: Sequence[int]) -> Measured:
    effects = {}
    for name in ZEROS:
        subgradient = {"0.003": Setting(regularizers={"penalties": {"loss": l1(0.003)}})}
        routes = {"proximal": grid("l1", name, runs), "in the loss": train(name, runs, subgradient)}
        for route, found in routes.items():
            shares = [zero_share(one) for one in found["0.003"].weights]
            effects[f"{route}, {TITLES[name]}"] = np.array(shares)
    return Measured(effects)


@shared
def _selected(design: Design, rule: bool, runs: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """The shares of the columns that matter which are kept, and of the others which are eliminated, `[R]` each."""
    matters = np.array(design.coefficients) != 0
    kept = []
    for run in runs:
        sample = design.draw(run)
        path = lasso(sample)
        kept.append(path[best(sample, path, rule)] != 0)
    selected = np.array(kept)
    return selected[:, matters].mean(axis=1), 1 - selected[:, ~matters].mean(axis=1)


def _keeps(runs: Sequence[int]) -> Measured:
    return Measured({label: 100 * _selected(*case, runs)[0] for label, case in SELECTIONS.items()}, [_path(runs)])


def _eliminates(runs: Sequence[int]) -> Measured:
    return Measured({label: 100 * _selected(*case, runs)[1] for label, case in SELECTIONS.items()})


def _path(runs: Sequence[int]) -> Picture:
    """The shares along the path, as means over the runs."""
    design = DESIGNS["independent columns"]
    matters = np.array(design.coefficients) != 0
    paths = np.array([lasso(design.draw(run)) != 0 for run in runs])
    position = 10 ** np.linspace(0.0, -3.0, paths.shape[1])
    lines = {
        "matter, kept": 100 * paths[:, :, matters].mean(axis=(0, 2)),
        "do not matter, kept": 100 * paths[:, :, ~matters].mean(axis=(0, 2)),
    }
    return Picture(
        "Columns along the lasso path", "strength, by the one that keeps nothing", "columns kept, %", position, lines,
        log_x=True,
    )  # fmt: skip


def _outliers(runs: Sequence[int]) -> Measured:
    from sklearn.linear_model import QuantileRegressor

    def absolute(sample: Linear) -> np.ndarray:
        fitted = QuantileRegressor(quantile=0.5, alpha=0.0, fit_intercept=False).fit(sample.x, sample.y)
        return np.asarray(fitted.coef_)

    effects: dict[str, list[float]] = {
        label: [] for label in ("L1 penalty", "absolute error as loss", "no outliers, L1")
    }
    for run in runs:
        sample, clean = OUTLIERS.draw(run), dataclasses.replace(OUTLIERS, outliers=0.0).draw(run)
        for label, one in (("L1 penalty", sample), ("no outliers, L1", clean)):
            ridges, lassos = ridge(one.x, one.y, RIDGE_STRENGTHS), lasso(one)
            errors = one.excess(ridges[best(one, ridges)]), one.excess(lassos[best(one, lassos)])
            effects[label].append(_lower(*errors))
        ridges = ridge(sample.x, sample.y, RIDGE_STRENGTHS)
        robust = sample.excess(absolute(sample))
        effects["absolute error as loss"].append(_lower(sample.excess(ridges[best(sample, ridges)]), robust))
    return Measured({label: 100 * np.array(values) for label, values in effects.items()})


def _lower(reference: np.ndarray, other: np.ndarray) -> float:
    """How much lower the other error is, as a fraction of the larger one."""
    return float((reference - other) / max(reference, other))


def _complex(runs: Sequence[int]) -> Measured:
    effects, pictures = {}, []
    for name in COMPLEX:
        plain, found = baseline(name, runs), grid("l1", name, runs)
        metric = score(plain)
        effects[TITLES[name]] = 100 * (plain.last("test", metric) - chosen(found)[1][metric])
        pictures.append(strength_picture(found, TITLES[name].capitalize(), "strength of L1"))
    return Measured(effects, pictures)


CLAIMS = (
    Claim(
        name="l1_makes_zeros",
        chapter=CHAPTER,
        statement="L1 eliminates weights of lesser value by pushing them to zero.",
        hypothesis="With L1 of strength 0.003, more than 10% of the weights are exactly zero after training.",
        design=f"{NETS} L1 by its proximal map after each update, and by its subgradient in the loss.",
        quantity="The share of exact zeros",
        unit="%",
        margin=10.0,
        circumstances=tuple(f"{route}, {TITLES[name]}" for name in ZEROS for route in ("proximal", "in the loss")),
        measure=_zeros,
        literature="Keras issue 18388 reports that its L1, which is in the loss, gives no exact zeros.",
    ),
    Claim(
        name="l1_keeps_important_features",
        chapter=CHAPTER,
        statement="L1 selects features: it keeps the important ones.",
        hypothesis="The lasso keeps more than 90% of the columns that have a coefficient.",
        design="Linear regression on 50 columns of variance 1, five of which matter (coefficients from 1 to 2 in size, "
        "and a fifth of that for weak effects), "
        "100 examples, noise of standard deviation 1; the strength is chosen in each run on 100 validation examples, "
        "as the one of the lowest error, or the strongest within one standard error of it.",
        quantity="The share of the columns that matter which are kept",
        unit="%",
        margin=90.0,
        circumstances=tuple(SELECTIONS),
        measure=_keeps,
        runs_per_seed=8,
        literature="Zhao and Yu (On model selection consistency of Lasso, 2006) give the condition on correlations "
        "under which the lasso finds the true columns.",
    ),
    Claim(
        name="l1_eliminates_unimportant_features",
        chapter=CHAPTER,
        statement="L1 selects features: it eliminates the unimportant ones.",
        hypothesis="The lasso eliminates more than 90% of the columns that have no coefficient.",
        design="As for the important ones.",
        quantity="The share of the columns that do not matter which are eliminated",
        unit="%",
        margin=90.0,
        circumstances=tuple(SELECTIONS),
        measure=_eliminates,
        runs_per_seed=8,
        literature="A strength that predicts best keeps too many columns (Meinshausen and Bühlmann, High-dimensional "
        "graphs and variable selection with the Lasso, 2006).",
    ),
    Claim(
        name="l1_is_robust_to_outliers",
        chapter=CHAPTER,
        statement="L1 is robust to outliers.",
        hypothesis="With outliers in the targets, the excess test error is more than 20% lower than that of ridge.",
        design="Linear regression on 10 columns that all matter alike, 60 examples, of which 10% have noise of 20 "
        "times the standard deviation; the L1 penalty on squared errors, and the absolute error as loss without a "
        "penalty, against ridge on squared errors. Strengths are chosen in each run on 60 validation examples, which "
        "have outliers too; the control has none. The excess error is known exactly, and a difference is in percent "
        "of the larger error.",
        quantity="The reduction of the excess error against ridge",
        unit="%",
        margin=20.0,
        circumstances=("L1 penalty", "absolute error as loss", "no outliers, L1"),
        controls=("no outliers, L1",),
        measure=_outliers,
        runs_per_seed=LINEAR_RUNS,
        literature="It is the absolute error as a loss that bounds the influence of a target (Huber, Robust estimation "
        "of a location parameter, 1964); a penalty on weights does not.",
    ),
    Claim(
        name="l1_cannot_learn_complex_patterns",
        chapter=CHAPTER,
        statement="L1 cannot learn complex patterns.",
        hypothesis="With L1, test accuracy (R² of the regression) after the last epoch is more than 2 points lower "
        "than without a regularizer.",
        design=f"{NETS} {CHOSEN['l1']}",
        quantity="The loss by L1",
        unit="points",
        margin=2.0,
        circumstances=titles(COMPLEX),
        measure=_complex,
    ),
)
