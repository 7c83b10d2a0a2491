import numpy as np
import pytest

from regjax.comparison.checks import check_metric, check_splits, check_technique
from regjax.comparison.options import CompareOptions
from regjax.comparison.plan import make_plan
from regjax.comparison.techniques import Technique
from regjax.core.errors import InputError
from regjax.data import Dataset, split

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(100, 3)).astype(np.float32), np.arange(100) % 2


def test_data_that_can_be_split_in_one_way_are_not_split_in_more():
    dataset = Dataset("table", "classification", X, Y.astype(np.int32))
    check_splits(dataset, CompareOptions(seeds=4, splits=4))
    check_splits(split(dataset), CompareOptions(seeds=4, splits=1))
    with pytest.raises(InputError, match="splits 2: the data are split already"):
        check_splits(split(dataset), CompareOptions(seeds=4, splits=2))
    timed = Dataset("table", "classification", X, Y.astype(np.int32), times=np.arange(100.0))
    with pytest.raises(InputError, match="splits 2: data with times are cut in one way only"):
        check_splits(timed, CompareOptions(seeds=4, splits=2))


def test_a_metric_is_for_its_task():
    splits = split(Dataset("table", "classification", X, Y.astype(np.int32)))
    check_metric(CompareOptions(metric="roc_auc"), splits)
    check_metric(CompareOptions(), splits)
    with pytest.raises(InputError, match="metric 'rmse': table is a classification set; accepted: accuracy"):
        check_metric(CompareOptions(metric="rmse"), splits)


def test_a_technique_that_no_run_could_use_is_named():
    splits = split(Dataset("table", "classification", X, Y.astype(np.int32)))
    plan = make_plan("linear", splits, ["l2"], CompareOptions(seeds=2, epochs=1, learning_rate=0.1))
    bad = Technique("mine", "mine", "strength", (-1.0,), lambda value: {"learning_rate": value})
    with pytest.raises(InputError, match="technique 'mine': learning_rate must be"):
        check_technique(bad, plan.spec, plan.params, plan.options, splits.x_train[:1], splits)
