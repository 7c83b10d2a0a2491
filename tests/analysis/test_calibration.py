import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics
from sklearn.calibration import calibration_curve

from regjax.analysis import brier_score, expected_calibration_error, log_loss, reliability_curve
from regjax.analysis.calibration import label_losses
from regjax.core.errors import InputError

SCORES = (expected_calibration_error, brier_score, log_loss)


def predictions(classes, size=200, seed=0, coarse=False):
    """Random probabilities, and labels drawn from sharper ones: the model is underconfident."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(classes), size)
    sharper = p**2 / np.sum(p**2, axis=1, keepdims=True)
    y = np.array([rng.choice(classes, p=row) for row in sharper])
    if coarse:  # tenths, so that many examples have equal confidence
        p = rng.multinomial(10, p) / 10
    return p, y


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize(("rule", "strategy"), [("mass", "quantile"), ("width", "uniform")])
@pytest.mark.parametrize("bins", [1, 7, 15])
def test_the_curve_equals_that_of_scikit_learn(classes, coarse, rule, strategy, bins):
    """Of the top class, as of a binary problem: whether it is right, against its probability."""
    p, y = predictions(classes, coarse=coarse)
    hits, top = np.argmax(p, axis=1) == y, p.max(axis=1)
    accuracy, confidence = calibration_curve(hits, top, n_bins=bins, strategy=strategy)
    curve = reliability_curve(p, y, bins=bins, rule=rule)
    np.testing.assert_allclose(curve.accuracy, accuracy, rtol=1e-12)
    np.testing.assert_allclose(curve.confidence, confidence, rtol=1e-12)
    assert curve.counts.sum() == len(y)
    assert curve.counts.min() > 0
    weights = curve.counts / len(y)
    expected = np.sum(weights * np.abs(accuracy - confidence))
    assert expected_calibration_error(p, y, bins=bins, rule=rule) == pytest.approx(expected)


def test_bins_by_hand():
    """Confidences 0.5, 0.6, 0.8, 0.95; right, wrong, right, right."""
    p = np.array([[0.5, 0.5], [0.4, 0.6], [0.8, 0.2], [0.05, 0.95]])
    y = np.array([0, 0, 0, 1])
    mass = reliability_curve(p, y, bins=2)
    np.testing.assert_array_equal(mass.counts, [2, 2])
    np.testing.assert_allclose(mass.confidence, [0.55, 0.875])
    np.testing.assert_allclose(mass.accuracy, [0.5, 1.0])
    assert expected_calibration_error(p, y, bins=2) == pytest.approx((0.05 + 0.125) / 2)
    # Of four bins of width 1/4, the first is empty; 0.5 is the closed end of the second.
    width = reliability_curve(p, y, bins=4, rule="width")
    np.testing.assert_array_equal(width.counts, [1, 1, 2])
    np.testing.assert_allclose(width.accuracy, [1.0, 0.0, 1.0])
    assert expected_calibration_error(p, y, bins=4, rule="width") == pytest.approx((0.5 + 0.6 + 2 * 0.125) / 4)


def test_bins_have_equal_mass_and_do_not_part_equal_confidences():
    p, y = predictions(3, size=300)
    np.testing.assert_array_equal(reliability_curve(p, y).counts, [20] * 15)
    sure = np.repeat([[1.0, 0.0], [0.7, 0.3]], [90, 10], axis=0)
    np.testing.assert_array_equal(reliability_curve(sure, np.zeros(100, int)).counts, [10, 90])
    np.testing.assert_array_equal(reliability_curve(sure[:90], np.zeros(90, int)).confidence, [1.0])


@pytest.mark.parametrize("classes", [2, 4])
def test_brier_score_and_log_loss_equal_scikit_learn(classes):
    p, y = predictions(classes)
    assert brier_score(p, y) == pytest.approx(metrics.brier_score_loss(y, p, scale_by_half=False))
    assert log_loss(p, y) == pytest.approx(metrics.log_loss(y, p))
    if classes == 2:
        assert brier_score(p, y) == pytest.approx(2 * metrics.brier_score_loss(y, p[:, 1]))


def test_scores_by_hand():
    p = np.array([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]], np.float32)
    assert brier_score(p, np.array([2, 1])) == pytest.approx(((0.04 + 0.09 + 0.25) + 2) / 2)
    np.testing.assert_allclose(label_losses(p, np.array([2, 0])), [np.log(2), 0])
    # A probability of 0 counts as the smallest normal number of float32, 2^-126.
    assert log_loss(p[1:], np.array([2])) == pytest.approx(126 * np.log(2))


def calibrated(levels, repeats):
    """For each level out of 10, as many examples of that confidence are right as it says."""
    p = np.array([level / 10 for level in levels]).repeat(10 * repeats)
    y = np.concatenate([np.repeat([0, 1], [level * repeats, (10 - level) * repeats]) for level in levels])
    return np.stack([p, 1 - p], axis=1), y


@settings(max_examples=50)
@given(
    levels=st.lists(st.integers(6, 10), min_size=1, max_size=5, unique=True),
    repeats=st.integers(1, 3),
    rule=st.sampled_from(["mass", "width"]),
)
def test_a_perfectly_calibrated_model_has_no_error(levels, repeats, rule):
    """At any bins: those of width 1/30 hold one level each, and a bin of several calibrated levels is calibrated."""
    p, y = calibrated(levels, repeats)
    assert expected_calibration_error(p, y, bins=30, rule=rule) == pytest.approx(0, abs=1e-12)
    assert brier_score(p, y) == pytest.approx(np.mean(2 * p[:, 0] * p[:, 1]))


@settings(max_examples=50)
@given(
    classes=st.integers(2, 5),
    size=st.integers(1, 60),
    seed=st.integers(0, 999),
    bins=st.integers(1, 20),
    rule=st.sampled_from(["mass", "width"]),
)
def test_scores_are_bounded_and_know_no_order(classes, size, seed, bins, rule):
    p, y = predictions(classes, size, seed)
    error = expected_calibration_error(p, y, bins=bins, rule=rule)
    overall = abs(np.mean(np.argmax(p, axis=1) == y) - p.max(axis=1).mean())
    assert overall - 1e-12 <= error <= 1  # the overall difference is that of one bin, and more bins show more
    assert 0 <= brier_score(p, y) <= 2
    assert log_loss(p, y) >= 0
    order = np.random.default_rng(seed).permutation(size)
    assert expected_calibration_error(p[order], y[order], bins=bins, rule=rule) == pytest.approx(error)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        ([[0.5, 0.6]], [0], "sum 1.1"),
        ([[-0.1, 1.1]], [0], "smallest -0.1"),
        ([[np.nan, 1.0]], [0], "sum nan"),
        ([[0.0, 0.0]], [0], "must be > 0"),
        ([[1, 0]], [0], r"int64\[1, 2\]"),
        ([0.5, 0.5], [0, 1], r"float64\[2\]"),
        ([[1.0]], [0], "2 classes"),
        (np.zeros((0, 2)), [], "1 example"),
        ([[0.5, 0.5]], [2], "got 2"),
        ([[0.5, 0.5]], [-1], "got -1"),
        ([[0.5, 0.5]], [0, 1], r"int64\[2\]"),
        ([[0.5, 0.5]], [0.0], r"float64\[1\]"),
    ],
)
def test_what_is_refused(score, probabilities, labels, message):
    with pytest.raises(ValueError, match=message):
        score(np.array(probabilities), np.array(labels))


def test_bin_rules_that_are_refused():
    p, y = predictions(2, size=5)
    with pytest.raises(InputError, match="accepted: mass, width"):
        reliability_curve(p, y, rule="equal")
    with pytest.raises(InputError, match="bins must be >= 1, got 0"):
        expected_calibration_error(p, y, bins=0)
