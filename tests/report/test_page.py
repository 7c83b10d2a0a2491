import os

import jinja2
import pytest

from regjax.report.page import clean, figure, render, reproduce, write
from regjax.report.panels import Panel
from regjax.report.style import DARK, LIGHT


def test_strings_are_escaped_and_the_palettes_are_there():
    facts = {"command": "train --dataset=<b>", "facts": [("Seeds", "1 & 2")], "runs": [], "exact": False}
    text = render("base.html", {"reproduce": facts})
    assert "<b>" not in text
    assert "--dataset=&lt;b&gt;" in text
    assert "1 &amp; 2" in text
    assert LIGHT["ink"] in text
    assert DARK["ink"] in text


def test_a_missing_variable_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="reproduce"):
        render("base.html", {})


def test_a_picture_is_not_escaped():
    made = figure(Panel("a", "<title>", "text", lambda axes, palette: None, note="note"))
    assert (made["title"], made["note"]) == ("<title>", "note")
    assert made["svg"].__html__().startswith("<svg")


def test_the_facts_that_there_are():
    row = {"title": "L2", "commands": ["train --seed=0"]}
    made = reproduce(
        {
            "reproduce": {"command": "compare", "seeds": 10, "commit": None, "devices": ["cpu"], "seconds": 61.0},
            "versions": {"jax": "0.7", "numpy": "2.3"},
            "baseline": {"title": "baseline"},
            "techniques": {"l2": row},
        }
    )
    assert dict(made["facts"]) == {
        "Seeds": "10",
        "Packages": "jax 0.7, numpy 2.3",
        "Devices": "cpu",
        "Took": "1 min 1 s",
    }
    assert (made["command"], made["exact"]) == ("compare", True)
    assert made["runs"] == [("L2", ["train --seed=0"])]
    assert reproduce({"reproduce": {}}) is reproduce({}) is None


@pytest.mark.parametrize(
    ("seeds", "devices", "exact"),
    [([3, 5], "cpu", True), ([3, 5], ["cpu:0", "cpu:1"], False), ([3, 5], None, False)],
)
def test_lists_become_text_and_only_one_processor_is_exact(seeds, devices, exact):
    made = reproduce({"reproduce": {"seeds": seeds, "devices": devices}})
    facts = dict(made["facts"])
    assert facts["Seeds"] == "3, 5"
    assert facts.get("Devices") == (", ".join(devices) if isinstance(devices, list) else devices)
    assert made["exact"] == exact


def test_control_characters_are_replaced_everywhere():
    made = clean({"a\x00": ["b\x1b", ("c\n\t", 1.5, None)], "\ud800": "é😀"})
    assert made == {"a\N{REPLACEMENT CHARACTER}": ["b\N{REPLACEMENT CHARACTER}", ["c\n\t", 1.5, None]],
                    "\N{REPLACEMENT CHARACTER}": "é😀"}  # fmt: skip


def test_a_file_appears_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "new" / "page.html"
    assert write(path, "é") == path
    assert path.read_text(encoding="utf-8") == "é"

    def fails(*_):
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", fails)
    with pytest.raises(OSError, match="no space"):
        write(path, "other")
    assert path.read_text(encoding="utf-8") == "é"
