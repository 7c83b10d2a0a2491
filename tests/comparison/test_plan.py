"""What is settled before any run: defaults that depend on the data, and refusals."""

import flax.linen as nn
import numpy as np
import pytest

import regjax as rj
from regjax.comparison.options import CompareOptions
from regjax.comparison.plan import (
    MAX_STOP_EXAMPLES,
    as_dataset,
    described_task,
    filled_in,
    make_plan,
    noises_of,
    training_arrays,
)
from regjax.data import Dataset, from_arrays, split


def planned(table, techniques=("l2",), model="linear", **options):
    return make_plan(model, table, techniques, CompareOptions(**{"seeds": 2, **options}))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_examples": 10_000}, "train_examples 10000 is more than the 240"),
        ({"augmentation": "shift=1"}, "'shift' is for images"),
        ({"techniques": {"l2": [-1.0]}}, "technique 'l2': l2: strength must be"),
        ({"techniques": {"dropout": [1.5]}}, r"technique 'dropout': dropout must be in \[0, 1\), got 1.5"),
        ({"techniques": {"more_data": [5000]}}, r"technique 'more_data': 5000 is not a whole number in \[1, 240\]"),
        ({"techniques": "l2"}, "must be a list of names"),
        ({"model": nn.Dense(3)}, r"the model gives outputs of shape \[1, 3\]; table needs \[1, 2\]"),
        ({"model": "cnn"}, r"cannot take inputs .*\[1, 8\]"),
        ({"always": {"penalties": {"loss": rj.l2(0.1)}}, "techniques": ["decoupled"]}, "'decoupled': l2 acts on"),
        ({"task": "regression"}, "task 'regression': table is a classification set"),
    ],
)
def test_what_no_run_could_use_is_refused(table, options, message):
    with pytest.raises(rj.InputError, match=message):
        planned(table, **{"model": "mlp", **options})


def test_defaults_make_enough_updates(table):
    filled, n_train, steps = filled_in(CompareOptions(train_examples=40, batch_size=32), table)
    assert (n_train, steps) == (40, 2)
    assert (filled.train_examples, filled.label_noise, filled.patience) == (40, 0.0, 10)
    assert filled.epochs == 400  # 800 updates
    all_of_them, _, steps = filled_in(CompareOptions(batch_size=8), table)
    assert (all_of_them.train_examples, steps, all_of_them.epochs) == (240, 30, 50)
    given = filled_in(CompareOptions(epochs=3, patience=2, label_noise=0.2), table)[0]
    assert (given.epochs, given.patience, given.label_noise) == (3, 2, 0.2)


def test_seeds_have_their_own_orders_and_wrong_labels(table):
    plan = planned(table, {"more_data": [], "l2": []}, train_examples=40, label_noise=0.5)
    assert training_arrays(plan).order.shape == (2, 240)  # the largest size of more data
    assert training_arrays(planned(table, {"l2": []}, train_examples=40)).order.shape == (2, 40)
    assert training_arrays(plan).y.shape == (2, 240)
    for row in np.asarray(training_arrays(plan).order):
        assert len(set(row)) == 240
    assert not np.array_equal(*training_arrays(plan).order)
    wrong = np.asarray(training_arrays(plan).y) != table.y_train
    # Binomial: 4.9 standard deviations, false alarm 1e-6 each.
    assert np.all(np.abs(wrong.mean(axis=1) - 0.5) < 4.9 * np.sqrt(0.25 / 240))
    assert not np.array_equal(*wrong)
    np.testing.assert_array_equal(training_arrays(plan).y_val, table.y_stop)


def test_the_settings_state_the_sizes_of_all_parts(table):
    settings = planned(table, train_examples=40, epochs=7, batch_size=16).settings()
    assert settings["model"] == "Linear(num_outputs=2, task='classification')"
    sizes = [settings[part] for part in ("train_examples", "pool", "stop_examples", "select_examples", "test_examples")]
    assert sizes == [40, 240, len(table.y_stop), len(table.y_select), len(table.y_test)]
    assert (settings["steps_per_epoch"], settings["epochs"], settings["updates"]) == (3, 7, 21)


def test_few_of_many_validation_examples_are_looked_at_in_every_epoch():
    x = np.random.default_rng(0).normal(size=(21_000, 1)).astype(np.float32)
    plan = planned(split(Dataset("large", "classification", x, (x[:, 0] > 0).astype(np.int32))), train_examples=40)
    assert len(plan.splits.y_stop) > MAX_STOP_EXAMPLES == len(training_arrays(plan).y_val)
    assert plan.settings()["stop_examples"] == MAX_STOP_EXAMPLES


def test_targets_of_a_regression_come_as_they_are_and_each_run_standardizes_them():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3)).astype(np.float32)
    plan = planned((x, 100 * x[:, 0] + 500))
    assert training_arrays(plan).y.shape == (1, len(plan.splits.y_train))  # a split for each seed
    assert np.asarray(training_arrays(plan).y).mean() == pytest.approx(plan.splits.y_train.mean(), rel=1e-5)
    assert plan.preprocessor.standardization.targets(plan.splits.y_train).mean() == pytest.approx(0, abs=1e-5)
    with pytest.raises(rj.InputError, match=r"label_noise 0\.1 needs classes; .* is a regression set"):
        planned((x, 100 * x[:, 0] + 500), label_noise=0.1)


def test_which_noises_a_model_has():
    assert noises_of(rj.models.make_model("linear", num_outputs=2)) == ("input_dropout",)
    assert noises_of((lambda key, x: {}, lambda params, x, rates=None: x)) == ("dropout",)
    assert noises_of((lambda key, x: {}, lambda params, x: x)) == ()


def test_why_arrays_are_a_task(table):
    x = np.zeros((4, 2))
    assert described_task(table, table, None) == "classification"
    assert described_task((x, np.array([0, 1, 0, 1])), table, "classification") == "classification (as asked for)"
    text = described_task((x, np.array([0.0, 1.0, 0.0, 1.0])), table, None)
    assert text.startswith("classification (2 distinct")


def test_data_are_splits_a_dataset_or_two_arrays(table):
    assert as_dataset(table) is table
    for data in (np.zeros((3, 2)), (np.zeros((3, 2)),), "digits"):
        with pytest.raises(rj.InputError, match=r"data must be arrays \(x, y\), a Dataset or Splits, got "):
            as_dataset(data)


def test_settings_count_the_groups():
    x = np.random.default_rng(0).normal(size=(120, 3)).astype(np.float32)
    y = np.arange(120) // 4 % 2
    options = CompareOptions(seeds=2, epochs=1)
    grouped = make_plan("linear", from_arrays(x, y, groups=np.arange(120) // 4), ["l2"], options)
    assert grouped.settings()["groups"] == 30
    assert make_plan("linear", from_arrays(x, y), ["l2"], options).settings()["groups"] is None
