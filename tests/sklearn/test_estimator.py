"""What all estimators do: scikit-learn's own checks, its tools, and training that is that of regjax."""

import io

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import regjax as rj
from regjax.sklearn import RegularizedClassifier, RegularizedRegressor

pytestmark = pytest.mark.slow

X, Y = load_iris(return_X_y=True)
ESTIMATORS = (RegularizedClassifier, RegularizedRegressor)


def small(kind, **options):
    return kind(**{"hidden_layer_sizes": (8,), "learning_rate_init": 0.02, "max_iter": 60, "random_state": 0} | options)


def rounding(_):
    """Checks that computations in float32 cannot pass; a test below holds the same to the rounding of float32."""
    return {"check_sample_weight_equivalence_on_dense_data": "equal to 1e-3 in float32, where 1e-7 is asked for"}


@parametrize_with_checks([small(kind) for kind in ESTIMATORS], expected_failed_checks=rounding)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_the_same_random_state_gives_the_same_bits_and_another_one_others(kind):
    first, second, other = (small(kind, dropout=0.2, random_state=s).fit(X, Y)._outputs(X) for s in (0, 0, 1))
    np.testing.assert_array_equal(first, second)
    assert np.any(first != other)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_a_fitted_estimator_survives_a_file(kind):
    fitted, file = small(kind, penalty="l2(1e-3)").fit(X, Y), io.BytesIO()
    joblib.dump(fitted, file)
    file.seek(0)
    np.testing.assert_array_equal(joblib.load(file).predict(X), fitted.predict(X))


def test_it_works_in_a_pipeline_a_search_and_cross_validation():
    search = GridSearchCV(small(RegularizedClassifier, max_iter=20), {"dropout": [0.0, 0.3]}, cv=2).fit(X, Y)
    assert set(search.best_params_) == {"dropout"}
    scores = cross_val_score(make_pipeline(StandardScaler(), small(RegularizedClassifier)), X, Y, cv=3)
    assert scores.mean() > 0.9


def test_weights_of_examples_count_like_repetitions():
    """With all examples in each update, where only the order of a sum differs."""
    repeats = np.random.default_rng(0).integers(0, 3, len(X))
    model = small(RegularizedClassifier, batch_size=1000)
    weighted = clone(model).fit(X, Y, sample_weight=repeats)
    repeated = clone(model).fit(np.repeat(X, repeats, axis=0), np.repeat(Y, repeats))
    np.testing.assert_allclose(weighted.predict_proba(X), repeated.predict_proba(X), atol=1e-3)


@pytest.mark.parametrize("kind", ESTIMATORS)
def test_passes_over_the_examples_train_like_epochs(kind):
    model, options = small(kind), {"classes": np.unique(Y)} if kind is RegularizedClassifier else {}
    model.partial_fit(X, Y, **options)
    for _ in range(59):
        model.partial_fit(X, Y)
    whole = small(kind).fit(X, Y)
    assert model.n_iter_ == 60
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]
    assert model.score(X, Y) == pytest.approx(whole.score(X, Y), abs=0.05)


def test_a_pass_goes_on_where_fit_stopped():
    model = small(RegularizedClassifier).fit(X, Y)
    loss = model.loss_curve_[-1]
    model.partial_fit(X, Y)
    assert model.loss_curve_[-1] == pytest.approx(loss, rel=0.2)


def test_early_stopping_ends_with_the_best_epoch_and_an_untouched_rest():
    model = small(RegularizedClassifier, early_stopping=True, n_iter_no_change=3, max_iter=300, learning_rate_init=0.1)
    model.fit(X, Y)
    assert model.n_iter_ < 300
    assert model.best_iter_ == 1 + int(np.argmin(model.validation_loss_curve_))
    assert len(model.loss_curve_) == len(model.validation_loss_curve_) == model.n_iter_


@pytest.mark.parametrize(
    "options",
    [
        {"penalty": "l1(1e-3) + l2(1e-3, mode='decoupled')"},
        {"penalty": rj.group_lasso(1e-3), "penalty_mode": "proximal"},
        {"penalty": {"proximal": rj.l1(1e-3)}},
        {"constraint": "max_norm(2)", "output_penalty": "confidence(0.01)"},
        {"noise": {"gaussian_noise": 0.1}, "input_dropout": 0.1, "mixup": 0.2},
        {"average": "ema(0.9)", "sam": 0.05},
        {"gradient_noise": 0.01},
        {"model": rj.models.make_model("mlp", num_outputs=3, widths=(8, 8))},
    ],
    ids=lambda options: ", ".join(options),
)
def test_each_regularizer_is_a_parameter(options):
    fitted = small(RegularizedClassifier, **options).fit(X, Y)
    assert fitted.score(X, Y) > 0.8
    plain = small(RegularizedClassifier).fit(X, Y)
    assert np.any(fitted.predict_proba(X) != plain.predict_proba(X))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"penalty": "l7(1)"}, "l7"),
        ({"penalty_mode": "both"}, "penalty"),
        ({"dropout": 1.5}, "dropout"),
        ({"hidden_layer_sizes": (), "dropout": 0.1}, "dropout"),
        ({"batch_size": "all"}, "batch_size 'all'"),
        ({"batch_size": 0}, "batch_size 0"),
        ({"optimizer": "adamm"}, "adam"),
        ({"loss_parameter": 1.0}, "loss_parameter=1.0"),
        ({"max_iter": 0}, "epochs"),
        ({"model": rj.models.make_model("mlp", num_outputs=5)}, "num_classes is 3, but the model gives 5"),
        ({"learning_rate_init": 1e20}, "the loss is not finite any more in epoch 1"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        small(RegularizedClassifier, **options).fit(X, Y)


@pytest.mark.parametrize("name", ["early_stopping", "average"])
def test_what_needs_all_epochs_is_refused_in_a_single_pass(name):
    model = small(RegularizedRegressor, **{name: {"early_stopping": True, "average": "ema(0.9)"}[name]})
    with pytest.raises(ValueError, match=f"partial_fit: {name}"):
        model.partial_fit(*load_diabetes(return_X_y=True))


@pytest.mark.parametrize("fitting", ["fit", "partial_fit"])
def test_targets_that_a_loss_cannot_have_are_refused(fitting):
    with pytest.raises(ValueError, match="poisson"):
        getattr(small(RegularizedRegressor, loss="poisson"), fitting)(X, Y - 1.0)


@pytest.mark.parametrize("weight", [-1.0, 0.0])
def test_weights_that_are_negative_or_all_zero_are_refused(weight):
    with pytest.raises(ValueError, match=r"sample_weight must be >= 0|one non-zero"):
        small(RegularizedClassifier).fit(X, Y, sample_weight=np.full(len(X), weight))
