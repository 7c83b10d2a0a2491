from regjax.report.detail_panels import confusions, detail_rows, ranking_curves, residual_panels


def results(**details):
    row = {"name": "baseline", "title": "baseline"}
    techniques = {"l2": {"name": "l2", "title": "L2 (in the loss)"}, "l1": {"name": "l1", "title": "L1"}}
    return {"baseline": row, "techniques": techniques, "details": details, "metric": "accuracy", "seeds": 3}


CLASSES = {
    "classes": ["no", "yes"],
    "confusion": [[6, 2], [1, 1]],
    "per_class": [
        {"name": "no", "precision": 0.857, "recall": 0.75, "f1": 0.8, "examples": 8.0},
        {"name": "yes", "precision": 0.333, "recall": 0.5, "f1": None, "examples": 2.0},
    ],
    "roc": {"x": [0.0, 1.0], "mean": [0.5, 1.0], "low": [0.2, 1.0], "high": [0.8, 1.0]},
    "precision_recall": {"x": [0.0, 1.0], "mean": [1.0, 0.2], "low": [None, None], "high": [None, None]},
    "roc_auc": {"mean": 0.75, "ci95": [0.5, 0.9]},
    "average_precision": {"mean": 0.6, "ci95": [None, None]},
    "mistakes": [],
}


def test_the_rows_are_in_the_order_of_the_table():
    assert [title for title, _ in detail_rows(results(l2=CLASSES, baseline=CLASSES))] == ["baseline", "L2"]
    assert detail_rows({"baseline": {"name": "baseline", "title": "baseline"}, "techniques": {}}) == []


def test_a_confusion_matrix_names_the_largest_confusions_first():
    both = confusions(results(baseline=CLASSES, l2=CLASSES))
    assert [panel.title for panel in both] == ["baseline", "L2"]
    assert "yes as no 50%; no as yes 25%" in both[0].description
    assert both[0].inline().startswith("<svg")
    assert confusions(results(baseline=CLASSES | {"confusion": None})) == []


def test_curves_have_the_area_with_its_interval():
    roc, precision = ranking_curves(results(baseline=CLASSES, l2=CLASSES))
    assert "baseline 75.0% (50.0 to 90.0), L2 75.0%" in roc.note
    assert precision.note == "average precision: baseline 60.0%, L2 60.0%"
    assert precision.inline()
    assert ranking_curves(results(baseline={"classes": ["a"]})) == []


def test_residuals_share_their_axes():
    of = {"points": [[1.0, 2.0], [3.0, 2.5]], "residuals": {"5": -1, "25": -0.5, "50": 0.1, "75": 0.5, "95": 1}}
    far = of | {"points": [[1.0, 20.0]]}
    panels = residual_panels(results(baseline=of, l2=far))
    assert "−0.5 to 0.5" in panels[0].note
    assert panels[1].inline()
    assert residual_panels(results(baseline=CLASSES)) == []


def test_each_target_has_its_own_axes():
    of = {"points": [[1.0, 2.0], [3.0, 2.5]], "residuals": {"5": -1, "25": -0.5, "50": 0.1, "75": 0.5, "95": 1}}
    far = of | {"points": [[1000.0, 2000.0]], "name": "price"}
    both = {"targets": [far, of | {"name": "weight"}, {"name": "third", "r2": 0.5}]}
    panels = residual_panels(results(baseline=both, l2=both))
    assert [panel.title for panel in panels] == ["price, baseline", "price, L2", "weight, baseline", "weight, L2"]
    assert len({panel.name for panel in panels}) == 4
    assert panels[2].inline() != panels[0].inline()
