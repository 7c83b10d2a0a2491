"""Files and flags that mean harm: refused in one line or shown as text, and never run."""

import json
import pickle
import shutil
import struct
import zipfile
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow

SMALL = ("--epochs=2", "--widths=8")
NASTY = '<img src=x onerror=alert(1)>&"'
CODE = "__import__('pathlib').Path('hacked').touch()"


class Harmful:
    """Unpickling this makes a file."""

    def __reduce__(self):
        return exec, (CODE,)


class Tags(HTMLParser):
    """The tags of a page, each with its attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def classes(folder, *names):
    rng = np.random.default_rng(0)
    for name in names:
        (folder / name).mkdir(parents=True)
        for i in range(12):
            Image.fromarray(rng.integers(0, 255, (8, 8), np.uint8)).save(folder / name / f"{i}.png")


def test_pickles_are_not_read(run, tmp_path):
    np.savez(tmp_path / "object.npz", x=np.array([Harmful()] * 20, object), y=np.arange(20))
    (tmp_path / "raw.npz").write_bytes(pickle.dumps(Harmful()))
    with zipfile.ZipFile(tmp_path / "inside.npz", "w") as archive:
        archive.writestr("x.npy", pickle.dumps(Harmful()))
        archive.writestr("y.npy", pickle.dumps(Harmful()))
    for name in ("object", "raw", "inside"):
        for flags in ((), ("--loader=stream",)):
            refused = run("train", f"--dataset={name}.npz", *SMALL, *flags, "--workdir=w", code=2)
            assert refused.stderr.startswith("error:")
            assert f"{name}.npz" in refused.stderr
    run("train", "--dataset=wine", *SMALL, "--workdir=trained")
    for name in ("object", "raw", "inside"):
        run("predict", "--workdir=trained", f"--input={name}.npz", "--output=p.csv", code=2)
    assert not (tmp_path / "hacked").exists()


def test_a_pickle_in_a_checkpoint_or_a_lane_is_not_read(run, tmp_path):
    flags = ("--dataset=wine", *SMALL, "--workdir=w")
    run("train", *flags)
    for path in (tmp_path / "w/checkpoints").rglob("*"):
        if path.is_file():
            path.write_bytes(pickle.dumps(Harmful()))
    run("train", *flags, "--epochs=3", "--resume", code=2)
    sweep = ("--dataset=wine", *SMALL, "--sweep=l2=0.01,0.1", "--workdir=s")
    run("sweep", *sweep)
    results = (tmp_path / "s/lanes.csv").read_bytes()
    lanes = tmp_path / "s/unfinished/lanes"
    lanes.mkdir(parents=True)
    shutil.copy(tmp_path / "s/config.json", tmp_path / "s/unfinished/config.json")
    (lanes / "lane-000000.npz").write_bytes(pickle.dumps(Harmful()))
    np.savez(lanes / "lane-000001.npz", leaf_00000=np.array([Harmful()], object))
    again = run("sweep", *sweep, "--resume")
    assert again.stderr.count("cannot be read") == 2
    assert (tmp_path / "s/lanes.csv").read_bytes() == results
    assert not (tmp_path / "hacked").exists()


@pytest.mark.parametrize(
    "flag",
    [
        f"--model={CODE}", f"--model=mlp(widths=({CODE},))", f"--penalty={CODE}", f"--penalty=l1({CODE})",
        f"--constraint={CODE}", f"--average={CODE}", f"--augment=noise={CODE}", f"--output_penalty={CODE}",
        f"--dataset={CODE}", f"--epochs={CODE}", "--widths=" + "9" * 5000, "--penalty=" + "(" * 1500,
    ],
)  # fmt: skip
def test_flags_are_never_evaluated(run, tmp_path, flag):
    refused = run("train", "--dataset=wine", flag, "--workdir=w", code=2)
    assert len(refused.stderr.splitlines()) == 1
    assert not (tmp_path / "hacked").exists()
    assert not (tmp_path / "w").exists()


def test_a_run_that_was_tampered_with_is_refused_and_not_evaluated(run, tmp_path):
    run("train", "--dataset=wine", *SMALL, "--workdir=w")
    config = json.loads((tmp_path / "w/config.json").read_text())
    for name, value in (("model", CODE), ("model", [CODE]), ("widths", CODE), ("average", CODE), ("model", 7)):
        changed = config | {"flags": config["flags"] | {name: value}}
        (tmp_path / "w/config.json").write_text(json.dumps(changed))
        refused = run("predict", "--workdir=w", "--input=test", "--output=p.csv", code=2)
        assert len(refused.stderr.splitlines()) == 1, refused.stderr
        run("train", "--dataset=wine", *SMALL, "--workdir=w", "--resume", code=2)
    (tmp_path / "w/config.json").write_text(json.dumps(config))
    prepared = json.loads((tmp_path / "w/preprocess.json").read_text())
    schema = prepared["schema"] | {"shape": [10**12]}
    for changed in ([], {}, prepared | {"mean": CODE}, prepared | {"schema": schema}, prepared | {"columns": 3}):
        (tmp_path / "w/preprocess.json").write_text(json.dumps(changed))
        refused = run("predict", "--workdir=w", "--input=test", "--output=p.csv", code=2)
        assert len(refused.stderr.splitlines()) == 1, refused.stderr
    assert not (tmp_path / "hacked").exists()


def test_names_from_files_and_flags_are_text_in_every_page(run, tmp_path):
    classes(tmp_path / f"pets{NASTY.replace('/', '')}", f"cat{NASTY}", f"dog{NASTY}")
    [folder] = tmp_path.glob("pets*")
    flags = (f"--dataset={folder}", "--epochs=1", "--widths=4", "--seeds=2")
    run("compare", *flags, "--techniques=l2", f"--workdir=c{NASTY}")
    run("sweep", *flags, "--sweep=l2=0.01,0.1", f"--workdir=s{NASTY}")
    run("gallery", f"--dataset={folder}", "--images=1", f"--workdir=g{NASTY}")
    for kind in "csg":
        page = (tmp_path / f"{kind}{NASTY}" / "report.html").read_text()
        assert "alert(1)" in page  # it is shown
        for tag, attributes in Tags(page).found:
            assert attributes.get("src") != "x", (kind, tag)
            assert not any(name.startswith("on") for name in attributes), (kind, tag, attributes)


def bomb(width, height):
    """A PNG whose header promises more pixels than it has."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"0")) + chunk(b"IEND", b"")


def test_bombs_and_links_are_refused(run, tmp_path):
    def refused(dataset, message):
        done = run("train", f"--dataset={dataset}", *SMALL, "--workdir=w", code=2)
        assert message in done.stderr
        assert len(done.stderr.splitlines()) == 1

    classes(tmp_path / "pets", "cat", "dog")
    (tmp_path / "pets/cat/z.png").write_bytes(bomb(60_000, 60_000))
    refused("pets", "cat/z.png")
    (tmp_path / "pets/cat/z.png").unlink()
    (tmp_path / "secret.png").write_bytes((tmp_path / "pets/cat/0.png").read_bytes())
    (tmp_path / "pets/cat/z.png").symlink_to("../../secret.png")
    refused("pets", "is a link that leaves the folder")
    (tmp_path / "wide.csv").write_text(",".join(f"c{i}" for i in range(100_001)) + ",target\n")
    refused("wide.csv", "100002 columns, accepted: at most 100000")
    (tmp_path / "field.csv").write_text('a,target\n"' + "1" * 300_000 + '",0\n')
    refused("field.csv", "field.csv")
    for count in (10**10, 10**15):  # promised by the header of an array of 4 bytes
        header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': ({count},), }}".ljust(117) + "\n"
        with zipfile.ZipFile(tmp_path / "bomb.npz", "w") as archive:
            for name in ("x.npy", "y.npy"):
                archive.writestr(name, b"\x93NUMPY\x01\x00v\x00" + header.encode() + b"1234")
        refused("bomb.npz", "bomb.npz")
