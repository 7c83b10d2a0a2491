import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from regjax.analysis.metrics import metrics_of
from regjax.comparison.options import CompareOptions
from regjax.comparison.plan import make_plan
from regjax.comparison.references import references_of
from regjax.data import from_arrays
from regjax.report.reference_notes import BOOSTING, CONSTANT, LINEAR

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 4)).astype(np.float32)
LABELS = (X[:, 0] + X[:, 1] ** 2 > 0.8).astype(np.int32)


def plan_of(y, task, **options):
    return make_plan("linear", from_arrays(X, y, task=task), ["l2"], CompareOptions(epochs=1, seeds=2, **options))


def test_references_are_those_of_scikit_learn_on_the_training_rows():
    plan = plan_of(LABELS, "classification")
    splits = plan.splits
    found = references_of(plan)
    scaler = StandardScaler().fit(splits.x_train)
    linear = LogisticRegression().fit(scaler.transform(splits.x_train), splits.y_train)
    boosting = HistGradientBoostingClassifier(random_state=0).fit(splits.x_train, splits.y_train)
    for name, x, model in ((LINEAR, scaler.transform(splits.x_test), linear), (BOOSTING, splits.x_test, boosting)):
        expected = metrics_of("classification", model.predict_proba(x), splits.y_test)
        assert found[name] == pytest.approx(expected, abs=1e-3)
    assert found[CONSTANT]["accuracy"] == max(np.mean(splits.y_test == 0), np.mean(splits.y_test == 1))
    assert found[BOOSTING]["accuracy"] > found[LINEAR]["accuracy"]  # the classes are not linear


def test_references_of_a_regression():
    plan = plan_of(X[:, :2] @ np.array([1.0, 2.0]), "regression")
    splits = plan.splits
    found = references_of(plan)
    scaler = StandardScaler().fit(splits.x_train)
    ridge = Ridge().fit(scaler.transform(splits.x_train), splits.y_train)
    assert found[LINEAR]["r2"] == pytest.approx(ridge.score(scaler.transform(splits.x_test), splits.y_test), abs=1e-4)
    assert found[CONSTANT]["r2"] <= 0


def test_examples_that_a_run_does_not_train_on_do_not_matter():
    plan = plan_of(LABELS, "classification", train_examples=40)
    found = references_of(plan)
    from regjax.data import training_rows

    rows = training_rows(plan.splits.y_train, 0, "classification", 40)
    others = np.setdiff1d(np.arange(len(plan.splits.y_train)), rows)
    plan.splits.x_train[others] = 1e6
    assert references_of(plan) == found


def test_images_have_the_constant_guess_alone():
    images = RNG.integers(0, 256, (60, 4, 4, 1)).astype(np.uint8)
    data = from_arrays(images, np.arange(60) % 2)
    plan = make_plan("linear", data, ["l2"], CompareOptions(epochs=1, seeds=2))
    assert list(references_of(plan)) == [CONSTANT]


@pytest.mark.parametrize(
    ("loss", "options"), [("mae", {}), ("huber", {}), ("quantile", {"quantile": 0.9}), ("poisson", {})]
)
def test_references_are_after_what_the_loss_is_after(loss, options):
    """By its D², each beats the constant guess, which explains next to nothing."""
    counts = np.random.default_rng(1).poisson(np.exp(0.5 + X[:, 0])).astype(np.float32)
    plan = plan_of(counts, "regression", loss=loss, **options)
    found = references_of(plan)
    assert found[CONSTANT]["d2"] <= 0.001
    assert found[LINEAR]["d2"] > found[CONSTANT]["d2"]
    assert found[BOOSTING]["d2"] > found[CONSTANT]["d2"]


def test_references_weigh_classes_and_rows_as_the_runs_do():
    weights = np.where(X[:, 3] > 0, 2.0, 0.0).astype(np.float32)
    data = from_arrays(X, (X[:, 0] > 1).astype(np.int32), weights=weights)
    options = CompareOptions(epochs=1, seeds=2, class_weight="balanced")
    plan = make_plan("linear", data, ["l2"], options)
    splits = plan.splits
    scaler = StandardScaler().fit(splits.x_train)
    counts = np.bincount(splits.y_train)
    of_rows = splits.weight_train / counts[splits.y_train] * len(splits.y_train) / 2
    linear = LogisticRegression(max_iter=1000).fit(scaler.transform(splits.x_train), splits.y_train, of_rows)
    expected = metrics_of("classification", linear.predict_proba(scaler.transform(splits.x_test)), splits.y_test)
    assert references_of(plan)[LINEAR] == pytest.approx(expected, abs=2e-3)


def test_references_of_several_labels_are_one_model_for_each():
    y = np.stack([LABELS, X[:, 2] > 0, X[:, 3] > 1], axis=1).astype(np.float32)
    plan = plan_of(y, "multilabel")
    splits = plan.splits
    found = references_of(plan)
    x, x_test = splits.x_train, splits.x_test
    scaler = StandardScaler().fit(x)
    makers = {
        LINEAR: (LogisticRegression, scaler.transform(x), scaler.transform(x_test)),
        BOOSTING: (lambda: HistGradientBoostingClassifier(random_state=0), x, x_test),
    }
    for name, (make, own, of_test) in makers.items():
        q = [make().fit(own, splits.y_train[:, k]).predict_proba(of_test)[:, 1] for k in range(3)]
        expected = metrics_of("multilabel", np.stack(q, axis=1), splits.y_test)
        assert found[name] == pytest.approx(expected, abs=2e-3)
    rates = splits.y_train.mean(axis=0)
    constant = metrics_of("multilabel", np.broadcast_to(rates, splits.y_test.shape), splits.y_test)
    assert found[CONSTANT] == pytest.approx(constant, rel=1e-6)


def test_a_label_that_no_training_example_has_is_predicted_with_probability_0():
    y = np.stack([LABELS, X[:, 2] > 0], axis=1).astype(np.float32)
    plan = plan_of(y, "multilabel")
    plan.splits.y_train[:, 1] = 0
    assert np.isfinite(references_of(plan)[LINEAR]["log_loss"])
