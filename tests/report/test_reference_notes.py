from regjax.report.reference_notes import CONSTANT, LINEAR, RARE, ahead_note, rare_class_note, reference_notes


def results(metric, rows, references, second=None):
    return {"metric": metric, "metrics": rows, "references": references, "settings": {"class_names": ["a", second]}}


def test_a_rare_class_is_noticed():
    def note(accuracy, metric="accuracy", **gain):
        row = {"name": "baseline", "title": "baseline"}
        return rare_class_note(
            {
                "metric": metric,
                "baseline": row,
                "techniques": {"l2": {"name": "l2", "title": "L2", "improvement": gain}},
                "metrics": {"baseline": {"balanced_accuracy": 0.5, "average_precision": 0.25}},
                "references": {CONSTANT: {"accuracy": accuracy}},
            }
        )

    assert note(1 - RARE) == ""
    assert note(0.95, "f1") == ""
    assert "95% accuracy" in note(0.95)
    assert "baseline 50." in note(0.95)
    assert "baseline 25." in note(0.95)
    assert "count as the same" not in note(0.95)
    # Of the five points above the constant guess.
    assert "the 1.0 points that count as the same are 20% of all that can be gained over it" in note(
        0.95, practical=0.01
    )
    assert "are no less than all that can be gained" in note(0.995, practical=0.01)
    assert rare_class_note({"metric": "r2"}) == ""


def test_rare_labels_make_label_accuracy_easy():
    rows = {"baseline": {"accuracy": 0.95, "average_precision": 0.3, "f1": 0.2}}
    found = {
        "task": "multilabel",
        "metric": "accuracy",
        "baseline": {"name": "baseline", "title": "baseline"},
        "techniques": {},
        "metrics": rows,
        "references": {CONSTANT: {"accuracy": 0.94, "f1": 0.0}},
        "settings": {"class_names": ["red", "round"]},
    }
    assert "test label accuracy in %" in reference_notes(found)[0]
    assert rare_class_note(found).startswith("Most labels are rare: always the same guess has 94% label accuracy.")
    assert "baseline 30." in rare_class_note(found)
    assert "second class" not in " ".join(reference_notes(found | {"metric": "f1"}))


def test_models_of_another_kind_are_named_with_their_metric():
    references = {CONSTANT: {"accuracy": 0.9}, LINEAR: {"accuracy": 0.97}}
    (note,) = reference_notes(results("accuracy", {}, references))
    assert "constant guess 90, linear model 97" in note
    assert reference_notes(results("r2", {}, {})) == []


def test_a_reference_that_no_row_beats_is_named():
    references = {CONSTANT: {"r2": -0.2}, LINEAR: {"r2": 0.4}}

    def note(best):
        return ahead_note(results("r2", {"baseline": {"r2": -0.9}, "l2": {"r2": best}}, references))

    assert "than an untuned linear model (0.500 better); the best row has −0.100." in note(-0.1)
    assert "an untuned linear model (0.700 better) and the constant guess (0.100 better)" in note(-0.3)
    assert "(the same)" in note(0.4)
    assert note(0.5) == note(None) == ""  # a row whose metric is not known may be better

    losses = {"baseline": {"mae": 0.5}}
    assert ahead_note(results("mae", losses, {CONSTANT: {"mae": 0.6}})) == ""
    assert "the constant guess (0.100 better)" in ahead_note(results("mae", losses, {CONSTANT: {"mae": 0.4}}))
    assert ahead_note(results("r2", {}, references)) == ""


def test_the_class_of_a_metric_is_named():
    rows, references = {"baseline": {"f1": 0.964}}, {CONSTANT: {"f1": 0.0, "accuracy": 0.6}}
    assert "that of 'well'" in " ".join(reference_notes(results("f1", rows, references, "well")))
    assert len(reference_notes(results("accuracy", {"baseline": {"accuracy": 0.9}}, references, "well"))) == 1
