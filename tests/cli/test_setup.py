"""From flags to data, `Spec` and `Hparams`, on the embedded sets of tables and a small set of images."""

import numpy as np
import pytest

from regjax import data
from regjax.augment import make
from regjax.cli import setup
from regjax.cli.flags import FlagError
from regjax.cli.options import DataOptions, SharedBatchOptions
from regjax.cli.setup import Facts, Loaded
from regjax.cli.train import Config
from regjax.stopping import NEVER


def loaded_from(dataset):
    splits = data.split(dataset)
    return Loaded(dataset, splits, data.Preprocessor.for_splits(splits))


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (60, 12, 12, 1)).astype(np.uint8)
    return loaded_from(data.Dataset("toy", "classification", x, np.arange(60, dtype=np.int32) % 3))


@pytest.fixture(scope="module")
def numbers():
    x = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    return loaded_from(data.Dataset("numbers", "regression", x, 100 * x[:, 0] + 500))


def spec_of(loaded, **options):
    return setup.make_spec(Config(model="linear", **options), Facts.of(loaded.splits), loaded)


def test_a_dataset_is_loaded_split_and_standardized():
    loaded = setup.load(DataOptions(dataset="wine"), 0)
    counts = tuple(np.bincount(loaded.splits.y_train).tolist())
    assert Facts.of(loaded.splits) == Facts("classification", 3, 3, len(loaded.splits.y_train), counts)
    x = loaded.preprocessor.transform(loaded.splits.x_train)
    np.testing.assert_allclose(x.mean(0), 0, atol=1e-5)
    other = setup.load(DataOptions(dataset="wine"), 1, loaded.preprocessor)
    assert other.preprocessor is loaded.preprocessor
    assert not np.array_equal(other.splits.y_train, loaded.splits.y_train)
    with pytest.raises(FlagError, match=r"dataset: .*digits"):
        setup.load(DataOptions(dataset="digitz"), 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"train_examples": 31}, "train_examples: at most 30 of numbers"), ({"label_noise": 0.1}, "label_noise: numbers")],
)
def test_sizes_that_the_data_cannot_have(numbers, options, message):
    setup.check_sizes(Config(train_examples=30), numbers.splits)
    with pytest.raises(FlagError, match=message):
        setup.check_sizes(Config(**options), numbers.splits)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "linear", "widths": (8,)}, r"--widths=\(8,\): a linear model has no hidden layers"),
        ({"model": "mpl"}, "model: .*did you mean 'mlp'"),
        ({"model": "cnn"}, r"model: the model cannot take inputs .*\[1, 4\]"),
        ({"label_smoothing": 0.1}, "label_smoothing: needs a set with classes or labels"),
        ({"augment": "shift=1"}, "augment: .*'shift' is for images"),
        ({"augment": "shfit=1"}, "augment: .*did you mean 'shift'"),
    ],
)
def test_what_does_not_fit_the_data_is_refused(numbers, options, message):
    with pytest.raises(FlagError, match=message):
        setup.make_spec(Config(**options), Facts.of(numbers.splits), numbers)


def test_an_epoch_is_one_pass_unless_it_is_told(images):
    pool = len(images.splits.y_train)
    assert spec_of(images, batch_size=7).steps_per_epoch == -(-pool // 7)
    part = spec_of(images, batch_size=7, train_examples=20)
    assert (part.steps_per_epoch, part.eval_train_examples) == (3, 20)
    config = Config(model="linear")
    assert setup.make_spec(config, Facts.of(images.splits), images, steps=9).steps_per_epoch == 9


def test_augmentation_is_what_the_flag_says(images):
    assert setup.augmentation(Config(), images) is None
    assert setup.augmentation(Config(augment="shift=2"), images) == make("shift=2")
    default = setup.augmentation(Config(augment="default"), images)
    assert [step.name for step in default.steps] == ["shift", "rotate", "noise"]


def test_hyperparameters_follow_the_flags(images):
    facts = Facts.of(images.splits)
    plain = setup.hparams_of(Config(l2=0.5), facts, restore_best=False, standardization=None)
    assert (int(plain.n_train), int(plain.stopping.patience)) == (facts.pool, NEVER)
    assert plain.augment is None
    assert not bool(plain.restore_best)
    given = Config(train_examples=20, patience=3, min_delta=0.5, augment="shift=1", learning_rate=0.25)
    scaling = images.preprocessor.standardization
    made = setup.hparams_of(given, facts, restore_best=True, standardization=scaling, augment=2.0)
    assert made.standardization is scaling
    assert (int(made.n_train), int(made.stopping.patience), float(made.stopping.min_delta)) == (20, 3, 0.5)
    assert (float(made.augment), float(made.learning_rate), bool(made.restore_best)) == (2.0, 0.25, True)
    present = setup.hparams_of(Config(), facts, restore_best=True, standardization=None, present=("mixup",))
    assert float(present.mixup) == 0.0


def test_validation_is_all_of_it_or_the_half_of_a_comparison(images):
    splits = images.splits
    arrays = setup.train_data(images, Config(), [0, 1])
    np.testing.assert_array_equal(arrays.y_val, np.concatenate([splits.y_stop, splits.y_select]))
    half = setup.train_data(images, Config(), [0], validation="stop")
    np.testing.assert_array_equal(half.y_val, splits.y_stop)
    assert arrays.y.shape == arrays.order.shape == (2, len(splits.y_train))
    np.testing.assert_array_equal(arrays.y, np.stack([splits.y_train] * 2))
    # A seed has the same order wherever it stands.
    np.testing.assert_array_equal(setup.train_data(images, Config(), [1]).order[0], arrays.order[1])


def test_wrong_labels_are_for_training_alone(images):
    arrays = setup.train_data(images, Config(label_noise=0.5), [0])
    assert 0 < (np.asarray(arrays.y[0]) != images.splits.y_train).sum() < len(images.splits.y_train)
    clean = setup.train_data(images, Config(), [0])
    np.testing.assert_array_equal(arrays.y_val, clean.y_val)


def test_targets_of_a_regression_are_standardized_by_the_run(numbers):
    arrays = setup.train_data(numbers, Config(), [0])
    np.testing.assert_array_equal(arrays.y[0], numbers.splits.y_train)
    hparams = setup.hparams_of(
        Config(), Facts.of(numbers.splits), restore_best=False, standardization=numbers.preprocessor.standardization
    )
    y = np.asarray(hparams.standardized_targets(arrays.y))
    np.testing.assert_allclose([y.mean(), y.std()], [0, 1], atol=1e-5)


def test_batches_are_split_over_the_devices_that_there_are(images):
    spec = spec_of(images)
    assert setup.with_mesh(SharedBatchOptions(), spec) is spec
    with pytest.raises(FlagError, match="data_devices: mesh: lane=1 times data=64 devices are wanted"):
        setup.with_mesh(SharedBatchOptions(data_devices=64), spec)


def test_examples_that_are_in_no_part_are_told_of(capsys, tmp_path):
    """Thirteen groups of seven: parts of 19, 10 and 9 examples cannot be made of whole ones."""
    lines = [f"{i // 7},{i % 5},{i % 2}" for i in range(91)]
    (tmp_path / "groups.csv").write_text("\n".join(["who,x,target", *lines]))
    loaded = setup.load(DataOptions(dataset=str(tmp_path / "groups.csv"), group="who"), 0)
    left = 91 - sum(loaded.splits.sizes.values())
    assert left > 0
    assert f"{left} of 91 examples are in no part" in capsys.readouterr().err
