import xml.etree.ElementTree as ET

import matplotlib

from regjax.report.panels import Panel, save
from regjax.report.style import PLACEHOLDER


def draw(axes, palette):
    axes.plot([1, 2, 3], [3, 1, 2], "o-", color=palette["train"])
    axes.set_xlabel("x $ & <y>")


PANEL = Panel("one", "title <b>", "what & why", draw)


def test_inline_uses_the_colours_of_the_page():
    text = PANEL.inline()
    assert "var(--train)" in text
    assert not any(colour in text for colour in PLACEHOLDER.values())
    assert "font-family" not in text
    assert "<style" not in text
    assert "width=" not in text.partition(">")[0]
    root = ET.fromstring(text)
    assert root.find("title").text == "title <b>"
    assert root.find("desc").text == "what & why"
    assert "x $ & <y>" in [element.text for element in root.iter("text")]


def test_ids_of_two_panels_do_not_meet():
    other = Panel("two", "t", "d", draw)
    ids = [{e.attrib["id"] for e in ET.fromstring(p.inline()).iter() if "id" in e.attrib} for p in (PANEL, other)]
    assert ids[0]
    assert ids[1]
    assert not ids[0] & ids[1]


def test_user_settings_neither_matter_nor_change(tmp_path):
    before = PANEL.inline()
    with matplotlib.rc_context({"font.size": 30, "axes.grid": True, "svg.fonttype": "path"}):
        assert PANEL.inline() == before
        assert matplotlib.rcParams["font.size"] == 30
    save([PANEL], tmp_path / "only", "t", svg=False)
    assert [p.name for p in tmp_path.iterdir()] == ["only.png"]
