"""The benchmark script runs, says what it measured in the format of its rows, and refuses what it cannot do."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[3]
KEYS = {
    "case",
    "unit",
    "ours",
    "variants",
    "peers",
    "rounds",
    "ratio_to_best_peer",
    "fraction_of_floor",
    "quality",
    "compile_seconds",
    "versions",
}
CASES = {
    *("dense_step", "conv_step", "sweep_64", "sweep_512", "tables", "early_stop_reclaim", "penalties", "dropout"),
    *("augment", "scaling", "lasso_path", "loading", "checkpoint", "verify", "resume", "cold_start"),
    *("resnet_step", "vit_step", "load_csv", "load_images"),
}


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "bench.py"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=dict(os.environ))


def test_help_names_every_flag_without_loading_jax():
    done = subprocess.run(
        [sys.executable, "-X", "importtime", str(ROOT / "scripts" / "bench.py"), "--help"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0
    for flag in ("--only", "--json", "--against", "--tolerance", "--brief", "--quick", "--list", "--data_dir", "--all"):
        assert flag in done.stdout
    assert " jax" not in done.stderr
    assert " numpy" not in done.stderr


def test_list_names_every_case():
    done = bench("--list")
    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines()} == CASES


@pytest.mark.parametrize(("name", "suggestion"), [("dense_stp", "dense_step"), ("sweep64", "sweep_64")])
def test_an_unknown_case_is_refused_with_the_nearest_name(name: str, suggestion: str):
    done = bench(f"--only={name}")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert f"did you mean '{suggestion}'?" in done.stderr


def test_a_json_file_in_no_directory_is_refused_before_anything_is_measured(tmp_path: Path):
    done = bench("--only=augment", f"--json={tmp_path}/absent/rows.json")
    assert done.returncode == 2
    assert "its directory does not exist" in done.stderr


def test_a_record_that_is_none_is_refused_before_anything_is_measured(tmp_path: Path):
    (tmp_path / "rows.json").write_text('{"case": 3}')
    for name in ("rows.json", "absent.json"):
        done = bench("--only=augment", f"--against={tmp_path / name}")
        assert done.returncode == 2
        assert f"--against={tmp_path / name}: not rows from --json" in done.stderr
        assert "case " not in done.stdout


def test_a_record_without_rounds_is_no_comparison(tmp_path: Path):
    """It would pass whatever is measured."""
    (tmp_path / "rows.json").write_text(json.dumps([{"case": "dense_step", "ours": 1.0}]))
    done = bench("--only=dense_step", "--only=conv_step", f"--against={tmp_path / 'rows.json'}")
    assert done.returncode == 2
    assert "without rounds of dense_step, conv_step" in done.stderr


def test_a_run_is_compared_with_its_record(tmp_path: Path):
    """Against its own rows, and against the same with ours ten thousand times as fast."""
    path = tmp_path / "rows.json"
    assert bench("--only=dense_step", "--brief", "--quick", f"--json={path}").returncode == 0
    done = bench("--only=dense_step", "--brief", "--quick", f"--against={path}", "--tolerance=50")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "against the record: not slower" in done.stdout
    (row,) = json.loads(path.read_text())
    assert set(row["rounds"]) == {"ours", "floor"}
    row["rounds"]["ours"] = [value / 10_000 for value in row["rounds"]["ours"]]
    path.write_text(json.dumps([row]))
    done = bench("--only=dense_step", "--brief", "--quick", f"--against={path}", "--tolerance=50")
    assert done.returncode == 1
    assert "SLOWER" in done.stdout


def test_a_case_that_needs_data_is_skipped_by_name():
    done = bench("--only=loading")
    assert done.returncode == 0
    assert "skipped: needs --data_dir" in done.stdout


def test_a_row_has_the_agreed_format(tmp_path: Path):
    path = tmp_path / "rows.json"
    done = bench("--only=augment", "--quick", f"--json={path}")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(path.read_text())
    assert set(row) == KEYS
    assert row["case"] == "augment"
    assert row["ours"] > 0
    assert set(row["peers"]) == {"pillow", "kornia"} == set(row["quality"]["peers"])
    measured = [value for value in row["peers"].values() if value is not None]
    assert row["ratio_to_best_peer"] == pytest.approx(min(measured) / row["ours"], rel=1e-3)
    # Both draw operations image by image, so they change the images alike.
    assert row["quality"]["peers"]["pillow"] == pytest.approx(row["quality"]["ours"], rel=0.1)
    assert row["compile_seconds"] >= 0
    assert {"jax", "python", "cpu", "cores", "date"} <= set(row["versions"])
    missing = [name for name, value in row["peers"].items() if value is None]
    assert all(f"missing: {name}" in done.stdout for name in missing)
