import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from regjax import data
from regjax.core.errors import InputError

ROOT = Path(__file__).resolve().parents[2]


def test_import_is_cheap():
    heavy = ("tensorflow_datasets", "sklearn", "PIL", "tensorflow", "etils", "pandas")
    code = (
        "import jax, sys\n"
        "loaded_by_jax = set(sys.modules)\n"
        "import regjax.data\n"
        f"assert not set({heavy}) & set(sys.modules) - loaded_by_jax\n"
        "assert not jax._src.xla_bridge.backends_are_initialized()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_every_export_is_documented():
    for name in data.__all__:
        assert hasattr(data, name)
        if callable(getattr(data, name)):
            assert getattr(data, name).__doc__


def test_names_before_files(warm_cache, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "wine").mkdir()
    assert len(data.load("wine", cache_dir=warm_cache)) == 178


def test_a_folder_that_holds_a_prepared_set_is_that_set(warm_cache, tmp_path, monkeypatch):
    prepared = data.prepare("spirals", cache_dir=warm_cache)
    for folder in (prepared, prepared.parent, str(prepared)):
        loaded = data.load(folder, cache_dir=tmp_path)
        assert (loaded.name, len(loaded), loaded.columns) == ("spirals", 1000, ("x0", "x1"))
    # A TFDS name wins over a folder of that name in the working directory when data_dir says so.
    monkeypatch.chdir(prepared.parents[1])
    assert data.find_prepared("spirals", ".").name == "1.0.0"


def test_two_pipelines_are_one(warm_cache):
    """Name to standardized arrays, twice, bit for bit."""
    runs = []
    for _ in range(2):
        splits = data.split(data.load("breast_cancer", cache_dir=warm_cache), seed=3)
        runs.append(data.Preprocessor.for_splits(splits).transform(splits.x_select))
    np.testing.assert_array_equal(*runs)
    assert abs(runs[0].mean()) < 0.2


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("digits", {"task": "regression"}, "task 'regression': 'digits' is a classification dataset"),
        ("digits", {"task": "regresion"}, "did you mean 'regression'"),
        ("digits", {"target": "a"}, "target 'a': only for files"),
        ("mnist", {"image_size": (2, 2)}, "image_size .2, 2.: only for files"),
        ("", {}, "dataset '' is empty"),
        ("./absent", {}, "no such file or folder"),
        ("absent.csv", {}, "no such file or folder"),
        ("~/absent/", {}, "no such file or folder"),
    ],
)
def test_refusals(warm_cache, name, kwargs, message):
    with pytest.raises(InputError, match=message):
        data.load(name, cache_dir=warm_cache, **kwargs)
