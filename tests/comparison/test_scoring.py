import dataclasses
import math

import numpy as np
import pytest
from sklearn.metrics import d2_absolute_error_score, d2_pinball_score, d2_tweedie_score, r2_score

from regjax.catalog import LOSSES
from regjax.comparison import scoring
from regjax.comparison.scoring import Scorer, chance_of
from regjax.data import Preprocessor, Splits
from regjax.losses import ChosenLoss
from regjax.training.state import Weights

X = np.zeros((4, 2), np.float32)
SPLITS = Splits(X, np.array([0, 0, 0, 1]), X, np.zeros(4, int), X, np.zeros(4, int), X, np.array([0, 1, 1, 1]),
                "hand", "classification", "table", 2)  # fmt: skip
PLAIN = Preprocessor.for_splits(SPLITS)
WEIGHTS = Weights({"logits": np.array([0.0, math.log(3)], np.float32)}, {})


def constant(variables, x):
    """The same logits for each example."""
    return np.ones((len(x), 1), np.float32) * variables["params"]["logits"]


def test_a_classification_by_hand(monkeypatch):
    """The probabilities are 1/4 and 3/4; three of the four test examples are of class 1."""
    expected = -np.log([0.25, 0.75, 0.75, 0.75])
    for batch in (4096, 3):
        monkeypatch.setattr(scoring, "BATCH", batch)
        found = Scorer(constant, SPLITS, PLAIN, "test")(WEIGHTS, diverged=False)
        assert found.score == 0.75
        assert found.loss == pytest.approx(expected.mean())
        np.testing.assert_allclose(found.losses, expected, rtol=1e-6)
        np.testing.assert_array_equal(found.hits, [0, 1, 1, 1])
        np.testing.assert_allclose(found.outputs, [[0.25, 0.75]] * 4, rtol=1e-6)
        assert found.outputs.dtype == np.float32
    selected = Scorer(constant, SPLITS, PLAIN, "select")(WEIGHTS, diverged=False)
    assert (selected.score, selected.outputs.size) == (0.0, 0)


def test_chance_is_the_guess_of_the_training_part():
    chance = chance_of(SPLITS, PLAIN, SPLITS.y_test)
    assert chance.score == 0.25  # always class 0
    assert chance.loss == pytest.approx(-(0.25 * math.log(0.75) + 0.75 * math.log(0.25)))


@pytest.mark.parametrize(("logits", "diverged"), [([0.0, 0.0], True), ([np.nan, 0.0], False)])
def test_a_diverged_run_scores_as_the_constant_guess(logits, diverged):
    scorer = Scorer(constant, SPLITS, PLAIN, "test")
    found = scorer(Weights({"logits": np.array(logits, np.float32)}, {}), diverged)
    assert (found.score, found.loss) == scorer.chance
    assert found.diverged
    np.testing.assert_allclose(found.losses, -np.log([0.75, 0.25, 0.25, 0.25]), rtol=1e-6)
    np.testing.assert_array_equal(found.hits, [1, 0, 0, 0])
    np.testing.assert_array_equal(found.outputs, [[0.75, 0.25]] * 4)
    assert found.outputs.dtype == np.float32


def test_a_regression_by_hand():
    y = np.array([0.0, 2.0, 4.0, 6.0], np.float32)
    splits = dataclasses.replace(SPLITS, task="regression", num_classes=0, y_train=y, y_test=y + 1)
    preprocessor = Preprocessor.for_splits(splits)
    scorer = Scorer(lambda v, x: v["params"]["w"] * np.ones(len(x), np.float32), splits, preprocessor, "test")
    targets = (splits.y_test - y.mean()) / y.std()
    found = scorer(Weights({"w": np.float32(0.5)}, {}), diverged=False)
    assert found.loss == pytest.approx(np.mean((targets - 0.5) ** 2), rel=1e-5)
    assert found.score == pytest.approx(1 - found.loss / targets.var(), rel=1e-5)
    assert found.hits.size == 0
    np.testing.assert_allclose(found.outputs, [y.mean() + 0.5 * y.std()] * 4, rtol=1e-6)
    assert scorer.chance.loss == pytest.approx(np.mean(targets**2), rel=1e-5)  # the mean of train is 0
    lost = scorer(Weights({"w": np.float32(0.5)}, {}), diverged=True)
    np.testing.assert_array_equal(lost.outputs, [y.mean()] * 4)
    np.testing.assert_allclose(lost.losses, targets**2, rtol=1e-6)
    assert lost.scores.mean() == pytest.approx(lost.score)


def test_predictions_of_several_targets():
    """In their own units, which differ: standardized predictions of 1 are a deviation above the mean."""
    y = np.array([[0.0, 10.0], [2.0, 30.0], [4.0, 20.0], [6.0, 0.0]], np.float32)
    splits = dataclasses.replace(SPLITS, task="regression", num_classes=0, y_train=y, y_test=y)
    preprocessor = Preprocessor.for_splits(splits)
    scorer = Scorer(lambda v, x: np.ones((len(x), 2), np.float32) * v["params"]["w"], splits, preprocessor, "test")
    weights = Weights({"w": np.float32(1.0)}, {})
    np.testing.assert_allclose(scorer(weights, False).outputs, [y.mean(axis=0) + y.std(axis=0)] * 4, rtol=1e-6)
    np.testing.assert_allclose(scorer(weights, True).outputs, [y.mean(axis=0)] * 4, rtol=1e-6)


def test_r2_of_several_targets_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    y, y_test = (rng.normal(size=(n, 2)).astype(np.float32) * np.float32([1, 300]) for n in (40, 25))
    x = np.zeros((40, 2), np.float32)
    x_test = rng.normal(size=(25, 2)).astype(np.float32)
    splits = dataclasses.replace(
        SPLITS, task="regression", num_classes=0, x_train=x, y_train=y, x_test=x_test, y_test=y_test
    )
    preprocessor = Preprocessor.for_splits(splits, standardize="none")
    scorer = Scorer(lambda v, x: x * v["params"]["w"], splits, preprocessor, "test")
    found = scorer(Weights({"w": np.float32(0.3)}, {}), False)
    assert found.score == pytest.approx(r2_score(y_test, found.outputs), rel=1e-5)
    assert found.scores.mean() == pytest.approx(found.score)
    assert found.scores.std() > 0
    lost = scorer(Weights({"w": np.float32(0.3)}, {}), True)
    assert lost.score == pytest.approx(r2_score(y_test, lost.outputs), rel=1e-5)
    assert lost.score == pytest.approx(scorer.chance.score, rel=1e-5)


def test_a_scorer_knows_one_part(table):
    """With the test part blanked out, everything about selection is the same, the constant guess included."""
    blank = dataclasses.replace(table, x_test=table.x_test[:0], y_test=table.y_test[:0])
    scorers = [Scorer(lambda v, x: x, part, Preprocessor.for_splits(part), "select") for part in (table, blank)]
    assert scorers[0].chance == scorers[1].chance


@pytest.mark.parametrize(
    ("loss", "guess"),
    [
        (ChosenLoss("mae"), np.median),
        (ChosenLoss("quantile", 0.75), lambda y: np.quantile(y, 0.75, method="inverted_cdf")),
        (ChosenLoss("poisson"), np.mean),
    ],
)
def test_chance_is_the_best_constant_under_the_loss(loss, guess):
    """A diverged run predicts it, and what is measured on the target's scale does not depend on the loss."""
    y = np.array([0.0, 1.0, 4.0, 7.0, 40.0], np.float32)
    x = np.zeros((5, 2), np.float32)
    splits = dataclasses.replace(SPLITS, task="regression", num_classes=0, x_train=x, y_train=y, x_test=x, y_test=y + 1)
    link = LOSSES[loss.name].link
    preprocessor = Preprocessor.for_splits(splits, link=link)

    def same(variables, x):
        return variables["params"]["w"] * np.ones(len(x), np.float32)

    made = {m: Scorer(same, splits, preprocessor, "test", m, loss) for m in ("r2", "rmse", "d2")}
    lost = {m: scorer(Weights({"w": np.float32(0)}, {}), diverged=True) for m, scorer in made.items()}
    np.testing.assert_allclose(lost["r2"].outputs, [guess(y)] * 5, rtol=1e-5)
    assert lost["r2"].loss == pytest.approx(lost["r2"].losses.mean(), rel=1e-6)
    assert lost["r2"].score == pytest.approx(r2_score(y + 1, [guess(y)] * 5), abs=1e-5)
    assert lost["rmse"].score == pytest.approx(-np.sqrt(np.mean((y + 1 - guess(y)) ** 2)), rel=1e-5)
    for scorer, metric in zip(made.values(), made, strict=True):
        assert (lost[metric].score, lost[metric].loss) == pytest.approx(scorer.chance, rel=1e-5)
    output = 1.5 if link == "log" else (np.exp(1.5) - y.mean()) / y.std()  # of which the prediction is exp(1.5)
    found = {m: scorer(Weights({"w": np.float32(output)}, {}), diverged=False) for m, scorer in made.items()}
    np.testing.assert_allclose(found["r2"].outputs, [np.exp(1.5)] * 5, rtol=1e-5)
    assert found["r2"].score == pytest.approx(r2_score(y + 1, [np.exp(1.5)] * 5), abs=1e-5)
    assert found["r2"].scores.mean() == pytest.approx(found["r2"].score)
    oracle = {
        "mae": d2_absolute_error_score,
        "quantile": lambda y, p: d2_pinball_score(y, p, alpha=0.75),
        "poisson": lambda y, p: d2_tweedie_score(y, p, power=1),
    }[loss.name]
    assert found["d2"].score == pytest.approx(oracle(y + 1, [np.exp(1.5)] * 5), abs=1e-5)
    assert found["d2"].scores.mean() == pytest.approx(found["d2"].score)


def test_several_labels_by_hand():
    """Probabilities of 1/4 and 3/4; label accuracy is counted, so that equal counts are equal numbers."""
    y = np.array([[0, 1], [1, 1], [0, 0], [0, 1]], np.float32)
    splits = dataclasses.replace(SPLITS, task="multilabel", num_classes=0, y_train=y, y_test=y, y_select=y)
    preprocessor = Preprocessor.for_splits(splits)
    assert preprocessor.y_mean is None
    weights = Weights({"logits": np.log(np.array([1 / 3, 3], np.float32))}, {})
    found = Scorer(constant, splits, preprocessor, "test")(weights, False)
    np.testing.assert_array_equal(found.hits, [2, 1, 1, 2])
    assert (found.score, found.answers) == (0.75, 2)
    np.testing.assert_allclose(found.scores, [1, 0.5, 0.5, 1])
    np.testing.assert_allclose(found.reach, 1)
    right, wrong = -np.log(0.75), -np.log(0.25)
    np.testing.assert_allclose(found.losses, [right, (right + wrong) / 2, (right + wrong) / 2, right], rtol=1e-6)
    np.testing.assert_allclose(found.outputs, [[0.25, 0.75]] * 4, rtol=1e-6)
    lost = Scorer(constant, splits, preprocessor, "test")(weights, True)  # the base rates are 1/4 and 3/4, too
    np.testing.assert_array_equal(lost.hits, found.hits)
    assert (lost.score, lost.loss) == pytest.approx((0.75, found.loss), rel=1e-6)
    assert lost.score == chance_of(splits, preprocessor, y).score
    scorer = Scorer(constant, splits, preprocessor, "test", "log_loss")
    assert scorer(weights, False).score == pytest.approx(-found.loss, rel=1e-6)
    assert scorer.chance.score == pytest.approx(-scorer.chance.loss, rel=1e-6)


def test_equal_numbers_of_right_labels_tie_exactly():
    """Of 7 labels, whose shares are no exact numbers: the same count in another order is the same score."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, (30, 7)).astype(np.float32)
    x = np.where(rng.random((30, 7)) < 0.8, 2 * y - 1, 1 - 2 * y).astype(np.float32)
    scores = set()
    for seed in range(10):
        order = np.random.default_rng(seed).permutation(30)
        splits = dataclasses.replace(
            SPLITS, task="multilabel", num_classes=0, x_train=x, y_train=y, x_test=x[order], y_test=y[order]
        )
        scorer = Scorer(lambda v, x: x, splits, Preprocessor.for_splits(splits, standardize="none"), "test")
        scores.add(scorer(Weights({}, {}), False).score)
    assert scores == {np.sum((x > 0) == y) / y.size}
