"""Nets for MNIST: on images that are easy, with runs that are kept."""

import numpy as np
import pytest

from experiments.reproduce import islp_mnist as module
from experiments.reproduce.mnist import Images


def easy(count, seed):
    """Images of 16 pixels with a bright one, whose position is the class."""
    labels = np.arange(count) % 10
    x = np.random.default_rng(seed).uniform(0, 0.25, size=(count, 16)).astype(np.float32)
    x[np.arange(count), labels] = 1.0
    return x, labels.astype(np.int32)


@pytest.fixture
def data():
    return Images(*easy(640, 0), *easy(100, 1))


def test_every_protocol_learns_what_is_easy_and_a_second_call_trains_nothing(data, tmp_path, monkeypatch):
    names = ("net with dropout", "net with ridge 0.0001", "logistic regression")
    own = {name: protocol for name, protocol in module.protocols().items() if name in names}
    own = {name: one._replace(net=one.net.clone(widths=one.net.widths and (32, 16))) for name, one in own.items()}
    monkeypatch.setattr(module, "protocols", lambda: own)
    found = module.errors(data, tmp_path, epochs=40, seeds=2)
    assert list(found) == list(own)
    for name, parts in found.items():
        assert len(parts["test"]) == 2
        assert max(parts["test"]) < 60, name  # 90 by chance
    before = sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz"))
    assert len(before) == 6
    assert module.errors(data, tmp_path, epochs=40, seeds=2) == found
    assert sorted(path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")) == before


def test_ridge_is_chosen_on_validation_alone():
    found = {
        "net with ridge 1e-05": {"validation": [2.0, 2.2], "test": [0.0, 0.0]},
        "net with ridge 0.0001": {"validation": [1.9, 2.1], "test": [9.0, 9.0]},
        "net with dropout": {"validation": [0.1, 0.1], "test": [0.1, 0.1]},
    }
    assert module.chosen(found) == "net with ridge 0.0001"


def test_the_protocols_are_those_of_the_publication():
    found = module.protocols()
    assert {number.row for number in module.PUBLICATION.numbers} - {"net with ridge"} <= set(found)
    assert found["net with dropout"].net.dropout == (0.4, 0.3)
    assert found["notebook, net with dropout"].batch == 256
    assert [found[f"net with ridge {s:g}"].l2 for s in module.RIDGE] == list(module.RIDGE)
