"""Details of predictions, against scikit-learn and by hand."""

import base64
import dataclasses
import io

import numpy as np
import pytest
from PIL import Image
from sklearn import metrics as oracle

from regjax.analysis import Predictions
from regjax.comparison.details import GRID, _precision_recall, _roc, column_places, described, details_of
from regjax.comparison.layout import Layout
from regjax.comparison.options import CompareOptions
from regjax.comparison.plan import make_plan
from regjax.comparison.procedure import compare
from regjax.data import Dataset, from_frame, split


@pytest.fixture(scope="module")
def plan(table):
    return make_plan("linear", table, ["l2"], CompareOptions(seeds=3, splits=1))


def made(plan, classes=2, runs=3, seed=0):
    """Predictions of the test examples, better than chance."""
    rng, n = np.random.default_rng(seed), len(plan.splits.y_test)
    y = np.stack([np.arange(n) % classes] * runs)
    logits = rng.normal(size=(runs, n, classes)) + 1.5 * np.eye(classes)[y]
    p = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    return Predictions("classification", np.arange(runs), y, None, {"baseline": p})


def test_counts_and_rates_of_classes_are_those_of_scikit_learn(plan):
    found = made(plan)
    of = details_of(plan, found, ["baseline"], Layout(np.zeros(3, int), None))["baseline"]
    guesses = found.outputs["baseline"].argmax(axis=2)
    np.testing.assert_array_equal(of["confusion"], oracle.confusion_matrix(found.y.ravel(), guesses.ravel()))
    each = [oracle.precision_recall_fscore_support(t, g) for t, g in zip(found.y, guesses, strict=True)]
    for i, (name, row) in enumerate(zip(("precision", "recall", "f1", "examples"), np.mean(each, axis=0), strict=True)):
        assert [one[name] for one in of["per_class"]] == pytest.approx(row, rel=1e-4), i
    scores = found.outputs["baseline"][:, :, 1]
    assert of["roc_auc"]["mean"] == pytest.approx(
        np.mean([oracle.roc_auc_score(t, s) for t, s in zip(found.y, scores, strict=True)]), rel=1e-4
    )
    assert of["roc_auc"]["ci95"][0] < of["roc_auc"]["mean"] < of["roc_auc"]["ci95"][1]


@pytest.mark.parametrize("ties", [False, True])
def test_curves_are_those_of_scikit_learn(ties):
    rng = np.random.default_rng(1)
    truth = rng.random(200) < 0.4
    score = rng.normal(size=200) + truth
    score = score.round(1) if ties else score
    wrong, right, _ = oracle.roc_curve(truth, score, drop_intermediate=False)
    inside = ~np.isin(GRID.round(9), wrong.round(9))  # where the curve rises straight up, any height is on it
    np.testing.assert_allclose(_roc(truth, score)[inside], np.interp(GRID, wrong, right)[inside])
    precision, recall, _ = oracle.precision_recall_curve(truth, score)
    reached = [precision[np.flatnonzero(recall >= x - 1e-9)[-1]] for x in GRID[1:]]
    np.testing.assert_allclose(_precision_recall(truth, score)[1:], reached)


def test_the_surest_mistakes_come_first(plan):
    found = made(plan, runs=1)
    p, y = found.outputs["baseline"][0], found.y[0]
    of = details_of(plan, found, ["baseline"], Layout(np.zeros(1, int), None))["baseline"]
    wrong = np.flatnonzero(p.argmax(axis=1) != y)
    expected = wrong[np.argsort(-p[wrong].max(axis=1), kind="stable")][:10]
    assert [one["example"] for one in of["mistakes"]] == expected.tolist()
    first = of["mistakes"][0]
    assert first["confidence"] == pytest.approx(p[expected[0]].max(), rel=1e-4)
    assert (first["wrong"], first["tested"]) == (1, 1)
    assert list(first["inputs"].values()) == pytest.approx(plan.splits.x_test[expected[0]], rel=1e-4)


def test_mistakes_are_counted_over_the_runs_that_tested_an_example(plan):
    """Two runs on different examples; the first is tested twice and wrong once, so its mean is halved."""
    seven, three, five = plan.splits.indices["test"][[7, 3, 5]].tolist()
    rows = np.array([[seven, three], [seven, five]])
    p = np.array([[[0.9, 0.1], [0.4, 0.6]], [[0.2, 0.8], [0.45, 0.55]]])
    found = Predictions("classification", np.arange(2), np.array([[1, 0], [1, 0]]), rows, {"baseline": p})
    of = details_of(plan, found, ["baseline"], Layout(np.arange(2), rows))["baseline"]
    order = [(one["example"], one["wrong"], one["tested"], one["confidence"]) for one in of["mistakes"]]
    assert order == [(three, 1, 1, 0.6), (five, 1, 1, 0.55), (seven, 1, 2, 0.9)]


def test_more_classes_have_a_mean_curve_and_many_no_matrix(plan):
    for classes, matrix in ((4, True), (21, False)):
        found = made(plan, classes)
        of = details_of(with_classes(plan, classes), found, ["baseline"], Layout(np.zeros(3, int), None))["baseline"]
        assert (of["confusion"] is not None) == matrix
        assert len(of["per_class"]) == classes
        auc = [
            oracle.roc_auc_score(t, p / p.sum(axis=1, keepdims=True), multi_class="ovr")
            for p, t in zip(found.outputs["baseline"], found.y, strict=True)
        ]
        assert of["roc_auc"]["mean"] == pytest.approx(np.mean(auc), rel=1e-4)


def with_classes(plan, classes):
    splits = dataclasses.replace(plan.splits, num_classes=classes, class_names=tuple(f"c{i}" for i in range(classes)))
    return dataclasses.replace(plan, splits=splits)


def test_numbers_have_points_and_quantiles(plan):
    rng = np.random.default_rng(2)
    y = rng.normal(size=(2, 300))
    found = Predictions("regression", np.arange(2), y, None, {"baseline": y - rng.normal(size=(2, 300))})
    of = details_of(plan, found, ["baseline"], Layout(np.zeros(2, int), None))["baseline"]
    assert len(of["points"]) == 400
    assert of["points"][0] == pytest.approx([y[0, 0], found.outputs["baseline"][0, 0]], rel=1e-4)
    assert of["residuals"]["25"] == pytest.approx(np.percentile(y - found.outputs["baseline"], 25), rel=1e-3)


@pytest.mark.parametrize(("far", "low", "high"), [(0.0, 0.03, 0.2), (40.0, 0.75, 0.99)])
def test_the_share_of_the_largest_errors(plan, far, low, high):
    """The largest 1% of 300 in each run: of normal errors 8% of the squared error, and far out most of it."""
    rng = np.random.default_rng(2)
    errors = rng.normal(size=(4, 300))
    errors[:, :2] += far
    found = Predictions("regression", np.arange(4), errors, None, {"baseline": np.zeros((4, 300))})
    of = details_of(plan, found, ["baseline"], Layout(np.zeros(4, int), None))["baseline"]
    squares = np.sort(errors**2, axis=1)
    assert of["largest_share"] == pytest.approx(squares[:, -3:].sum() / squares.sum(), rel=1e-3)
    assert low < of["largest_share"] < high


def test_a_row_of_a_table_is_shown_as_it_was():
    frame = {"age": [20.5, None, 40.0] * 10, "city": ["Rome", "Oslo", None] * 10, "sold": ["yes", "no", "no"] * 10}
    data = from_frame(frame, "sold")
    splits = split(data)
    assert column_places(splits) == {"age": [0, 1], "city": [2, 3, 4]}
    shown = [described(splits, x) for x in data.x[:3]]
    assert shown == [
        {"age": 20.5, "city": "Rome"},
        {"age": "missing", "city": "Oslo"},
        {"age": 40.0, "city": "missing"},
    ]


@pytest.mark.slow
def test_mistakes_of_images_are_pictures():
    x = np.random.default_rng(3).integers(0, 255, (60, 6, 6, 1), dtype=np.uint8)
    y = np.arange(60, dtype=np.int32) % 2
    result = compare("linear", split(Dataset("noise", "classification", x, y)), ["l2"], seeds=1, epochs=1)
    first = result.details["baseline"]["mistakes"][0]
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(first["image"]))))
    assert any(np.array_equal(picture, image[:, :, 0]) for image in x)


def test_each_of_several_targets_has_its_errors_and_the_first_their_residuals():
    rng = np.random.default_rng(0)
    y = rng.normal(size=(200, 6)).astype(np.float32) * np.float32([1, 10, 1, 1, 1, 500])
    x = rng.normal(size=(200, 3)).astype(np.float32)
    names = tuple("abcdef")
    data = Dataset("toy", "regression", x, y, target_names=names)
    plan = make_plan("linear", data, ["l2"], CompareOptions(seeds=2, splits=1))
    truth = np.stack([plan.splits.y_test] * 2)
    outputs = truth + rng.normal(size=truth.shape).astype(np.float32)
    made = Predictions("regression", np.arange(2), truth, None, {"baseline": outputs})
    found = details_of(plan, made, ["baseline"], Layout(np.zeros(2, int), None))["baseline"]["targets"]
    assert [one["name"] for one in found] == list(names)
    for d, one in enumerate(found):
        pairs = [(t[:, d], p[:, d]) for t, p in zip(truth, outputs, strict=True)]
        assert one["r2"] == pytest.approx(np.mean([oracle.r2_score(*pair) for pair in pairs]), rel=1e-4)
        assert one["mae"] == pytest.approx(np.mean([oracle.mean_absolute_error(*pair) for pair in pairs]), rel=1e-4)
    assert ["points" in one for one in found] == [True] * 4 + [False] * 2
    assert found[1]["residuals"]["50"] == pytest.approx(np.median(truth[..., 1] - outputs[..., 1]), rel=1e-3)
    assert plan.settings()["targets"] == list(names)


def test_each_label_has_its_rates():
    rng = np.random.default_rng(0)
    y = (rng.random((200, 3)) < [0.5, 0.3, 0.1]).astype(np.float32)
    x = rng.normal(size=(200, 3)).astype(np.float32)
    data = Dataset("toy", "multilabel", x, y, target_names=("wet", "hot", "red"))
    plan = make_plan("linear", data, ["l2"], CompareOptions(seeds=2, splits=1))
    truth = np.stack([plan.splits.y_test] * 2)
    q = np.clip(0.6 * truth + 0.5 * rng.random(truth.shape), 0, 1).astype(np.float32)
    made = Predictions("multilabel", np.arange(2), truth, None, {"baseline": q})
    found = details_of(plan, made, ["baseline"], Layout(np.zeros(2, int), None))["baseline"]["labels"]
    assert [one["name"] for one in found] == ["wet", "hot", "red"]
    for k, one in enumerate(found):
        each = [
            oracle.precision_recall_fscore_support(t[:, k], p[:, k] > 0.5, average="binary")[:3]
            for t, p in zip(truth, q, strict=True)
        ]
        assert [one[name] for name in ("precision", "recall", "f1")] == pytest.approx(np.mean(each, axis=0), rel=1e-4)
        assert one["base_rate"] == pytest.approx(truth[..., k].mean(), rel=1e-4)
        assert one["examples"] == truth[0, :, k].sum()
