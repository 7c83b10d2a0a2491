import re

import pytest

from regjax.report.row_curves import curves_panel, row_curve_section, row_curve_sentences

SIZES = [50, 100, 200, 400]


def law(floor, scale, rate, misfit=1.0):
    numbers = {"floor": floor, "scale": scale, "rate": rate}
    return {n: {"value": v, "ci95": [0.9 * v, 1.1 * v]} for n, v in numbers.items()} | {"misfit": misfit}


def row(title, floor, scale, rate, equivalent=None):
    losses = [floor + scale * n**-rate for n in SIZES]
    spreads = [{"mean": loss, "ci95": [0.9 * loss, 1.1 * loss], "values": [loss]} for loss in losses]
    return {
        "title": title, "test": spreads, "test_loss": spreads, "law": law(floor, scale, rate),
        "equivalent": equivalent and {"examples": equivalent[0], "ci95": list(equivalent[1:])},
    }  # fmt: skip


def results(equivalent=(640.0, 520.0, 760.0), seeds=10, misfit=1.0):
    rows = {"baseline": row("baseline", 0.1, 2.0, 0.5), "dropout": row("dropout", 0.08, 1.9, 0.5, equivalent)}
    rows["baseline"]["law"]["misfit"] = misfit
    return {
        "seeds": seeds, "metric": "accuracy", "task": "classification", "row_curves": {"sizes": SIZES, "rows": rows},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("equivalent", "shown", "numbers"),
    [
        ((640.0, 520.0, 760.0), True, ["640", "520", "760"]),
        ((250.0, 180.0, 390.0), True, ["250", "180", "390"]),
        ((430.0, 380.0, 520.0), False, ["430", "380", "520"]),
        ((640.0, 520.0, None), True, ["640", "520", "more than 800"]),
        ((1900.0, 900.0, None), True, ["more than 800", "more than 800"]),
        ((20.0, 10.0, 90.0), True, ["fewer than 25", "90"]),
    ],
)
def test_a_technique_is_worth_what_its_interval_says(equivalent, shown, numbers):
    [text] = row_curve_sentences(results(equivalent))
    assert ("not shown" in text) != shown
    assert "Dropout with 400 training examples" in text
    for number in numbers:
        assert number in text
    assert not re.search(r"\b(1,900|None|nan|inf)\b", text)


def test_where_the_baseline_is_no_power_law_no_number_is_named():
    [text] = row_curve_sentences(results(misfit=7.3))
    assert "7.3 standard errors" in text
    assert "640" not in text
    assert "640" in row_curve_sentences(results(misfit=7.3, seeds=6))[0]  # so few runs do not tell


def test_nothing_is_said_without_curves():
    assert row_curve_sentences({}) == []
    assert row_curve_section({}) is None


def test_the_section_has_the_numbers_of_the_results():
    section = row_curve_section(results())
    text = section["panel"].description
    assert f"50: {0.1 + 2.0 * 50**-0.5:.3f}" in text
    assert "dropout" in text
    baseline, dropout = section["table"]["rows"]
    assert [cell["text"] for cell in dropout["cells"]][1:] == ["0.500", "0.080", "640", "1.0"]
    assert dropout["cells"][3]["small"] == "520 to 760"
    assert baseline["cells"][3]["text"] == "–"


def test_without_a_law_the_points_are_shown_alone():
    found = results()
    for own in found["row_curves"]["rows"].values():
        own["law"] = own["equivalent"] = None
    section = row_curve_section(found)
    assert section["table"] is None
    assert section["sentences"] == []
    assert "svg" in curves_panel(found).inline()
