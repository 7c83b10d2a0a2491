"""Examples on which a run does not train have no say in it: they are replaced by nonsense, and nothing changes."""

import dataclasses

import numpy as np
import pytest

import regjax as rj
from regjax.cli import setup
from regjax.cli.train import Config
from regjax.data import Dataset, Preprocessors, split, training_rows

SEEDS, SIZES = range(4), (24, 48)  # two that choose, two that are tested


def dataset(task, kind):
    rng = np.random.default_rng(0)
    shape = {"table": (5,), "image": (4, 4, 1)}[kind]
    x = rng.normal(size=(400, *shape)).astype(np.float32)
    x = x if kind == "table" else rng.integers(0, 256, (400, *shape), dtype=np.uint8)
    y = rng.integers(0, 2, 400).astype(np.int32) if task == "classification" else rng.normal(size=400) * 40 + 7
    return Dataset("poisoned", task, x, y if task == "classification" else y.astype(np.float32))


def poisoned(splits, rows):
    """The splits with nonsense in all other rows of the training pool; of a regression, in their targets too."""
    others = np.setdiff1d(np.arange(len(splits.y_train)), rows)
    x, y = splits.x_train.copy(), splits.y_train.copy()
    x[others] = 255 if x.dtype == np.uint8 else 1e6
    if splits.task == "regression":
        y[others] = -1e6
    return dataclasses.replace(splits, x_train=x, y_train=y)


@pytest.mark.parametrize("kind", ["table", "image"])
@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.slow
def test_a_comparison_depends_on_the_examples_that_it_trains_on(task, kind):
    """The baseline on 24 examples and more data on 48, so a part of the pool is unused."""
    splits = split(dataset(task, kind))
    used = [training_rows(splits.y_train, seed, task, max(SIZES)) for seed in SEEDS]
    changed = poisoned(splits, np.unique(np.concatenate(used)))
    assert (changed.x_train != splits.x_train).any()
    first, second = (
        rj.compare("linear", data, {"l2": [0.1], "more_data": [2]}, seeds=2, train_examples=24, epochs=2)
        for data in (splits, changed)
    )
    for one, other in zip(first.rows(), second.rows(), strict=True):
        assert one.params_sha256 == other.params_sha256
        # The unit of the loss is that of the whole pool, which rounds the scores of a regression.
        assert one.test.values == pytest.approx(other.test.values, rel=1e-2, abs=1e-3)


@pytest.mark.parametrize("task", ["classification", "regression"])
def test_a_smaller_run_does_not_know_the_examples_of_a_larger_one(task):
    splits = split(dataset(task, "table"))
    rows = training_rows(splits.y_train, 0, task, SIZES[0])
    known = Preprocessors(splits).of(0, SIZES[0])
    unknown = Preprocessors(poisoned(splits, rows)).of(0, SIZES[0])
    assert known.to_json() == unknown.to_json()
    assert known.to_json() != Preprocessors(splits).of(0, SIZES[1]).to_json()
    np.testing.assert_allclose(known.mean, splits.x_train[rows].mean(axis=0), rtol=1e-5)


def test_a_run_standardizes_with_its_own_examples():
    """By hand: the program sees the data as the model of the first examples alone would."""
    splits = split(dataset("regression", "table"))
    own = Preprocessors(splits).of(3, 24)
    order = rj.data.nested_order(splits.y_train, [3], "regression")[0, :24]
    assert own.y_mean == pytest.approx(splits.y_train[order].mean(), rel=1e-5)
    hparams = setup.hparams_of(
        Config(train_examples=24),
        setup.Facts.of(splits),
        restore_best=False,
        standardization=own.standardization,
    )
    x, y = splits.x_train[order], splits.y_train[order]
    np.testing.assert_allclose(hparams.standardized(x), (x - x.mean(axis=0)) / x.std(axis=0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(hparams.standardized_targets(y), (y - y.mean()) / y.std(), rtol=1e-4, atol=1e-5)
