import dataclasses

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

import regjax as rj
from regjax.comparison.data_defaults import (
    class_counts,
    default_augmentation,
    described_arguments,
    weights_of_classes,
)
from regjax.comparison.options import CompareOptions
from regjax.core.errors import InputError


@pytest.mark.parametrize(
    ("kind", "shape", "expected"),
    [
        ("array", (5, 3), ""),
        ("table", (5,), "noise=0.2"),
        ("image", (24, 40, 3), "shift=2,rotate=15,noise=0.5"),
        ("image", (4, 4, 1), "shift=1,rotate=15,noise=0.5"),
    ],
)
def test_the_default_augmentation_depends_on_the_kind(table, kind, shape, expected):
    splits = dataclasses.replace(table, kind=kind, x_train=np.zeros((2, *shape), np.float32))
    assert default_augmentation(splits) == (rj.augment.make(expected) if expected else rj.augment.Augmentation())


def test_the_weights_of_classes_are_those_of_scikit_learn(table):
    found = weights_of_classes(CompareOptions(class_weight="balanced"), class_counts(table))
    np.testing.assert_allclose(
        found, compute_class_weight("balanced", classes=np.array([0, 1]), y=table.y_train), rtol=1e-6
    )
    assert weights_of_classes(CompareOptions(), class_counts(table)) is None


def test_a_regression_has_no_classes_to_weigh(table):
    numbers = dataclasses.replace(table, task="regression", num_classes=0, y_train=np.ones(4, np.float32))
    with pytest.raises(InputError, match="class_weight 'balanced' needs exclusive classes"):
        weights_of_classes(CompareOptions(class_weight="balanced"), class_counts(numbers))


def test_what_every_run_has_is_described():
    always = {
        "penalties": {"loss": rj.l2(0.01)}, "rates": {"dropout": 0.5}, "label_smoothing": 0.1,
        "output_penalties": [rj.confidence(0.1)], "constraint": rj.max_norm(2.0),
    }  # fmt: skip
    found = described_arguments(always)
    assert found[1:] == ["dropout 0.5", "label smoothing 0.1", "confidence", "constraint"]
    assert "0.01" in found[0]
    assert described_arguments({}) == []
