from regjax.report.detail_tables import (
    class_table,
    detail_captions,
    importance_table,
    mistake_pictures,
    mistake_table,
)
from tests.report.test_detail_panels import CLASSES, results

MISTAKE = {
    "example": 7, "label": "<b>", "predicted": "yes", "confidence": 0.925, "wrong": 2, "tested": 3,
    "inputs": {"age": 20.5, "city": "Rome"},
}  # fmt: skip


def texts(line):
    return [cell["text"] for cell in line["cells"]]


def test_classes_have_their_rates_beside_those_of_the_baseline():
    made = class_table(results(baseline=CLASSES, l2=CLASSES))
    assert "L2" in made["label"]
    assert texts(made["rows"][0]) == ["8", "85.7", "75.0", "80.0"]
    assert texts(made["rows"][1])[3] == "–"
    assert made["rows"][0]["cells"][1]["small"] == "baseline 85.7"
    alone = class_table(results(baseline=CLASSES))
    assert alone["rows"][0]["cells"][1]["small"] == ""
    assert class_table(results()) is None


def test_mistakes_are_rows_or_pictures():
    rows = results(baseline=CLASSES, l2=CLASSES | {"mistakes": [MISTAKE]})
    (line,) = mistake_table(rows)["rows"]
    assert line["title"] == "example 7"
    assert texts(line)[:4] == ["<b>", "yes", "92", "2 of 3"]
    assert "age 20.5; city Rome" in line["cells"][4]["small"]
    assert mistake_pictures(rows) == []
    images = results(baseline=CLASSES | {"mistakes": [{**MISTAKE, "image": "AAAA"}]})
    assert mistake_table(images) is None
    (picture,) = mistake_pictures(images)
    assert picture["src"] == "data:image/png;base64,AAAA"
    assert "<b> taken for yes (92%), in 2 of 3 runs" in picture["text"]
    assert mistake_table(results(baseline=CLASSES)) is None


def test_the_most_important_columns_come_first():
    def of(mean):
        return {"mean": mean, "ci95": [mean - 0.01, mean + 0.01]}

    rows = {"baseline": [of(0.02), of(0.1)], "l1": [of(0.0), of(0.12)]}
    made = importance_table(results() | {"importance": {"columns": ["age", "city"], "rows": rows}})
    assert [line["title"] for line in made["rows"]] == ["city", "age"]
    assert texts(made["rows"][0]) == ["10.0", "12.0"]
    assert made["rows"][0]["cells"][1]["small"] == "11.0 to 13.0"
    assert [column["name"] for column in made["columns"]] == ["", "baseline", "L1"]
    assert importance_table(results()) is None


def test_captions_follow_the_metric_and_the_number_of_runs():
    made = detail_captions(results(baseline=CLASSES))
    assert "best row on validation" in made["details_text"]
    assert "class yes against the other" in made["ranking_caption"]
    assert "falls" in made["importance_text"]
    lower = detail_captions(results(baseline=CLASSES) | {"metric": "log_loss", "seeds": 1})
    assert "rises" in lower["importance_text"]
    assert "interval" not in str(lower)


def test_it_is_said_that_not_all_targets_have_a_figure():
    shown, other = {"name": "a", "r2": 0.5, "points": [[1.0, 2.0]]}, {"name": "b", "r2": 0.25}
    text = detail_captions(results(baseline={"targets": [shown, shown, other]}))["details_text"]
    assert "The figures show the first 2 of the 3 targets, the table all of them." in text
    assert "figures" not in detail_captions(results(baseline={"targets": [shown, shown]}))["details_text"]
