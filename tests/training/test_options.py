import dataclasses

import pytest

from regjax import catalog
from regjax.core.errors import InputError
from regjax.training.options import TrainingOptions
from regjax.training.spec import Spec


def test_defaults_are_a_run_that_can_be_made():
    options = TrainingOptions()
    spec = Spec.of(options, model=None, num_classes=2, epochs=3)
    shared = {field.name for field in dataclasses.fields(Spec)} & set(options.options())
    assert shared >= {"batch_size", "optimizer", "schedule", "precision", "smoothing", "rate_schedule"}
    for name in shared - {"epochs", "task"}:  # the task is inferred
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
