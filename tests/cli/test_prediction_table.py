import dataclasses

import numpy as np
import pytest
from scipy.special import softmax

from regjax.cli.prediction_table import MOST_CLASSES, class_columns, label_columns, number_columns, target_columns
from regjax.data import Preprocessor

LOGITS = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)


def test_classes_and_the_probability_of_each():
    columns = class_columns(LOGITS, ("a", "b", "c"))
    assert class_columns(LOGITS + np.float32(1024), ("a", "b", "c"))["prediction"] == columns["prediction"]
    probability = softmax(LOGITS.astype(np.float64), axis=1)
    assert columns["prediction"] == [("a", "b", "c")[k] for k in LOGITS.argmax(axis=1)]
    np.testing.assert_allclose(columns["probability"], probability.max(axis=1), atol=1e-6)
    for k, name in enumerate("abc"):
        np.testing.assert_allclose(columns[f"probability_{name}"], probability[:, k], atol=1e-6)


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.8])
def test_a_threshold_decides_for_the_second_class(threshold):
    columns = class_columns(LOGITS[:, :2], ("no", "yes"), threshold)
    second = np.array(columns["probability_yes"]) >= threshold
    assert [name == "yes" for name in columns["prediction"]] == second.tolist()
    np.testing.assert_allclose(
        columns["probability"], np.where(second, columns["probability_yes"], columns["probability_no"])
    )


def test_many_classes_have_one_probability():
    columns = class_columns(np.zeros((2, MOST_CLASSES + 1), np.float32), None)
    assert list(columns) == ["prediction", "probability"]


def test_numbers_are_in_the_units_of_the_target():
    y = np.array([10.0, 20.0, 30.0], np.float32)
    made = Preprocessor.fit(np.eye(3, dtype=np.float32), "table", y_train=y, task="regression")
    found = number_columns(made.target_transform(y), made)["prediction"]
    np.testing.assert_allclose(found, y, rtol=1e-6)
    assert list(target_columns("std", np.ones((2, 2)))) == ["std_0", "std_1"]


def test_an_interval_of_counts_does_not_go_below_0():
    made = dataclasses.replace(Preprocessor.fit(np.eye(2, dtype=np.float32), "table", task="regression"), link="log")
    found = number_columns(np.log([1.0, 5.0]).astype(np.float32), made, np.array([2.0]))
    np.testing.assert_allclose(found["prediction"], [1, 5], rtol=1e-6)
    np.testing.assert_allclose(found["low"], [0, 3], rtol=1e-6)
    np.testing.assert_allclose(found["high"], [3, 7], rtol=1e-6)


def test_columns_of_several_targets_are_named_after_them():
    y = np.array([[10.0, 1.0], [20.0, 5.0], [30.0, 3.0]], np.float32)
    made = Preprocessor.fit(np.eye(3, dtype=np.float32), "table", y_train=y, task="regression")
    named = dataclasses.replace(made, target_names=("price", "weight"))
    found = number_columns(made.target_transform(y), named, np.array([2.0, 0.5]))
    assert list(found) == ["price", "weight", "price_low", "weight_low", "price_high", "weight_high"]
    np.testing.assert_allclose(found["weight_low"], [0.5, 4.5, 2.5], rtol=1e-5)
    assert list(number_columns(y, made)) == ["prediction_0", "prediction_1"]
    for names in (("id", "price"), ("price", "price_low")):  # would hide another column
        clash = dataclasses.replace(made, target_names=names)
        assert list(number_columns(y, clash, np.ones(2)))[2:] == ["low_0", "low_1", "high_0", "high_1"]


def test_labels_have_a_prediction_and_a_probability_each():
    logits = np.array([[0.0, 2.0], [-100.0, 1000.0]], np.float32)
    found = label_columns(logits, ("wet", "hot"))
    assert list(found) == ["wet", "hot", "wet_probability", "hot_probability"]
    assert (found["wet"], found["hot"]) == ([0, 0], [1, 1])  # a probability of one half is none above it
    np.testing.assert_allclose(found["wet_probability"], [0.5, 0.0])
    np.testing.assert_allclose(found["hot_probability"], [0.880797, 1.0])
    assert list(label_columns(logits, None)) == ["prediction_0", "prediction_1", "probability_0", "probability_1"]
