"""The built wheel in clean environments: the core alone, and with the extra that the commands need."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[2]
OWN_LOOP = """
import jax, jax.numpy as jnp, optax, regjax as rj

x = jax.random.normal(jax.random.key(0), (32, 4))
y = (x[:, 0] > 0).astype(jnp.int32)
tx = rj.make_optimizer("adam", 0.1, penalty=rj.l1(0.02), mode="proximal")
loss = rj.build_loss(lambda variables, x: x @ variables["params"]["kernel"], "cross_entropy")
step = jax.jit(rj.make_step(loss, tx))
state, rule = rj.init_train_state({"kernel": jnp.zeros((4, 2))}, {}, tx), rj.EarlyStopping(patience=3)
stop = rule.init()
for i in range(100):
    state, metrics = step(None, state, rj.Batch(x, y), jax.random.key(i))
    stop = rule.update(stop, metrics["loss"])
print(int((state.params["kernel"] == 0).sum()))
try:
    rj.data.load("digits")
except ModuleNotFoundError as error:
    print(error)
"""

COMPARE = """
import numpy as np, regjax as rj

data = np.load("d.npz")
print(rj.compare("linear", (data["x"], data["y"]), techniques=["l2"], seeds=2, epochs=2))
"""


def run(*command, cwd, code=0):
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    environment["REGJAX_CACHE"] = str(cwd / "cache")
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    if "uv" in command and any(
        text in done.stderr for text in ("Failed to fetch", "error sending request", "dns error")
    ):
        pytest.skip("the package index cannot be reached")
    assert done.returncode == code, done.stderr[-2000:]
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "uv", "build", "--wheel", "--quiet", "--out-dir", str(folder), str(ROOT), cwd=folder)
    (built,) = folder.glob("*.whl")
    return built


def environment_with(wheel, folder, extra):
    """A fresh environment with the wheel, its packages in the versions of the lock."""
    uv = (sys.executable, "-m", "uv")
    run(*uv, "venv", "--quiet", "--python", sys.executable, str(folder / "venv"), cwd=folder)
    wanted = [f"regjax{extra} @ {wheel.as_uri()}", "--constraints", str(pins(folder))]
    python = str(folder / "venv/bin/python")
    run(*uv, "pip", "install", "--quiet", "--python", python, *wanted, cwd=folder)
    return folder / "venv/bin"


def pins(folder):
    """The versions of the lock without its hashes, which a constraint may not have."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    file = folder / "versions.txt"
    file.write_text("\n".join(line.rstrip(" \\") for line in lines if line[:1].isalnum()))
    return file


def test_the_wheel_holds_one_package_with_its_types(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0].split("-")[0] for name in names} == {"regjax"}
    assert {"regjax/py.typed", "regjax/__init__.pyi", "regjax/comparison/atlas.json"} <= set(names)
    assert any(name.startswith("regjax/report/") and name.endswith(".html") for name in names)


def test_the_core_alone_trains_an_own_loop_and_names_the_extra(wheel, tmp_path):
    programs = environment_with(wheel, tmp_path, "")
    zeros, refused = run(str(programs / "python"), "-c", OWN_LOOP, cwd=tmp_path).splitlines()
    assert int(zeros) > 0
    assert "pip install 'regjax[run]'" in refused
    np.savez(tmp_path / "d.npz", x=np.arange(240.0).reshape(80, 3), y=np.arange(80) % 2)
    for name in ("train", "compare", "sweep", "export"):
        done = subprocess.run([programs / "regjax", name], cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr.count("\n")) == (2, 1)
        assert "pip install 'regjax[run]'" in done.stderr
    assert not (tmp_path / "runs").exists()
    compared = run(str(programs / "python"), "-c", COMPARE, cwd=tmp_path)
    assert "L2 in the loss" in compared


def test_with_the_extra_the_command_compares(wheel, tmp_path):
    programs = environment_with(wheel, tmp_path, "[run]")
    flags = ["--dataset=wine", "--model=linear", "--techniques=l2", "--seeds=2", "--epochs=3", "--workdir=w"]
    run(str(programs / "regjax"), "compare", *flags, cwd=tmp_path)
    assert (tmp_path / "w/report.html").exists()
    assert '"regjax compare' in (tmp_path / "w/results.json").read_text()
    assert "compare" in run(str(programs / "regjax"), "--help", cwd=tmp_path)
    names = "import regjax as rj; [getattr(rj, name) for name in rj.__all__]; print(rj.__file__)"
    assert str(tmp_path) in run(str(programs / "python"), "-c", names, cwd=tmp_path)
