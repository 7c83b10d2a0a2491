import socket

import numpy as np
import pytest

from regjax.data.readers.builders import BUILDERS
from tests.data.sets import flat, save_image


@pytest.fixture
def no_network(monkeypatch, tmp_path):
    """Any attempt to connect fails the test, and the home directory holds nothing."""

    def refuse(*args, **kwargs):
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("TFDS_DATA_DIR", raising=False)


@pytest.fixture(scope="session")
def wine_dir(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    BUILDERS["wine"](data_dir=folder, file_format="array_record").download_and_prepare()
    return folder


@pytest.fixture
def pets(tmp_path):
    """A folder of two classes: two cats and a dog, and files that are not images."""
    root = tmp_path / "pets"
    save_image(root / "dog" / "1.png", np.full((4, 6), 10))
    save_image(root / "cat" / "b.png", np.full((4, 6), 30))
    save_image(root / "cat" / "a.png", np.full((4, 6), 20))
    (root / "cat" / "notes.txt").write_text("ignored")
    (root / "cat" / ".hidden.png").write_text("ignored")
    return root


@pytest.fixture
def root(tmp_path):
    """A folder of two classes of one flat image each."""
    save_image(tmp_path / "pets" / "cat" / "0.png", flat(10))
    save_image(tmp_path / "pets" / "dog" / "0.png", flat(20))
    return tmp_path / "pets"
