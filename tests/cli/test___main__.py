"""The command `regjax`: what it lists, starts and refuses."""

import ast
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import regjax
from regjax.cli import app
from regjax.cli.__main__ import COMMANDS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]


def called(*arguments, code=0, cwd=None):
    command = [sys.executable, "-m", "regjax.cli", *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment)
    assert done.returncode == code, done.stderr
    return done


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",), ("help",)])
def test_help_lists_every_command(arguments):
    assert all(name in called(*arguments).stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_of_its_own(name):
    assert "--workdir" in called(name, "--help").stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_the_installed_command_names_no_module_of_the_checkout(name):
    installed = "import sys; from regjax.cli.__main__ import main; sys.argv = ['regjax', *sys.argv[1:]]; main()"
    done = subprocess.run([sys.executable, "-c", installed, name, "--help"], cwd=ROOT, capture_output=True, text=True)
    assert f"  regjax {name} --" in done.stdout
    assert "experiments" not in done.stdout


def test_texts_of_the_package_name_no_module_of_the_checkout():
    """Help and errors are texts too. `program` alone knows where a command is started from."""
    naming = {
        path.name
        for path in (ROOT / "regjax").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and "experiments." in node.value
    }
    assert naming == {"app.py"}


def test_a_command_line_starts_as_this_process_was_started(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "argv", ["/usr/bin/regjax"])
    assert app.program("train") == ["regjax", "train"]
    monkeypatch.setattr(sys, "argv", ["train.py"])
    assert app.program("train") == ["python", "-m", "experiments.train"]
    monkeypatch.setattr(app, "CHECKOUT", tmp_path)
    assert app.program("train") == ["regjax", "train"]


def test_the_version_is_that_of_the_package():
    assert called("--version").stdout == f"regjax {regjax.__version__}\n"


def test_a_name_that_is_no_command_is_refused_in_one_line():
    refused = called("trian", code=2)
    assert "'trian'" in refused.stderr
    assert "did you mean 'train'?" in refused.stderr
    assert refused.stderr.count("\n") == 1


def test_flags_of_a_command_are_checked_as_from_the_checkout(tmp_path):
    refused = called("train", "--epochs=0", code=2, cwd=tmp_path)
    assert "--epochs" in refused.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("module", ["train", "predict", "compare", "sweep"])
def test_help_is_fast_and_complete(module):
    started = time.monotonic()
    command = [sys.executable, "-X", "importtime", "-m", f"experiments.{module}", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert time.monotonic() - started < 3  # about 0.2 s on an idle machine
    assert "| jax\n" not in done.stderr
    assert f"python -m experiments.{module}" in done.stdout
    assert "--workdir" in done.stdout


def test_a_reader_that_has_seen_enough_is_no_error():
    command = f"{sys.executable} -u -m regjax.cli list augmentations | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")


def test_commands_without_flags_run_and_refuse_in_one_line():
    assert "l1" in called("list", "penalties").stdout
    refused = called("list", "penaltees", code=app.BAD_INPUT)
    assert refused.stderr.count("\n") == 1
    assert "did you mean 'penalties'" in refused.stderr
