import hashlib
import json
import subprocess
import sys

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

from regjax import data
from regjax.cli import export, onnx_file
from regjax.cli.flags import FlagError
from regjax.cli.restored import restore
from tests.cli.shared import read_csv

pytestmark = pytest.mark.slow

# As in an environment without this package.
ALONE = "import runpy, sys; sys.modules['regjax'] = None; sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0])"


def call(folder, x, tmp_path):
    np.save(tmp_path / "x.npy", x)
    arguments = [str(folder / "run.py"), str(tmp_path / "x.npy"), str(tmp_path / "y.npy")]
    subprocess.run([sys.executable, "-P", "-c", ALONE, *arguments], check=True, cwd=tmp_path)
    return np.load(tmp_path / "y.npy")


@pytest.mark.parametrize(
    ("dataset", "flags"),
    [("digits", ("--model=cnn", "--widths=4", "--train_examples=64")), ("diabetes", ()), ("shop.csv", ())],
)
def test_the_script_alone_gives_the_numbers_of_predict(run, tmp_path, dataset, flags):
    rows = [f"{i % 7 if i % 5 else ''},{'Rome' if i % 3 else 'Oslo'},{'yes' if i % 2 else 'no'}" for i in range(60)]
    (tmp_path / "shop.csv").write_text("\n".join(["size,city,target", *rows]))
    run("train", f"--dataset={dataset}", "--epochs=2", "--workdir=w", *flags)
    run("export", "--workdir=w", "--output=e")
    run("predict", "--workdir=w", "--input=test", "--output=p.csv")
    splits = data.split(data.load(dataset if dataset != "shop.csv" else tmp_path / dataset))
    found = call(tmp_path / "e", splits.x_test, tmp_path)
    expected = read_csv(tmp_path / "p.csv")
    manifest = json.loads((tmp_path / "e/manifest.json").read_text())
    if splits.task == "regression":
        np.testing.assert_allclose(found.reshape(-1), [float(row["prediction"]) for row in expected], rtol=1e-4)
    else:
        for k, name in enumerate(manifest["class_names"]):
            np.testing.assert_allclose(found[:, k], [float(row[f"probability_{name}"]) for row in expected], atol=2e-6)
    np.testing.assert_allclose(call(tmp_path / "e", splits.x_test[:1], tmp_path), found[:1], rtol=1e-4, atol=1e-6)
    if manifest["dtype"] == "uint8":
        with pytest.raises(subprocess.CalledProcessError):  # they would all become 0
            call(tmp_path / "e", np.full((1, 8, 8, 1), 0.5), tmp_path)
    for name, digest in manifest["sha256"].items():
        assert hashlib.sha256((tmp_path / "e" / name).read_bytes()).hexdigest() == digest
    weights = load_file(tmp_path / "e/weights.safetensors")
    assert set(weights) == set(manifest["weights"])
    assert sum(array.size for array in weights.values()) == sum(
        leaf.size for leaf in jax.tree.leaves(restore(tmp_path / "w").weights)
    )


def test_other_files_are_not_touched(run, tmp_path):
    run("train", "--dataset=wine", "--epochs=1", "--widths=4", "--workdir=w")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/note.txt").write_text("keep")
    assert "holds other files" in run("export", "--workdir=w", "--output=mine", code=2).stderr
    run("export", "--workdir=w", "--output=e")
    assert "use --overwrite" in run("export", "--workdir=w", "--output=e", code=2).stderr
    run("export", "--workdir=w", "--output=e", "--overwrite")
    assert "no such directory" in run("export", "--workdir=gone", "--output=f", code=2).stderr
    assert "--output: is needed" in run("export", "--workdir=w", code=2).stderr


def test_what_cannot_be_converted_changes_nothing(run, tmp_path, monkeypatch):
    """An exported model stays whole, and no directory is left behind, where the converter refuses the new one."""
    run("train", "--dataset=wine", "--epochs=1", "--widths=4", "--workdir=w")
    run("export", "--workdir=w", "--output=e")
    (tmp_path / "e/model.onnx").write_bytes(b"of an earlier model")
    before = {path.name: path.read_bytes() for path in (tmp_path / "e").iterdir()}

    def refused(*_):
        raise FlagError("--onnx: this model cannot be converted")

    monkeypatch.setattr(onnx_file, "onnx_of", refused)
    for output in ("e", "new"):
        config = export.Config(workdir=str(tmp_path / "w"), output=str(tmp_path / output), onnx=True, overwrite=True)
        with pytest.raises(FlagError, match="cannot be converted"):
            export.main(config)
    assert {path.name: path.read_bytes() for path in (tmp_path / "e").iterdir()} == before
    assert not (tmp_path / "new").exists()
