"""Data that are prepared while processes die, or by two at once, are whole or not there."""

import json
import os
import random
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

SMALL = ("--epochs=2", "--widths=8")


@pytest.fixture
def pets(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / "pets" / name).mkdir(parents=True)
        for i in range(60):
            pixels = rng.integers(0, 255, (64, 64, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pets" / name / f"{i}.png")


def trained(tmp_path, name):
    return json.loads((tmp_path / name / "summary.json").read_text())["params_sha256"]


@pytest.mark.parametrize(("dataset", "moments"), [("wine", (0.1, 1.5)), ("pets", (0.1, 0.6))])
def test_a_killed_preparation_is_not_trained_on(run, tmp_path, pets, dataset, moments):
    flags, cache = (f"--dataset={dataset}", *SMALL), tmp_path / "cache"
    at, kills = random.Random(dataset), 0
    for turn in range(4):
        own = {"REGJAX_CACHE": str(cache)} if turn % 2 else {"REGJAX_CACHE": str(tmp_path / f"cache{turn}")}
        done = run("train", *flags, f"--workdir=w{turn}", kill_after=at.uniform(*moments), variables=own, code=None)
        assert done.code in (0, -9), done.stderr
        kills += done.code == -9
    assert kills >= 2
    for folder in cache.rglob(".tmp-*"):  # hours later
        os.utime(folder, (time.time() - 10_000,) * 2)
    run("train", *flags, "--workdir=after", variables={"REGJAX_CACHE": str(cache)})
    run("train", *flags, "--workdir=fresh", variables={"REGJAX_CACHE": str(tmp_path / "fresh_cache")})
    assert trained(tmp_path, "after") == trained(tmp_path, "fresh")


def test_leftovers_of_a_killed_preparation_are_removed(run, tmp_path):
    own, parent = {"REGJAX_CACHE": str(tmp_path / "cache")}, tmp_path / "cache/tensorflow_datasets/wine"
    leftover = parent / ".tmp-1.0.0-999-dead"
    (leftover / "wine").mkdir(parents=True)
    os.utime(leftover, (time.time() - 10_000,) * 2)
    run("train", "--dataset=wine", *SMALL, "--workdir=w", variables=own)
    assert not leftover.exists()


@pytest.mark.parametrize("dataset", ["wine", "pets"])
def test_two_runs_that_prepare_at_once_both_succeed(tmp_path, environment, pets, dataset):
    own = os.environ | environment | {"REGJAX_CACHE": str(tmp_path / "cache")}
    command = [sys.executable, "-m", "experiments.train", f"--dataset={dataset}", *SMALL]
    both = [
        subprocess.Popen([*command, f"--workdir={name}"], cwd=tmp_path, env=own, stderr=subprocess.PIPE, text=True)
        for name in ("one", "two")
    ]
    errors = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], errors
    assert trained(tmp_path, "one") == trained(tmp_path, "two")
    assert not list((tmp_path / "cache").rglob(".tmp-*"))


def test_a_damaged_cache_is_prepared_again_with_a_warning(run, tmp_path, pets):
    own = {"REGJAX_CACHE": str(tmp_path / "cache")}
    run("train", "--dataset=pets", *SMALL, "--workdir=w", variables=own)
    [stored] = (tmp_path / "cache").rglob("x.npy")
    content = bytearray(stored.read_bytes())
    content[-1] ^= 1
    stored.write_bytes(content)
    again = run("train", "--dataset=pets", *SMALL, "--workdir=again", variables=own)
    assert "x.npy does not match its SHA-256; decoding again" in again.stderr
    assert trained(tmp_path, "again") == trained(tmp_path, "w")
