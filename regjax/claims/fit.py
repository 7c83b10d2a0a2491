"""The chapter on correct fit and overfitting: what training longer does to errors in training and testing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from regjax.claims.claim import Claim, Measured, Picture
from regjax.claims.lab import BATCH, EPOCHS, LEARNING_RATE, LEARNING_RATES, STEPS, Trained, baseline
from regjax.claims.problems import TITLES, TRAIN, problem

CHAPTER = "Correct fit and overfit models"
NETS = (
    f"Nets with two hidden layers (128 units each on digits, 64 elsewhere), {TRAIN} training examples, Adam with "
    f"learning rate {LEARNING_RATE:g} ({LEARNING_RATES['spirals']:g} on spirals), {EPOCHS} epochs of {STEPS} updates "
    f"on {BATCH} examples, no regularizer unless it is named."
)
LEARNED = ("noisy digits", "clusters", "spirals", "breast cancer", "random labels")
CURVES = ("noisy digits", "digits", "clusters", "teacher", "spirals", "breast cancer")


def titles(names: Sequence[str]) -> tuple[str, ...]:
    """What the page calls some problems."""
    return tuple(TITLES[name] for name in names)


def score(trained: Trained) -> str:
    """The name of the score of a task: accuracy, or R2 of a regression."""
    return "accuracy" if "accuracy" in trained.test else "r2"


def loss_curves(found: Mapping[str, Trained], names: Sequence[str]) -> list[Picture]:
    """Training and test loss of each problem against the epoch, as means over the runs."""
    pictures = []
    for name in names:
        one = found[name]
        lines = {"training": one.train["loss"].mean(axis=0), "test": one.test["loss"].mean(axis=0)}
        kept = float(np.mean(np.argmin(one.validation["loss"], axis=1)))
        x = np.arange(len(lines["test"]), dtype=float)
        pictures.append(Picture(TITLES[name].capitalize(), "epoch, from 0", "loss", x, lines, log_y=True, mark=kept))
    return pictures


def _followed(runs: Sequence[int]) -> dict[str, Trained]:
    return {name: baseline(name, runs) for name in CURVES}


def _generalizes(runs: Sequence[int]) -> Measured:
    effects = {}
    for name in LEARNED:
        one = baseline(name, runs)
        effects[TITLES[name]] = 100 * (one.kept("test", "accuracy") - _majority(name, runs))
    return Measured(effects)


def _majority(name: str, runs: Sequence[int]) -> np.ndarray:
    """The share of the test examples that belong to the class that is most frequent in training, `[R]`."""
    of = problem(name, runs)
    out = []
    for own, order, test in zip(of.y, of.order, of.test, strict=True):
        most = np.bincount(own[order[:TRAIN]], minlength=of.num_classes).argmax()
        out.append(np.mean(of.clean[test] == most))
    return np.array(out)


def _training_falls(runs: Sequence[int]) -> Measured:
    found = _followed(runs)
    effects = {TITLES[name]: 100 * (1 - one.last("train") / one.kept("train")) for name, one in found.items()}
    return Measured(effects)


def _test_turns_up(runs: Sequence[int]) -> Measured:
    found = _followed(runs)
    effects = {TITLES[name]: 100 * (one.last("test") / one.kept("test") - 1) for name, one in found.items()}
    return Measured(effects, loss_curves(found, CURVES))


def _gap_harms(runs: Sequence[int]) -> Measured:
    found = _followed(runs)
    effects, pictures = {}, []
    for name, one in found.items():
        metric = score(one)
        harm = 100 * (one.kept("test", metric) - one.last("test", metric))
        effects[TITLES[name]] = np.where(one.last("train", metric) > one.last("test", metric), harm, np.nan)
        lines = {
            "training": 100 * one.train[metric].mean(axis=0),
            "test": 100 * one.test[metric].mean(axis=0),
        }
        label = "accuracy, %" if metric == "accuracy" else "R², %"
        x = np.arange(len(lines["test"]), dtype=float)
        pictures.append(Picture(TITLES[name].capitalize(), "epoch, from 0", label, x, lines))
    return Measured(effects, pictures)


CLAIMS = (
    Claim(
        name="training_generalizes",
        chapter=CHAPTER,
        statement="A model that is trained on labelled samples predicts the labels of samples that it has not seen.",
        hypothesis="Test accuracy at the epoch of the lowest validation loss exceeds that of always naming the most "
        "frequent class of the training examples by more than 10 points.",
        design=f"{NETS} Test examples with right labels. Control: 90% of the training labels are replaced by "
        "other classes, which leaves nothing to learn.",
        quantity="The gain in test accuracy over the most frequent class",
        unit="points",
        margin=10.0,
        circumstances=titles(LEARNED),
        controls=titles(("random labels",)),
        measure=_generalizes,
    ),
    Claim(
        name="training_error_falls",
        chapter=CHAPTER,
        statement="The longer a model is trained, the lower its training error becomes.",
        hypothesis="From the epoch of the lowest validation loss to the last one, the training loss falls by more than "
        "10%.",
        design=NETS,
        quantity="The fall of the training loss",
        unit="%",
        margin=10.0,
        circumstances=titles(CURVES),
        measure=_training_falls,
    ),
    Claim(
        name="test_error_turns_up",
        chapter=CHAPTER,
        statement="After some point of training, the test error rises.",
        hypothesis="The test loss after the last epoch exceeds that at the epoch of the lowest validation loss by more "
        "than 10%.",
        design=f"{NETS} The epoch is found on validation examples, so that the test loss there is not the lowest of "
        "its own curve. Curves are means over the runs; the dotted line is the mean epoch.",
        quantity="The rise of the test loss",
        unit="%",
        margin=10.0,
        circumstances=titles(CURVES),
        measure=_test_turns_up,
    ),
    Claim(
        name="gap_means_harm",
        chapter=CHAPTER,
        statement="A training accuracy above the validation accuracy shows that the model has overfit: earlier, it was "
        "better.",
        hypothesis="Test accuracy (R² of the regression) at the epoch of the lowest validation loss exceeds that after "
        "the last epoch by more than 1 point.",
        design=f"{NETS} Where a run ended without a gap, nothing would be shown; the curves show the gaps.",
        quantity="The fall by training on",
        unit="points",
        margin=1.0,
        circumstances=titles(CURVES),
        measure=_gap_harms,
        literature="Guo et al. (On calibration of modern neural networks, 2017) describe nets whose test loss rises "
        "while their classification error still falls.",
    ),
)
