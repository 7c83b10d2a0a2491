import dataclasses

import pytest

from regjax import catalog
from regjax.core.errors import InputError
from regjax.training.options import TrainingOptions, loss_of_task
from regjax.training.spec import Spec, make_hparams


def test_defaults_are_a_run_that_can_be_made():
    options = TrainingOptions()
    spec = Spec.of(options, model=None, num_classes=2, epochs=3)
    shared = {field.name for field in dataclasses.fields(Spec)} & set(options.options())
    assert shared >= {"batch_size", "optimizer", "schedule", "precision", "smoothing", "rate_schedule"}
    for name in shared - {"epochs", "task", "loss"}:  # the task is inferred, and the loss is that of the task
        assert getattr(spec, name) == getattr(options, name)


@pytest.mark.parametrize(
    ("name", "value", "accepted"),
    [
        ("optimizer", "adm", "did you mean 'adam'"),
        ("stop_criterion", "loss", "accepted: patience"),
        ("label_noise", 1.0, r"in \[0, 1\), got 1.0"),
        ("learning_rate", 0.0, "> 0, got 0.0"),
        ("batch_size", 0, "a whole number >= 1, got 0"),
        ("patience", -1, "a whole number >= 0, got -1"),
        ("seed", -1, "a whole number >= 0, got -1"),
        ("train_examples", 1.5, "a whole number >= 1, got 1.5"),
    ],
)
def test_what_no_run_could_use_is_refused_with_its_name(name, value, accepted):
    with pytest.raises(InputError, match=f"^{name} .*{accepted}"):
        TrainingOptions(**{name: value})


def test_the_choices_are_those_of_the_catalogue():
    for optimizer in catalog.OPTIMIZERS:
        assert TrainingOptions(optimizer=optimizer).optimizer == optimizer
    for criterion in catalog.STOP_CRITERIA:
        assert TrainingOptions(stop_criterion=criterion).stop_criterion == criterion


@pytest.mark.parametrize(
    ("task", "loss", "message"),
    [
        (
            "classification",
            "mae",
            "loss 'mae' is for regression, and the task is classification; accepted: cross_entropy",
        ),
        ("regression", "cross_entropy", "accepted: mse, mae.*, or give the task 'classification'"),
        ("regression", "l2", "loss 'l2' is not known"),
    ],
)
def test_a_loss_of_another_task_is_refused_with_those_of_this_one(task, loss, message):
    with pytest.raises(InputError, match=message):
        loss_of_task(task, loss)
    with pytest.raises(InputError, match=message):
        Spec(None, task=task, loss=loss)


def test_the_default_loss_is_that_of_the_task():
    assert [Spec(None, task=task).loss for task in catalog.TASKS] == [
        "cross_entropy",
        "mse",
        "binary_cross_entropy",
    ]
    assert Spec(None, task="regression", loss="mse") == Spec(None, task="regression")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantile": 0.9, "loss": "mse"}, "quantile 0.9 is for loss 'quantile', and the loss is 'mse'; leave one out"),
        ({"huber_delta": 2.0}, "huber_delta 2 is for loss 'huber', and the loss is that of the task"),
        ({"focal_gamma": 1.0, "loss": "quantile"}, "focal_gamma 1 is for loss 'focal'"),
        ({"quantile": 1.0, "loss": "quantile"}, r"quantile must be a number in \(0, 1\), got 1.0"),
        ({"huber_delta": 0.0, "loss": "huber"}, "huber_delta must be a number > 0, got 0.0"),
        ({"focal_gamma": -1.0, "loss": "focal"}, "focal_gamma must be a number >= 0, got -1.0"),
    ],
)
def test_a_number_of_another_loss_or_out_of_range_is_refused(options, message):
    with pytest.raises(InputError, match=message):
        TrainingOptions(**options)


def test_the_number_of_a_loss_is_an_argument_of_make_hparams():
    assert TrainingOptions().loss_arguments() == TrainingOptions(loss="mae").loss_arguments() == {}
    for name, loss in catalog.LOSSES.items():
        if loss.parameter:
            assert TrainingOptions(loss=name).loss_arguments() == {loss.parameter: loss.default}
            given = TrainingOptions(loss=name, **{loss.parameter: 0.25}).loss_arguments()
            assert make_hparams(n_train=1, **given).loss_parameter(name) == 0.25
    assert [TrainingOptions(loss=name).link for name in (None, "mae", "poisson")] == ["identity", "identity", "log"]
