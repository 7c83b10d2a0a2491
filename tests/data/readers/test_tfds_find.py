import shutil
import sys
import time

import pytest

from regjax.core.errors import InputError
from regjax.data import find_prepared, load


def test_prepared_set_by_name_and_place(wine_dir):
    version = wine_dir / "wine" / "1.1.0"
    for name, data_dir in (
        ("wine", wine_dir),
        ("wine:1.1.0", wine_dir),
        ("wine", version.parent),
        ("wine", version),
    ):
        assert find_prepared(name, data_dir) == version
    data = load("wine:1.1.0", data_dir=wine_dir)
    assert data.class_names == ("class_0", "class_1", "class_2")
    assert data.columns[0] == "alcohol"
    assert "tensorflow" not in sys.modules


def test_newest_version_and_environment(wine_dir, tmp_path, monkeypatch):
    for version in ("1.2.0", "1.10.0"):
        shutil.copytree(wine_dir / "wine" / "1.1.0", tmp_path / "wine" / version)
    (tmp_path / "wine" / "2.0.0.incompleteX").mkdir()
    (tmp_path / "wine" / "3.0.0").mkdir()
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert find_prepared("wine").name == "1.10.0"
    with pytest.raises(InputError, match=r"wine:1\.1\.0"):
        find_prepared("wine:1.1.0")


def test_configurations(wine_dir, tmp_path):
    for config in ("red", "white"):
        shutil.copytree(wine_dir / "wine" / "1.1.0", tmp_path / "wine" / config / "1.1.0")
    assert find_prepared("wine/red", tmp_path) == tmp_path / "wine" / "red" / "1.1.0"
    with pytest.raises(InputError, match="choose one of wine/red, wine/white"):
        find_prepared("wine", tmp_path)
    shutil.rmtree(tmp_path / "wine" / "red")
    assert find_prepared("wine", tmp_path).parent.name == "white"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "cifar10",
            r"not prepared in .*pip install 'regjax\[tensorflow\]' && tfds build cifar10 --file_format",
        ),
        ("digitz", "did you mean 'digits'"),
        ("mnits", "did you mean 'mnist'"),
        ("mnist/../..", "neither a file, a folder nor a TFDS name"),
        ("My Data!", "neither a file, a folder nor a TFDS name"),
    ],
)
def test_absent_sets_fail_fast_in_one_line(no_network, name, message):
    start = time.perf_counter()
    with pytest.raises(InputError, match=message) as caught:
        load(name)
    assert time.perf_counter() - start < 5
    assert "\n" not in str(caught.value)


def test_absent_data_dir(no_network, tmp_path):
    with pytest.raises(InputError, match="is not a directory"):
        load("mnist", data_dir=tmp_path / "absent")
