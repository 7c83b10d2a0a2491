"""Fixtures of the data tests: every test has a cache of its own, and MNIST is used where it is prepared."""

from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache directory for one test."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("REGJAX_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def warm_cache(tmp_path_factory):
    """A cache directory that the tests of a session share, for data that are only read."""
    return tmp_path_factory.mktemp("warm-cache")


@pytest.fixture
def npz_file(tmp_path):
    """Write arrays into a `.npz`, and give its path."""

    def write(**arrays):
        np.savez(tmp_path / "toy.npz", **arrays)
        return tmp_path / "toy.npz"

    return write


@pytest.fixture
def csv_file(tmp_path):
    """Write a text into a `.csv`, and give its path."""

    def write(text, encoding="utf-8"):
        path = tmp_path / "toy.csv"
        path.write_bytes(text.encode(encoding))
        return path

    return write
