"""Whether a number counts as repeated, on numbers whose answer is known."""

import json
import math
import re
import sys
import time
from pathlib import Path

import pytest
from scipy import stats

from experiments.reproduce.published import Publication, Published, around, compared, printed, record, rounded

SCRIPTS = Path(__file__).resolve().parents[3] / "scripts/docs"


def test_a_printed_number_is_repeated_where_it_rounds_to_it():
    number = printed("R2", 0.585, 3, "p. 1")
    assert compared(number, 0.5846)["repeated"]
    assert compared(number, 0.5854)["repeated"]
    assert compared(number, 0.5845)["repeated"]  # a bound counts
    assert not compared(number, 0.58449)["repeated"]
    assert not compared(number, 0.58551)["repeated"]
    negative = printed("slope", -212.434, 3, "p. 1")
    assert compared(negative, -212.4341)["repeated"]
    assert not compared(negative, -212.435)["repeated"]


def test_several_runs_are_judged_by_their_mean_with_students_interval():
    row = compared(around("error", 1.6, 0.15, "Table 1"), [1.5, 1.6, 1.9])
    assert row["measured"] == pytest.approx(5 / 3)
    assert row["repeated"]
    low, high = stats.t.interval(0.95, 2, loc=5 / 3, scale=stats.sem([1.5, 1.6, 1.9]))
    assert row["ci95"] == pytest.approx([low, high])
    assert row["runs"] == [1.5, 1.6, 1.9]
    assert not compared(around("error", 1.6, 0.05, "Table 1"), [1.5, 1.6, 1.9])["repeated"]


def test_what_is_not_finite_is_not_repeated():
    row = compared(around("loss", 1.0, 10.0, "x"), math.nan)
    assert not row["repeated"]
    assert row["measured"] is None
    with pytest.raises(ValueError, match="nothing was measured"):
        compared(around("loss", 1.0, 10.0, "x"), [])


def test_a_record_has_every_row_and_no_other():
    about = Publication("A", "doi:1", "%", "theirs.", "ours.", (around("a", 1, 1, "x"), around("b", 2, 1, "x")))
    content = record("name", about, {"a": 1.0, "b": [4.0, 5.0]}, time.time(), more=[1])
    assert [row["repeated"] for row in content["rows"]] == [True, False]
    assert content["more"] == [1]
    assert content["reproduce"]["command"].startswith("python -m experiments.reproduce.name")
    with pytest.raises(ValueError, match="'b'"):
        record("name", about, {"a": 1.0}, time.time())
    with pytest.raises(ValueError, match="'c'"):
        record("name", about, {"a": 1.0, "b": 1.0, "c": 1.0}, time.time())


def test_rounding_keeps_significant_digits():
    assert rounded(1 / 3e5) == 3.333333333e-06
    assert rounded(math.inf) is None


def test_the_table_says_how_many_numbers_are_repeated(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(SCRIPTS), *sys.path])
    from reproduce_tables import reproduction

    about = Publication("A", "doi:1", "%", "theirs.", "ours.", (around("a", -1, 1, "x"), Published("b", 2, 1, 3, "y")))
    (tmp_path / "reproduce").mkdir()
    content = record("name", about, {"a": -1.5, "b": [4.0, 5.0]}, time.time())
    (tmp_path / "reproduce/name.json").write_text(json.dumps(content))
    text = "\n".join(reproduction("name", tmp_path, "records"))
    assert "| a | x | −1 | −2 to 0 | −1.5 | yes |" in text
    assert "| b | y | 2 | 1 to 3 | 4.5 (−1.8531 to 10.8531) | **no** |" in text
    assert "1 of 2 numbers are repeated" in text


def test_a_long_table_is_folded_and_what_failed_stands_above_it(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", [str(SCRIPTS), *sys.path])
    from reproduce_tables import FEW, reproduction

    numbers = tuple(around(f"row {i}", i, 0.5, "x") for i in range(FEW + 1))
    (tmp_path / "reproduce").mkdir()
    for failed in (None, 3):
        measured = {f"row {i}": float(i) + (i == failed) for i in range(FEW + 1)}
        content = record("name", Publication("A", "doi:1", "%", "theirs.", "ours.", numbers), measured, time.time())
        (tmp_path / "reproduce/name.json").write_text(json.dumps(content))
        above, folded = "\n".join(reproduction("name", tmp_path, "records")).split("<details>")
        assert len(re.findall(r"\| row \d", folded)) == FEW + 1
        assert len(re.findall(r"\| row \d", above)) == (failed is not None)
        assert ("| row 3 | x | 3 | 2.5 to 3.5 | 4 | **no** |" in above) == (failed == 3)
