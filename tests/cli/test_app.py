"""What a command says of its input and of errors of the system."""

import errno
import json
import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from regjax.cli import app


def chained(outer, inner):
    try:
        raise outer from inner
    except OSError as error:
        return error


@pytest.mark.parametrize(
    ("error", "full"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), True),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), True),
        (chained(OSError("checkpoint w cannot be written"), OSError(errno.ENOSPC, "full")), True),
        (chained(OSError("checkpoint w"), ValueError(f"OS error: {os.strerror(errno.ENOSPC)}")), True),
        (FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), "cat/gone.png"), False),
        (PermissionError(errno.EACCES, os.strerror(errno.EACCES), "w"), False),
        (OSError(errno.EIO, os.strerror(errno.EIO)), False),
    ],
)
def test_only_a_full_disk_is_said_to_be_full(error, full):
    assert app.is_full(error) == full


@pytest.fixture
def pets(tmp_path):
    """Ten images of each class: one is turned by its EXIF data, one is transparent, one lies deeper; and a text."""
    rng = np.random.default_rng(0)
    for label, name in enumerate(("cat", "dog")):
        (tmp_path / "pets" / name / "more").mkdir(parents=True)
        for i in range(10):
            pixels = rng.integers(0, 100, (6, 6, 3), dtype=np.uint8) + np.uint8(100 * label)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / ("more" if i == 0 else "") / f"{i}.png")
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(pixels).save(tmp_path / "pets/cat/turned.png", exif=exif)
    Image.fromarray(np.dstack([pixels, pixels[..., :1]])).save(tmp_path / "pets/dog/clear.png")
    (tmp_path / "pets/dog/notes.txt").write_text("no image")
    return tmp_path / "pets"


def notes(done):
    return [line for line in done.stderr.splitlines() if line.startswith("note: ")]


@pytest.mark.slow
def test_what_is_done_to_images_is_said_once_the_same_in_training_and_prediction(run, pets, tmp_path):
    flags = ["--dataset=pets", "--epochs=2", "--widths=4"]
    first = run("train", *flags, "--workdir=w")
    cached = run("train", *flags, "--workdir=v")
    streamed = run("train", *flags, "--workdir=s", "--loader=stream")
    predicted = run("predict", "--workdir=w", "--input=pets", "--output=p.csv")
    assert notes(first) == notes(cached) == notes(streamed) == notes(predicted)
    for word, count in (("EXIF", "1 of 22"), ("white", "1 of 22"), ("notes.txt", "1 file")):
        [line] = [line for line in notes(first) if word in line]
        assert count in line
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 23
    digests = {json.loads((tmp_path / name / "summary.json").read_text())["params_sha256"] for name in "wvs"}
    assert len(digests) == 1


@pytest.mark.slow
def test_a_link_to_nothing_is_one_line_that_names_it(run, pets):
    (pets / "cat" / "gone.png").symlink_to("nowhere.png")
    done = run("train", "--dataset=pets", "--workdir=w", code=2)
    [line] = done.stderr.splitlines()
    assert "cat/gone.png" in line
    assert "room" not in line


# What is not installed with the core, whose dependencies bring the rest of the extra `run`.
ONLY_IN_EXTRA = {"PIL", "flatbuffers", "grain", "jinja2", "markupsafe", "matplotlib", "safetensors", "sklearn"}
INSTALLS = {"jinja2": {"markupsafe"}, "matplotlib": {"PIL"}}  # what packages of the extra depend on


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "package"), [(name, package) for name, needs in app.NEEDS.items() for package in needs]
)
def test_a_command_whose_package_is_missing_names_the_extra_before_it_does_anything(run, tmp_path, name, package):
    refused = run(name, "--workdir=w", hidden=[package], code=2)
    assert refused.stderr.startswith(f"error: {package} ")
    assert refused.stderr.endswith("pip install 'regjax[run]'\n")
    assert refused.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_commands_need_no_package_that_they_do_not_name(run, tmp_path):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 3)).astype(np.float32), np.arange(80) % 2
    np.savez(tmp_path / "d.npz", x=x, y=y)
    np.savez(tmp_path / "images.npz", x=rng.integers(0, 255, (40, 6, 6, 1)).astype(np.uint8), y=y[:40])
    short = ["--dataset=d.npz", "--model=linear", "--epochs=2"]
    for name, *flags in (
        ("train", *short, "--workdir=run"),
        ("predict", "--workdir=run", "--input=d.npz", "--output=p.csv"),
        ("export", "--workdir=run", "--output=exported"),
        ("compare", *short, "--techniques=l2", "--seeds=2", "--workdir=compare"),
        ("sweep", *short, "--sweep=l2=0.1,0.2", "--workdir=sweep"),
        ("gallery", "--dataset=images.npz", "--images=1", "--workdir=gallery"),
    ):
        needed = set(app.NEEDS[name]).union(*(INSTALLS.get(package, ()) for package in app.NEEDS[name]))
        run(name, *flags, hidden=ONLY_IN_EXTRA - needed)


@pytest.mark.slow
def test_what_the_flags_need_is_checked_before_training_too(run, tmp_path):
    np.savez(tmp_path / "d.npz", x=np.arange(240, dtype=np.float32).reshape(80, 3), y=np.arange(80) % 2)
    streamed = run("train", "--dataset=d.npz", "--loader=stream", "--workdir=w", hidden=["grain"], code=2)
    assert streamed.stderr.startswith("error: grain ")
    empty = {"REGJAX_CACHE": str(tmp_path / "empty")}
    embedded = run("train", "--dataset=wine", "--workdir=w", hidden=["sklearn"], variables=empty, code=2)
    assert embedded.stderr.startswith("error: sklearn ")
    assert not (tmp_path / "w").exists()


CRASH = """
from pathlib import Path
from regjax.cli import app, train

def main(config):
    if config.epochs == 2:
        Path(config.workdir).mkdir()
    raise RuntimeError("a fault")

app.run("train", main, train.Config, "help")
"""


@pytest.mark.slow
@pytest.mark.parametrize(("epochs", "said"), [(1, False), (2, True)])
def test_a_fault_shows_where_it_is_and_how_to_go_on(tmp_path, environment, epochs, said):
    command = [sys.executable, "-c", CRASH, "--workdir=w", f"--epochs={epochs}"]
    process_environment = os.environ | environment
    ended = subprocess.run(command, cwd=tmp_path, env=process_environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "RuntimeError: a fault" in ended.stderr
    assert ("go on with --resume" in ended.stderr) == said


@pytest.mark.parametrize("linked", [False, True], ids=["clone", "worktree"])
@pytest.mark.parametrize("branch", [True, False], ids=["branch", "detached"])
def test_the_commit_is_that_of_git(monkeypatch, tmp_path, linked, branch):
    def git(*arguments, where):
        author = ("-c", "user.name=a", "-c", "user.email=a@b.c")
        return subprocess.run(
            ("git", *author, *arguments), cwd=where, check=True, capture_output=True, text=True
        ).stdout

    checkout = tmp_path / "clone"
    checkout.mkdir()
    git("init", "-q", where=checkout)
    git("commit", "-q", "--allow-empty", "-m", "one", where=checkout)
    if linked:
        git("worktree", "add", "-q", "-b", "other", "../linked", where=checkout)
        checkout = tmp_path / "linked"
        git("commit", "-q", "--allow-empty", "-m", "two", where=checkout)
    if not branch:
        git("checkout", "-q", "--detach", where=checkout)
    monkeypatch.setattr(app, "CHECKOUT", checkout)
    assert app._commit() == git("rev-parse", "HEAD", where=checkout)[:12]
    monkeypatch.setattr(app, "CHECKOUT", tmp_path)
    assert app._commit() is None
