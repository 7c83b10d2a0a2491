import pytest

from regjax.report.claims_words import counts, effect, finding, headline, how_sure, margin, terminal_lines


def case(label="here", verdict="supported", median=12.34, ci95=(11.0, 13.5), reason=""):
    return {
        "label": label,
        "verdict": verdict,
        "median": median,
        "ci95": list(ci95),
        "reason": reason,
        "values": [12.0, 13.0],
    }


def claim(*cases, verdict="supported", **changes):
    texts = {"chapter": "Chapter", "statement": "It helps.", "hypothesis": "It helps by 10%.", "design": "Nets."}
    numbers = {"unit": "%", "margin": 10.0, "decimals": 1, "relation": "above", "runs": 20, "verdict": verdict}
    rest = {"name": "a", "quantity": "The gain", "literature": "", "command": "regjax claims --only=a", "pictures": []}
    return texts | numbers | rest | {"circumstances": list(cases or [case()])} | changes


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({}, "The gain is shown to be above 10% (here)."),
        ({"relation": "within", "unit": "points"}, "The gain is shown to be within 10 points of zero (here)."),
    ],
)
def test_one_circumstance(changes, text):
    assert finding(claim(**changes)) == text


def test_circumstances_are_grouped_by_verdict():
    cases = [case("a"), case("b", "contradicted"), case("c", "not shown"), case("d")]
    assert finding(claim(*cases)) == (
        "The gain is shown to be above 10% (a; d), is shown to be below 10% (b) and is not shown to be above or below "
        "10% (c)."
    )
    assert finding(claim(case("a"), case("b"))) == "The gain is shown to be above 10% in all 2 circumstances."
    within = claim(case("a", "contradicted"), case("b", "not shown"), relation="within")
    assert finding(within) == (
        "The gain is shown to be more than 10% from zero (a) and is not shown to be within 10% of zero or beyond (b)."
    )


def test_an_effect_has_its_unit_and_interval_or_the_reason_why_there_is_none():
    assert effect(case(), claim()) == "12.3% (11.0 to 13.5)"
    assert (
        effect(case(median=-0.0123, ci95=(-0.02, 0.0)), claim(decimals=2, unit="points"))
        == "−0.01 points (−0.02 to 0.00)"
    )
    none = case(median=None, ci95=(None, None), reason="1 of 20 runs have no number")
    assert effect(none, claim()) == "1 of 20 runs have no number"


def test_margins():
    assert margin(claim()) == "above 10%"
    assert margin(claim(relation="within", margin=0.1, unit="points")) == "within ±0.1 points"


def test_counts_and_headline_agree():
    claims = [claim(verdict=v) for v in ("supported", "contradicted", "contradicted", "not shown")]
    assert counts(claims) == {
        "supported": 1, "below the margin": 0, "contradicted": 2, "depends on": 0, "not shown": 1,
    }  # fmt: skip
    assert headline({"claims": claims}) == (
        "Of 4 claims, 1 is supported, 2 are contradicted, and 1 is neither shown nor contradicted."
    )
    assert headline({"claims": claims[:1]}) == "Of 1 claim, 1 is supported."


def test_the_level_and_the_number_of_tests_are_said():
    text = how_sure({"claims": [claim(), claim(runs=200)], "tests": 142, "level": 0.05})
    assert "20 to 200 runs" in text
    assert "5% divided by the 142 circumstances" in text


def test_a_line_for_each_claim():
    lines = terminal_lines({"claims": [claim(name="ab"), claim(name="abcd", verdict="depends on")]})
    assert lines == ["ab    supported", "abcd  depends on the circumstance"]
