"""The tables of speed say what a record has, here one that is made up."""

import json
import sys
from pathlib import Path

import pytest

SCRIPTS = str(Path(__file__).resolve().parents[3] / "scripts/docs")
sys.path.insert(0, SCRIPTS)
import speed_tables  # noqa: E402

sys.path.remove(SCRIPTS)

VERSIONS = {"cpu": "made up", "cores": 2, "date": "2026-01-01", "jax": "0.0"}


def write(folder: Path, name: str, rows: list[dict]) -> None:
    (folder / name).write_text(json.dumps([row | {"versions": VERSIONS} for row in rows]))


def cells(lines: list[str], start: str) -> list[str]:
    return [cell.strip() for cell in next(line for line in lines if start in line).strip("|").split("|")]


def test_goals_are_compared_in_their_direction(tmp_path):
    dense = {"case": "dense_step", "ours": 10.0, "fraction_of_floor": 0.92}
    dense |= {"peers": {"torch": 17.0, "torch_compile": None, "keras_jax": 14.0}}
    write(tmp_path, "bench.json", [dense, {"case": "resume", "ours": 1.01}, {"case": "checkpoint", "ours": 1.5}])
    lines = speed_tables.goals(tmp_path, "records")
    assert cells(lines, "0.92 of the floor") == ["`dense_step`", "at least 0.92 of the floor", "0.92", "yes"]
    assert cells(lines, "the best peer")[2:] == ["1.40", "yes"]
    assert cells(lines, "with its fastest Adam")[2:] == ["1.70", "no"]
    assert cells(lines, "`resume`") == ["`resume`", "at most 1 s", "1.01", "no"]
    assert cells(lines, "`checkpoint`")[2:] == ["1.50", "yes"]
    assert cells(lines, "`conv_step`")[2:] == ["–", "not measured"]
    assert f"3 of {len(speed_tables.GOALS)} goals are reached" in " ".join(lines)


def test_a_goal_of_what_no_peer_measured_is_not_measured(tmp_path):
    write(tmp_path, "bench.json", [{"case": "conv_step", "ours": 10.0, "peers": {"torch": None}}])
    assert cells(speed_tables.goals(tmp_path, ""), "`conv_step`")[2:] == ["–", "not measured"]


def test_profiles_are_shares_of_an_update(tmp_path):
    kinds = dict.fromkeys(speed_tables._KINDS, 0.0) | {"products": 0.6, "optimizer": 0.2, "waiting": 0.1, "bits": 0.1}
    write(tmp_path, "profiles.json", [{"case": "dense_step", "wall": 1.0, "kinds": kinds, "names": {}}])
    lines = speed_tables.profiles(tmp_path, "")
    found = dict(zip(cells(lines, "an update of"), cells(lines, "a dense net"), strict=True))
    assert (found["ms"], found["matrix products, %"], found["random bits, %"]) == ("1.000", "60.0", "10.0")
    assert sum(float(value) for name, value in found.items() if name.endswith("%")) == pytest.approx(100.0)


def test_what_penalties_add_has_its_range(tmp_path):
    added = {"l2 in the loss": -0.4} | {name: 1.0 + i for i, name in enumerate(speed_tables._PENALTIES)}
    cases = {
        "penalties": {"variants": added},
        "scaling": {"variants": {speed_tables.AMONG: 0.91}},
    }
    text = " ".join(speed_tables._overheads(cases))
    assert "add −0.4 to 4.0%" in text
    assert "proximal L1 1.0%, elastic net 2.0%, MCP 3.0%, and, under momentum, the group lasso 4.0%" in text
    assert "takes 0.91 of the time" in text
    assert speed_tables._overheads({}) == []
