"""A folder of images through the commands: what training does with the images, prediction does too."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.cli.shared import read_csv
from tests.data.sets import save_image

pytestmark = pytest.mark.slow

FAST = ["--model=linear", "--epochs=2", "--batch_size=8"]


@pytest.fixture
def pets(tmp_path):
    """Three parts of bright and dark images of several shapes, some transparent, turned or of 16 bits."""
    rng, exif = np.random.default_rng(0), Image.Exif()
    exif[274] = 6
    for part, count in (("train", 8), ("val", 4), ("test", 4)):
        for name, low in (("cat", 0), ("dog", 120)):
            for i in range(count):
                place = tmp_path / "pets" / part / name
                pixels = rng.integers(low, low + 100, (10, 12 + i % 3, 4), np.uint8)
                save_image(place / f"{i}.png", pixels[..., : 4 - i % 2], exif=exif)
            save_image(place / "deep.PNG", Image.fromarray(rng.integers(0, 65536, (9, 9), np.uint16)))
    (tmp_path / "pets" / "train" / "cow").mkdir()
    return tmp_path / "pets"


@pytest.mark.parametrize("loader", ["memory", "stream"])
def test_a_folder_is_predicted_as_it_was_trained(run, pets, tmp_path, loader):
    flags = ["--dataset=pets", *FAST, f"--loader={loader}", "--image_size=8,6", "--image_fit=pad"]
    refused = run("train", *flags, "--workdir=w", code=2)
    assert "train/cow" in refused.stderr
    assert "--allow_empty" in refused.stderr
    trained = run("train", *flags, "--image_background=gray", "--allow_empty", "--workdir=w")
    saved = json.loads((tmp_path / "w/preprocess.json").read_text())
    assert saved["images"] == {"fit": "pad", "background": "gray"}
    assert saved["schema"]["shape"] == [8, 6, 3]
    assert saved["class_names"] == ["cat", "dog"]
    of_part = run("predict", "--workdir=w", "--input=test", "--output=part.csv")
    of_folder = run("predict", "--workdir=w", "--input=pets/test", "--output=folder.csv")
    columns = [[row["probability"] for row in read_csv(tmp_path / f"{name}.csv")] for name in ("part", "folder")]
    assert columns[0] == columns[1]
    assert len(columns[0]) == 10
    assert len(set(columns[0])) > 1
    for done, count in ((trained, 38), (of_part, 38), (of_folder, 10)):
        for words in ("EXIF", "over gray", "8 bits", "padded with gray to 8x6"):
            assert [line for line in done.stderr.splitlines() if line.startswith("note: ") and words in line], words
        assert f"of {count} images" in done.stderr


def test_every_command_that_trains_has_the_options(run, pets, tmp_path):
    flags = ["--dataset=pets", "--image_size=6", "--allow_empty", "--model=linear", "--batch_size=8", "--epochs=1"]
    run("sweep", *flags, "--sweep=l2=1e-3", "--seeds=1", "--workdir=s")
    run("compare", *flags, "--techniques=l2", "--grid=l2=1e-3", "--seeds=2", "--splits=1", "--workdir=c")
    for workdir in ("s", "c"):
        saved = json.loads((tmp_path / workdir / "config.json").read_text())["flags"]
        assert (saved["image_size"], saved["allow_empty"], saved["image_fit"]) == ([6], True, "crop")
    commands = json.loads((tmp_path / "c/results.json").read_text())["baseline"]["commands"]
    assert all("--image_size=6" in command and "--allow_empty" in command for command in commands)


def test_other_sets_refuse_the_options(run):
    done = run("train", "--dataset=wine", "--image_size=8", "--workdir=w", code=2)
    assert "image_size" in done.stderr
    done = run("train", "--dataset=wine", "--image_size=8,8,3", "--workdir=w", code=2)
    assert "one or two whole numbers" in done.stderr


def test_a_split_of_a_run_that_stretched_its_images_is_said_to_differ(run, pets, tmp_path):
    run("train", "--dataset=pets", *FAST, "--image_size=6", "--allow_empty", "--workdir=w")
    file = tmp_path / "w/preprocess.json"
    content = json.loads(file.read_text())
    del content["images"]  # as earlier versions wrote it
    file.write_text(json.dumps(content))
    done = run("predict", "--workdir=w", "--input=test", "--output=part.csv")
    assert "stretched" in done.stderr
    done = run("predict", "--workdir=w", "--input=pets/test", "--output=folder.csv")
    assert "stretched to 6x6" in done.stderr
