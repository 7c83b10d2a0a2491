from regjax.comparison.reference_notes import CONSTANT, LINEAR, RARE, reference_notes


def test_a_rare_class_is_noticed():
    def notes(accuracy):
        references = {CONSTANT: {"accuracy": accuracy}, LINEAR: {"accuracy": 0.97}}
        rows = {"baseline": {"balanced_accuracy": 0.5, "average_precision": 0.25}}
        return reference_notes("accuracy", {"baseline": "baseline"}, rows, references)

    assert len(notes(1 - RARE)) == 1
    assert "constant guess 90, linear model 97" in notes(0.9)[0]
    assert "95% accuracy" in notes(0.95)[1]
    assert "baseline 50." in notes(0.95)[1]
    assert "baseline 25." in notes(0.95)[1]
    assert reference_notes("r2", {}, {}, {}) == []


def test_the_class_of_a_metric_and_a_constant_guess_that_is_not_beaten_are_named():
    rows = {"baseline": {"f1": 0.964}, "l2": {"f1": 0.979}}
    references = {CONSTANT: {"f1": 0.979, "accuracy": 0.6}}
    notes = " ".join(reference_notes("f1", dict.fromkeys(rows, ""), rows, references, "well"))
    assert "that of 'well'" in notes
    assert "No row has a better mean than the constant guess" in notes
    rows["l2"]["f1"] = 0.98
    assert "No row" not in " ".join(reference_notes("f1", dict.fromkeys(rows, ""), rows, references))
    losses = {"baseline": {"mae": 0.5}}
    assert "No row" not in " ".join(reference_notes("mae", {"baseline": ""}, losses, {CONSTANT: {"mae": 0.6}}))
    assert "No row" in " ".join(reference_notes("mae", {"baseline": ""}, losses, {CONSTANT: {"mae": 0.4}}))
