from regjax.report.targets import label_table, target_notes, target_table
from tests.report.test_detail_panels import CLASSES, results

BASE = {"targets": [{"name": "price", "r2": 0.5, "mae": 12.5, "rmse": 20.0}, {"name": "weight", "r2": None, "mae": 1.0,
                                                                            "rmse": 2.0}]}  # fmt: skip
BEST = {"targets": [{"name": "price", "r2": 0.75, "mae": 10.0, "rmse": 15.0}, {"name": "weight", "r2": 0.25, "mae": 0.5,
                                                                            "rmse": 1.5}]}  # fmt: skip


def test_the_best_row_stands_above_the_baseline():
    found = target_table(results(baseline=BASE, l2=BEST))
    assert found["label"] == "Test results by target, L2"
    assert [row["title"] for row in found["rows"]] == ["price", "weight"]
    assert [cell["text"] for cell in found["rows"][0]["cells"]] == ["0.75", "10", "15"]
    assert [cell["small"] for cell in found["rows"][0]["cells"]] == ["baseline 0.5", "baseline 12.5", "baseline 20"]
    assert "None" not in found["rows"][1]["cells"][0]["small"]
    alone = target_table(results(baseline=BASE))
    assert all(not cell["small"] for row in alone["rows"] for cell in row["cells"])
    assert target_table(results(baseline=CLASSES)) is None


def test_the_page_says_that_the_metric_is_a_mean():
    (note,) = target_notes({"settings": {"targets": ["price", "weight"]}})
    assert note.startswith("2 targets: price and weight. R² is the mean of theirs")
    (note,) = target_notes({"settings": {"targets": [f"t{i}" for i in range(20)]}})
    assert "t7 and 12 more" in note
    assert target_notes({"settings": {"targets": None}}) == []


def test_labels_have_their_rates_in_percent():
    one = {"name": "wet", "base_rate": 0.25, "precision": 0.8, "recall": 0.5, "f1": 0.615, "examples": 20.0}
    none = {"name": "hot", "base_rate": 0.0125, "precision": None, "recall": 0.0, "f1": 0.0, "examples": 1.0}
    found = label_table(results(baseline={"labels": [one | {"recall": 0.25}, none]}, l2={"labels": [one, none]}))
    assert [row["title"] for row in found["rows"]] == ["wet", "hot"]
    assert [cell["text"] for cell in found["rows"][0]["cells"]] == ["20", "25.0", "80.0", "50.0", "61.5"]
    assert found["rows"][0]["cells"][3]["small"] == "baseline 25.0"
    assert "None" not in str(found["rows"][1]["cells"])
    assert label_table(results(baseline=CLASSES)) is None


def test_the_page_says_what_label_accuracy_is():
    (note,) = target_notes({"task": "multilabel", "settings": {"targets": ["wet", "hot"]}})
    assert note.startswith("2 labels: wet and hot. Label accuracy is the share of all labels that are right")
