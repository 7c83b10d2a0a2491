import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import sklearn.datasets

from regjax.core.errors import InputError
from regjax.data import SPARSE_REGRESSION, SPIRALS, CacheWarning, generated, load_embedded
from regjax.data.readers.embedded import VERSION, prepare

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("again", [False, True])
def test_digits_are_scikit_learns_from_black_to_white(warm_cache, again):
    x, y = sklearn.datasets.load_digits(return_X_y=True)
    data = load_embedded("digits", cache_dir=warm_cache)
    assert data.x.dtype == np.uint8
    assert data.x.shape == (1797, 8, 8, 1)
    assert data.x.max() == 255
    np.testing.assert_array_equal(np.round(data.x.reshape(1797, 64) * (16 / 255)), x)
    np.testing.assert_allclose(data.x.reshape(1797, 64), x * (255 / 16), atol=0.5)
    np.testing.assert_array_equal(data.y, y)
    assert data.class_names == tuple("0123456789")


@pytest.mark.parametrize("name", ["breast_cancer", "wine", "diabetes"])
def test_tables_are_scikit_learns(warm_cache, name):
    bunch = getattr(sklearn.datasets, f"load_{name}")()
    data = load_embedded(name, cache_dir=warm_cache)
    np.testing.assert_array_equal(data.x, bunch.data.astype(np.float32))
    np.testing.assert_array_equal(data.y, bunch.target.astype(data.y.dtype))
    assert data.columns == tuple(bunch.feature_names)
    if name == "diabetes":
        assert data.task == "regression"
        np.testing.assert_allclose(np.square(data.x).sum(0), 1, rtol=1e-4)
    else:
        assert data.class_names == tuple(bunch.target_names)


def test_generated_sets_are_their_problems(warm_cache):
    spirals = load_embedded("spirals", cache_dir=warm_cache)
    x, y = generated.spirals_problem(**SPIRALS)
    np.testing.assert_array_equal(spirals.x, x)
    np.testing.assert_array_equal(spirals.y, y)
    sparse = load_embedded("sparse_regression", cache_dir=warm_cache)
    x, y, _ = generated.sparse_regression_problem(**SPARSE_REGRESSION)
    np.testing.assert_array_equal(sparse.x, x)
    np.testing.assert_array_equal(sparse.y, y)


def test_unknown_name_suggests(cache):
    with pytest.raises(InputError, match="did you mean 'digits'"):
        load_embedded("digit")
    assert not cache.exists()


def test_second_load_needs_neither_tfds_nor_scikit_learn(warm_cache):
    load_embedded("wine", cache_dir=warm_cache)
    code = (
        "import sys; from regjax.data import load\n"
        f"load('wine', cache_dir={str(warm_cache)!r})\n"
        "assert not {'tensorflow_datasets', 'sklearn', 'PIL', 'tensorflow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], check=True, cwd=ROOT)


def test_a_killed_prepare_does_no_harm(cache):
    parent = cache / "tensorflow_datasets" / "wine"
    leftover = parent / f".tmp-{VERSION}-999-dead" / "wine" / "incomplete.ABC_1.0.0"
    leftover.mkdir(parents=True)
    (leftover / "wine-train.array_record-00000-of-00001").write_bytes(b"half")
    (parent / VERSION).mkdir()  # and a version directory without its files
    assert len(load_embedded("wine")) == 178
    old = time.time() - 10_000
    os.utime(leftover.parents[1], (old, old))
    prepare("wine", again=True)
    assert not leftover.exists()


@pytest.mark.parametrize("damage", ["flip", "truncate", "remove"])
def test_damaged_records_are_prepared_again(cache, damage):
    prepared = prepare("wine")
    (records,) = prepared.glob("*.array_record-*")
    content = bytearray(records.read_bytes())
    if damage == "flip":
        content[len(content) // 2] ^= 1
        records.write_bytes(content)
    elif damage == "truncate":
        records.write_bytes(content[: len(content) // 2])
    else:
        records.unlink()
    with pytest.warns(CacheWarning, match="preparing it again"):
        data = load_embedded("wine")
    np.testing.assert_array_equal(data.x, sklearn.datasets.load_wine().data.astype(np.float32))


def test_unwritable_cache_names_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="set REGJAX_CACHE"):
        load_embedded("wine", cache_dir=tmp_path / "file")


@pytest.mark.slow
def test_two_processes_prepare_at_once(cache):
    code = (
        "import sys, hashlib; from regjax.data import load\n"
        "sys.stdin.readline()\n"  # both have imported before either starts
        "for name in ('spirals', 'sparse_regression'):\n"
        "    data = load(name)\n"
        "    print(name, hashlib.sha256(data.x.tobytes() + data.y.tobytes()).hexdigest())\n"
    )
    command = [sys.executable, "-W", "error::UserWarning", "-c", code]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    running = [subprocess.Popen(command, cwd=ROOT, text=True, **pipes) for _ in range(2)]
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    outputs = [process.communicate(timeout=120) for process in running]
    assert [process.returncode for process in running] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert len(outputs[0][0].splitlines()) == 2
    assert not list(cache.rglob(".tmp-*"))
