from regjax.report.metrics_table import metrics_table

RESULTS = {
    "baseline": {"name": "baseline", "title": "baseline"},
    "techniques": {"l2": {"name": "l2", "title": "L2 in the loss"}},
    "metrics": {"baseline": {"accuracy": 0.9, "log_loss": 0.25}, "l2": {"accuracy": 0.95, "log_loss": 0.125}},
    "references": {"linear model": {"accuracy": 0.875, "log_loss": None}},
}


def test_rows_and_references_share_the_columns():
    found = metrics_table(RESULTS)
    assert [column["name"] for column in found["columns"]] == ["", "accuracy", "log loss"]
    cells = [[row["title"], *(cell["text"] for cell in row["cells"])] for row in found["rows"]]
    assert cells[:2] == [["baseline", "90.0", "0.25"], ["L2 in the loss", "95.0", "0.125"]]
    assert cells[2][0] == "linear model (reference)"
    assert cells[2][1] == "87.5"
    assert cells[2][2] not in ("nan", "None")
    assert [cell["label"] for cell in found["rows"][0]["cells"]] == ["accuracy, %", "log loss"]


def test_results_without_metrics_have_no_table():
    assert metrics_table(RESULTS | {"metrics": {}, "references": {}}) is None
    assert len(metrics_table(RESULTS | {"references": {}})["rows"]) == 2
