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
