"""The fingerprint of weights and the share of zeros."""

import hashlib

import numpy as np
import pytest

from regjax.analysis.weights import params_sha256, share_of_zeros, zero_fraction

PARAMS = {"a": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3), "bias": np.zeros(3, np.float32)}}


def test_the_fingerprint_by_hand():
    digest = hashlib.sha256()
    digest.update(b"a/bias float32 (3,)\n" + PARAMS["a"]["bias"].tobytes())
    digest.update(b"a/kernel float32 (2, 3)\n" + PARAMS["a"]["kernel"].tobytes())
    assert params_sha256(PARAMS) == digest.hexdigest()


@pytest.mark.parametrize(
    "other",
    [
        {"b": PARAMS["a"]},
        {"a": PARAMS["a"] | {"bias": np.zeros(3, np.float64)}},
        {"a": PARAMS["a"] | {"kernel": PARAMS["a"]["kernel"].reshape(3, 2)}},
        {"a": PARAMS["a"] | {"bias": np.array([0, 0, -0.0], np.float32)}},
    ],
    ids=["name", "type", "shape", "one bit"],
)
def test_any_difference_gives_another_fingerprint(other):
    assert params_sha256(other) != params_sha256(PARAMS)


def test_zeros_are_counted_among_the_weights_alone():
    """Biases are not penalized by default, so their zeros say nothing."""
    assert zero_fraction(PARAMS) == pytest.approx(1 / 6)
    assert zero_fraction({"w": np.array([0.0, 1.0, 0.0])}) == pytest.approx(2 / 3)  # a model without matrices
    assert zero_fraction({"kernel": np.array([[1e-30, 0.0]])}) == 0.5


def test_zeros_of_several_arrays_are_pooled():
    assert share_of_zeros(np.array([[0.0, 1.0]]), np.array([1.0, np.nan])) == 0.25
    assert share_of_zeros(np.array([])) == share_of_zeros() == 0.0
