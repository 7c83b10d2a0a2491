"""The gallery as a user runs it, on gray and on colour images."""

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from regjax.augment import AUGMENTATIONS

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
SHOWN = [name for name, kind in AUGMENTATIONS.items() if kind.takes != "rows"] + ["mixup", "cutmix"]


def test_help_is_fast():
    started = time.monotonic()
    command = [sys.executable, "-X", "importtime", "-m", "experiments.gallery", "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert time.monotonic() - started < 3  # about 0.2 s on an idle machine
    assert "| jax\n" not in done.stderr
    assert "--images" in done.stdout


def test_gallery_shows_every_augmentation_of_colour_images(run, tmp_path):
    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for i in range(12):
            pixels = rng.integers(0, 256, (4, 4, 3), np.uint8).repeat(6, 0).repeat(6, 1)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{i}.png")
    out = run("gallery", "--dataset=photos", "--workdir=w", "--images=2")
    assert f"{len(SHOWN)} augmentations" in out.stdout
    page = (tmp_path / "w/report.html").read_text()
    assert re.findall(r"<h3>(.*?)</h3>", page) == sorted(SHOWN, key=lambda n: page.index(f"<h3>{n}</h3>"))
    assert {p.stem for p in (tmp_path / "w/figures").iterdir()} == set(SHOWN)
    assert page.count("<img ") == 4 * len(SHOWN)
    # Each does something to colour pictures, and the captions are the magnitudes.
    assert page.count("It leaves these pictures as they are.") <= 1
    assert all(f"<figcaption>{caption}</figcaption>" in page for caption in ("original", "15", "30", "45", "12"))
    assert json.loads((tmp_path / "w/config.json").read_text())["experiment"] == "gallery"
    assert "holds another run" in run("gallery", "--dataset=photos", "--workdir=w", code=2).stderr


def test_what_is_no_picture_is_refused(run):
    assert "--dataset=wine: wine is a table" in run("gallery", "--dataset=wine", "--workdir=w", code=2).stderr
    assert "--images=5000: at most" in run("gallery", "--images=5000", "--workdir=w", code=2).stderr
    assert "flag 'label_noise'" in run("gallery", "--label_noise=0.1", "--workdir=w", code=2).stderr
