import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from regjax import data
from regjax.core.errors import InputError
from regjax.data import Preprocessor, load, read_inputs, readers

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
    assert data.find_prepared("spirals", ".").name == "1.1.0"


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
        ("digits", {"image_fit": "pad"}, "image_fit 'pad': only for files"),
        ("digits", {"allow_empty": True}, "allow_empty True: only for files"),
        ("", {}, "dataset '' is empty"),
        ("./absent", {}, "no such file or folder"),
        ("absent.csv", {}, "no such file or folder"),
        ("~/absent/", {}, "no such file or folder"),
    ],
)
def test_refusals(warm_cache, name, kwargs, message):
    with pytest.raises(InputError, match=message):
        data.load(name, cache_dir=warm_cache, **kwargs)


def test_paths(tmp_path, csv_file):
    csv_file("a,target\n1,2\n")
    with pytest.raises(InputError, match=r"no such file or folder .did you mean '.*toy\.csv'"):
        load(tmp_path / "toi.csv")
    (tmp_path / "toy.dat").write_text("")
    with pytest.raises(InputError, match=r"accepted are \.npz files"):
        load(tmp_path / "toy.dat")
    with pytest.raises(InputError, match="only tables have a target column"):
        load(tmp_path / "toy.dat", target="a")


def test_a_format_is_an_entry_of_the_table(tmp_path, monkeypatch):
    def read(path, *, task, lazy, target=None):
        numbers = np.array(path.read_text().split(), np.float32)[:, None]
        return data.Dataset(path.stem, task, data.as_rows(path.stem, numbers) if lazy else numbers, numbers[:, 0])

    monkeypatch.setitem(readers.FORMATS, ".toy", readers.Format(read, lambda path, made, note: (None, ["one"])))
    (tmp_path / "a.toy").write_text("1 2 4")
    monkeypatch.chdir(tmp_path)
    for lazy in (False, True):
        assert load("a.toy", task="regression", lazy=lazy).x[:].tolist() == [[1], [2], [4]]
    assert read_inputs("a.toy", None)[1] == ["one"]
    with pytest.raises(InputError, match="only tables have a target column"):
        load("a.toy", target="b")
    (tmp_path / "b.dat").write_text("")
    with pytest.raises(InputError, match=r"accepted are .*\.toy files"):
        load(tmp_path / "b.dat")


@pytest.mark.parametrize("name", ["toy.npz", "toy.csv", "toy"])
def test_a_link_to_nothing_is_named(tmp_path, name):
    (tmp_path / name).symlink_to(tmp_path / "gone")
    made = Preprocessor.fit(np.ones((2, 2), np.float32), "table", columns=("b", "a"))
    for read in (load, lambda path: load(path, lazy=True), lambda path: read_inputs(path, made)):
        with pytest.raises(InputError, match=rf"{name}.*link.*gone"):
            read(tmp_path / name)


def test_inputs_for_a_table(csv_file, npz_file):
    made = Preprocessor.fit(np.ones((2, 2), np.float32), "table", columns=("b", "a"))
    x, ids = read_inputs(csv_file("a,extra,b\n1,text,2\n3,text,4\n"), made)
    assert x.tolist() == [[2, 1], [4, 3]]
    assert ids == ["2", "3"]
    x, ids = read_inputs(npz_file(x=np.eye(2)), made)
    assert x.dtype == np.float32
    assert ids == ["0", "1"]
    with pytest.raises(InputError, match="no column 'b'"):
        read_inputs(csv_file("a,c\n1,2\n"), made)
    with pytest.raises(InputError, match=r"x has 3 columns, the model was trained on 2 \(b, a\)"):
        read_inputs(npz_file(x=np.eye(3)), made)
    with pytest.raises(InputError, match="no such file"):
        read_inputs("absent.csv", made)


@pytest.mark.parametrize(
    "options",
    [
        {"image_size": (2, 2)},
        {"image_size": 2},
        {"image_fit": "pad"},
        {"image_background": "gray"},
        {"allow_empty": True},
    ],
)
def test_options_of_images_are_for_folders(csv_file, options):
    with pytest.raises(InputError, match=f"{next(iter(options))} .*only folders of images"):
        load(csv_file("a,target\n1,2\n"), **options)
