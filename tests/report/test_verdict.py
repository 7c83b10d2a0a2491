import pytest

from regjax.report.verdict import (
    best_sentence,
    groups,
    headline,
    judge,
    loss_sentence,
    short,
)
from regjax.report.words import Measure


def gain(mean, low, high, p, mde=0.01):
    return {
        "mean": mean,
        "ci95": [low, high],
        "p": p,
        "p_adjusted": p,
        "minimum_detectable_effect": mde,
    }


HELPED = gain(0.05, 0.03, 0.07, 0.01)
NONE = gain(0.01, -0.01, 0.03, 0.4)
HURT = gain(-0.05, -0.07, -0.03, 0.01)
SAME = gain(0.002, -0.004, 0.008, 0.3) | {"practical": 0.01}
UNTESTED = gain(0.05, None, None, None, mde=None)


@pytest.mark.parametrize(
    ("improvement", "status"),
    [
        (HELPED, "helped"),
        (NONE, "none"),
        (HURT, "hurt"),
        (UNTESTED, "untested"),
        (None, "untested"),
        (gain(0.05, 0.03, 0.07, 0.05), "helped"),  # at the level
        (SAME | {"resolution": 0.007}, "same"),
        (SAME | {"resolution": 0.009}, "none"),  # so few examples could miss a change of 1.1 points
        (gain(0.05, 0.03, 0.07, 0.051), "none"),  # the interval alone is not enough
        (gain(0.05, -0.001, 0.101, 0.01), "none"),  # the test alone is not enough
        (gain(0.05, 0.0, 0.1, 0.01), "none"),  # an interval that touches 0 does not exclude it
        ({**gain(0.004, 0.001, 0.007, 0.01), "practical": 0.01}, "same"),  # shown, and too small to matter
        ({**gain(-0.004, -0.009, 0.001, 0.4), "practical": 0.01}, "same"),  # not shown, and small for sure
        ({**gain(-0.004, -0.01, 0.001, 0.4), "practical": 0.01}, "none"),  # an interval that touches the size
        ({**gain(0.009, 0.004, 0.014, 0.01), "practical": 0.01}, "helped"),  # it may be large enough
        ({**gain(0.004, 0.001, 0.007, None), "practical": 0.01}, "untested"),
        ({**gain(0.004, 0.001, 0.007, 0.01), "practical": 0.0}, "helped"),  # every size matters
        (gain(0.0, 0.0, 0.0, 1.0), "none"),  # exactly the baseline in every seed
        (gain(0.02, 0.02, 0.02, 0.002), "helped"),  # the same change in each of ten seeds
        (gain(0.02, 0.02, 0.02, 0.25), "none"),  # the same change in each of three seeds
        (gain(None, None, None, None), "untested"),
        ({**SAME, "observations": 6}, "same"),
        ({**SAME, "observations": 5}, "untested"),  # five runs know their spread too badly
        ({**NONE, "observations": 5}, "untested"),
        (gain(float("nan"), 0.0, 1.0, 0.01), "untested"),
    ],
)
def test_judge(improvement, status):
    assert judge(improvement) == status


def results(metric="accuracy", seeds=10, diagnosis=None, **effects):
    rows = {
        name: {
            "name": name,
            "title": name.replace("_", " "),
            "improvement": effect,
            "loss_improvement": effect,
        }
        for name, effect in effects.items()
    }
    return {"metric": metric, "seeds": seeds, "techniques": rows, "diagnosis": diagnosis}


OVERFIT = {
    "verdict": "overfit",
    "median_onset": 19.0,
    "generalization_loss": 36.2,
    "generalization_losses": [36.2],
}


def test_headline_overfit_and_mixed():
    found = headline(results(diagnosis=OVERFIT, l2=HELPED, l1=NONE, dropout=HURT))
    assert found == (
        "Without regularization the model overfits: its validation loss rises from epoch 19 on, and the loss ends 36% "
        "above its lowest; test accuracy is shown to be higher with l2 (+5.0 points) and lower with dropout; it is not "
        "shown to differ with l1."
    )


def test_headline_counts_many_and_names_the_largest():
    more = gain(0.1, 0.08, 0.12, 0.01)
    found = headline(results(diagnosis=OVERFIT, a=HELPED, more_data=more, b=HELPED, c=NONE))
    assert found.endswith(
        "; test accuracy is shown to be higher with 3 of 4 techniques (largest estimate: more data, +10.0 points); it "
        "is not shown to differ with c."
    )
    assert " higher with all 3 techniques " in headline(results(a=HELPED, b=HELPED, c=HELPED))


def test_headline_never_claims_more():
    assert headline(results(l2=NONE, l1=NONE)).endswith("; no technique is shown to change test accuracy in 10 runs.")
    assert headline(results(seeds=1, l2=UNTESTED)).endswith(
        "; with a single run nothing can be said about chance, so no technique is called better or worse."
    )
    assert headline(results(l2=HURT)).endswith("; test accuracy is shown to be lower with l2.")
    assert headline(results(l2=HELPED, l1=UNTESTED)).endswith("; l1 could not be tested.")
    assert "no technique was compared" in headline(results())


@pytest.mark.parametrize(
    ("verdict", "words"),
    [
        ("correct_fit", "the model is not shown to overfit;"),
        ("underfit", "the model underfits, or more cannot be learned"),
        ("diverged", "the training diverged"),
        ("overfit", "overfits: it does better on its training examples"),
        ("something else", "baseline was compared"),
    ],
)
def test_headline_of_other_baselines(verdict, words):
    assert words in headline(results(diagnosis={"verdict": verdict, "median_onset": None}, l2=NONE))


def test_a_page_of_one_split_speaks_of_this_split_alone():
    made = results(l2=HELPED, l1=NONE) | {"splits": 1, "baseline": {"name": "baseline", "title": "baseline"}}
    made["best"] = {"name": "l2", "better_than": ["baseline"]}
    for sentence in (headline, loss_sentence, best_sentence):
        assert "on this split" in sentence(made)
        assert "on this split" not in sentence(made | {"splits": 10})


def test_headline_regression():
    assert "test R² is shown to be higher with l2 (+0.050)" in headline(results("r2", l2=HELPED))


def test_a_technique_that_changes_too_little_is_not_praised():
    assert headline(results(l2=SAME)).endswith(
        "; test accuracy is shown to be practically the same with l2 (a change of less than 1.0 points)."
    )
    assert "l2 (+5.0 points) and practically the same with l1 (a change of less than 1.0 points); it is " in headline(
        results(l2=HELPED, l1=SAME, c=NONE)
    )


def test_loss_sentence_has_the_size_of_each_change():
    made = results(a=HELPED, b=NONE, c=HURT, d=SAME) | {"baseline": {"test_loss": {"mean": 0.5}}}
    assert loss_sentence(made) == (
        "Test loss: lower with a (−10.0%); higher with c (+10.0%); practically the same with d (−0.4%, within ±2.0%); "
        "no difference that 10 runs can show with b (−2.0%)."
    )
    assert loss_sentence(results("r2", a=HELPED)) == "Test MSE: lower with a (−0.050)."  # no loss to relate it to
    assert loss_sentence(results(seeds=1, a=UNTESTED)) == ""
    assert loss_sentence(results()) == ""


@pytest.mark.parametrize(
    ("better_than", "named", "absent"),
    [
        (("baseline", "l1"), (), ("than l1", "differ")),
        (("baseline",), ("better than baseline", "not shown to differ from l1"), ("than l1",)),
        ((), ("not shown",), ("differ",)),
    ],
)
def test_the_best_row_is_better_than_those_that_are_named(better_than, named, absent):
    made = results(l2=HELPED, l1=NONE) | {"baseline": {"name": "baseline", "title": "baseline"}}
    made["best"] = {"name": "l2", "better_than": list(better_than)}
    sentence = best_sentence(made)
    assert all(words in sentence for words in ("l2", *named))
    assert not any(words in sentence for words in absent)
    assert best_sentence(made | {"seeds": 5}) == best_sentence(made | {"best": None}) == ""


def test_groups_largest_first_with_their_numbers():
    rows = list(results(a=HELPED, b=gain(0.1, 0.08, 0.12, 0.01), c=NONE, d=UNTESTED, e=SAME)["techniques"].values())
    found = {g.status: g.items for g in groups(rows, Measure.of({"metric": "accuracy"}))}
    assert found["helped"] == (
        ("b", "+10.0 points (+8.0 to +12.0)"),
        ("a", "+5.0 points (+3.0 to +7.0)"),
    )
    assert found["none"] == (("c", "+1.0 points (−1.0 to +3.0)"),)
    assert found["same"] == (("e", "+0.2 points (within ±1.0)"),)
    assert "hurt" not in found
    (small,) = groups([{"title": "a", "improvement": HELPED | {"practical": 0.04}}], Measure.of({}))
    assert small.items == (("a", "+5.0 points (+3.0 to +7.0; perhaps less than the 4.0 that matters)"),)
    assert found["untested"] == (("d", "+5.0 points"),)


def test_what_diverged_with_and_without_the_technique_is_not_compared():
    both = UNTESTED | {"both_diverged": 9}
    made = results(a=both, b=both)
    (found,) = groups(list(made["techniques"].values()), Measure.of(made))
    assert (found.status, found.items[0]) == ("untested", ("a", "diverged as without it, in 9 runs"))
    assert "the training diverged with a and b, too" in headline(made)


def test_titles_lose_their_brackets():
    assert short("L2 decoupled (AdamW)") == "L2 decoupled"


def test_a_loss_that_is_the_metric_has_one_sentence(digits):
    assert loss_sentence(digits)
    assert loss_sentence(digits | {"metric": "log_loss"}) == ""
    for loss, said in (("mae", False), ("mse", True)):
        settings = digits["settings"] | {"loss": {"name": loss, "parameter": None}}
        assert bool(loss_sentence(digits | {"metric": "mae", "settings": settings})) == said
