"""Tables of figures are those of their records: written anew, checked, and made again by the command of the record."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from regjax import catalog

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
BENCHMARKS = "scripts/docs/pages/benchmarks.md"
DENSE = next(
    row for row in json.loads((ROOT / "experiments/records/bench.json").read_text()) if row["case"] == "dense_step"
)
DIGITS = json.loads((ROOT / "experiments/records/digits/results.json").read_text())


@pytest.fixture
def copy(tmp_path):
    """A copy of what the script reads and writes; the library is the real one."""
    root = tmp_path / "copy"
    ignore = shutil.ignore_patterns("__pycache__")
    for folder in ("scripts", "experiments"):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignore)
    shutil.copy(ROOT / "README.md", root)
    (root / "regjax").symlink_to(ROOT / "regjax")
    return root


def records(root: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "scripts/records", *arguments]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def edit(file: Path, old: str, new: str) -> int:
    """Replace a text that occurs; the number of its line."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*.md")}


def test_the_tables_are_those_of_the_records():
    records(ROOT, "--check")


def test_it_is_executable_and_needs_nothing_but_python():
    assert os.access(ROOT / "scripts/records", os.X_OK)
    subprocess.run([sys.executable, "-I", "-S", "scripts/records", "--check"], cwd=ROOT, check=True)


def test_every_record_stands_somewhere(copy):
    text = "".join(content.decode() for content in files(copy).values())
    for name in ("digits", "bench", "speed_goals", "profiles", "unreached_entries"):
        assert f"<!-- record: {name} -->" in text
    for listed in (catalog.AUGMENTATIONS, catalog.NOISES, catalog.OUTPUT_PENALTIES, catalog.PENALTIES):
        for name in listed:
            assert f"\n| `{name}` |" in text


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("README.md", f"| {100 * DIGITS['baseline']['test']['mean']:.1f} |", "| 99.9 |"),
        ("README.md", f"{DIGITS['seconds']:.0f} seconds", "0 seconds"),
        ("README.md", "| dropout |", "| drop out |"),
        (BENCHMARKS, f"| {DENSE['ours']:.1f} ms |", "| 0.1 ms |"),
        ("scripts/docs/pages/penalties.md", "| 76% |", "| 6% |"),
        ("scripts/docs/pages/noise.md", "| `dropout` |", "| `drop` |"),
    ],
)
def test_a_table_edited_by_hand_is_named_with_its_line_and_mended(copy, file, old, new):
    before = files(copy)
    line = edit(copy / file, old, new)
    done = records(copy, "--check", code=1)
    assert done.stderr.count("\n") == 1
    assert f"{file}:{line}: " in done.stderr
    assert new.strip("| ") in done.stderr
    assert files(copy) != before  # --check writes nothing
    records(copy)
    assert files(copy) == before
    records(copy, "--check")


def test_a_line_too_many_is_named(copy):
    line = edit(copy / "README.md", "| baseline |", "| mine | | 1 | 2 | 3 | 4 | 5 | 6% |\n| baseline |")
    assert f"README.md:{line}: " in records(copy, "--check", code=1).stderr


def test_a_table_older_than_its_record_is_named(copy):
    file = copy / "experiments/records/bench.json"
    rows = json.loads(file.read_text())
    rows[0]["ours"] *= 2
    file.write_text(json.dumps(rows))
    assert BENCHMARKS in records(copy, "--check", code=1).stderr
    records(copy)
    assert f"| {2 * DENSE['ours']:.1f} ms |" in (copy / BENCHMARKS).read_text()


def test_a_peer_that_was_not_installed_is_left_out(copy):
    file = copy / "experiments/records/bench.json"
    rows = json.loads(file.read_text())
    for row in rows:
        row["peers"] = dict.fromkeys(row["peers"])
        row["quality"]["peers"] = dict.fromkeys(row["peers"])
    file.write_text(json.dumps(rows))
    records(copy)
    assert f"| {DENSE['ours']:.1f} ms | | | {DENSE['fraction_of_floor']:.2f} |" in (copy / BENCHMARKS).read_text()


@pytest.mark.parametrize("content", [None, "{"])
def test_a_record_that_cannot_be_read_is_named(copy, content):
    file = copy / "experiments/records/bench.json"
    file.unlink()
    if content:
        file.write_text(content)
    done = records(copy, "--check", code=2)
    assert done.stderr.count("\n") == 1
    assert "bench.json" in done.stderr


def test_files_of_one_record_that_disagree_are_refused(copy):
    edit(copy / "experiments/records/digits/table.csv", "dropout,0.9,,0.97", "dropout,0.9,,0.98")
    for flags in ([], ["--check"]):
        done = records(copy, *flags, code=2)
        assert "table.csv" in done.stderr
        assert "dropout" in done.stderr


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("<!-- record: bench -->", "<!-- record: bnch -->", "'bnch' is no record"),
        (
            "<!-- record: bench -->",
            "<!-- catalogue: bench -->",
            "'bench' is no catalogue; accepted: losses, augmentations",
        ),
        ("<!-- end -->", "", "<!-- end -->"),
    ],
)
def test_a_mark_that_cannot_be_read_is_refused(copy, old, new, named):
    edit(copy / BENCHMARKS, old, new)
    before = files(copy)
    done = records(copy, code=2)
    assert BENCHMARKS in done.stderr
    assert named in done.stderr
    assert files(copy) == before


@pytest.mark.parametrize("arguments", [["--run", "bench"], ["--check", "--run", "digits"], ["digits"]])
def test_what_it_cannot_do_is_refused(copy, arguments):
    records(copy, *arguments, code=2)


@pytest.mark.parametrize("command", ["rm -r x", "python -m http.server", "python -m experiments.train --workdir=w", ""])
def test_only_a_comparison_is_run(copy, command):
    change_command(copy, command)
    done = records(copy, "--run", "digits", code=2)
    assert "results.json" in done.stderr


def change_command(root: Path, command: str) -> None:
    file = root / "experiments/records/digits/results.json"
    record = json.loads(file.read_text())
    record["reproduce"]["command"] = command
    file.write_text(json.dumps(record))


def test_a_record_is_made_anew_by_its_own_command(copy):
    small = "--seeds=2 --epochs=2 --techniques=l2 --grid=l2=0.01,0.1"
    change_command(copy, f"python -m experiments.compare --workdir=runs/digits --overwrite {small}")
    records(copy, "--run", "digits")
    record = json.loads((copy / "experiments/records/digits/results.json").read_text())
    assert record["seeds"] == 2
    assert set(record["techniques"]) == {"l2"}
    assert record["reproduce"]["command"].endswith(small)
    assert (copy / "experiments/records/digits/table.csv").read_text().count("\n") == 3
    assert (copy / "runs/digits/figures/improvement.png").read_bytes() == (
        copy / "experiments/records/digits/improvement.png"
    ).read_bytes()
    readme = (copy / "README.md").read_text()
    assert "2 runs, 8 updates" in readme
    assert "| early stopping |" not in readme
    records(copy, "--check")
    # A command that fails leaves the record as it was.
    change_command(copy, "python -m experiments.compare --workdir=runs/digits --overwrite --seeds=0")
    before = (copy / "experiments/records/digits/results.json").read_bytes()
    assert "--seeds=0" in records(copy, "--run", "digits", code=2).stderr
    assert (copy / "experiments/records/digits/results.json").read_bytes() == before
