import re

import pytest

from regjax.report.claims_page import write_claims_report
from tests.report.test_claims_words import case, claim

PICTURE = {
    "title": "Losses", "x_label": "epoch", "y_label": "loss", "x": [0.0, 1.0, 2.0], "log_x": False, "log_y": True,
    "mark": 1.0, "lines": {"training": [3.0, 2.0, 1.0], "test": [3.0, 2.5, None]},
}  # fmt: skip


@pytest.fixture
def page(tmp_path):
    def made(*claims):
        results = {"claims": list(claims), "seeds": [0, 1], "tests": 10, "level": 0.05}
        return write_claims_report(results, tmp_path / "w").read_text()

    return made


def test_a_claim_has_its_verdict_effects_curves_and_command(page, tmp_path):
    cases = [case("first"), case("second", "contradicted", -3.0, (-4.0, -2.0)), case("third", "not shown")]
    text = page(claim(*cases, verdict="depends on", pictures=[PICTURE]))
    assert "depends on the circumstance" in text
    for label in ("first", "second", "third"):
        assert text.count(label) >= 3  # sentence, figure and list
    assert re.search("<summary>Curves</summary>", text)
    assert "regjax claims" in text
    assert (tmp_path / "w/figures/a.png").stat().st_size > 1000
    assert (tmp_path / "w/figures/a_curves.png").stat().st_size > 1000


def test_small_effects_and_controls_are_marked(page):
    cases = [
        case("first"),
        case("second", "below the margin", 0.5, (0.2, 0.8)),
        case("third", "contradicted") | {"control": True},
    ]
    text = page(claim(*cases, verdict="depends on"))
    assert "depends on the circumstance: supported in 1 of 2" in text
    [mark] = re.findall(r'<li><span class="(\w+)"><span [^>]*></span>control: contradicted', text)
    assert mark == "untested"  # not that of a contradiction
    assert "is shown to be above 0 and below" in text


def test_names_are_escaped_and_ids_unique(page):
    text = page(claim(statement="<b>It</b> helps."), claim(name="b", chapter="Other", relation="within"))
    assert "<b>It</b>" not in text
    ids = re.findall(r'\bid="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    assert {"a", "b", "chapter-0", "chapter-1"} <= set(ids)


def test_an_effect_without_a_number_is_said(page):
    none = case("there", "not shown", None, (None, None), "3 of 20 runs have no number")
    assert "there: 3 of 20 runs have no number" in page(claim(none | {"values": [1.0, None]}, verdict="not shown"))
