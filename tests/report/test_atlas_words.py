import pytest

from regjax.report.atlas_words import atlas_sentences

RULE = {"beats": False, "constant": "dropout", "mean": -0.01, "ci95": [-0.03, 0.02], "families": 30}


def found(rule=None, **more):
    return {
        "task": "regression", "nearest": ["auto", "wage", "oj"], "of": 12, "margin": 0.02,
        "rule": {**RULE, **(rule or {})},
        "helped": {"dropout": 3, "L2": 2, "mixup": 1, "SAM": 1, "L1": 0},
        "all": {"dropout": 5, "L2": 9, "mixup": 1, "SAM": 4, "L1": 7}, **more,
    }  # fmt: skip


def test_the_three_that_helped_most_are_named():
    said, _ = atlas_sentences(found())
    assert said == (
        "Atlas: on the 3 most similar of 12 other regression data sets (auto, wage and oj) the test loss fell by more "
        "than 2% with dropout on 3 (5 of all 12), L2 on 2 (9 of all 12) and mixup on 1 (1 of all 12)."
    )


def test_where_nothing_helped_it_says_so():
    said, _ = atlas_sentences(found(helped={"dropout": 0, "L2": 0}))
    assert said.endswith("no technique lowered the test loss by more than 2%.")


def test_a_rule_that_is_not_shown_to_be_better_is_no_advice():
    """A loss times exp(0.01) is 1.0% higher, exp(0.03) 3.0% higher, exp(-0.02) 2.0% lower."""
    _, said = atlas_sentences(found())
    assert "is not shown to be better than always dropout" in said
    assert "was 1.0% higher (95% interval 3.0% higher to 2.0% lower)" in said
    assert "does not advise" in said


def test_a_rule_that_is_better_is_said_to_be_with_its_size():
    _, said = atlas_sentences(found({"beats": True, "mean": 0.05, "ci95": [0.02, 0.08]}))
    assert "is shown to be better than always the same technique, such as dropout" in said
    assert "was 4.9% lower (95% interval 2.0% lower to 7.7% lower)" in said
    assert "not shown" not in said


@pytest.mark.parametrize("nothing", [None, {}])
def test_without_an_atlas_nothing_is_said(nothing):
    assert atlas_sentences(nothing) == []
