"""The kept records of repeated tables: their rows, ranges and verdicts are those of the modules."""

import importlib
import json
import sys
from pathlib import Path

import pytest

from experiments.reproduce.published import compared

ROOT = Path(__file__).resolve().parents[3]
RECORDS = ROOT / "experiments/records/reproduce"
sys.path.insert(0, str(ROOT / "scripts/docs"))
from reproduce_tables import NAMES  # noqa: E402

sys.path.remove(str(ROOT / "scripts/docs"))


def test_every_record_is_on_the_page_and_has_a_module():
    assert sorted(path.stem for path in RECORDS.glob("*.json")) == sorted(NAMES)
    page = (ROOT / "scripts/docs/pages/reproductions.md").read_text()
    for name in NAMES:
        assert page.count(f"<!-- record: reproduce_{name} -->") == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_record_is_what_its_module_compares(name):
    publication = importlib.import_module(f"experiments.reproduce.{name}").PUBLICATION
    content = json.loads((RECORDS / f"{name}.json").read_text())
    assert content["publication"] == {k: v for k, v in publication._asdict().items() if k != "numbers"}
    for number, row in zip(publication.numbers, content["rows"], strict=True):
        again = compared(number, row.get("runs", row["measured"]))
        for key in ("row", "published", "where", "expected", "repeated"):
            assert again[key] == row[key], (number.row, key)
        assert again["measured"] == pytest.approx(row["measured"], rel=1e-8)
    assert content["reproduce"]["commit"]


@pytest.mark.parametrize("name", NAMES)
def test_a_record_has_no_path_of_one_machine(name):
    text = (RECORDS / f"{name}.json").read_text()
    assert "/tmp" not in text
    assert "/work" not in text
