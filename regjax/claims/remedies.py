"""The chapter on methods against overfitting: more data, augmentation, early stopping, and what sets them apart."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from regjax.claims.claim import Claim, Measured
from regjax.claims.fit import CURVES, NETS, loss_curves, score, titles
from regjax.claims.grids import CHOSEN, grid
from regjax.claims.lab import Setting, Trained, baseline, chosen, kernels, shared, train
from regjax.claims.problems import MOST, TITLES, TRAIN
from regjax.core.typing import PyTree

CHAPTER = "Methods against overfitting"
SIZED = ("noisy digits", "clusters", "teacher", "spirals")
TUNED = ("noisy digits", "clusters", "teacher", "breast cancer")
AUGMENTATIONS = {
    "digits, small moves": ("noisy digits", "shift=1,rotate=15"),
    "digits, mirrored and turned": ("noisy digits", "flip=0.5,rotate=90"),
    "breast cancer, noise on the columns": ("breast cancer", "noise=0.3"),
    "three clusters, noise on the columns": ("clusters", "noise=0.3"),
}


@shared
def _sizes(runs: Sequence[int]) -> dict[str, tuple[Trained, Trained]]:
    return {name: (baseline(name, runs), train(name, runs, {"more": Setting(n_train=MOST)})["more"]) for name in SIZED}


def _more_data(runs: Sequence[int]) -> Measured:
    effects = {}
    for name, (few, many) in _sizes(runs).items():
        metric = score(few)
        effects[TITLES[name]] = 100 * (many.last("test", metric) - few.last("test", metric))
    return Measured(effects)


def _gap_narrows(runs: Sequence[int]) -> Measured:
    effects = {}
    for name, (few, many) in _sizes(runs).items():
        metric = score(few)
        gaps = [one.last("train", metric) - one.last("test", metric) for one in (few, many)]
        effects[TITLES[name]] = 100 * (gaps[0] - gaps[1])
    return Measured(effects)


def _augmentation(runs: Sequence[int]) -> Measured:
    effects = {}
    for label, (name, description) in AUGMENTATIONS.items():
        plain = baseline(name, runs)
        augmented = train(name, runs, {"augmented": Setting(augmentation=description)})["augmented"]
        effects[label] = 100 * (augmented.last("test", "accuracy") - plain.last("test", "accuracy"))
    return Measured(effects)


def _near_turn(runs: Sequence[int]) -> Measured:
    found = {name: baseline(name, runs) for name in CURVES}
    effects = {TITLES[name]: 100 * (one.kept("test") / one.test["loss"].min(axis=1) - 1) for name, one in found.items()}
    return Measured(effects, loss_curves(found, CURVES))


def _stopping_helps(runs: Sequence[int]) -> Measured:
    effects = {}
    for name in CURVES:
        one = baseline(name, runs)
        metric = score(one)
        effects[TITLES[name]] = 100 * (one.kept("test", metric) - one.last("test", metric))
    return Measured(effects)


def removed_units(weights: PyTree) -> float:
    """The share of hidden units without any incoming or any outgoing weight, in percent; they can be cut out."""
    matrices = kernels(weights)
    pairs = itertools.pairwise(matrices)
    gone = [~np.any(before != 0, axis=0) | ~np.any(after != 0, axis=1) for before, after in pairs]
    return float(100 * np.mean(np.concatenate(gone)))


def _architecture(runs: Sequence[int]) -> Measured:
    name = "noisy digits"
    data = {"augmentation": Setting(augmentation="shift=1,rotate=15"), "more data": Setting(n_train=MOST)}
    found = {
        "L2": grid("l2", name, runs)["0.01"],
        "L1 proximal": grid("l1", name, runs)["0.01"],
        "dropout": grid("dropout", name, runs)["0.6"],
    } | train(name, runs, data)
    return Measured({label: np.array([removed_units(w) for w in one.weights]) for label, one in found.items()})


def _against_stopping(runs: Sequence[int]) -> Measured:
    effects = {}
    for name in TUNED:
        stopped = baseline(name, runs).kept("test")
        for title, family in (("L2", "l2"), ("dropout", "dropout")):
            _, metrics = chosen(grid(family, name, runs))
            effects[f"{title}, {TITLES[name]}"] = 100 * (1 - metrics["loss"] / stopped)
    return Measured(effects)


CLAIMS = (
    Claim(
        name="more_data_helps",
        chapter=CHAPTER,
        statement="Training on more data makes a model better on new data.",
        hypothesis=f"With {MOST} training examples in place of {TRAIN} and the same number of updates, test accuracy "
        "(R² of the regression) after the last epoch rises by more than 1 point.",
        design=NETS,
        quantity="The gain by more data",
        unit="points",
        margin=1.0,
        circumstances=titles(SIZED),
        measure=_more_data,
    ),
    Claim(
        name="more_data_narrows_gap",
        chapter=CHAPTER,
        statement="More data narrows the gap between training and testing.",
        hypothesis=f"With {MOST} training examples in place of {TRAIN} and the same number of updates, the gap between "
        "training and test accuracy (R² of the regression) becomes narrower by more than 2 points.",
        design=NETS,
        quantity="The reduction of the gap",
        unit="points",
        margin=2.0,
        circumstances=titles(SIZED),
        measure=_gap_narrows,
    ),
    Claim(
        name="augmentation_helps",
        chapter=CHAPTER,
        statement="Data augmentation makes a model better on new data.",
        hypothesis="Augmentation of the training examples raises test accuracy after the last epoch by more than "
        "1 point.",
        design=f"{NETS} Small moves shift digits by up to 1 pixel and turn them by up to 15 degrees, which leaves them "
        "the digits that they are. Mirroring half of them and turning by up to 90 degrees does not. Columns of tables "
        "get normal noise of 0.3 standard deviations.",
        quantity="The gain by augmentation",
        unit="points",
        margin=1.0,
        circumstances=tuple(AUGMENTATIONS),
        measure=_augmentation,
    ),
    Claim(
        name="stopping_near_turn",
        chapter=CHAPTER,
        statement="Early stopping ends training at an appropriate time: where the test error turns.",
        hypothesis="The test loss at the epoch of the lowest validation loss is within 5% of the lowest of its curve.",
        design=f"{NETS} 200 validation examples (140 on breast cancer). The lowest test loss of a curve is an "
        "optimistic yardstick, because it is chosen on the test examples.",
        quantity="The excess over the lowest test loss",
        unit="%",
        margin=5.0,
        relation="within",
        circumstances=titles(CURVES),
        measure=_near_turn,
        literature="Prechelt (Early stopping – but when?, 1998) found that slower criteria generalize about 4% better "
        "for about four times the training time.",
    ),
    Claim(
        name="stopping_helps",
        chapter=CHAPTER,
        statement="To stop when the validation loss starts to rise makes a model better on new data.",
        hypothesis="Test accuracy (R² of the regression) at the epoch of the lowest validation loss exceeds that after "
        "the last epoch by more than 1 point.",
        design=f"{NETS} The numbers are those of the claim about the gap, of which this is the other side.",
        quantity="The gain by stopping",
        unit="points",
        margin=1.0,
        circumstances=titles(CURVES),
        measure=_stopping_helps,
    ),
    Claim(
        name="regularization_changes_architecture",
        chapter=CHAPTER,
        statement="Regularization changes the architecture of the model; augmentation and more data do not.",
        hypothesis="After training, more than 1% of the hidden units have no incoming or no outgoing weight, so that "
        "they can be cut out of the net without changing what it computes.",
        design=f"{NETS} Digits with 10% wrong labels; L2 of strength 0.01, proximal L1 of strength 0.01, dropout at "
        "rate 0.6. Augmentation and more data are controls, of which the claim says that they do not.",
        quantity="The share of hidden units that are cut out",
        unit="%",
        margin=1.0,
        circumstances=("L2", "L1 proximal", "dropout", "augmentation", "more data"),
        controls=("augmentation", "more data"),
        measure=_architecture,
    ),
    Claim(
        name="regularization_beats_stopping",
        chapter=CHAPTER,
        statement="Regularization is more robust against overfitting than early stopping.",
        hypothesis="The test loss with a regularizer, after the last epoch, is more than 2% lower than with early "
        "stopping at the lowest validation loss.",
        design=f"{NETS} {CHOSEN['l2']} {CHOSEN['dropout']} Early stopping uses the same validation examples.",
        quantity="The reduction of the test loss against early stopping",
        unit="%",
        margin=2.0,
        circumstances=tuple(f"{title}, {TITLES[name]}" for name in TUNED for title in ("L2", "dropout")),
        measure=_against_stopping,
        literature="Gradient descent that is stopped early on a quadratic loss is close to L2 with a strength that "
        "falls with time (Goodfellow, Bengio and Courville, Deep Learning, 2016, section 7.8).",
    ),
)
